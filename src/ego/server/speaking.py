"""Answers of the model in this process: requests that wait at the same time, whoever asks, are answered together."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar, runtime_checkable

from ego.answer import answer_of
from ego.backbones.base import Backbone, Generation, Request
from ego.caption import caption_prompt, joined
from ego.footage import QueryImage
from ego.personalizer import Ego
from ego.results import Answer
from ego.scene import Scene
from ego.server.work import ModelThread, Ticket

T_co = TypeVar("T_co", covariant=True)
KIND = "answer"


@runtime_checkable
class Answering(Protocol[T_co]):
    """What is asked about pictures and memories that have been read, in one prompt or several."""

    @property
    def backbone(self) -> Backbone:
        """The model."""
        ...

    @property
    def requests(self) -> Sequence[Request]:
        """What is asked; at least one."""
        ...

    def finish(self, said: Sequence[Generation | Exception]) -> T_co | Exception:
        """Make the result of what the model said to each, or of what ended it."""
        ...


@dataclass(frozen=True, eq=False)
class _Asked:
    prepare: Callable[[Ticket], Answering[Any]]
    ticket: Ticket


async def say(model: ModelThread, owner: str, prepare: Callable[[Ticket], Answering[T_co]]) -> T_co:
    """Let the model answer.

    Args:
        model: The thread that owns it.
        owner: Who asks.
        prepare: Reads what is asked about, in the model's thread.
    """
    asked = _Asked(prepare, Ticket())
    return await model.run_together(owner, KIND, asked, _answer_all, asked.ticket)


def _answer_all(asked: Sequence[_Asked]) -> Iterator[tuple[int, Any]]:
    able: list[tuple[int, Answering[Any]]] = []
    for number, one in enumerate(map(_prepared, asked)):
        if isinstance(one, Exception):
            yield number, one
        else:
            able.append((number, one))
    if able:
        yield from _spoken(able)


def _spoken(able: Sequence[tuple[int, Answering[Any]]]) -> Iterator[tuple[int, Any]]:
    """Let the model answer all prompts of all of them; each is finished when its last one is."""
    prompts = [(who, request) for who, (_, one) in enumerate(able) for request in one.requests]
    said: list[dict[int, Generation | Exception]] = [{} for _ in able]
    for place, words in able[0][1].backbone.generate_together([request for _, request in prompts]):
        who = prompts[place][0]
        number, one = able[who]
        said[who][place] = words
        if len(said[who]) == len(one.requests):
            yield number, one.finish([said[who][key] for key in sorted(said[who])])


def _prepared(asked: _Asked) -> Answering[Any] | Exception:
    """Read what one request is about; what is wrong with it is no concern of the others."""
    try:
        asked.ticket.still_wanted()
        return asked.prepare(asked.ticket)
    except Exception as error:
        return error


@dataclass(frozen=True, eq=False)
class Describing:
    """An image or clip that is described in a sentence or a few, as `Ego.caption` does."""

    scenes: Sequence[Scene]
    requests: Sequence[Request]

    @staticmethod
    def of(personal: Ego, image: QueryImage, names: Sequence[str] | None) -> "Describing":
        """Read the image and the memories."""
        scenes, longest = personal.caption_scenes(image, names), personal.config.caption_tokens
        return Describing(scenes, [Request(caption_prompt(scene), longest, scene.prefix) for scene in scenes])

    @property
    def backbone(self) -> Backbone:
        """The model."""
        return self.scenes[0].backbone

    def finish(self, said: Sequence[Generation | Exception]) -> Answer | Exception:
        """Make the answer."""
        told = []
        for scene, sentence in zip(self.scenes, said, strict=True):
            if isinstance(sentence, Exception):
                return sentence
            told.append(answer_of(sentence, tuple(memory.name for memory in scene.memories), scene.dropped))
        return joined(told)
