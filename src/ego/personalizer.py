"""Ego: introduce, recognize, ask, caption, forget; every line calls one room above.

personal = Ego(load_backbone("mini"), store=ConceptStore("my-concepts"))
"""

import os
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace as replaced
from os import PathLike
from pathlib import Path

from ego.backbones.base import Backbone
from ego.best_views import best_additions
from ego.building import build_memories
from ego.calibration import saved_layers
from ego.caption import sentences, tell
from ego.chat import Chat
from ego.concept import Concept, ImageSource, Region, require_type
from ego.config import EgoConfig
from ego.corrected import as_corrected, correction_of
from ego.corrections import Corrections
from ego.crowd import Crowd, remembered
from ego.errors import InputError
from ego.footage import QueryImage, query_frames
from ego.layers import choose_layers
from ego.library.contract import Library
from ego.media import Frame
from ego.memory import ConceptMemory
from ego.pointing import point
from ego.prefix_cache import PrefixCache
from ego.prompt import recognition_question
from ego.recognition import in_view_of, recognize_sights
from ego.results import Answer, Pointing, Recognition
from ego.scene import Scene, SceneReader, Sight
from ego.store import ConceptStore
from ego.store_contents import SkippedFile
from ego.thresholds import learnt_decisions
from ego.view_likeness import pointed_out
from ego.watching import groups, over_time


class Ego:
    """A vision-language model that knows your things.

    Args:
        backbone: The model, see `load_backbone`.
        store: Where memories live; None keeps them in a temporary folder that goes with this object.
        config: Numbers of the method.
        cache: What the model has read, shared by every `Ego` on one model; None: `config.cache_megabytes` of its own.

    A query may look at a path, a PIL image, a video, or a list of frames. Several threads may use it at once.
    """

    def __init__(
        self,
        backbone: Backbone,
        store: Library | None = None,
        config: EgoConfig | None = None,
        *,
        cache: PrefixCache | None = None,
    ) -> None:
        self.backbone = backbone
        self.config = config or EgoConfig()
        if store is None:
            self._temporary = tempfile.TemporaryDirectory(prefix="ego-")
            store = ConceptStore(Path(self._temporary.name))
        self.store = store
        self._cache = cache or PrefixCache(backbone, self.config.cache_megabytes)
        self._scenes = SceneReader(self._cache, self.config)
        self.corrections = Corrections(store.folder)
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
        require_type("the concept", concept, Concept, 'ego.Concept("Bo", ["bo.jpg"])')
        if not replace:
            self.store.require_free(concept.name)
        self.store.add(self.build(concept), replace=replace, stored_type=self.config.stored_type)
        return pointed_out(self.store.get(concept.name))

    def build(self, concept: Concept, *, known: Sequence[str] = ()) -> ConceptMemory:
        """Build the memory of a concept without storing it; pictures with a digest in `known` are passed over."""
        return build_memories(self.backbone, [concept], self.config, self.layers, known=known)[0]

    def build_many(self, concepts: Sequence[Concept]) -> tuple[ConceptMemory, ...]:
        """Build the memories of several concepts without storing them, faster than one by one.

        Raises:
            EgoError: As `introduce`, if one of them cannot be introduced.
        """
        return build_memories(self.backbone, concepts, self.config, self.layers)

    def add_view(
        self,
        name: str,
        images: Sequence[ImageSource],
        *,
        keywords: str = "",
        regions: Sequence[Region | None] = (),
        most: int | None = None,
    ) -> ConceptMemory:
        """Add reference images to a remembered concept; keywords and regions as for `Concept`.

        `most` takes only so many of them: always the one that is least like what is known already.
        """
        known = self.store.get(name)
        known.require(self.backbone.fingerprint)
        more = self.build(Concept(known.name, images, keywords=keywords, regions=regions), known=known.digests)
        self.store.add_view(known.name, more if most is None else best_additions(known, more, most))
        return pointed_out(self.store.get(name))

    def forget(self, name: str) -> None:
        """Remove a concept, from the store and from what the model keeps of its prompts.

        Raises:
            UnknownConceptError: If it is not there.
        """
        self._cache.forget(self.store.get(name))
        self.store.remove(name)

    def recognize(
        self, image: QueryImage, names: Sequence[str] | None = None, *, threshold: float | None = None
    ) -> dict[str, Recognition]:
        """Say for every concept (or those named) whether it is in an image or video, and of a video also when.

        Args:
            image: What to look at; of several frames it is enough that a concept is in one of them.
            names: Concepts to ask about; all others stay out of the prompt.
            threshold: Probability from which a concept counts as present; by default the one learnt for the concept or
                the library (`ego tune-threshold --save`), else the configured one.
        """
        return self.recognize_many([image], names, threshold=threshold)[0]

    def recognize_many(
        self,
        images: Sequence[QueryImage],
        names: Sequence[str] | None = None,
        *,
        threshold: float | None = None,
        corrected: bool = True,
    ) -> list[dict[str, Recognition]]:
        """Say the same about several images, faster than one by one.

        The concepts are read once for all images, and images and questions are run together as far as memory allows.

        Args:
            images: What to look at, one by one.
            names: As for `recognize`.
            threshold: As for `recognize`.
            corrected: Whether what the user said of pictures counts.
        """
        limit = self.config.threshold if threshold is None else threshold
        if not 0 <= limit <= 1:
            raise InputError(f"threshold {limit} is not a probability; give a number from 0 to 1")
        memories = remembered(self.store, self.backbone.fingerprint, names, self.config.candidates)
        films = [groups(self._frames(image), self.config.frames_together) for image in images]
        sights = [self._scenes.look(memories, some, again=len(images) == 1) for film in films for some in film]
        if isinstance(memories, Crowd):
            memories = tuple({memory for sight in sights for memory in sight.memories})
        seen = recognize_sights(self._cache, sights, threshold=limit)
        found = iter(seen if threshold is not None else learnt_decisions(self.store, seen, memories))
        answers = [over_time([next(found) for _ in film], film) for film in films]
        if not corrected or not self.corrections.all():
            return answers
        pairs = zip(answers, films, strict=True)
        return [as_corrected(one, memories, self.corrections, self.backbone, sum(film, ())) for one, film in pairs]

    def correct(self, name: str, image: QueryImage, *, there: bool) -> Recognition:
        """Keep the user's word on whether a concept is in a picture; answers heed it until `corrections.undo()`.

        Returns:
            What the model itself answers.

        Raises:
            UnknownConceptError: If there is no such concept.
            InputError: If a video is given.
        """
        memory, frames = self._named([name])[0], self._frames(image)
        if len(frames) != 1:
            raise InputError("a correction is of one picture; give one frame of the video")
        answered = self.recognize_many([image], corrected=False)[0][memory.name]
        path = os.path.abspath(image) if isinstance(image, str | PathLike) else ""  # noqa: PTH100 - as albums say it
        self.corrections.add(correction_of(memory, answered, frames[0], self.backbone, there=there, path=path))
        return answered

    def where(self, image: QueryImage, names: Sequence[str] | None = None) -> dict[str, tuple[Pointing, ...]]:
        """Say where the model looks for concepts, there or not: a box and a heat-map in every picture or frame.

        Args:
            image: What to look at.
            names: Concepts; all by default. Each is alone in the prompt.

        Raises:
            InputError: If the geometry of the model is unknown.
        """
        frames = self._frames(image)
        return {memory.name: tuple(self._pointing(memory, frame) for frame in frames) for memory in self._named(names)}

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
        chat = Chat(self.look(image, names, question=question), self.config.answer_tokens)
        return chat.say(question, on_text=on_text)

    def caption(
        self, image: QueryImage, names: Sequence[str] | None = None, *, on_text: Callable[[str], None] | None = None
    ) -> Answer:
        """Describe an image or video in a sentence or a few, with the names of the concepts in it."""
        return tell(self.caption_scenes(image, names), self.config.caption_tokens, on_text)

    def caption_scenes(self, image: QueryImage, names: Sequence[str] | None = None) -> list[Scene]:
        """Read what a caption is told from: all concepts, or the few recognized ones that each sentence is about."""
        if image is None:
            raise InputError("there is no image to describe; give a path, an image, a video or frames")
        most = self.backbone.card.concepts_per_caption
        if most is None:
            return [self.look(image, names)]
        seen = self.recognize(image, names)
        dropped = tuple(name for name, one in seen.items() if not one.present)
        present = [name for name, one in seen.items() if one.present]
        return [replaced(self.look(image, few), dropped=dropped) for few in sentences(present, most)]

    def chat(self, image: QueryImage | None = None, names: Sequence[str] | None = None) -> Chat:
        """Begin a conversation of several turns about an image."""
        return Chat(self.look(image, names), self.config.answer_tokens)

    def look(self, image: QueryImage | None = None, names: Sequence[str] | None = None, *, question: str = "") -> Scene:
        """Read memories and images once, for prompts of one's own; `ask` and `chat` do it by themselves.

        Args:
            image: What to look at.
            names: Concepts that enter the prompt; all by default.
            question: What will be asked; of a list longer than the model can overlook, what it names is kept.
        """
        return self._scenes.scene(self.sight(image, names, question=question))

    def sight(self, image: QueryImage | None, names: Sequence[str] | None = None, *, question: str = "") -> Sight:
        """Choose what `look` would let the model read, and stop there: for those who hand it to another engine."""
        memories = remembered(self.store, self.backbone.fingerprint, names, self.config.candidates, question)
        sight = self._scenes.look(memories, () if image is None else self._frames(image))
        return in_view_of(self._cache, sight, question, threshold=self.config.threshold)

    def _pointing(self, memory: ConceptMemory, frame: Frame) -> Pointing:
        scene = self._scenes.scene(self._scenes.look([memory], [frame]))
        question = scene.prompt(recognition_question(memory.name))
        return point(self.backbone, question, memory.name, layers=self.layers, prefix=scene.prefix)[0]

    def _frames(self, image: QueryImage) -> tuple[Frame, ...]:
        if image is None:
            raise InputError("there is no image to look at; give a path, an image, a video or frames")
        return query_frames(image, self.config.video_frames)

    def _named(self, names: Sequence[str] | None) -> tuple[ConceptMemory, ...]:
        found = remembered(self.store, self.backbone.fingerprint, names, self.config.candidates)
        return self.memories if isinstance(found, Crowd) else found
