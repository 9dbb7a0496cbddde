"""A cheap check at load: a plain image prompt must get the same answer as a prompt with the image's tokens put in.

Catches a version of transformers, a processor or a checkpoint that has drifted away from what this package relies on.
"""

import inspect
import logging
from collections.abc import Mapping
from typing import Any

import torch
from jaxtyping import Float
from PIL import Image
from torch import Tensor

from ego.backbones.capabilities import TYPE_ARGUMENTS
from ego.backbones.chat_format import PROBE_IMAGE
from ego.backbones.huggingface import HuggingFaceBackbone
from ego.backbones.thinking import BRACKETED, LONGEST_THOUGHT, THOUGHTS, Thought, empty_thought
from ego.backbones.tolerance import relative_difference, tolerance
from ego.errors import SelfCheckError
from ego.prompt import Prompt, introduction_prompt

QUESTION = "What is this?"
_log = logging.getLogger(__name__)


def check(backbone: HuggingFaceBackbone) -> float:
    """Compare both ways on one small image.

    Returns:
        Largest difference of the logits of the first answer token, as a share of their standard deviation.

    Raises:
        SelfCheckError: If they differ by more than rounding; the message names what drifted.
    """
    image = Image.linear_gradient("L").resize(PROBE_IMAGE).convert("RGB")
    prompt = introduction_prompt(backbone.encode_image(image), QUESTION)
    inputs = plain_inputs(backbone, prompt, image)
    plain = plain_logits(backbone, {**inputs, **_checked_positions(backbone, prompt, inputs)})
    try:
        injected = backbone.next_token_logits([prompt])[0]
    except (TypeError, ValueError, RuntimeError, AttributeError, LookupError) as cause:
        raise _drift(backbone, f"the model refuses visual tokens put into its prompt ({cause})") from cause
    if not bool(plain.isfinite().all()) or float(plain.max()) == float(plain.min()):
        raise SelfCheckError(
            f"{backbone.card.model_id}: its answer to a small image is no numbers, or all of them are alike "
            f"({backbone.dtype}); its weights are damaged, or too large for this number format: download them again, "
            "or try dtype bfloat16 or float32"
        )
    difference = relative_difference(injected, plain)
    if not difference <= tolerance(backbone.dtype):
        raise _drift(backbone, f"logits of a plain image and of its own visual tokens differ by {difference:.0%}")
    return difference


def settle_thoughts(backbone: HuggingFaceBackbone) -> None:
    """See whether the model begins to think all by itself, and give it an empty thought then.

    What such a model puts before its answers (`<answer>`, a box) is written behind the thought, too, so that the first
    token of an answer is a word. A model that thinks even so is left to it: its answers are read behind the thought.

    Raises:
        SelfCheckError: If it says the same mark for ever.
    """
    tokenizer = backbone.chat.tokenizer
    added = {number: text for text, number in tokenizer.get_added_vocab().items()}
    openings = {number: text for number, text in added.items() if text in THOUGHTS}
    if not openings:
        return
    image = backbone.encode_image(Image.linear_gradient("L").resize(PROBE_IMAGE).convert("RGB"))
    prompt = introduction_prompt(image, QUESTION)
    first = _first_token(backbone, prompt)
    if first not in openings:
        return
    opening = openings[first]
    backbone.chat.begin_answers_with(empty_thought(opening))
    while (first := _first_token(backbone, prompt)) in added and BRACKETED.match(added[first]):
        if first in openings:
            _leave_to_its_thoughts(backbone, opening)
            return
        if added[first] in backbone.chat.template.closing:
            raise _drift(backbone, f"the model begins every answer with {added[first]}, even behind an empty thought")
        if first in backbone.end_tokens:
            return
        backbone.chat.begin_answers_with(added[first])


def _leave_to_its_thoughts(backbone: HuggingFaceBackbone, opening: str) -> None:
    left_open = backbone.chat.template.leaves_thought_open
    backbone.read_behind(Thought(opening, THOUGHTS[opening], left_open))
    _log.warning(
        "%s thinks before every answer, even behind an empty thought; its answers are read behind its thoughts, which "
        "takes up to %d tokens for each",
        backbone.card.model_id,
        LONGEST_THOUGHT,
    )


def _first_token(backbone: HuggingFaceBackbone, prompt: Prompt) -> int:
    return int(backbone.next_token_logits([prompt])[0].argmax())


def plain_inputs(backbone: HuggingFaceBackbone, prompt: Prompt, image: Image.Image) -> dict[str, Any]:
    """Build the arguments of a prompt with one image the usual way: with its pixels."""
    return inputs_with_pixels(backbone, prompt, backbone.preparation(image))


def inputs_with_pixels(backbone: HuggingFaceBackbone, prompt: Prompt, prepared: Mapping[str, Any]) -> dict[str, Any]:
    """Build the arguments of a prompt whose pictures are handed over as the processor prepared them."""
    tokens = backbone.lay_out(prompt)[1]
    arguments = inspect.signature(backbone.model.forward).parameters
    types = {name: tokens.visual.long()[None] for name in TYPE_ARGUMENTS if name in arguments}
    ids = {"input_ids": tokens.ids[None], "attention_mask": torch.ones_like(tokens.ids)[None]}
    pixels = {name: value for name, value in prepared.items() if name in arguments}
    inputs = {**ids, **types, **pixels}
    return {name: on_device(value, backbone) for name, value in inputs.items()}


def _checked_positions(backbone: HuggingFaceBackbone, prompt: Prompt, inputs: dict[str, Any]) -> dict[str, Tensor]:
    """Compare rotary positions with the model's own, where they have several axes.

    They are handed over explicitly: the model would remember those it finds out by itself, beyond the call.
    """
    own = getattr(backbone.model.base_model, "get_rope_index", None)
    if own is None:
        return {}
    wanted = inspect.signature(own).parameters
    places, _ = own(**{name: value for name, value in inputs.items() if name in wanted})
    if not torch.equal(places[-3:, 0].cpu(), backbone.lay_out(prompt)[1].places):
        raise _drift(backbone, "rotary positions of a picture differ from the model's own")
    order = torch.arange(places.shape[-1], device=places.device)[None, None]
    return {"position_ids": torch.cat([order, places[-3:]])}


@torch.no_grad()
def plain_logits(backbone: HuggingFaceBackbone, inputs: dict[str, Any]) -> Float[Tensor, " vocab"]:
    """Score the first token of the answer to arguments of the usual kind (float32)."""
    logits: Tensor = backbone.model(**inputs, use_cache=False, logits_to_keep=1).logits
    return logits[0, -1].float().cpu()


def on_device(value: Any, backbone: HuggingFaceBackbone) -> Any:
    """Bring an input to where the model is, and to its number format."""
    if not isinstance(value, Tensor):
        return value
    return value.to(backbone.device, backbone.dtype if value.is_floating_point() else None)


def _drift(backbone: HuggingFaceBackbone, what: str) -> SelfCheckError:
    return SelfCheckError(
        f"{backbone.card.model_id}: {what}. This checkpoint or this version of transformers behaves differently from "
        "those Ego was tested with; try transformers 5.23, or load with self_check=False at your own risk"
    )
