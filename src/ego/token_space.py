"""Visual tokens -> the space in which they are compared.

Moved by the mean of many tokens and scaled to equal spread along every axis (whitened), rare differences count as much
as those that all pictures have. In the space, tokens stand as they are beside whitened ones: a cosine is the mean of
both.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor
from torch.nn.functional import normalize

from ego.library.filter.space import fit_space


@dataclass(frozen=True, eq=False)
class TokenSpace:
    """Unit rows, and the same under an affine map, scaled to length 1 again.

    Attributes:
        centre: Subtracted first.
        axes: Columns to project on.
    """

    centre: Float[Tensor, " dim"]
    axes: Float[Tensor, "dim axis"]

    def __call__(self, rows: Float[Tensor, "row dim"]) -> Float[Tensor, "row both"]:
        """Bring rows into this space."""
        units = normalize(rows.float(), dim=-1)
        moved = (units - self.centre.to(rows.device)) @ self.axes.to(rows.device)
        return torch.cat([units, normalize(moved, dim=-1)], dim=-1)

    def to_bytes(self) -> bytes:
        """Write the space as a safetensors file in float16."""
        return save({"centre": self.centre.half().contiguous(), "axes": self.axes.half().contiguous()})

    @staticmethod
    def from_bytes(content: bytes) -> "TokenSpace":
        """Read what `to_bytes` wrote.

        Raises:
            ValueError: If it is something else.
        """
        try:
            tensors = load(content)
            centre, axes = tensors["centre"].float(), tensors["axes"].float()
        except (SafetensorError, KeyError) as error:
            raise ValueError(f"no space of visual tokens ({error})") from error
        if centre.ndim != 1 or axes.ndim != 2 or len(centre) != len(axes):
            raise ValueError(f"no space of visual tokens (centre {list(centre.shape)}, axes {list(axes.shape)})")
        if not (centre.isfinite().all() and axes.isfinite().all()):
            raise ValueError("no space of visual tokens (numbers that are not finite)")
        return TokenSpace(centre, axes)


def fit_token_space(rows: Float[Tensor, "row dim"]) -> TokenSpace:
    """Centre and whiten unit rows of many pictures; all axes are kept.

    Args:
        rows: Visual tokens, at least as many as they have numbers.
    """
    fitted = fit_space(rows.float().cpu().numpy(), axes=rows.shape[1], centred=True, whitening=1.0)
    return TokenSpace(torch.from_numpy(fitted.centre), torch.from_numpy(fitted.axes))
