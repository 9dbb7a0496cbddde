"""Show attention the way from a reference to an answer, hop by hop.

A memory's opening delimiter looks at the name before it, the memory's rows look at their delimiter, and so know whose
they are; a picture's token looks at the memory rows that resemble it, or at the very first token, if none does; the
name in a question looks for the picture's tokens that found it, the answer at the name in the question, and where an
answer is about to say a name, at who is there. Attention begins that way (`beginnings.py`); the loss asks that some of
it keeps going there. Words of a description are not guided: where they look is what the method measures.
"""

import torch
from collate import Batch
from torch import Tensor

# Each hop (in the order of `lessons.py`) has its own layer, for it needs the result of the one before, and two heads.
LAYERS = (0, 1, 2, 3, 4, 3)
HEADS = (slice(0, 2), slice(0, 2), slice(0, 2), slice(0, 2), slice(0, 2), slice(2, 4))
WEIGHT = 0.2
SMALLEST = 1e-5


def gaze_loss(attentions: tuple[Tensor, ...], batch: Batch) -> Tensor:
    """Compute the surprise at where guided tokens should have looked; `attentions`: layer of [sequence head q k]."""
    return WEIGHT * torch.stack([surprise.mean() for surprise in surprises(attentions, batch) if len(surprise)]).sum()


def surprises(attentions: tuple[Tensor, ...], batch: Batch) -> list[Tensor]:
    """Give for every hop the surprise of each of its tokens."""
    found = []
    for hop, (layer, heads) in enumerate(zip(LAYERS, HEADS, strict=True)):
        chosen = batch.gazes[:, 0] == hop
        sequence, place = batch.gazes[chosen, 1], batch.gazes[chosen, 2]
        share = (attentions[layer][sequence, heads, place].float() * batch.gaze_keys[chosen, None]).sum(-1).mean(1)
        found.append(-share.clamp(min=SMALLEST).log())
    return found
