"""Rows of a memory in one byte per number: int8, with one scale per row."""

import torch
from jaxtyping import Float, Float32, Int8
from torch import Tensor

LARGEST = 127


def compacted(rows: Float[Tensor, "*row dim"]) -> tuple[Int8[Tensor, "*row dim"], Float32[Tensor, "*row"]]:
    """Write each row as whole numbers from -127 to 127 and the factor that brings them back."""
    exact = rows.float()
    peaks = exact.abs().amax(dim=-1)
    scales = torch.where(peaks > 0, peaks / LARGEST, torch.ones_like(peaks))
    return (exact / scales[..., None]).round().clamp(-LARGEST, LARGEST).to(torch.int8), scales


def restored(rows: Int8[Tensor, "*row dim"], scales: Float32[Tensor, "*row"]) -> Float32[Tensor, "*row dim"]:
    """Bring rows back; writing them again gives the same whole numbers."""
    return rows.float() * scales[..., None]
