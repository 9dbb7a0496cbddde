"""Show attention the way from a reference to an answer, hop by hop.

A memory's opening delimiter looks at the name before it, the memory's rows look at their delimiter, and so know whose
they are; a picture's token looks at the memory rows that resemble it, or at the very first token, if none does; the
name in a question looks for the picture's tokens that found it, the answer at the name in the question, and where an
answer is about to say a name, at who is there. Attention begins that way (`beginnings.py`); the loss asks that some of
it keeps going there. Words of a description are not guided: where they look is what the method measures.
"""

from collections.abc import Sequence
from typing import Any

import torch
from collate import Batch
from torch import Tensor, nn
from transformers import AttentionInterface

# Each hop (in the order of `lessons.py`) has its own layer, for it needs the result of the one before, and two heads.
LAYERS = (0, 1, 2, 3, 4, 3)
HEADS = (slice(0, 2), slice(0, 2), slice(0, 2), slice(0, 2), slice(0, 2), slice(2, 4))
WEIGHT = 0.2
SMALLEST = 1e-5
ASKED = 128  # tokens of a hop that a step asks about: whole attentions need a lot of memory traffic
WATCHED = "watched"  # the attention implementation that keeps queries and keys


def watched(
    module: nn.Module, query: Tensor, key: Tensor, value: Tensor, attention_mask: Tensor, scaling: float, **_: Any
) -> tuple[Tensor, None]:
    """Attend plainly, in the precision of the query, and keep what `surprises` needs: scaled queries, and keys."""
    scaled = query * scaling
    module.looked = (scaled, key)
    shares = (scaled @ key.transpose(2, 3)).add_(attention_mask).softmax(-1)
    return (shares @ value).transpose(1, 2).contiguous(), None


AttentionInterface.register(WATCHED, watched)
Looked = Sequence[tuple[Tensor, Tensor]]  # of every layer: scaled queries and keys [sequence head place width]


def looked(layers: Sequence[nn.Module]) -> Looked:
    """Take from the layers what they kept of the last pass."""
    kept = [layer.self_attn.looked for layer in layers]
    for layer in layers:
        del layer.self_attn.looked
    return kept


def gaze_loss(looks: Looked, batch: Batch) -> Tensor:
    """Compute the surprise at where guided tokens should have looked."""
    return WEIGHT * torch.stack([surprise.mean() for surprise in surprises(looks, batch, ASKED) if len(surprise)]).sum()


def surprises(looks: Looked, batch: Batch, most: int = 0) -> list[Tensor]:
    """Give for every hop the surprise of each of its tokens, or of at most so many of them, evenly drawn."""
    found = []
    for hop, (layer, heads) in enumerate(zip(LAYERS, HEADS, strict=True)):
        chosen = (batch.gazes[:, 0] == hop).nonzero()[:, 0]
        if most:
            chosen = chosen[:: -(-len(chosen) // most) or 1]
        sequence, place = batch.gazes[chosen, 1], batch.gazes[chosen, 2]
        query, key = (kept[:, heads] for kept in looks[layer])
        scores = (query[sequence, :, place].unsqueeze(2) @ key[sequence].transpose(2, 3))[:, :, 0].float()
        shares = scores.masked_fill(~batch.visible[sequence, :, place], float("-inf")).softmax(-1)
        share = (shares * batch.gaze_keys[chosen, None]).sum(-1).mean(1)
        found.append(-share.clamp(min=SMALLEST).log())
    return found
