"""A library too large for one machine: a filter index on each of several Ray actors, answers merged.

Every shard answers for its own concepts, so the best of all shards' best are the best of all. Shards share one space,
else their scores could not be compared.
"""

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import numpy as np
from jaxtyping import Float32

from ego.errors import BackboneError
from ego.library.filter.index import FilterIndex, Found

ShardFactory: TypeAlias = Callable[[], FilterIndex]
"""Opens the index of one shard; it can be pickled, and runs once where the shard is."""

_TRIES = 3


class RayShards:
    """Finds concepts by similarity in all shards at once.

    Args:
        ray: The module, connected; see `ray_session`.
        shards: One factory each. A shard that is lost is opened again by a fresh actor.
    """

    def __init__(self, ray: Any, shards: Sequence[ShardFactory]) -> None:
        self._ray, self._factories = ray, tuple(shards)
        self._remote = ray.remote(num_cpus=1, max_restarts=0)(_Shard)
        self._actors = [self._remote.remote(factory) for factory in self._factories]

    def nearest(self, tokens: Float32[np.ndarray, "visual dim"], most: int) -> tuple[Found, ...]:
        """Find the concepts most like a picture, best first; see `FilterIndex.nearest`.

        Raises:
            BackboneError: If a shard keeps being lost.
        """
        shared = self._ray.put(tokens)
        asked = [actor.nearest.remote(shared, most) for actor in self._actors]
        return merged([self._answer(number, reference, shared, most) for number, reference in enumerate(asked)], most)

    def _answer(self, number: int, reference: Any, tokens: Any, most: int) -> Sequence[Found]:
        for _ in range(_TRIES):
            try:
                answer: Sequence[Found] = self._ray.get(reference)
                return answer
            except self._ray.exceptions.RayActorError:
                self._actors[number] = self._remote.remote(self._factories[number])
                reference = self._actors[number].nearest.remote(tokens, most)
        raise BackboneError(f"shard {number} was lost {_TRIES} times; look at the logs of Ray")


def merged(answers: Sequence[Sequence[Found]], most: int) -> tuple[Found, ...]:
    """Take the best of the shards' best."""
    return tuple(sorted((found for answer in answers for found in answer), key=lambda found: -found.score)[:most])


class _Shard:
    """Holds the index of one shard."""

    def __init__(self, factory: ShardFactory) -> None:
        self._index = factory()

    def nearest(self, tokens: Float32[np.ndarray, "visual dim"], most: int) -> tuple[Found, ...]:
        return self._index.nearest(tokens, most)
