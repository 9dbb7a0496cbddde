"""Ego: introduce, recognize, ask, caption, forget; every line calls one room above.

personal = Ego(load_backbone("mini"), store=ConceptStore("my-concepts"))
personal.introduce(Concept("Bo", images=["bo-1.jpg"]))
personal.recognize("park.jpg")
"""

import tempfile
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from ego.answer import Answer, Recognition, not_asked, recognize_all
from ego.backbones.base import Backbone
from ego.calibration import saved_layers
from ego.chat import Chat
from ego.concept import Concept, ImageSource, Region, name_key
from ego.config import EgoConfig
from ego.errors import InputError, UnknownConceptError
from ego.footage import QueryImage, query_frames, reference_images
from ego.introduction import Reference, introduce_view
from ego.layers import choose_layers
from ego.media import Frame, LoadedImage, thumbnail
from ego.media.source import label_of
from ego.memory import ConceptMemory
from ego.prompt import caption_question
from ego.scene import Scene, SceneReader
from ego.store import ConceptStore, SkippedFile
from ego.visual_tokens import concatenate
from ego.watching import groups, over_time


class Ego:
    """A vision-language model that knows your things.

    Args:
        backbone: The model, see `load_backbone`.
        store: Where memories live; None keeps them in a temporary folder that goes with this object.
        config: Numbers of the method.

    An image of a query may be a path, a PIL image, a video or animation, or a list of frames; what a file is, its
    content says.
    """

    def __init__(self, backbone: Backbone, store: ConceptStore | None = None, config: EgoConfig | None = None) -> None:
        self.backbone = backbone
        self.config = config or EgoConfig()
        if store is None:
            self._temporary = tempfile.TemporaryDirectory(prefix="ego-")
            store = ConceptStore(Path(self._temporary.name))
        self.store = store
        self._scenes = SceneReader(backbone, self.config)
        self._layers: tuple[int, ...] | None = None

    @property
    def memories(self) -> tuple[ConceptMemory, ...]:
        """Every concept this model can read, in the stable order of the store."""
        return self.store.load_all(self.backbone.fingerprint).memories

    @property
    def skipped(self) -> tuple[SkippedFile, ...]:
        """Files of the store that cannot be used with this model, each with the reason."""
        return self.store.load_all(self.backbone.fingerprint).skipped

    @property
    def layers(self) -> tuple[int, ...]:
        """Decoder layers whose attention chooses the tokens."""
        if self._layers is None:
            card, config = self.backbone.card, self.config
            self._layers = choose_layers(
                card.attention_layers,
                card.layer_count,
                wanted=config.layers,
                calibrated=saved_layers(self.backbone.fingerprint, card.decoder),
                band=config.depth_band,
            )
        return self._layers

    def introduce(self, concept: Concept, *, replace: bool = False) -> ConceptMemory:
        """Build the memory of a concept from its reference images and store it; nothing is stored before all is done.

        Raises:
            DuplicateConceptError: If the name is taken and `replace` is off.
            ImageError: If a reference image cannot be used.
            SelectionError: If the model's description holds no word.
        """
        if not replace:
            self.store.require_free(concept.name)
        self.store.add(self.build(concept), replace=replace, stored_type=self.config.stored_type)
        return self.store.get(concept.name)

    def build(self, concept: Concept) -> ConceptMemory:
        """Build the memory of a concept without storing it."""
        references = _references(concept, self.config.introduction_frames)
        views = [introduce_view(self.backbone, reference, self.config, self.layers) for reference in references]
        return ConceptMemory(
            name=concept.name,
            category=concept.category,
            notes=concept.notes,
            tokens=concatenate([view.tokens for view in views]),
            views=tuple(view.record for view in views),
            fingerprint=self.backbone.fingerprint,
            created=datetime.now(UTC).isoformat(timespec="microseconds"),
            thumbnail=thumbnail(references[0].image) if self.config.thumbnails else None,
        )

    def add_view(
        self,
        name: str,
        images: Sequence[ImageSource],
        *,
        keywords: str = "",
        regions: Sequence[Region | None] = (),
    ) -> ConceptMemory:
        """Add reference images to a remembered concept; keywords and regions as for `Concept`."""
        known = self.store.get(name)
        known.require(self.backbone.fingerprint)
        more = self.build(Concept(known.name, images, keywords=keywords, regions=regions))
        self.store.add_view(known.name, more)
        return self.store.get(name)

    def forget(self, name: str) -> None:
        """Remove a concept.

        Raises:
            UnknownConceptError: If it is not there.
        """
        self.store.remove(name)

    def recognize(
        self, image: QueryImage, names: Sequence[str] | None = None, *, threshold: float | None = None
    ) -> dict[str, Recognition]:
        """Say for every concept (or those named) whether it is in an image or video, and of a video also when.

        Args:
            image: What to look at; of several frames it is enough that a concept is in one of them.
            names: Concepts to ask about; all others stay out of the prompt.
            threshold: Probability from which a concept counts as present; the configured one by default.
        """
        limit = self.config.threshold if threshold is None else threshold
        if not 0 <= limit <= 1:
            raise InputError(f"threshold {limit} is not a probability; give a number from 0 to 1")
        if image is None:
            raise InputError("there is no image to look at; give a path, an image, a video or frames")
        memories = self._named(names)
        watched = groups(query_frames(image, self.config.video_frames), self.config.frames_together)
        return over_time([self._recognize_in(frames, memories, limit) for frames in watched], watched)

    def _recognize_in(
        self, frames: Sequence[Frame], memories: Sequence[ConceptMemory], limit: float
    ) -> dict[str, Recognition]:
        """Ask about pictures that are shown to the model at once."""
        scene = self._scenes.read(memories, [frame.picture for frame in frames])
        if scene.prefix is None:
            raise InputError("there is no image to look at; give a path, an image, a video or frames")
        found = recognize_all(self.backbone, scene.memories, scene.images, threshold=limit, prefix=scene.prefix)
        return found | {name: not_asked(name, limit) for name in scene.dropped}

    def ask(
        self,
        question: str,
        image: QueryImage | None = None,
        names: Sequence[str] | None = None,
        *,
        on_text: Callable[[str], None] | None = None,
    ) -> Answer:
        """Answer a question, about an image or about the remembered concepts alone.

        Args:
            question: May use the concepts' names.
            image: What to look at; None: only the memories.
            names: Concepts that enter the prompt; all by default.
            on_text: Called with each piece of the answer as it appears.
        """
        return self.chat(image, names).say(question, on_text=on_text)

    def caption(
        self,
        image: QueryImage,
        names: Sequence[str] | None = None,
        *,
        on_text: Callable[[str], None] | None = None,
    ) -> Answer:
        """Describe an image or video in one sentence, with the names of the concepts in it."""
        scene = self.look(image, names)
        if not scene.images:
            raise InputError("there is no image to describe; give a path, an image, a video or frames")
        return scene.answer(scene.prompt(caption_question(scene.memories)), self.config.caption_tokens, on_text)

    def chat(self, image: QueryImage | None = None, names: Sequence[str] | None = None) -> Chat:
        """Begin a conversation of several turns about an image."""
        return Chat(self.look(image, names), self.config.answer_tokens)

    def look(self, image: QueryImage | None = None, names: Sequence[str] | None = None) -> Scene:
        """Read memories and images once, for prompts of one's own; `ask` and `chat` do it by themselves."""
        return self._scenes.read(self._named(names), image)

    def _named(self, names: Sequence[str] | None) -> tuple[ConceptMemory, ...]:
        memories = self.memories
        if names is None:
            return memories
        names = [names] if isinstance(names, str) else names
        known = {name_key(memory.name): memory for memory in memories}
        for name in names:
            if name_key(name) not in known:
                listed = ", ".join(memory.name for memory in memories) or "none"
                raise UnknownConceptError(f"no concept named {name!r} is remembered for this model; known: {listed}")
        wanted = {name_key(name) for name in names}
        return tuple(memory for key, memory in known.items() if key in wanted)


def _references(concept: Concept, frames: int) -> list[Reference]:
    """Read the photos of a concept; of a video, some frames, each a view of its own."""
    regions = concept.regions or [None] * len(concept.images)
    return [
        Reference(
            image.picture,
            image.digest,
            keywords=concept.keywords,
            region=region,
            displayed_size=image.full_size,
            orientation=image.orientation,
        )
        for source, region in zip(concept.images, regions, strict=True)
        for image in _views(source, region, frames)
    ]


def _views(source: ImageSource, region: Region | None, frames: int) -> tuple[LoadedImage, ...]:
    images = reference_images(source, frames)
    if region is not None and len(images) > 1:
        raise InputError(
            f"{label_of(source)} is a video, and a region is of one picture; give a frame of it as a photo"
        )
    return images
