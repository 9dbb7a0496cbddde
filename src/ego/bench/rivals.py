"""Three ways to learn the same from a reference image: Ego's, the least possible, and the straightforward one.

Each describes the image and asks for the area. Ego and the straightforward way also find the tokens to keep.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial
from inspect import signature
from typing import Any, TypeAlias

import torch
from jaxtyping import Int
from PIL import Image
from torch import Tensor

from ego.attention import token_importance
from ego.backbones.capabilities import TYPE_ARGUMENTS
from ego.backbones.huggingface import HuggingFaceBackbone
from ego.backbones.prefix import fork
from ego.config import EgoConfig
from ego.describe import describe
from ego.errors import SelectionError
from ego.keywords import find_keywords
from ego.layers import depth_band_layers
from ego.memory_size import memory_size, parse_area
from ego.prompt import AREA, DESCRIBE
from ego.selection import top_tokens

EGO, LIMIT, SEPARATE = "ego", "limit", "separate passes"
Answers: TypeAlias = tuple[str, str]


@dataclass(frozen=True, eq=False)
class Setting:
    """What all rivals share.

    Attributes:
        backbone: The model.
        tokenizer: Its tokenizer.
        image: Reference image.
        config: Lengths of the answers.
    """

    backbone: HuggingFaceBackbone
    tokenizer: Any
    image: Image.Image
    config: EgoConfig

    @property
    def layers(self) -> tuple[int, ...]:
        """Layers to read."""
        card = self.backbone.card
        return depth_band_layers(card.attention_layers, card.layer_count, self.config.depth_band)

    @cached_property
    def questions(self) -> tuple[Int[Tensor, "1 describe"], Int[Tensor, "1 area"]]:
        """Both prompts as the model's own processor lays them out; made before the clock starts."""
        describe, area = (self.backbone.chat.native_ids(self.image, question) for question in (DESCRIBE, AREA))
        device = self.backbone.device
        return torch.tensor([describe], device=device), torch.tensor([area], device=device)

    def image_inputs(self) -> dict[str, Tensor]:
        """Prepare the image for the model; of what the processor gives, only what the model takes."""
        taken = signature(self.backbone.model.forward).parameters
        prepared = self.backbone.preparation(self.image)
        dtype, device = self.backbone.dtype, self.backbone.device
        return {
            name: value.to(device, dtype) if value.is_floating_point() else value.to(device)
            for name, value in prepared.items()
            if name in taken and isinstance(value, Tensor)
        }

    def prompt_inputs(self, ids: Int[Tensor, "1 token"]) -> dict[str, Tensor]:
        """Put what a model may want beside the ids: the mask, and which tokens are visual."""
        taken = signature(self.backbone.model.forward).parameters
        visual = (ids == self.backbone.model.config.image_token_id).long()
        types = {name: visual for name in TYPE_ARGUMENTS if name in taken}
        return {"input_ids": ids, "attention_mask": torch.ones_like(ids), **types}

    def text(self, ids: Int[Tensor, " token"]) -> str:
        """Decode an answer."""
        return str(self.tokenizer.decode(ids, skip_special_tokens=True)).strip()


def rivals(setting: Setting) -> dict[str, Callable[[], Answers]]:
    """Name every way; each returns its description and its area answer."""
    ways = {EGO: introduce, LIMIT: plain_generation, SEPARATE: separate_passes}
    return {name: partial(way, setting) for name, way in ways.items()}


def introduce(setting: Setting) -> Answers:
    """Introduce the image as the library does; random weights may say no word, then every token counts as a keyword."""
    config = setting.config
    said = describe(setting.backbone, setting.image, config, layers=setting.layers)
    if said.words.attention is None or said.area is None:
        raise SelectionError("the model said nothing about the image; measure another model")
    words = find_keywords(said.words.text, said.words.spans).positions or range(len(said.words.token_ids))
    importance = token_importance(said.words.attention[:, :, list(words)], reduction=config.reduction)
    candidates = said.tokens.covering
    size = memory_size(int(candidates.sum()), budget=config.budget, area_percent=parse_area(said.area.text))
    said.tokens.select(top_tokens(importance, size.count, candidates))
    return said.words.text, said.area.text


@torch.no_grad()
def plain_generation(setting: Setting) -> Answers:
    """Prefill the image once and let transformers generate both answers from it; nothing is recorded or chosen."""
    describe, area = setting.questions
    shared = describe[:, : _common_start(describe[0], area[0])]
    prefilled = setting.backbone.model(
        **setting.prompt_inputs(shared),
        **setting.image_inputs(),
        use_cache=True,
        logits_to_keep=1,
    ).past_key_values
    second = fork(prefilled)
    described = _generate(setting, describe, setting.config.description_tokens, past_key_values=prefilled)
    answered = _generate(setting, area, setting.config.area_tokens, past_key_values=second)
    return setting.text(described), setting.text(answered)


@torch.no_grad()
def separate_passes(setting: Setting) -> Answers:
    """Encode, describe, ask and look, each from the pixels, the last with eager attention and `output_attentions`."""
    inputs, (describe, area) = setting.image_inputs(), setting.questions
    setting.backbone.model.get_image_features(**inputs)
    described = _generate(setting, describe, setting.config.description_tokens, **inputs)
    answered = _generate(setting, area, setting.config.area_tokens, **inputs)
    weights = _eager_attention(setting, torch.cat([describe, described[None]], dim=1), inputs)
    columns = (describe[0] == setting.backbone.model.config.image_token_id).nonzero()[:, 0]
    rows = torch.stack([weights[layer][0, :, describe.shape[1] :][..., columns] for layer in setting.layers])
    token_importance(rows.float(), reduction=setting.config.reduction)
    return setting.text(described), setting.text(answered)


def _eager_attention(setting: Setting, ids: Tensor, inputs: dict[str, Tensor]) -> tuple[Tensor, ...]:
    model = setting.backbone.model
    found = model.config._attn_implementation
    model.set_attn_implementation("eager")
    try:
        output = model(**setting.prompt_inputs(ids), **inputs, output_attentions=True)
    finally:
        model.set_attn_implementation(found)
    attentions: tuple[Tensor, ...] = output.attentions
    return attentions


def _common_start(one: Int[Tensor, " one"], other: Int[Tensor, " other"]) -> int:
    length = min(len(one), len(other))
    return int((one[:length] == other[:length]).long().cumprod(0).sum())


def _generate(setting: Setting, ids: Tensor, length: int, **more: Any) -> Int[Tensor, " token"]:
    whole: Tensor = setting.backbone.model.generate(
        **setting.prompt_inputs(ids), max_new_tokens=length, do_sample=False, **more
    )
    return whole[0, ids.shape[1] :]
