"""The engine that lets llama.cpp speak: prompts are made here and go in as rows, answers come out word by word."""

import asyncio
from collections.abc import Callable, Iterable, Sequence

from ego.backbones.huggingface import HuggingFaceBackbone
from ego.personalizer import Ego
from ego.server.conversation import Message, Reply, Wanted, pictures_of, words_of
from ego.server.engines.base import Offers
from ego.server.engines.listening import Listener
from ego.server.engines.llama.context import LlamaContext
from ego.server.engines.llama.rows import embedded
from ego.server.engines.llama.speaking import Asked, Slots, speak
from ego.server.engines.prompting import answer_room, conversation_prompt
from ego.server.work import ModelThread, Ticket

KIND = "answer"


class LlamaEngine:
    """Answers through llama.cpp, greedily, several requests at once.

    Args:
        backbone: The same model in this process: it introduces, recognizes, encodes pictures and lays prompts out.
        model: The thread that owns it.
        context: The model that answers.
        longest: Most tokens of an answer.
        depth: Most requests that wait for an answer.
    """

    def __init__(
        self, backbone: HuggingFaceBackbone, model: ModelThread, context: LlamaContext, *, longest: int, depth: int
    ) -> None:
        self.name, self.offers = "llama.cpp", Offers(logprobs=False, schema=False)
        self._backbone, self._model, self._context, self._longest = backbone, model, context, longest
        self._speaking, self._slots = ModelThread(depth, context.slots), Slots(context)

    async def start(self) -> None:
        """Begin with nothing: both models are loaded."""

    async def reply(
        self, owner: str, personal: Ego, turns: Sequence[Message], wanted: Wanted, emit: Callable[[str], None]
    ) -> Reply:
        """Choose memories and encode pictures in the model's thread, and let llama.cpp answer in its own."""
        self.offers.require(wanted, self.name)
        loop, ticket = asyncio.get_running_loop(), Ticket()
        listener = Listener(wanted.stop, lambda piece: _tell(loop, emit, piece))
        asked = await self._model.run(
            owner, lambda place: self._prepare(owner, personal, turns, wanted, listener, place, ticket)
        )
        return await self._speaking.run_together(owner, KIND, asked, self._speak, ticket)

    async def trouble(self) -> str:
        """Say nothing: it lives and dies with this process."""
        return ""

    async def close(self) -> None:
        """Finish what was taken, and let go of the model that answers."""
        await asyncio.to_thread(self._speaking.close)
        self._context.close()

    def _speak(self, asked: Sequence[Asked]) -> Iterable[tuple[int, Reply | Exception]]:
        return speak(self._context, self._slots, asked, self._backbone.end_tokens)

    def _prepare(
        self,
        owner: str,
        personal: Ego,
        turns: Sequence[Message],
        wanted: Wanted,
        listener: Listener,
        place: Ticket,
        ticket: Ticket,
    ) -> Asked:
        place.still_wanted()
        pictures = pictures_of(turns)
        sight = personal.sight(list(pictures) or None, wanted.names, question=words_of(turns[-1]))
        tokens = dict(zip(map(id, pictures), sight.images, strict=True))
        prompt = conversation_prompt(sight.memories, turns, lambda picture: tokens[id(picture)])
        longest = min(self._longest, wanted.max_tokens or personal.config.answer_tokens)
        room = answer_room(personal, prompt, longest, most=self._context.tokens)

        def hear(piece: str) -> None:
            ticket.still_wanted()
            listener.hear(piece)

        return Asked(
            owner=owner,
            rows=embedded(self._backbone, prompt).numpy(),
            limit=room,
            listener=listener,
            ticket=ticket,
            transcript=self._backbone.transcript(hear),
            used=tuple(memory.name for memory in sight.memories),
            dropped=sight.dropped,
        )


def _tell(loop: asyncio.AbstractEventLoop, emit: Callable[[str], None], piece: str) -> None:
    loop.call_soon_threadsafe(emit, piece)
