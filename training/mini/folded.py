"""The tower's forward pass as training wants it: batch norm folded into the convolutions, no squeeze-and-excitation.

Batch statistics are frozen and squeeze-and-excitation is open (`architecture.py`), so this computes what the stock
tower does, and its gradients, in some half of the time on a CPU.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import EfficientNetModel


def feature_map(tower: EfficientNetModel, pixels: Tensor) -> Tensor:
    """Turn scaled pictures [picture 3 side side] into the tower's last feature map."""
    stem, encoder = tower.embeddings, tower.encoder
    seen = _activated(stem.padding(pixels), stem.convolution, stem.batchnorm)
    for block in encoder.blocks:
        seen = _block(block, seen)
    return _activated(seen, encoder.top_conv, encoder.top_bn)


def _block(block: nn.Module, seen: Tensor) -> Tensor:
    depthwise, projection = block.depthwise_conv, block.projection
    wide = _activated(seen, block.expansion.expand_conv, block.expansion.expand_bn) if block.expand else seen
    wide = depthwise.depthwise_conv_pad(wide) if depthwise.stride == 2 else wide
    wide = _activated(wide, depthwise.depthwise_conv, depthwise.depthwise_norm)
    narrow = _normed(wide, projection.project_conv, projection.project_bn)
    return narrow + seen if projection.apply_dropout else narrow


def _activated(seen: Tensor, convolution: nn.Conv2d, norm: nn.BatchNorm2d) -> Tensor:
    return functional.relu6(_normed(seen, convolution, norm), inplace=True)


def _normed(seen: Tensor, convolution: nn.Conv2d, norm: nn.BatchNorm2d) -> Tensor:
    scale = norm.weight * torch.rsqrt(norm.running_var + norm.eps)
    weight, bias = convolution.weight * scale[:, None, None, None], norm.bias - norm.running_mean * scale
    padding = 0 if convolution.padding == "valid" else convolution.kernel_size[0] // 2
    return functional.conv2d(seen, weight, bias, convolution.stride, padding, 1, convolution.groups)
