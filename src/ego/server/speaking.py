"""Answers of the model in this process: requests that wait at the same time, whoever asks, are answered together."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar, runtime_checkable

from ego.answer import answer_of
from ego.backbones.base import Backbone, Generation, Request
from ego.footage import QueryImage
from ego.personalizer import Ego
from ego.prompt import caption_question
from ego.results import Answer
from ego.scene import Scene
from ego.server.work import ModelThread, Ticket

T_co = TypeVar("T_co", covariant=True)
KIND = "answer"


@runtime_checkable
class Answering(Protocol[T_co]):
    """A request whose pictures and memories have been read."""

    @property
    def backbone(self) -> Backbone:
        """The model."""
        ...

    @property
    def request(self) -> Request:
        """What is asked."""
        ...

    def finish(self, said: Generation | Exception) -> T_co | Exception:
        """Make the result of what the model said, or of what ended it."""
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
        for place, said in able[0][1].backbone.generate_together([one.request for _, one in able]):
            number, one = able[place]
            yield number, one.finish(said)


def _prepared(asked: _Asked) -> Answering[Any] | Exception:
    """Read what one request is about; what is wrong with it is no concern of the others."""
    try:
        asked.ticket.still_wanted()
        return asked.prepare(asked.ticket)
    except Exception as error:
        return error


@dataclass(frozen=True, eq=False)
class Describing:
    """An image or clip that is described in one sentence, as `Ego.caption` does."""

    scene: Scene
    request: Request

    @staticmethod
    def of(personal: Ego, image: QueryImage, names: Sequence[str] | None) -> "Describing":
        """Read the image and the memories."""
        scene = personal.caption_scene(image, names)
        prompt = scene.prompt(caption_question(scene.memories))
        return Describing(scene, Request(prompt, personal.config.caption_tokens, scene.prefix))

    @property
    def backbone(self) -> Backbone:
        """The model."""
        return self.scene.backbone

    def finish(self, said: Generation | Exception) -> Answer | Exception:
        """Make the answer."""
        names = tuple(memory.name for memory in self.scene.memories)
        return said if isinstance(said, Exception) else answer_of(said, names, self.scene.dropped)
