"""The engine in this process: the model that the service has loaded answers, greedily, several requests at once."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ego.backbones.base import Backbone, Generation, Request
from ego.personalizer import Ego
from ego.scene import Scene
from ego.server.conversation import Message, Reply, Wanted, pictures_of, words_of
from ego.server.engines.base import Offers
from ego.server.engines.listening import Listener, MetStopError, reply_of
from ego.server.engines.prompting import answer_room, conversation_prompt, is_plain
from ego.server.speaking import say
from ego.server.work import ModelThread, Ticket


class LocalEngine:
    """Answers with the loaded model.

    Args:
        model: The thread that owns it.
        longest: Most tokens of an answer.
    """

    def __init__(self, model: ModelThread, longest: int) -> None:
        self.name, self.offers = "local", Offers(logprobs=False, schema=False)
        self._model, self._longest = model, longest

    async def start(self) -> None:
        """Begin with nothing: the model is loaded."""

    async def reply(
        self, owner: str, personal: Ego, turns: Sequence[Message], wanted: Wanted, emit: Callable[[str], None]
    ) -> Reply:
        """Answer in the model's thread; sampling is not done, the likeliest answer is given."""
        self.offers.require(wanted, self.name)
        loop = asyncio.get_running_loop()
        listener = Listener(wanted.stop, lambda piece: _tell(loop, emit, piece))
        return await say(self._model, owner, lambda ticket: self._prepare(personal, turns, wanted, listener, ticket))

    async def trouble(self) -> str:
        """Say nothing: it lives and dies with this process."""
        return ""

    async def close(self) -> None:
        """Let go of nothing; the thread belongs to the service."""

    def _prepare(
        self, personal: Ego, turns: Sequence[Message], wanted: Wanted, listener: Listener, ticket: Ticket
    ) -> "_Answering":
        """Read memories and pictures, in the model's thread."""
        pictures = pictures_of(turns)
        scene = personal.look(list(pictures) or None, wanted.names, question=words_of(turns[-1]))
        tokens = dict(zip(map(id, pictures), scene.images, strict=True))
        prompt = conversation_prompt(scene.memories, turns, lambda picture: tokens[id(picture)])
        room = answer_room(personal, prompt, min(self._longest, wanted.max_tokens or personal.config.answer_tokens))

        def hear(piece: str) -> None:
            ticket.still_wanted()
            listener.hear(piece)

        request = Request(prompt, room, scene.prefix if is_plain(turns) else None, hear)
        return _Answering(personal.backbone, request, scene, listener)


@dataclass(frozen=True, eq=False)
class _Answering:
    """A conversation that is being answered."""

    backbone: Backbone
    request: Request
    scene: Scene
    listener: Listener

    @property
    def requests(self) -> Sequence[Request]:
        """The one prompt."""
        return (self.request,)

    def finish(self, said: Sequence[Generation | Exception]) -> Reply | Exception:
        """Make the reply; an answer that met a stop text is whole, too."""
        (told,) = said
        if isinstance(told, MetStopError):
            length = self.backbone.count_tokens(self.request.prompt)
            return self._reply(length, self.listener.pieces, cut=False)
        if isinstance(told, Exception):
            return told
        self.listener.finish()
        length = len(told.token_ids)
        return self._reply(told.prompt_tokens, length, cut=length >= self.request.max_new_tokens)

    def _reply(self, prompt_tokens: int, answer_tokens: int, *, cut: bool) -> Reply:
        used = tuple(memory.name for memory in self.scene.memories)
        return reply_of(
            self.listener,
            used,
            self.scene.dropped,
            prompt_tokens=prompt_tokens,
            answer_tokens=answer_tokens,
            cut=cut,
        )


def _tell(loop: asyncio.AbstractEventLoop, emit: Callable[[str], None], piece: str) -> None:
    loop.call_soon_threadsafe(emit, piece)
