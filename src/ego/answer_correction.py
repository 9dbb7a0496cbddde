"""Yes-or-no answers whose truth is known -> a correction of their probabilities, kept for the model it was fitted to.

A model may be sure too often, or say yes too easily. What it says is the margin of yes: the log-odds of yes against no
of its first answer token. The correction is a straight line on the margin (Platt scaling): where it holds, 0.5 is the
threshold to use. It leaves the order of the answers as it is.

A model may also see better than it says. A second line, for answers about remembered pictures, adds how similar the
picture's tokens are to the memory's (`similarity_filter.partial_similarity`), in a space of its own if it brings one
(`token_space`). Both are the model's own. This line does change the order of the answers.
"""

import logging
from base64 import b64encode
from collections.abc import Sequence
from functools import cache, cached_property
from pathlib import Path
from typing import Any, Literal

import torch
from jaxtyping import Float
from platformdirs import user_data_path
from pydantic import Base64Bytes, BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from ego.atomic_file import make_folder, write_file
from ego.errors import ConfigError, InputError
from ego.memory import Fingerprint
from ego.token_space import TokenSpace

log = logging.getLogger(__name__)

FILE_NAME = "answer_correction.json"
SHIPPED = Path(__file__).parent / "backbones" / "mini" / FILE_NAME
STEPS = 100  # of Newton's method at most
SETTLED = 1e-9
LEAST_SCALE = 1e-3
ALMOST_SURE = 1e-7  # float32 knows no probability nearer to 0 or 1


class SimilarityLine(BaseModel):
    """What is done to the margin of yes where the similarity of memory and picture is known.

    Attributes:
        scale: Factor on the margin.
        similarity: Factor on the similarity.
        bias: Added to both.
        space: In which tokens are compared (`TokenSpace.to_bytes`); None: as the projector gives them.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    scale: float = Field(gt=0, allow_inf_nan=False)
    similarity: float = Field(gt=0, allow_inf_nan=False)
    bias: float = Field(allow_inf_nan=False)
    space: Base64Bytes | None = None

    @field_validator("space")
    @classmethod
    def _is_a_space(cls, space: bytes | None) -> bytes | None:
        if space is not None:
            TokenSpace.from_bytes(space)
        return space

    @cached_property
    def in_space(self) -> TokenSpace | None:
        """The space in which tokens are compared."""
        return None if self.space is None else TokenSpace.from_bytes(self.space)

    def comparable(self, rows: Float[Tensor, "row dim"]) -> Float[Tensor, "row axis"]:
        """Bring visual tokens to where the similarity is taken."""
        return rows if self.in_space is None else self.in_space(rows)


class AnswerCorrection(BaseModel):
    """What is done to the margin of yes of one model before it becomes a probability.

    Attributes:
        fingerprint: The model.
        decoder: Digest of its language model.
        scale: Factor on the margin; below 1 the model was too sure.
        bias: Added to it; below 0 the model said yes too easily.
        with_similarity: The line for answers about memories of pictures; None takes the one above.
        answers: Number of answers behind the fit.
        source: Where the correction comes from.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: Literal[1] = 1
    fingerprint: Fingerprint
    decoder: str
    scale: float = Field(gt=0, allow_inf_nan=False)
    bias: float = Field(allow_inf_nan=False)
    with_similarity: SimilarityLine | None = None
    answers: int = Field(ge=0)
    source: str = "ego tune-threshold"

    @model_validator(mode="after")
    def _compares_tokens_of_this_model(self) -> "AnswerCorrection":
        space = self.with_similarity.in_space if self.with_similarity else None
        if space is not None and len(space.centre) != self.fingerprint.dim:
            raise ValueError(
                f"a space for tokens of {len(space.centre)} numbers; the model's have {self.fingerprint.dim}"
            )
        return self

    def probability(
        self, margin: Float[Tensor, " answer"], similarity: Float[Tensor, " answer"] | None = None
    ) -> Float[Tensor, " answer"]:
        """Turn margins into corrected probabilities of yes; `similarity` is heeded if there is a line for it."""
        line = self.with_similarity
        if line is None or similarity is None:
            return torch.sigmoid(self.scale * margin + self.bias)
        return torch.sigmoid(line.scale * margin + line.similarity * similarity.to(margin) + line.bias)

    def save(self, path: Path | None = None) -> Path:
        """Write the correction, by default to where `saved_correction` finds it.

        Raises:
            ConfigError: If the file cannot be written.
        """
        path = path or _own_file(self.fingerprint, self.decoder)
        try:
            make_folder(path.parent)
            write_file(path, (self.model_dump_json(indent=1) + "\n").encode())
        except OSError as error:
            raise ConfigError(f"{path} cannot be written ({error.strerror}); choose another file") from error
        saved_correction.cache_clear()
        return path


def no_correction(fingerprint: Fingerprint, decoder: str) -> AnswerCorrection:
    """Leave the probabilities of a model as they are."""
    return AnswerCorrection(fingerprint=fingerprint, decoder=decoder, scale=1, bias=0, answers=0, source="none")


@cache
def saved_correction(fingerprint: Fingerprint, decoder: str) -> AnswerCorrection:
    """Find the correction of a model: the user's own, the one in the model's folder or the shipped one, or none."""
    for path in (_own_file(fingerprint, decoder), Path(fingerprint.model_id) / FILE_NAME, SHIPPED):
        correction = _read(path)
        if correction is not None and _is_of(correction, fingerprint, decoder):
            return correction
    return no_correction(fingerprint, decoder)


def forget_correction(fingerprint: Fingerprint, decoder: str) -> Path | None:
    """Remove the user's own correction of a model; the file that was removed, None if there was none."""
    path = _own_file(fingerprint, decoder)
    if not path.is_file():
        return None
    path.unlink()
    saved_correction.cache_clear()
    return path


def fit(
    fingerprint: Fingerprint,
    decoder: str,
    margins: Sequence[float],
    truths: Sequence[bool],
    *,
    source: str,
    similarities: Sequence[float] | None = None,
    space: TokenSpace | None = None,
) -> AnswerCorrection:
    """Fit a correction to answers of which the truth is known, uncorrected margins given.

    Args:
        fingerprint: The model.
        decoder: Digest of its language model.
        margins: What it said.
        truths: Whether the concept was there.
        source: Where the answers come from.
        similarities: Of memory and picture of each answer; with them both lines are fitted.
        space: In which they were taken; None: as the projector gives the tokens.

    Raises:
        InputError: If all of the concepts asked about were there, or none of them.
    """
    said, there = _inputs(margins, truths)
    scale, bias = _rising(_platt(said, there))
    line = None
    if similarities is not None:
        both = torch.cat([said[:, :1], torch.tensor(similarities, dtype=said.dtype)[:, None], said[:, 1:]], 1)
        told, similarity, offset = _platt(both, there)
        line = SimilarityLine(
            scale=max(told, LEAST_SCALE),
            similarity=max(similarity, LEAST_SCALE),
            bias=offset,
            space=None if space is None else b64encode(space.to_bytes()),
        )
    return AnswerCorrection(
        fingerprint=fingerprint,
        decoder=decoder,
        scale=scale,
        bias=bias,
        with_similarity=line,
        answers=len(margins),
        source=source,
    )


def refit(
    known: AnswerCorrection, probabilities: Sequence[float], truths: Sequence[bool], *, source: str
) -> tuple[AnswerCorrection, list[float]]:
    """Fit a correction to corrected answers: the line that gave them is scaled and shifted.

    Args:
        known: The correction that the answers were given with.
        probabilities: Of yes, as `Ego.recognize` says them.
        truths: Whether the concept was there.
        source: Where the answers come from.

    Returns:
        The new correction, and the probabilities that it gives these answers.

    Raises:
        InputError: If all of the concepts asked about were there, or none of them.
    """
    sure = torch.tensor(probabilities, dtype=torch.float64).clamp(ALMOST_SURE, 1 - ALMOST_SURE).logit()
    scale, bias = _rising(_platt(*_inputs(sure.tolist(), truths)))
    line = known.with_similarity or known
    changed: dict[str, Any] = {"scale": scale * line.scale, "bias": scale * line.bias + bias}
    new: dict[str, Any] = {"answers": len(truths), "source": source}
    if known.with_similarity is not None:
        factor = scale * known.with_similarity.similarity
        changed = {"with_similarity": known.with_similarity.model_copy(update={"similarity": factor, **changed})}
    corrected: list[float] = torch.sigmoid(scale * sure + bias).tolist()
    return known.model_copy(update=changed | new), corrected


def _inputs(margins: Sequence[float], truths: Sequence[bool]) -> tuple[Float[Tensor, "answer 2"], Tensor]:
    if not any(truths) or all(truths):
        raise InputError("a correction needs photos that show the concept and photos that do not; give both")
    said = torch.tensor(margins, dtype=torch.float64)
    return torch.stack([said, torch.ones_like(said)], 1), torch.tensor(truths)


def _rising(line: Sequence[float]) -> tuple[float, float]:
    """A constant margin, or one that is lower for what is there, has no rising curve: its scale is nearly nothing."""
    return max(line[0], LEAST_SCALE), line[1]


def _platt(inputs: Float[Tensor, "answer input"], truths: Tensor) -> list[float]:
    """Fit a logistic curve by Newton's method, steps shortened until they help.

    Platt's softened targets keep it finite where a gap divides the answers.

    Args:
        inputs: What is weighed; ones last.
        truths: Whether the concept was there.

    Returns:
        The weight of each input.
    """
    yes, no = int(truths.sum()), int((~truths).sum())
    wanted = torch.where(truths, (yes + 1) / (yes + 2), 1 / (no + 2)).to(inputs)
    line = torch.zeros(inputs.shape[1], dtype=inputs.dtype)
    line[-1] = torch.logit(wanted.mean())
    for _ in range(STEPS):
        told = torch.sigmoid(inputs @ line)
        slope = inputs.T @ (told - wanted)
        curvature = inputs.T @ (inputs * (told * (1 - told))[:, None])
        step = torch.linalg.solve(curvature + 1e-9 * torch.eye(len(line), dtype=line.dtype), slope)
        length, loss = 1.0, _loss(inputs @ line, wanted)
        while length > SETTLED and _loss(inputs @ (line - length * step), wanted) > loss - 1e-4 * length * slope @ step:
            length /= 2  # a full step may overshoot where the curve is flat
        line = line - length * step
        if (length * step).abs().max() < SETTLED:
            break
    weights: list[float] = line.tolist()
    return weights


def _loss(margins: Tensor, wanted: Tensor) -> Tensor:
    return binary_cross_entropy_with_logits(margins, wanted, reduction="sum")


def _own_file(fingerprint: Fingerprint, decoder: str) -> Path:
    name = f"{fingerprint.model_type}-{fingerprint.weights[:16]}-{decoder[:16]}.json"
    return user_data_path("ego") / "corrections" / name


def _is_of(correction: AnswerCorrection, fingerprint: Fingerprint, decoder: str) -> bool:
    """Tell whether a correction is of this model; how images are resized does not matter for that."""
    ours = (correction.fingerprint.model_type, correction.fingerprint.weights, correction.decoder)
    return ours == (fingerprint.model_type, fingerprint.weights, decoder)


def _read(path: Path) -> AnswerCorrection | None:
    if not path.is_file():
        return None
    try:
        return AnswerCorrection.model_validate_json(path.read_bytes())
    except ValidationError as error:
        log.warning("%s is no correction of answers and is not used (%s); remove it or tune again", path, error)
        return None
