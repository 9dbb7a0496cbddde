"""What loading refuses, and what it says."""

import json
import subprocess
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch
import transformers

from ego.backbones import Family, load_backbone, register_family
from ego.backbones.families import REFUSED, UNKNOWN, families, family_of
from ego.backbones.huggingface import HuggingFaceBackbone
from ego.backbones.loading import _straight_to
from ego.backbones.loading_errors import explained_loading
from ego.errors import BackboneError
from ego.prompt import introduction_prompt
from tests.backbones import tiny
from tests.backbones.further import FURTHER, NEED_TORCHVISION
from tests.backbones.unlisted import UNLISTED_WITH_TORCHVISION

FAMILY = "internvl3"


def test_a_missing_model_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as hub:
        hub.setattr(transformers.AutoConfig, "from_pretrained", lambda *_, **__: pytest.fail("the hub was asked"))
        for path in (tmp_path / "nowhere", "./nowhere", "~/no/where", "a/b/c", "models\\mine"):
            with pytest.raises(BackboneError, match="is no folder here; check the path"):
                load_backbone(path)
    with pytest.raises(BackboneError, match=r"nobody/nothing could not be loaded.*downloaded before"):
        load_backbone("nobody/nothing")


def test_what_is_no_model_folder_is_said_to_be_so(tmp_path: Path) -> None:
    with pytest.raises(BackboneError, match=r"has no config\.json; give the folder of a whole model"):
        load_backbone(tmp_path)
    adapter = tmp_path / "adapter_config.json"
    adapter.write_text(json.dumps({"peft_type": "LORA", "base_model_name_or_path": "OpenGVLab/InternVL3-2B-hf"}))
    with pytest.raises(BackboneError, match=r"an adapter, no model; it belongs to OpenGVLab/InternVL3-2B-hf.*merge"):
        load_backbone(tmp_path)
    with pytest.raises(BackboneError, match="is a file; give the folder"):
        load_backbone(adapter)


@pytest.mark.parametrize("model_type", REFUSED)
def test_families_that_stay_out_are_refused_by_name(tmp_path: Path, model_type: str) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"model_type": model_type}))
    with pytest.raises(BackboneError, match=f"'{model_type}' model, which Ego does not support: {REFUSED[model_type]}"):
        load_backbone(tmp_path)


@pytest.mark.parametrize(
    ("cause", "advice"),
    [
        (ImportError("AutoVideoProcessor requires the Torchvision library but it was not found"), "torchvision"),
        (ModuleNotFoundError("No module named 'odd_package'", name="odd_package"), "pip install odd_package"),
        (ImportError("Using `bitsandbytes` 4-bit quantization requires bitsandbytes"), "pip install bitsandbytes"),
        (
            ImportError("FlashAttention2 has been toggled on, but the package flash_attn seems to be not installed"),
            "flash-",
        ),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"), "smaller model"),
        (torch.OutOfMemoryError("CUDA out of memory"), "smaller model"),
        (MemoryError(), "smaller model"),
        (PermissionError(13, "Permission denied", "config.json"), "check their permissions"),
        (OSError(28, "No space left on device"), "make room"),
        (KeyError("model.layers.0"), "complete image-text model"),
    ],
    ids=str,
)
def test_advice_fits_the_cause(cause: BaseException, advice: str) -> None:
    with pytest.raises(BackboneError, match=advice) as caught, explained_loading("the/model"):
        raise cause
    assert "SmolVLM" not in str(caught.value)


@pytest.mark.parametrize(
    ("kind", "advice"),
    [
        ("GatedRepoError", "ccept its licence"),
        ("RepositoryNotFoundError", "heck the spelling"),
        ("OfflineModeIsEnabled", "ownloads are switched off"),
        ("LocalEntryNotFoundError", "cannot be reached"),
    ],
)
def test_advice_fits_what_the_hub_said(kind: str, advice: str) -> None:
    wrapped = OSError("the/model is not a local folder and is not a valid model identifier")
    wrapped.__cause__ = type(kind, (OSError,), {})("no")  # as transformers wraps what the hub's client raises
    with pytest.raises(BackboneError, match=advice), explained_loading("the/model"):
        raise wrapped


def test_a_text_model_is_refused(tmp_path: Path) -> None:
    transformers.Qwen2Config().save_pretrained(tmp_path)
    with pytest.raises(BackboneError, match="'qwen2' model, which does not read images"):
        load_backbone(tmp_path)


def test_a_model_transformers_does_not_know_is_refused(tmp_path: Path) -> None:
    config = {"model_type": "homemade", "auto_map": {"AutoConfig": "homemade.Config"}}
    (tmp_path / "config.json").write_text(json.dumps(config))
    (tmp_path / "homemade.py").write_text("raise SystemExit('code of a checkpoint was run')")
    with pytest.raises(BackboneError, match="code that comes with a model is never run"):
        load_backbone(tmp_path)


def test_a_model_without_a_way_in_is_refused(tmp_path: Path) -> None:
    config = transformers.BlipConfig(
        text_config={"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "vocab_size": 32},
        vision_config={"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2},
    )
    model = transformers.BlipForConditionalGeneration(config)
    with pytest.raises(BackboneError, match=r"BlipForConditionalGeneration has no .*mm_encoder_outputs"):
        table_entry(model)


def table_entry(model: object) -> HuggingFaceBackbone:
    return HuggingFaceBackbone(model, _Processor(), model_id="blip", family=UNKNOWN)


class _Processor:
    tokenizer = None


def test_smolvlm_names_the_package_it_needs(checkpoint: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch) -> None:
    load_backbone(checkpoint("smolvlm"), self_check=False)
    monkeypatch.setattr("transformers.models.smolvlm.processing_smolvlm.num2words", None)  # as when not installed
    with pytest.raises(BackboneError, match=r"num2words.*ego-vlm\[smolvlm\]"):
        load_backbone(checkpoint("smolvlm"))


@pytest.mark.skipif(find_spec("torchvision") is not None, reason="torchvision is installed")
@pytest.mark.parametrize("family", [*NEED_TORCHVISION, *UNLISTED_WITH_TORCHVISION])
def test_a_family_that_needs_torchvision_says_so(tmp_path: Path, family: str) -> None:
    with pytest.raises(BackboneError, match=r"orchvision.*Install it: pip install torchvision"):
        load_backbone(tiny.save(family, tmp_path))


@pytest.mark.parametrize("missing", ["preprocessor_config.json", "tokenizer.json", "model.safetensors"])
def test_half_a_checkpoint_is_refused(tmp_path: Path, missing: str) -> None:
    folder = tiny.save(FAMILY, tmp_path)
    (folder / missing).unlink()
    (folder / "tokenizer_config.json").unlink() if missing == "tokenizer.json" else None
    with pytest.raises(BackboneError, match=r"could not be loaded|no chat template"):
        load_backbone(folder)


def test_a_base_model_without_chat_template_is_refused(tmp_path: Path) -> None:
    folder = tiny.save(FAMILY, tmp_path)
    (folder / "chat_template.jinja").unlink()
    with pytest.raises(BackboneError, match="no chat template; choose an instruction-tuned"):
        load_backbone(folder)


def test_the_processor_that_the_checkpoint_names_is_used(tmp_path: Path) -> None:
    """transformers lists none for FastVLM; a LLaVA may bring another family's (Pixtral does)."""
    folder = tiny.save("fast_vlm", tmp_path)
    named = load_backbone(folder, self_check=False)
    assert isinstance(named, HuggingFaceBackbone)
    assert type(named.chat._processor).__mro__[1] is transformers.LlavaProcessor
    for file in ("processor_config.json", "preprocessor_config.json"):
        settings = json.loads((folder / file).read_text())
        (folder / file).write_text(json.dumps({key: settings[key] for key in settings if key != "processor_class"}))
    with pytest.raises(BackboneError, match="knows no processor for 'fast_vlm' models, and the checkpoint names none"):
        load_backbone(folder)


def test_devices_and_number_formats_are_checked(checkpoint: Callable[[str], Path]) -> None:
    folder = checkpoint(FAMILY)
    with pytest.raises(BackboneError, match="'gpu' is no device"):
        load_backbone(folder, device="gpu")
    with pytest.raises(BackboneError, match="torch sees"):
        load_backbone(folder, device="cuda:77")
    with pytest.raises(BackboneError, match="'int8' is no number format"):
        load_backbone(folder, dtype="int8")
    with pytest.raises(BackboneError, match="exclude each other"):
        load_backbone(folder, device="cpu", device_map="auto")


@pytest.mark.thorough
def test_half_precision_and_device_maps_work(checkpoint: Callable[[str], Path], family: str) -> None:
    backbone = load_backbone(checkpoint(family), dtype="bfloat16", device_map={"": "cpu"})
    assert isinstance(backbone, HuggingFaceBackbone)
    assert backbone.dtype == torch.bfloat16
    tokens = backbone.encode_image(tiny.picture())
    prompt = introduction_prompt(tokens.to(torch.float32), "describe")  # as a store may hand them back
    assert backbone.next_token_logits([prompt]).dtype == torch.float32
    assert backbone.generate(prompt, max_new_tokens=2).first_logits.dtype == torch.float32


def test_the_choice_of_attention_is_respected(checkpoint: Callable[[str], Path], tmp_path: Path) -> None:
    def chosen(folder: Path, **options: str) -> str:
        backbone = load_backbone(folder, self_check=False, **options)  # type: ignore[arg-type]
        assert isinstance(backbone, HuggingFaceBackbone)
        return str(backbone.model.config.get_text_config()._attn_implementation)

    assert chosen(checkpoint(FAMILY)) == "sdpa"
    assert chosen(checkpoint(FAMILY), attention="eager") == "eager"
    folder = tiny.save(FAMILY, tmp_path)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "attn_implementation": "eager"}))
    assert chosen(folder) == "eager"
    assert chosen(folder, attention="sdpa") == "sdpa"
    with pytest.raises(BackboneError, match="nothing_of_this_name"):
        chosen(folder, attention="nothing_of_this_name")


def test_weights_go_straight_to_an_accelerator() -> None:
    """None is at hand; transformers reads every file into what the map names, and never holds a second copy."""
    assert _straight_to(torch.device("cuda:1")) == {"device_map": {"": torch.device("cuda:1")}}
    assert _straight_to(torch.device("cpu")) == _straight_to(None) == {}


def test_layers_on_disk_work(checkpoint: Callable[[str], Path], tmp_path: Path) -> None:
    names = ["vision_tower", "multi_modal_projector", "language_model.embed_tokens", "language_model.norm"]
    places = {f"model.{name}": "cpu" for name in [*names, "language_model.rotary_emb"]} | {"lm_head": "cpu"}
    layers = {f"model.language_model.layers.{layer}": "disk" if layer else "cpu" for layer in range(tiny.LAYERS)}
    whole = load_backbone(checkpoint(FAMILY), self_check=False)
    model = transformers.AutoModelForImageTextToText.from_pretrained(
        checkpoint(FAMILY), device_map=places | layers, offload_folder=tmp_path, dtype=torch.float32
    )
    spread = HuggingFaceBackbone(model.eval(), whole.chat._processor, model_id="spread", family=family_of("internvl"))
    prompt = introduction_prompt(whole.encode_image(tiny.picture()), "describe")
    assert torch.equal(spread.next_token_logits([prompt]), whole.next_token_logits([prompt]))


def test_the_embedded_model_is_looked_for_in_its_folder(
    checkpoint: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EGO_MINI", str(tmp_path))
    with pytest.raises(BackboneError, match=r"no config\.json and no model\.safetensors"):
        load_backbone("mini")
    monkeypatch.setenv("EGO_MINI", str(checkpoint(FAMILY)))
    assert load_backbone("mini").card.model_id == "mini"


def test_fewer_tokens_than_possible_are_refused(checkpoint: Callable[[str], Path], family: str) -> None:
    if family.startswith(("qwen", "glm")):
        few = load_backbone(checkpoint(family), max_visual_tokens=4, self_check=False)
        assert len(few.encode_image(tiny.picture(640, 480))) <= 4
        return
    with pytest.raises(BackboneError, match="max_visual_tokens=3 is too low"):
        load_backbone(checkpoint(family), max_visual_tokens=3)


@pytest.mark.parametrize(
    ("name", "limit", "most"),
    [("qwen3_vl", 20, 20), ("gemma4", 140, 140), ("internvl3", 100, 96), ("idefics3", 16, 16)],
)
def test_the_limit_is_kept(load: Callable[..., HuggingFaceBackbone], name: str, limit: int, most: int) -> None:
    backbone = load(name, max_visual_tokens=limit)
    counts = [len(backbone.encode_image(tiny.picture(*size))) for size in ((640, 480), (100, 700), (64, 64))]
    assert max(counts) <= most
    assert max(counts) > most / 2


def test_a_large_photo_is_limited_by_default(load: Callable[..., HuggingFaceBackbone]) -> None:
    tokens = load("qwen2_5_vl").encode_image(tiny.picture(3000, 2000))
    assert 900 < len(tokens) <= 1024


def test_an_unknown_family_works_without_geometry(
    load: Callable[..., HuggingFaceBackbone], checkpoint: Callable[[str], Path], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("WARNING", logger="ego"):
        backbone = load_backbone(checkpoint(tiny.UNLISTED))
    assert [record.message.split(": ")[1] for record in caplog.records] == [
        "unknown family; no heat-map, no spatial order, no layer calibration"
    ]
    assert (backbone.card.family, backbone.card.has_geometry) == ("unknown", False)
    tokens = backbone.encode_image(tiny.picture())
    assert tokens.boxes is None
    prompt = introduction_prompt(tokens, "describe")
    assert backbone.generate(prompt, max_new_tokens=2, prefix=backbone.prefill(prompt, 1)).prompt_tokens > len(tokens)
    with pytest.raises(BackboneError, match="max_visual_tokens=5 is too low"):
        load_backbone(checkpoint(tiny.UNLISTED), max_visual_tokens=5)


def test_the_table_is_light_and_complete() -> None:
    code = (
        "import sys; from ego.backbones import families, load_backbone; assert len(families.families()) == 18; "
        "assert not {'torch', 'transformers'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    named = {model_type for family in families() for model_type in family.model_types}
    assert {tiny.MINIATURES[name].config(name).model_type for name in (*tiny.FAMILIES, *FURTHER)} <= named
    for family in families():
        assert family.checkpoints
        assert family.notes.endswith(".")
        assert all(checkpoint.weights_gb > 0 for checkpoint in family.checkpoints)


def test_a_registered_family_replaces_the_known_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ego.backbones.families._families", list(families()))
    register_family(Family(name="My InternVL", model_types=("internvl",), geometry="tiles", limit="tiles"))
    assert [family.name for family in families() if "internvl" in family.model_types] == ["My InternVL"]
    assert len(families()) == 18


def test_half_downloaded_weights_are_named_as_damaged(tmp_path: Path) -> None:
    weights = tiny.save(FAMILY, tmp_path) / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1000])
    with pytest.raises(BackboneError, match="damaged or incomplete"):
        load_backbone(tmp_path)


def test_a_full_accelerator_is_explained(
    load: Callable[..., HuggingFaceBackbone], monkeypatch: pytest.MonkeyPatch
) -> None:
    """No accelerator is at hand to fill, so the model raises what torch raises then."""
    backbone = load(FAMILY)

    def full(**arguments: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(backbone.model, "forward", full)
    image = backbone.encode_image(tiny.picture())
    with pytest.raises(BackboneError, match="memory is full"):
        backbone.prefill(introduction_prompt(image, "Describe"), parts=1)
