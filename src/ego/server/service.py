"""Service: the verbs that every protocol calls; owners, engine and the model's thread behind them."""

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import asdict
from typing import Any, TypeVar

from PIL import Image

from ego.backbones.base import Backbone
from ego.concept import Concept
from ego.config import EgoConfig
from ego.errors import ContextBudgetError
from ego.footage import QueryImage, query_frames
from ego.library.contract import Library
from ego.library.owners import KEPT_OPEN, Owners
from ego.library.views import remove_view
from ego.memory import ConceptMemory
from ego.personalizer import Ego
from ego.places import places, places_in
from ego.prefix_cache import PrefixCache
from ego.results import Place, Recognition
from ego.server.conversation import Message, Reply, Wanted, in_turns, pictures_of, words_of
from ego.server.engines.base import Engine
from ego.server.failures import TooLargeError, TooSlowError, UnknownModelError
from ego.server.metrics import Metrics
from ego.server.pictures import PictureReader
from ego.server.settings import ServiceSettings
from ego.server.speaking import Describing, say
from ego.server.work import ModelThread, Ticket
from ego.store import ConceptStore

T = TypeVar("T")
LONGEST_TOKEN = 32  # characters; no tokenizer packs more into a token on average
ALIASES = ("ego", "default")


class Service:
    """What the service does.

    Args:
        backbone: The model that introduces, recognizes and, with the local engine, answers.
        engine: Gives the engine, once the model's thread is there.
        settings: Limits and places.
        config: Numbers of the method.
    """

    def __init__(
        self,
        backbone: Backbone,
        engine: Callable[[ModelThread], Engine],
        settings: ServiceSettings,
        config: EgoConfig | None = None,
    ) -> None:
        self.settings, self.config = settings, config or EgoConfig()
        self.metrics, self.pictures = Metrics(), PictureReader(settings)
        self.model = ModelThread(settings.queue, settings.batch)
        self.model.batches = self.metrics.batch.observe
        self.metrics.waiting.set_function(lambda: len(self.model))
        self.engine = engine(self.model)
        self.backbone = backbone
        self.model_name = _short(backbone.card.model_id)
        self._read = PrefixCache(backbone, self.config.cache_megabytes)
        self._owners = None if settings.keys is None else Owners(settings.library)
        self._open: OrderedDict[str, Ego] = OrderedDict()

    def of(self, owner: str) -> Ego:
        """Open the concepts of an owner."""
        personal = self._open.pop(owner, None)
        if personal is None:
            store = ConceptStore(self.settings.library) if self._owners is None else self._owners.library(owner)
            personal = Ego(self.backbone, store, self.config, cache=self._read)
        self._open[owner] = personal
        while len(self._open) > KEPT_OPEN:
            self._open.popitem(last=False)
        return personal

    def keeping(self, owner: str, *, thumbnails: bool) -> Ego:
        """Open the concepts of an owner to add to them, with or without small pictures."""
        config = self.config.model_copy(update={"thumbnails": thumbnails})
        return Ego(self.backbone, self.of(owner).store, config, cache=self._read)

    def require_model(self, name: str) -> None:
        """Refuse a model that is not served.

        Raises:
            UnknownModelError: If it is not.
        """
        if name.removesuffix(":latest") not in (self.model_name, self.backbone.card.model_id, *ALIASES):
            raise UnknownModelError(f"the model {name[:100]!r} is not served here; use {self.model_name!r}")

    async def replies(self, owner: str, messages: Sequence[Message], wanted: Wanted) -> AsyncIterator[str | Reply]:
        """Answer a conversation: pieces of text as they appear, then the whole reply."""
        turns = in_turns(messages)
        self.pictures.require_few(pictures_of(turns))
        self._require_short(turns)
        pieces: asyncio.Queue[str | None] = asyncio.Queue()
        work = self.engine.reply(owner, self.of(owner), turns, wanted, pieces.put_nowait)
        task = asyncio.create_task(self._in_time(work))
        task.add_done_callback(lambda done: pieces.put_nowait(None))
        try:
            while (piece := await pieces.get()) is not None:
                yield piece
            reply = await task
            self._count(reply)
            yield reply
        finally:
            task.cancel()

    async def caption(self, owner: str, image: QueryImage, names: tuple[str, ...] | None) -> dict[str, Any]:
        """Describe an image or clip in a sentence or a few."""
        personal = self.of(owner)
        return asdict(await self._in_time(say(self.model, owner, lambda ticket: Describing.of(personal, image, names))))

    async def recognize(
        self, owner: str, image: QueryImage, names: tuple[str, ...] | None, threshold: float | None
    ) -> list[dict[str, Any]]:
        """Say which concepts are in an image or clip."""
        personal = self.of(owner)

        def work(images: Sequence[QueryImage]) -> list[tuple[int, list[dict[str, Any]]]]:
            found = personal.recognize_many(images, names, threshold=threshold)
            return list(enumerate([asdict(answer) for answer in seen.values()] for seen in found))

        # A clip is read on the way and may fail; it must not take others along.
        kind = ("recognize", owner, names, threshold) if isinstance(image, Image.Image) else object()
        return await self._in_time(self.model.run_together(owner, kind, image, work))

    async def places(self, owner: str, image: QueryImage, found: Sequence[Recognition]) -> dict[str, tuple[Place, ...]]:
        """Say where those who were recognized were seen."""
        personal = self.of(owner)
        return await self._do(owner, lambda: places(personal, image, found))

    async def where(self, owner: str, image: QueryImage, names: Sequence[str] | None) -> dict[str, tuple[Place, ...]]:
        """Say where the model looks for concepts, present or not, in every picture or frame."""
        personal = self.of(owner)

        def work(ticket: Ticket) -> dict[str, tuple[Place, ...]]:
            frames = query_frames(image, personal.config.video_frames)
            found: dict[str, tuple[Place, ...]] = {}
            for name in [memory.name for memory in personal.memories] if names is None else names:
                ticket.still_wanted()
                found |= places_in(personal, frames, [name])
            return found

        return await self._in_time(self.model.run(owner, work))

    async def introduce(self, owner: str, concept: Concept, *, replace: bool, thumbnail: bool) -> ConceptMemory:
        """Remember a concept; when this returns, it is on disk."""
        personal = self.of(owner)
        self._require_room(personal.store)
        if not replace:
            personal.store.require_free(concept.name)
        keeping = self.keeping(owner, thumbnails=thumbnail)
        return await self._do(owner, lambda: keeping.introduce(concept, replace=replace))

    async def add_view(self, owner: str, name: str, concept: Concept) -> ConceptMemory:
        """Add photos to a concept."""
        personal = self.of(owner)
        more = {"keywords": concept.keywords, "regions": concept.regions}
        return await self._do(owner, lambda: personal.add_view(name, concept.images, **more))  # type: ignore[arg-type]

    async def remove_view(self, owner: str, name: str, view: int) -> ConceptMemory:
        """Take a photo out of a concept; in the model's thread, where photos are added, too."""
        store = self.of(owner).store

        return await self._do(owner, lambda: remove_view(store, name, view))

    def library(self, owner: str) -> Library:
        """Give an owner's concepts to look after."""
        return self.of(owner).store

    def require_room(self, owner: str) -> None:
        """Refuse more concepts than an owner may have.

        Raises:
            TooLargeError: If the library is full.
        """
        self._require_room(self.library(owner))

    async def start(self) -> None:
        """Let the engine look at what it needs."""
        await self.engine.start()

    async def trouble(self) -> str:
        """Say what keeps the service from answering; empty if nothing does."""
        return await self.engine.trouble()

    async def close(self) -> None:
        """Finish what was taken, then let go."""
        await asyncio.to_thread(self.model.close)
        await self.engine.close()

    async def _do(self, owner: str, work: Callable[[], T]) -> T:
        def wanted(ticket: Ticket) -> T:
            ticket.still_wanted()
            return work()

        return await self._in_time(self.model.run(owner, wanted))

    async def _in_time(self, work: Awaitable[T]) -> T:
        try:
            async with asyncio.timeout(self.settings.timeout):
                return await work
        except TimeoutError as error:
            raise TooSlowError(
                f"no answer within {self.settings.timeout:g} s; try again later, or ask for less"
            ) from error

    def _require_room(self, store: Library) -> None:
        if len(store.names()) >= self.settings.concepts:
            raise TooLargeError(f"there are {self.settings.concepts} concepts already, the most one owner may have")

    def _require_short(self, turns: Sequence[Message]) -> None:
        """Refuse words that cannot fit before they are tokenized, which takes long for a book."""
        length, context = sum(len(words_of(turn)) for turn in turns), self.backbone.card.context_length
        if length > LONGEST_TOKEN * context:
            raise ContextBudgetError(
                f"the conversation has {length:,} characters, but the model reads {context:,} tokens; shorten it"
            )

    def _count(self, reply: Reply) -> None:
        self.metrics.prompt_tokens.inc(reply.prompt_tokens)
        self.metrics.cached_tokens.inc(reply.cached_tokens)
        self.metrics.answer_tokens.inc(reply.answer_tokens)
        self.metrics.used.inc(len(reply.used))
        self.metrics.dropped.inc(len(reply.dropped))


def _short(model_id: str) -> str:
    """Give the last part of a name or path: paths of this machine are nobody's business."""
    return model_id.rstrip("/\\").replace("\\", "/").rsplit("/", 1)[-1]
