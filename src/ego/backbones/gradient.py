"""The loss of an answer, differentiable in the visual tokens of its prompt; the model stays as it is.

For methods that learn memories by gradient. Needs a model in this process.
"""

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import cross_entropy

from ego.backbones.base import Backbone
from ego.backbones.huggingface import HuggingFaceBackbone
from ego.errors import BackboneError
from ego.prompt import Prompt


def answer_loss(backbone: Backbone, prompt: Prompt, answer: str) -> Float[Tensor, ""]:
    """Mean negative log-likelihood of an answer's tokens.

    Take the gradient with `torch.autograd.grad` in the rows of the prompt's visual tokens; the model's weights then
    get none.

    Raises:
        BackboneError: If the model is not in this process, or the answer is empty.
    """
    local = _local(backbone)
    ids = local.chat.plain_ids(answer)
    if not ids:
        raise BackboneError("the answer to learn is empty; give at least one word")
    _, tokens = local.lay_out(prompt)
    logits = local.answer_logits(tokens, ids)
    return cross_entropy(logits, torch.tensor(ids, device=logits.device))


def word_row(backbone: Backbone, text: str) -> Float[Tensor, " dim"]:
    """Mean input embedding of a text, in the space of visual tokens."""
    local = _local(backbone)
    embedding = local.model.get_input_embeddings()
    ids = torch.tensor(local.chat.plain_ids(text), device=embedding.weight.device)
    with torch.no_grad():
        row: Tensor = embedding(ids).mean(0).float()
    return row


def _local(backbone: Backbone) -> HuggingFaceBackbone:
    if not isinstance(backbone, HuggingFaceBackbone):
        raise BackboneError(f"{backbone.card.model_id} is not in this process, so nothing can be learned by gradient")
    return backbone
