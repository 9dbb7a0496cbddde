"""A model on trial: what Ego relies on, tried on this checkpoint and this machine, to be pasted into a report.

Prompts against the model's own processor, answer ids, recorded attention against eager attention, a memory of all
tokens against the plain image, a reused prefix beyond the sliding window; then seconds and memory.
"""

import platform
import resource
import sys
import time
from collections.abc import Callable, Iterator

import torch
from PIL import Image
from pydantic import BaseModel, ConfigDict
from torch import Tensor

from ego.backbones.base import Record
from ego.backbones.huggingface import HuggingFaceBackbone
from ego.backbones.loading import load
from ego.backbones.missing_weights import require_unused, take_away_missing
from ego.backbones.parity import compare_prompts
from ego.backbones.self_check import QUESTION, check, settle_thoughts
from ego.backbones.tolerance import relative_difference, tolerance
from ego.backbones.video_check import settle_videos
from ego.bench.rivals import EGO, LIMIT, Setting, rivals
from ego.bench.subject import environment
from ego.config import EgoConfig
from ego.errors import EgoError
from ego.prompt import Prompt, SoftTokens, Text, Turn, introduction_prompt

SIZE = (320, 240)
WORDS = "a small white dog with brown ears"
FILLER = "one two three four five six seven eight nine ten "
LONGEST_PREFIX = 2048
ROWS_MAY_DIFFER = {torch.float32: 1e-4, torch.float16: 0.01, torch.bfloat16: 0.02}
"""Largest difference of an attention weight that rounding makes (bfloat16: 0.005 between two eager runs)."""


class Finding(BaseModel):
    """One thing that was tried.

    Attributes:
        what: What was tried.
        works: Whether it is as it must be.
        detail: Figures, or the first difference.
    """

    model_config = ConfigDict(frozen=True)

    what: str
    works: bool
    detail: str


class Checkup(BaseModel):
    """What was found about a model on a machine.

    Attributes:
        model: Hub name or folder.
        family: Its family.
        findings: What was tried, in order; ends early where a model is refused.
        seconds: Of loading, of an introduction, and of plain generation of the same answers.
        host_peak_gb: Most memory of this process.
        device_peak_gb: Most memory of the accelerator; None without one.
        environment: Versions, device and number format.
    """

    model_config = ConfigDict(frozen=True)

    model: str
    family: str
    findings: tuple[Finding, ...]
    seconds: dict[str, float]
    host_peak_gb: float
    device_peak_gb: float | None
    environment: dict[str, str]

    @property
    def passed(self) -> bool:
        """Whether everything is as it must be."""
        return all(finding.works for finding in self.findings)


def check_up(model_id: str, *, device: str | None, device_map: str | None, timed: bool = True) -> Checkup:
    """Load a model without its checks, and try each of them.

    Args:
        model_id: Hub name, folder or "mini".
        device: Where it runs; None for CUDA where there is any.
        device_map: Spread it over devices instead.
        timed: Whether introduction and plain generation are timed.

    Raises:
        BackboneError: If the model cannot be loaded at all.
    """
    began = time.perf_counter()
    backbone = load(
        model_id,
        device=device,
        dtype=None,
        device_map=device_map,
        revision=None,
        max_visual_tokens=None,
        positions="grid",
        self_check=False,
    )
    seconds = {"loading": time.perf_counter() - began}
    findings = tuple(_findings(backbone))
    if timed and all(finding.works for finding in findings):
        seconds |= _introduction(backbone, model_id)
    return Checkup(
        model=model_id,
        family=backbone.card.family,
        findings=findings,
        seconds={name: round(value, 3) for name, value in seconds.items()},
        host_peak_gb=round(_host_peak_bytes() / 1e9, 3),
        device_peak_gb=round(torch.cuda.max_memory_allocated() / 1e9, 3) if torch.cuda.is_available() else None,
        environment={"python": platform.python_version(), "system": platform.platform(), **environment(backbone)},
    )


def _findings(backbone: HuggingFaceBackbone) -> Iterator[Finding]:
    tried: tuple[tuple[str, Callable[[HuggingFaceBackbone], tuple[bool, str]]], ...] = (
        ("weights", _weights),
        ("prompts", _prompts),
        ("plain image", _plain_image),
        ("thoughts", _thoughts),
        ("answers", _answers),
        ("attention", _attention),
        ("memory", _memory),
        ("prefix", _prefix),
        ("video", _video),
    )
    for what, attempt in tried:
        try:
            works, detail = attempt(backbone)
        except (EgoError, RuntimeError, ValueError, TypeError, LookupError, AttributeError) as error:
            works, detail = False, str(error).strip() or type(error).__name__
        yield Finding(what=what, works=works, detail=detail)
        if not works:
            return


def _weights(backbone: HuggingFaceBackbone) -> tuple[bool, str]:
    """No weight is missing on which an answer depends."""
    missing = take_away_missing(backbone.card.model_id, backbone.model, backbone.found)
    require_unused(backbone, missing)
    return True, f"{len(missing)} missing on which no answer depends: {missing[0]}, ..." if missing else "all are there"


def _prompts(backbone: HuggingFaceBackbone) -> tuple[bool, str]:
    """Ids and rotary positions against the model's own processor."""
    found = list(compare_prompts(backbone))
    wrong = [f"{one.conversation}: {one.difference}" for one in found if one.difference]
    return not wrong, "; ".join(wrong) or ", ".join(f"{one.conversation} ({one.tokens} tokens)" for one in found)


def _plain_image(backbone: HuggingFaceBackbone) -> tuple[bool, str]:
    return True, f"logits of an image and of its own visual tokens differ by {check(backbone):.1e}"


def _thoughts(backbone: HuggingFaceBackbone) -> tuple[bool, str]:
    settle_thoughts(backbone)
    if backbone.thought is not None:
        return True, f"answers are read behind {backbone.thought.opening}...{backbone.thought.closing}"
    closing = backbone.chat.template.closing
    return True, f"closed by {closing!r}" if closing else "none"


def _answers(backbone: HuggingFaceBackbone) -> tuple[bool, str]:
    """First tokens of yes and no: there are some, and none is both."""
    yes, no = backbone.word_ids(["Yes", "yes"]), backbone.word_ids(["No", "no"])
    shown = [" ".join(repr(backbone.chat.shown([token])) for token in ids) for ids in (yes, no)]
    return bool(yes) and bool(no) and not set(yes) & set(no), f"yes {shown[0]}; no {shown[1]}"


def _attention(backbone: HuggingFaceBackbone) -> tuple[bool, str]:
    """Recorded rows of attention against those of eager attention, all layers, one image."""
    prompt = introduction_prompt(backbone.encode_image(_image()), QUESTION)
    layers = backbone.card.attention_layers
    said = backbone.generate(prompt, max_new_tokens=1, record=Record(layers, part=0), forced_text=WORDS)
    chat, tokens = backbone.lay_out(prompt)
    eager = _eager_maps(backbone, tokens.then(said.token_ids.tolist()))
    maps = eager if len(eager) == backbone.card.layer_count else dict(zip(layers, eager, strict=True))
    places = chat.visuals[0].positions
    rows = torch.stack([maps[layer][0, :, len(chat.ids) :, places].float().cpu() for layer in layers])
    if said.attention is None:
        return False, "nothing was recorded"
    difference = float((said.attention - rows).abs().max())
    works = difference <= ROWS_MAY_DIFFER.get(backbone.dtype, 0.02)
    return works, f"weights of {len(layers)} layers differ from eager attention by {difference:.1e} at most"


def _eager_maps(backbone: HuggingFaceBackbone, tokens: object) -> tuple[Tensor, ...]:
    """Run the language model once with eager attention, which gives whole maps; then as before."""
    model, config = backbone.model, backbone.model.config.get_text_config()
    found = config._attn_implementation
    arguments = backbone.runner.arguments([tokens], None)  # type: ignore[list-item]
    config._attn_implementation = "eager"
    try:
        with torch.no_grad():
            maps: tuple[Tensor, ...] = model(**arguments, output_attentions=True, use_cache=False).attentions
    finally:
        config._attn_implementation = found
    return maps


def _memory(backbone: HuggingFaceBackbone) -> tuple[bool, str]:
    """A memory of all tokens of an image, at their own positions, against the image."""
    tokens = backbone.encode_image(_image())
    remembered = Prompt((Turn("user", (SoftTokens(tokens), Text(QUESTION))),))
    return _alike(backbone, remembered, introduction_prompt(tokens, QUESTION), "a memory of all tokens and the image")


def _prefix(backbone: HuggingFaceBackbone) -> tuple[bool, str]:
    """A reused prefix, longer than the sliding window where there is one, against the full run."""
    window = getattr(backbone.model.config.get_text_config(), "sliding_window", None) or 0
    wanted = min(max(window + 64, 256), LONGEST_PREFIX, backbone.card.context_length // 2)
    filler = FILLER * (wanted // max(1, len(backbone.chat.plain_ids(FILLER))) + 1)
    parts = (SoftTokens(backbone.encode_image(_image())), Text(filler), Text(QUESTION))
    prompt = Prompt((Turn("user", parts),))
    prefix = backbone.prefill(prompt, 2)
    reused = backbone.next_token_logits([prompt], prefix=prefix)[0]
    difference = relative_difference(reused, backbone.next_token_logits([prompt])[0])
    return difference <= tolerance(backbone.dtype), (
        f"logits over a prefix of {prefix.length} tokens differ by {difference:.1e}"
        + (f"; the window has {window}" if window else "")
    )


def _video(backbone: HuggingFaceBackbone) -> tuple[bool, str]:
    """Videos of families that read them, against the model's own processor."""
    reads, found = backbone.card.has_video, settle_videos(backbone)
    return backbone.card.has_video == reads, found


def _alike(backbone: HuggingFaceBackbone, one: Prompt, other: Prompt, what: str) -> tuple[bool, str]:
    ours, theirs = (backbone.next_token_logits([prompt])[0] for prompt in (one, other))
    difference = relative_difference(ours, theirs)
    return difference <= tolerance(backbone.dtype), f"logits of {what} differ by {difference:.1e}"


def _introduction(backbone: HuggingFaceBackbone, model_id: str) -> dict[str, float]:
    """Time one introduction beside plain generation of the same answers, each after a first run."""
    setting = Setting(backbone, backbone.chat.tokenizer, _image(), EgoConfig())
    ways = {name: way for name, way in rivals(setting).items() if name in (EGO, LIMIT)}
    seconds = {}
    for name, way in ways.items():
        way()
        began = time.perf_counter()
        way()
        seconds["introduction" if name == EGO else "plain generation"] = time.perf_counter() - began
    return seconds


def _image() -> Image.Image:
    return Image.linear_gradient("L").resize(SIZE).convert("RGB")


def _host_peak_bytes() -> int:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
