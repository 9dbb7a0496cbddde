"""RAP (CVPR 2025): crop, retrieve the nearest concepts by image embedding, put their pictures and texts in the prompt.

Kept: open-vocabulary crops of the categories in the database, CLIP image embeddings, the nearest references over all
crops (two per crop), a concept named in the question always included, top 2, the wording of the extra information and
its order (test image first). Not kept: YOLO-World (the detector is a setting), FAISS (a matrix product over a few
hundred vectors), the LoRA-tuned LLaVA (the backbone is as it is), the database's hand-written texts where a data set
has none (the backbone describes the reference itself).

Recognition differs: the original's eval/recognition.py searches with no crops at all and so retrieves only the concept
whose tag `<bo>` is in the question. Here every task retrieves alike: the concept asked about, or those the question
names as whole words, then the nearest of the remembered ones up to two. With the asked concept alone in memory this is
the same; with several, or with `--known all`, a look-alike comes along.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from ego.backbones.base import Backbone
from ego.evaluation.manifest import Subject
from ego.evaluation.methods.base import Method, Profile
from ego.evaluation.methods.peers.encoders import Encoders
from ego.evaluation.methods.respondent import PICTURES_KEPT, Recent, Reply
from ego.evaluation.reading import named
from ego.media import LoadedImage
from ego.prompt import CAPTION_WITH_NAMES, DESCRIBE, Part, Picture, Text, recognition_question

TOP = 2
PER_CROP = 2
INFO_TOKENS = 40


@dataclass(frozen=True, eq=False, kw_only=True)
class Entry(Profile):
    """A row of the database."""

    reference: LoadedImage
    info: str
    category: str
    embedding: Float[Tensor, " dim"]


class Rap(Method[Entry]):
    """Retrieval-augmented personalization."""

    def __init__(self, backbone: Backbone, encoders: Encoders) -> None:
        super().__init__(backbone)
        self._encoders = encoders
        self._ranked: Recent[list[Entry]] = Recent(PICTURES_KEPT)

    def require(self) -> None:
        """Load the encoders."""
        self._encoders.require("clip", "detector")

    @property
    def needs(self) -> tuple[str, ...]:
        """CLIP and a detector."""
        return self._encoders.settings.of("clip", "detector")

    def introduce(self, subject: Subject, references: Sequence[LoadedImage]) -> Entry:
        """Embed the first reference and describe it, unless the data set does."""
        reference = references[0]
        question = (Picture(self.respondent.encode(reference)), Text(DESCRIBE))
        info = subject.info or self.respondent.say(question, max_new_tokens=INFO_TOKENS).text
        return Entry(
            key=subject.key,
            name=subject.name,
            tokens=len(self.respondent.encode(reference)),
            story=info,
            reference=reference,
            info=info,
            category=subject.category or "object",
            embedding=self._encoders.embed_image(reference.picture),
        )

    def recognize(self, pictures: Sequence[LoadedImage], asked: Entry, known: Sequence[Entry]) -> Reply:
        """Ask with what was retrieved; the asked concept is always among it."""
        parts = self._parts(pictures, recognition_question(asked.name), known, asked)
        return self.respondent.yes_or_no(parts)

    def ask(
        self, pictures: Sequence[LoadedImage], question: str, known: Sequence[Entry], *, max_new_tokens: int
    ) -> Reply:
        """Answer with what was retrieved."""
        return self.respondent.say(self._parts(pictures, question, known), max_new_tokens=max_new_tokens)

    def caption(self, pictures: Sequence[LoadedImage], known: Sequence[Entry], *, max_new_tokens: int) -> Reply:
        """Caption with what was retrieved."""
        return self.ask(pictures, CAPTION_WITH_NAMES, known, max_new_tokens=max_new_tokens)

    def _parts(
        self, pictures: Sequence[LoadedImage], question: str, known: Sequence[Entry], asked: Entry | None = None
    ) -> list[Part]:
        images: list[Part] = [Picture(self.respondent.encode(picture)) for picture in pictures]
        extra: list[Part] = []
        for number, entry in enumerate(self._retrieve(pictures, question, known, asked), start=1):
            extra += [Text(f"{number}."), Picture(self.respondent.encode(entry.reference))]
            extra += [Text(f"Name: <{entry.name}>, Info: {entry.info}\n")]
        return [*images, *extra, Text(question)]

    def _retrieve(
        self, pictures: Sequence[LoadedImage], question: str, known: Sequence[Entry], asked: Entry | None = None
    ) -> list[Entry]:
        """Take the concept asked about, else those named in the question, then the nearest ones over all crops."""
        names = named(question, [entry.name for entry in known])
        first = [asked] if asked else [entry for entry in known if entry.name in names]
        chosen = {entry.key: entry for entry in first}
        key = (*(picture.digest for picture in pictures), *(entry.key for entry in known))
        for entry in self._ranked.get(key, lambda: self._nearest(pictures, known)):
            if len(chosen) >= TOP:
                break
            chosen.setdefault(entry.key, entry)
        return list(chosen.values())

    def _nearest(self, pictures: Sequence[LoadedImage], known: Sequence[Entry]) -> list[Entry]:
        """List concepts by their greatest similarity to any crop; only the nearest PER_CROP of each crop count."""
        categories = list(dict.fromkeys(entry.category for entry in known))
        database = torch.stack([entry.embedding for entry in known])
        best: dict[int, float] = {}
        for picture in pictures:
            for box in self._encoders.detect(picture.picture, categories):
                similar = database @ self._encoders.embed_image(box.crop(picture.picture))
                top = similar.topk(min(PER_CROP, len(known)))
                for value, place in zip(top.values.tolist(), top.indices.tolist(), strict=True):
                    best[place] = max(value, best.get(place, -1.0))
        return [known[place] for place in sorted(best, key=lambda place: -best[place])]
