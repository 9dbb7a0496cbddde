"""Learned soft tokens in the manner of Yo'LLaVA (NeurIPS 2024) and MyVLM (ECCV 2024), on a frozen model.

Kept: 16 vectors and one for the name, learned per concept by gradient from yes-or-no questions about its references
(yes) and about other photos (no), and from naming it in a caption (MyVLM); nothing of the model changes. Not kept: new
words in the vocabulary (the name stays spelled in words; its vector stands before the others), hard negatives
retrieved from a web collection (the references of the user's other concepts serve), the template conversations,
hundreds of steps, MyVLM's external recognition heads.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import cycle

import torch
from jaxtyping import Float
from torch import Tensor

from ego.backbones.base import Backbone
from ego.backbones.gradient import answer_loss, word_row
from ego.config import EgoConfig
from ego.evaluation.manifest import Subject
from ego.evaluation.methods.memories import MemoryMethod, MemoryProfile
from ego.media import LoadedImage
from ego.prompt import (
    CAPTION_WITH_NAMES,
    GUARD,
    THE_PICTURE,
    Picture,
    Prompt,
    Text,
    Turn,
    introduced,
    recognition_question,
)
from ego.selection import uniform_tokens
from ego.visual_tokens import VisualTokens

COUNT = 16
STEPS = 30
RATE = 0.05  # of the root mean square of the first rows, per step of Adam


class LearnedTokens(MemoryMethod):
    """Gradient on the rows of a memory."""

    def __init__(self, backbone: Backbone, config: EgoConfig, *, steps: int = STEPS) -> None:
        super().__init__(backbone, config)
        self._steps = steps
        self._library: Sequence[tuple[Subject, LoadedImage]] = ()

    def prepare(self, library: Iterable[tuple[Subject, LoadedImage]]) -> None:
        """Keep the other concepts' references as negatives."""
        self._library = tuple(library)

    def introduce(self, subject: Subject, references: Sequence[LoadedImage]) -> MemoryProfile:
        """Learn the rows."""
        rows = self._first_rows(subject, references[0]).requires_grad_()
        scale = float(rows.detach().square().mean().sqrt())
        optimizer = torch.optim.Adam([rows], lr=RATE * scale)
        losses = []
        for prompt_and_answers in self._lessons(subject, references):
            loss = torch.stack([self._loss(rows, subject, *lesson) for lesson in prompt_and_answers]).mean()
            rows.grad = torch.autograd.grad(loss, rows)[0]
            optimizer.step()
            losses.append(float(loss.detach()))
        story = f"loss {losses[0]:.3f} -> {losses[-1]:.3f} in {len(losses)} steps"
        parts = introduced(subject.name, _as_tokens(rows.detach(), self._levels))
        return MemoryProfile(key=subject.key, name=subject.name, tokens=len(rows), story=story, parts=parts)

    def _first_rows(self, subject: Subject, reference: LoadedImage) -> Float[Tensor, "row dim"]:
        """Begin with the mean embedding of the name, and evenly chosen visual tokens of the first reference."""
        tokens = self.respondent.encode(reference)
        self._levels = tokens.deepstack.shape[0]
        chosen = tokens.rows[uniform_tokens(COUNT, tokens.spatial)].float()
        return torch.cat([word_row(self.backbone, subject.name)[None].to(chosen), chosen]).clone()

    def _lessons(
        self, subject: Subject, references: Sequence[LoadedImage]
    ) -> Iterator[list[tuple[LoadedImage, str, str]]]:
        """For each step: a reference with yes and with its name, another photo with no."""
        question = recognition_question(subject.name)
        others = [picture for other, picture in self._library if other.key != subject.key]
        negatives = cycle(others) if others else None
        for _, reference in zip(range(self._steps), cycle(references), strict=False):
            lessons = [(reference, question, "Yes"), (reference, CAPTION_WITH_NAMES, f"This is {subject.name}.")]
            yield lessons + ([(next(negatives), question, "No")] if negatives else [])

    def _loss(
        self, rows: Float[Tensor, "row dim"], subject: Subject, picture: LoadedImage, question: str, answer: str
    ) -> Float[Tensor, ""]:
        memory = introduced(subject.name, _as_tokens(rows, self._levels))
        image = (Text(THE_PICTURE), Picture(self.respondent.encode(picture)))
        prompt = Prompt((Turn("user", (Text(GUARD), *memory, *image, Text(question))),))
        return answer_loss(self.backbone, prompt, answer)


def _as_tokens(rows: Float[Tensor, "row dim"], levels: int) -> VisualTokens:
    """Present rows as visual tokens without a place; DeepStack levels are empty."""
    return VisualTokens(
        rows=rows,
        deepstack=rows.new_zeros(levels, *rows.shape),
        boxes=None,
        view=torch.zeros(len(rows), dtype=torch.long),
        spatial=torch.zeros(len(rows), dtype=torch.bool),
    )
