"""Yes-or-no answers whose truth is known -> a correction of their probabilities, kept for the model it was fitted to.

A model may be sure too often, or say yes too easily. What it says is the margin of yes: the log-odds of yes against no
of its first answer token. The correction is a straight line on the margin (Platt scaling): where it holds, 0.5 is the
threshold to use. It leaves the order of the answers as it is.
"""

import logging
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Literal

import torch
from jaxtyping import Float
from platformdirs import user_data_path
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from torch import Tensor

from ego.atomic_file import make_folder, write_file
from ego.errors import ConfigError, InputError
from ego.memory import Fingerprint

log = logging.getLogger(__name__)

FILE_NAME = "answer_correction.json"
SHIPPED = Path(__file__).parent / "backbones" / "mini" / FILE_NAME
STEPS = 100  # of Newton's method at most
SETTLED = 1e-9
LEAST_SCALE = 1e-3
ALMOST_SURE = 1e-7  # float32 knows no probability nearer to 0 or 1


class AnswerCorrection(BaseModel):
    """What is done to the margin of yes of one model before it becomes a probability.

    Attributes:
        fingerprint: The model.
        decoder: Digest of its language model.
        scale: Factor on the margin; below 1 the model was too sure.
        bias: Added to it; below 0 the model said yes too easily.
        answers: Number of answers behind the fit.
        source: Where the correction comes from.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: Literal[1] = 1
    fingerprint: Fingerprint
    decoder: str
    scale: float = Field(gt=0, allow_inf_nan=False)
    bias: float = Field(allow_inf_nan=False)
    answers: int = Field(ge=0)
    source: str = "ego tune-threshold"

    def probability(self, margin: Float[Tensor, " answer"]) -> Float[Tensor, " answer"]:
        """Turn margins into corrected probabilities of yes."""
        return torch.sigmoid(self.scale * margin + self.bias)

    def margin(self, probability: Float[Tensor, " answer"]) -> Float[Tensor, " answer"]:
        """Find the margins that were corrected to these probabilities: what to fit anew."""
        return (probability.clamp(ALMOST_SURE, 1 - ALMOST_SURE).logit() - self.bias) / self.scale

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
    fingerprint: Fingerprint, decoder: str, margins: Sequence[float], truths: Sequence[bool], *, source: str
) -> AnswerCorrection:
    """Fit scale and bias to answers of which the truth is known, uncorrected margins given.

    Raises:
        InputError: If all of the concepts asked about were there, or none of them.
    """
    if not any(truths) or all(truths):
        raise InputError("a correction needs photos that show the concept and photos that do not; give both")
    scale, bias = _platt(torch.tensor(margins, dtype=torch.float64), torch.tensor(truths))
    return AnswerCorrection(
        fingerprint=fingerprint, decoder=decoder, scale=scale, bias=bias, answers=len(margins), source=source
    )


def _platt(margins: Float[Tensor, " answer"], truths: Tensor) -> tuple[float, float]:
    """Fit a logistic curve by Newton's method; Platt's softened targets keep it finite where a gap divides them.

    A constant margin, or one that is lower for what is there, has no rising curve: its scale is nearly nothing.
    """
    yes, no = int(truths.sum()), int((~truths).sum())
    wanted = torch.where(truths, (yes + 1) / (yes + 2), 1 / (no + 2)).to(margins)
    inputs = torch.stack([margins, torch.ones_like(margins)], 1)
    line = torch.tensor([0.0, torch.logit(wanted.mean()).item()], dtype=margins.dtype)
    for _ in range(STEPS):
        told = torch.sigmoid(inputs @ line)
        curvature = inputs.T @ (inputs * (told * (1 - told))[:, None]) + 1e-9 * torch.eye(2, dtype=margins.dtype)
        step = torch.linalg.solve(curvature, inputs.T @ (told - wanted))
        line = line - step.clamp(-2, 2)  # a full step may overshoot where the curve is flat
        if step.abs().max() < SETTLED:
            break
    return max(float(line[0]), LEAST_SCALE), float(line[1])


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
