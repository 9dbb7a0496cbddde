"""Checkpoints whose files are damaged or do not belong together: one clear error each, and nothing made up."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from ego.backbones import load_backbone
from ego.backbones.huggingface import HuggingFaceBackbone
from ego.backbones.tolerance import relative_difference
from ego.errors import BackboneError, EgoError
from ego.prompt import introduction_prompt
from tests.backbones import tiny

FAMILY = "qwen2_5_vl"
Change = Callable[[Path], Any]


def weights(change: Callable[[dict[str, torch.Tensor]], Any]) -> Change:
    def changed(folder: Path) -> None:
        tensors = load_file(folder / "model.safetensors")
        change(tensors)
        save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})

    return changed


def without(part: str) -> Change:
    return weights(lambda tensors: [tensors.pop(name) for name in list(tensors) if part in name])


def settings(file: str, **new: Any) -> Change:
    def changed(folder: Path) -> None:
        told = json.loads((folder / file).read_text())
        (folder / file).write_text(json.dumps({**told, **new}))

    return changed


def layers(count: int) -> Change:
    def changed(folder: Path) -> None:
        told = json.loads((folder / "config.json").read_text())
        told["text_config"]["num_hidden_layers"] = count
        for setting, value in {**told["text_config"]}.items():
            if isinstance(value, list) and len(value) == tiny.LAYERS:  # kinds of layers, one for each
                told["text_config"][setting] = (value * 2)[:count]
        (folder / "config.json").write_text(json.dumps(told))

    return changed


def written(file: str, text: str, encoding: str = "utf-8") -> Change:
    return lambda folder: (folder / file).write_text(text, encoding=encoding)


WORDS = ("tokenizer.json", "tokenizer_config.json")
APART = "weights and config.json do not belong together. Download or copy the whole model again"
FOLDER = "A file of the folder is missing or damaged: download or copy the whole model again"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (without("q_proj.weight"), rf"lack \S*layers\.0\.self_attn\.q_proj\.weight and 3 more; {APART}"),
        (without("visual."), rf"lack \S*visual\S* and \d+ more; {APART}"),
        (layers(6), rf"lack \S*layers\.4\.\S* and \d+ more; {APART}"),
        (layers(2), rf"hold more layers than config.json says: \S*layers\.2\.\S* and \d+ more; {APART}"),
        (
            weights(lambda tensors: tensors.update({"model.language_model.norm.weight": torch.zeros(7)})),
            "have other shapes than config.json says",
        ),
        (
            weights(lambda tensors: [tensors[name].fill_(float("nan")) for name in tensors if "q_proj.weight" in name]),
            "answer to a small image is no numbers.* its weights are damaged",
        ),
        (weights(lambda tensors: [tensor.zero_() for tensor in tensors.values()]), "all of them are alike"),
        (written("config.json", ""), FOLDER),
        (written("config.json", "{}", "utf-16"), FOLDER),
        (written("tokenizer.json", "{"), "could not be loaded"),
        (written("tokenizer.json", json.dumps({"version": "1.0"})), "could not be loaded"),
        (written("preprocessor_config.json", "{"), FOLDER),
        (settings("preprocessor_config.json", patch_size=0), "could not be loaded"),
        (settings("preprocessor_config.json", image_mean=[0.5, 0.5]), "does not take a plain image: mean must have 3"),
        (written("chat_template.jinja", "{% for m in messages %}"), "chat template cannot write a conversation"),
        (settings("config.json", image_token_id=999_999), "names token 999999 for images, but the tokenizer has"),
        (settings("config.json", image_token_id=5), "puts no image placeholder into the prompt"),
        (written("chat_template.jinja", "{% for i in range(10 ** 9) %}{% endfor %}"), "could not be loaded: Range too"),
        (settings("processor_config.json", processor_class="LlavaProcessor"), "does not take a plain image: The total"),
        (lambda folder: [(folder / file).unlink() for file in WORDS], "do not belong together"),
    ],
    ids=[
        *("no queries", "no tower", "too few layers", "too many layers", "shapes", "nan", "nothing", "empty", "utf-16"),
        *("broken tokenizer", "half a tokenizer", "broken image settings", "no patch", "two colours", "template"),
        *("token beyond", "token another", "endless template", "another processor", "no tokenizer"),
    ],
)
def test_what_is_damaged_is_one_clear_error(tmp_path: Path, change: Change, message: str) -> None:
    folder = tiny.save(FAMILY, tmp_path)
    change(folder)
    with pytest.raises(EgoError, match=message) as caught:
        load_backbone(folder)
    assert isinstance(caught.value, BackboneError)


def tied_the_other_way(tensors: dict[str, torch.Tensor]) -> None:
    source = next(name for name in tensors if name.endswith("embed_tokens.weight"))
    tensors["lm_head.weight"] = tensors.pop(source)


HARMLESS = {
    "gemma3": weights(tied_the_other_way),
    "fast_vlm": without("num_batches_tracked"),
    "llava": without("post_layernorm"),
}
"""Weights that are tied the other way round, that only training counts, and that features pass by."""


@pytest.mark.parametrize("family", HARMLESS)
def test_weights_that_no_answer_depends_on_may_be_missing(
    load: Callable[..., HuggingFaceBackbone], tmp_path: Path, family: str
) -> None:
    folder = tiny.save(family, tmp_path)
    stored = load_file(folder / "model.safetensors").keys()
    HARMLESS[family](folder)
    assert load_file(folder / "model.safetensors").keys() != stored
    lacking, whole = load_backbone(folder), load(family)
    prompt = introduction_prompt(whole.encode_image(tiny.picture()), "Who is it?")
    ours, theirs = (model.next_token_logits([prompt])[0] for model in (lacking, whole))
    assert relative_difference(ours, theirs) < 1e-5


def test_buffers_of_older_versions_are_passed_over(tmp_path: Path) -> None:
    folder = tiny.save(FAMILY, tmp_path)
    weights(lambda tensors: tensors.update({"model.language_model.rotary_emb.inv_freq": torch.ones(8)}))(folder)
    load_backbone(folder)


def test_what_is_missing_is_never_made_up(tmp_path: Path) -> None:
    folder = tiny.save("llava", tmp_path)
    without("post_layernorm")(folder)
    backbone = load_backbone(folder)
    assert isinstance(backbone, HuggingFaceBackbone)
    lacking = {name: part for name, part in backbone.model.named_parameters() if "post_layernorm" in name}
    assert lacking
    assert all(bool(part.isnan().all()) for part in lacking.values())
    assert load_backbone(folder).fingerprint == backbone.fingerprint


def test_weights_that_are_missing_can_be_passed_over_at_ones_own_risk(tmp_path: Path) -> None:
    folder = tiny.save(FAMILY, tmp_path)
    without("q_proj.weight")(folder)
    load_backbone(folder, self_check=False)


def test_a_model_whose_answers_would_never_end_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ego.backbones.answering.end_tokens", lambda *_: frozenset())
    with pytest.raises(BackboneError, match="names no token that ends an answer"):
        load_backbone(tiny.save(FAMILY, tmp_path))
