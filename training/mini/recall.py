"""What ImageNet's tower says of whole pictures at its own size, so that the tower still says it at the model's.

A tower that is trained on forgets classes ("learning without forgetting", Li and Hoiem 2016), and knows fewer of them
in pictures larger than those it learnt from ("the train-test resolution discrepancy", Touvron et al. 2019).
"""

import torch
from architecture import build_tower, imagenet_classifier, tower_features
from torch import Tensor, nn
from torch.nn import functional

OWN_SIDE = 224


class Recall(nn.Module):
    """ImageNet's tower and classifier, which stay as they are."""

    weight: Tensor
    bias: Tensor

    def __init__(self) -> None:
        """Load both."""
        super().__init__()
        self.tower = build_tower(OWN_SIDE).requires_grad_(False)
        for name, tensor in zip(("weight", "bias"), imagenet_classifier(), strict=True):
            self.register_buffer(name, tensor)

    def forward(self, tokens: Tensor, pixels: Tensor) -> Tensor:
        """Compare the classes that tokens [picture token width] say in the mean with those it sees in the pictures."""
        with torch.no_grad():
            small = functional.interpolate(pixels.float(), (OWN_SIDE, OWN_SIDE), mode="bilinear", antialias=True)
            seen = self._classes(tower_features(self.tower, small))
        return functional.kl_div(self._classes(tokens), seen, reduction="batchmean", log_target=True)

    def _classes(self, tokens: Tensor) -> Tensor:
        return functional.linear(tokens.float().mean(1), self.weight, self.bias).log_softmax(-1)
