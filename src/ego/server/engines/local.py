"""The engine in this process: the model that the service has loaded answers, greedily, one request after the other."""

import asyncio
from collections.abc import Callable, Sequence

from ego.answer import mentions
from ego.personalizer import Ego
from ego.scene import Scene
from ego.server.conversation import Message, Reply, Wanted, pictures_of, words_of
from ego.server.engines.base import Offers
from ego.server.engines.listening import Listener, MetStopError
from ego.server.engines.prompting import answer_room, conversation_prompt, is_plain
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

        def work(ticket: Ticket) -> Reply:
            listener = Listener(wanted.stop, lambda piece: _tell(loop, emit, piece))
            return self._answer(personal, turns, wanted, listener, ticket)

        return await self._model.run(owner, work)

    async def trouble(self) -> str:
        """Say nothing: it lives and dies with this process."""
        return ""

    async def close(self) -> None:
        """Let go of nothing; the thread belongs to the service."""

    def _answer(
        self, personal: Ego, turns: Sequence[Message], wanted: Wanted, listener: Listener, ticket: Ticket
    ) -> Reply:
        ticket.still_wanted()
        pictures = pictures_of(turns)
        scene = personal.look(list(pictures) or None, wanted.names, question=words_of(turns[-1]))
        tokens = dict(zip(map(id, pictures), scene.images, strict=True))
        prompt = conversation_prompt(scene.memories, turns, lambda picture: tokens[id(picture)])
        room = answer_room(personal, prompt, min(self._longest, wanted.max_tokens or personal.config.answer_tokens))

        def hear(piece: str) -> None:
            ticket.still_wanted()
            listener.hear(piece)

        prefix = scene.prefix if is_plain(turns) else None
        try:
            said = personal.backbone.generate(prompt, max_new_tokens=room, prefix=prefix, on_text=hear)
        except MetStopError:
            return _reply(scene, listener, personal.backbone.count_tokens(prompt), listener.pieces, cut=False)
        listener.finish()
        return _reply(scene, listener, said.prompt_tokens, len(said.token_ids), cut=len(said.token_ids) >= room)


def _reply(scene: Scene, listener: Listener, prompt_tokens: int, answer_tokens: int, *, cut: bool) -> Reply:
    names = tuple(memory.name for memory in scene.memories)
    return Reply(
        text=listener.text,
        finish="length" if cut else "stop",
        prompt_tokens=prompt_tokens,
        answer_tokens=answer_tokens,
        cached_tokens=0,
        used=names,
        dropped=scene.dropped,
        mentioned=tuple(name for name in names if mentions(listener.text, name)),
    )


def _tell(loop: asyncio.AbstractEventLoop, emit: Callable[[str], None], piece: str) -> None:
    loop.call_soon_threadsafe(emit, piece)
