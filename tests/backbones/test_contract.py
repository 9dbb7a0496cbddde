"""The promises of `Backbone`, kept by ten real architectures with random weights."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from ego.backbones.assembly import FeatureForm, forward_arguments
from ego.backbones.base import Record
from ego.backbones.capabilities import inspect_model
from ego.backbones.huggingface import HuggingFaceBackbone
from ego.backbones.runner import encode
from ego.backbones.self_check import plain_inputs
from ego.errors import BackboneError, ContextBudgetError
from ego.prompt import Picture, Prompt, SoftTokens, Text, Turn, introduced, introduction_prompt
from ego.visual_tokens import VisualTokens
from tests.backbones import tiny

QUESTIONS = ("Is Bo in this image?", "describe", "what percentage of the image does the main subject cover")
FORCED = "a small white dog with brown ears"


def exact(family: str) -> float:
    """Gemma 4's random softmax is saturated, so rounding shows more."""
    return 1e-4 if family == "gemma4" else 1e-5


def some(backbone: HuggingFaceBackbone, seed: int, share: int = 3) -> VisualTokens:
    """A memory: every third token of an image."""
    tokens = backbone.encode_image(tiny.picture(seed=seed))
    return tokens.select(torch.arange(0, len(tokens), share))


def query(backbone: HuggingFaceBackbone, question: str, seed: int = 7) -> Prompt:
    memories = [part for seed in (1, 2) for part in introduced(f"memory {seed}", some(backbone, seed))]
    image = Picture(backbone.encode_image(tiny.picture(seed=seed)))
    return Prompt((Turn("user", (Text("Remembered concepts.\n"), *memories, image, Text(question))),))


def arguments(backbone: HuggingFaceBackbone, prompt: Prompt, answer: Tensor) -> dict[str, Any]:
    can, like = inspect_model(backbone.model), next(backbone.model.parameters())
    output, _ = encode(backbone.model, backbone.preparation(tiny.picture()), can, like)
    tokens = backbone.lay_out(prompt)[1].then(answer.tolist())
    return forward_arguments([tokens], can=can, form=FeatureForm.of(output), like=like)


def eager_rows(
    backbone: HuggingFaceBackbone, family: str, prompt: Prompt, answer: Tensor, part: int, first: int | None = None
) -> Tensor:
    """The same rows from eager attention over prompt and answer in one pass; from a token of the prompt, if given."""
    eager = tiny.make_model(family, attention="eager")
    eager.load_state_dict(backbone.model.state_dict())
    with torch.no_grad():
        maps = eager(**arguments(backbone, prompt, answer), output_attentions=True, use_cache=False).attentions
    maps = (
        maps if len(maps) == backbone.card.layer_count else dict(zip(backbone.card.attention_layers, maps, strict=True))
    )
    chat, _ = backbone.lay_out(prompt)
    visuals = [index for index, item in enumerate(prompt.parts) if not isinstance(item, Text)]
    places = chat.visuals[visuals.index(part)].positions
    begin = len(chat.ids) if first is None else first
    rows = [maps[layer][0, :, begin:, places] for layer in backbone.card.attention_layers]
    return torch.stack(rows)


@pytest.mark.thorough
@pytest.mark.parametrize("forced", [None, FORCED], ids=["decoded", "forced"])
@pytest.mark.parametrize("reuse", [False, True], ids=["whole", "over a prefix"])
def test_recorded_rows_equal_eager_attention(
    backbone: HuggingFaceBackbone, family: str, forced: str | None, reuse: bool
) -> None:
    prompt = introduction_prompt(backbone.encode_image(tiny.picture()), QUESTIONS[1])
    said = backbone.generate(
        prompt,
        max_new_tokens=12,
        prefix=backbone.prefill(prompt, 1) if reuse else None,
        record=Record(backbone.card.attention_layers, part=0),
        forced_text=forced,
    )
    assert said.attention is not None
    assert said.attention.shape[2] == len(said.token_ids) > 2
    expected = eager_rows(backbone, family, prompt, said.token_ids, part=0)
    assert expected.max() > 0.01  # otherwise equality means nothing
    torch.testing.assert_close(said.attention, expected, atol=exact(family), rtol=0)


def test_rows_of_a_memory_inside_a_long_prompt_equal_eager_attention(
    backbone: HuggingFaceBackbone, family: str
) -> None:
    prompt = query(backbone, QUESTIONS[0])
    record = Record(backbone.card.attention_layers, part=5)
    prefix = backbone.prefill(prompt, 7)
    said = backbone.generate(prompt, max_new_tokens=1, prefix=prefix, record=record, forced_text=FORCED)
    expected = eager_rows(backbone, family, prompt, said.token_ids, part=5)
    torch.testing.assert_close(said.attention, expected, atol=exact(family), rtol=0)


@pytest.mark.thorough
def test_a_memory_of_all_tokens_answers_like_the_image(load: Callable[..., HuggingFaceBackbone], family: str) -> None:
    backbone = load(family, positions="grid")
    image = tiny.picture(seed=5)
    tokens = backbone.encode_image(image)
    seen = introduction_prompt(tokens, QUESTIONS[1])
    remembered = Prompt((Turn("user", (SoftTokens(tokens), Text(QUESTIONS[1]))),))
    with torch.no_grad():
        plain = backbone.model(**plain_inputs(backbone, seen, image), use_cache=False).logits[0, -1]
    torch.testing.assert_close(backbone.next_token_logits([remembered])[0], plain, atol=1e-5, rtol=0)
    shuffled = SoftTokens(tokens.select(torch.randperm(len(tokens), generator=torch.Generator().manual_seed(0))))
    other = backbone.next_token_logits([Prompt((Turn("user", (shuffled, Text(QUESTIONS[1]))),))])[0]
    assert (other - plain).abs().max() > 1e-4


def test_a_reused_prefix_answers_like_the_full_run(backbone: HuggingFaceBackbone, family: str) -> None:
    prompts = [query(backbone, question) for question in QUESTIONS]
    memories = backbone.prefill(prompts[0], 5)
    with_image = backbone.prefill(prompts[0], 6, prefix=memories)
    assert with_image.length > memories.length
    for prompt in prompts:
        full = backbone.next_token_logits([prompt])
        for prefix in (memories, with_image):
            reused = backbone.next_token_logits([prompt], prefix=prefix)
            torch.testing.assert_close(reused, full, atol=exact(family), rtol=0)


def test_a_prefix_is_not_changed_by_its_queries(backbone: HuggingFaceBackbone) -> None:
    prompt = query(backbone, QUESTIONS[0])
    prefix = backbone.prefill(prompt, 5)
    before = backbone.next_token_logits([prompt], prefix=prefix)
    backbone.generate(query(backbone, QUESTIONS[1], seed=9), max_new_tokens=4, prefix=prefix)
    assert prefix.state.cache.get_seq_length() == prefix.length
    assert torch.equal(backbone.next_token_logits([prompt], prefix=prefix), before)


@pytest.mark.thorough
@pytest.mark.parametrize("reuse", [False, True], ids=["whole", "over a prefix"])
def test_a_batch_answers_like_single_prompts(backbone: HuggingFaceBackbone, family: str, reuse: bool) -> None:
    prompts = [query(backbone, question, seed) for question in QUESTIONS for seed in (7, 8)]
    prefix = backbone.prefill(prompts[0], 5) if reuse else None
    together = backbone.next_token_logits(prompts, prefix=prefix)
    alone = torch.cat([backbone.next_token_logits([prompt], prefix=prefix) for prompt in prompts])
    assert together.dtype == torch.float32
    assert (alone[0] - alone[1]).abs().max() > 1e-3  # two images differ
    torch.testing.assert_close(together, alone, atol=exact(family), rtol=0)


def test_the_answer_is_the_one_of_plain_greedy_generation(backbone: HuggingFaceBackbone) -> None:
    image = tiny.picture(seed=5)
    prompt = introduction_prompt(backbone.encode_image(image), QUESTIONS[2])
    inputs = plain_inputs(backbone, prompt, image)
    size = inputs["input_ids"].shape[1]
    native = backbone.model.generate(**inputs, max_new_tokens=10, do_sample=False)[0, size:].tolist()
    end = backbone.model.generation_config.eos_token_id
    _forget_positions(backbone)
    said = backbone.generate(prompt, max_new_tokens=10)
    assert said.token_ids.tolist() == (native[: native.index(end)] if end in native else native)
    assert int(said.first_logits.argmax()) == native[0]
    assert said.prompt_tokens == size == backbone.count_tokens(prompt)


def test_a_prefix_of_something_else_is_refused(backbone: HuggingFaceBackbone) -> None:
    prompt = query(backbone, QUESTIONS[0])
    other = Prompt((Turn("user", (Text("Remembered concepts.\n"), SoftTokens(some(backbone, 5)), Text("x"))),))
    for prefix in (backbone.prefill(other, 2), backbone.prefill(introduction_prompt(some(backbone, 1), "x"), 2)):
        with pytest.raises(BackboneError, match="prefix was made of other parts"):
            backbone.generate(prompt, max_new_tokens=1, prefix=prefix)


def test_equal_features_in_other_tensors_are_the_same_prefix(internvl: HuggingFaceBackbone) -> None:
    prefix = internvl.prefill(query(internvl, QUESTIONS[0]), 5)
    again = query(internvl, QUESTIONS[0])  # encoded anew
    assert internvl.prefill(again, 5, prefix=prefix).state is prefix.state


def test_prefill_counts_parts(internvl: HuggingFaceBackbone) -> None:
    prompt = query(internvl, QUESTIONS[0])
    for parts in (0, 10):
        with pytest.raises(BackboneError, match="of a prompt of 9"):
            internvl.prefill(prompt, parts)
    with pytest.raises(BackboneError, match="prefix covers"):
        internvl.prefill(prompt, 2, prefix=internvl.prefill(prompt, 5))


def test_everything_is_left_as_found(backbone: HuggingFaceBackbone) -> None:
    before = _state(backbone)
    prompt = query(backbone, QUESTIONS[0])
    record = Record(backbone.card.attention_layers, part=2)
    backbone.generate(prompt, max_new_tokens=3, record=record)
    backbone.generate(prompt, max_new_tokens=3, record=record, forced_text=FORCED)
    backbone.next_token_logits([prompt, prompt], prefix=backbone.prefill(prompt, 3))

    def interrupt(_: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        backbone.generate(
            introduction_prompt(some(backbone, 1), "x"),
            max_new_tokens=3,
            record=Record(backbone.card.attention_layers, part=0),
            on_text=interrupt,
            forced_text="dog",
        )
    assert _state(backbone) == before


def test_a_prompt_longer_than_the_context_is_refused(internvl: HuggingFaceBackbone) -> None:
    prompt = introduction_prompt(some(internvl, 1), "describe")
    with pytest.raises(ContextBudgetError, match=f"reads {tiny.CONTEXT} at most"):
        internvl.generate(prompt, max_new_tokens=tiny.CONTEXT)
    long = introduction_prompt(some(internvl, 1), "dog " * tiny.CONTEXT)
    for run in (lambda: internvl.next_token_logits([long]), lambda: internvl.prefill(long, 2)):
        with pytest.raises(ContextBudgetError):
            run()


def test_what_cannot_be_recorded_is_refused(load: Callable[..., HuggingFaceBackbone]) -> None:
    hybrid = load("qwen3_5")
    prompt = introduction_prompt(some(hybrid, 1), "describe")
    with pytest.raises(BackboneError, match=r"layers \[2\] cannot be recorded.*\[1, 3\]"):
        hybrid.generate(prompt, max_new_tokens=1, record=Record((2, 3), part=0))
    with pytest.raises(BackboneError, match="part 1 holds no visual tokens"):
        hybrid.generate(prompt, max_new_tokens=1, record=Record((3,), part=1))
    with pytest.raises(BackboneError, match="forced_text is empty"):
        hybrid.generate(prompt, max_new_tokens=1, forced_text="")


def test_an_answer_that_ends_at_once_is_empty(internvl: HuggingFaceBackbone) -> None:
    prompt = introduction_prompt(some(internvl, 1), "describe")
    first = int(internvl.next_token_logits([prompt])[0].argmax())
    settings = internvl.model.generation_config
    usual = settings.eos_token_id
    settings.eos_token_id = [usual, first]
    try:
        said = internvl.generate(prompt, max_new_tokens=5, record=Record((0,), part=0))
    finally:
        settings.eos_token_id = usual
    assert (said.text, said.spans, said.attention, len(said.token_ids)) == ("", (), None, 0)


def test_memories_of_another_width_are_refused(internvl: HuggingFaceBackbone) -> None:
    narrow = VisualTokens(
        rows=torch.zeros(4, 8),
        deepstack=torch.zeros(0, 4, 8),
        boxes=None,
        view=torch.zeros(4, dtype=torch.long),
        spatial=torch.ones(4, dtype=torch.bool),
    )
    with pytest.raises(BackboneError, match="width 8 were given to a model of width 64"):
        internvl.next_token_logits([introduction_prompt(narrow, "x")])


def test_grid_positions_of_a_memory_differ_from_sequential_ones_on_three_axes(
    load: Callable[..., HuggingFaceBackbone], family: str
) -> None:
    sequential, grid = load(family), load(family, positions="grid")
    prompt = query(sequential, QUESTIONS[0])
    same = torch.equal(sequential.lay_out(prompt)[1].places, grid.lay_out(prompt)[1].places)
    assert same != family.startswith(("qwen", "glm"))


def test_the_card_tells_the_model(backbone: HuggingFaceBackbone, family: str) -> None:
    card = backbone.card
    assert card.layer_count == tiny.LAYERS
    assert card.attention_layers == ((1, 3) if family == "qwen3_5" else (0, 1, 2, 3))
    assert (card.dim, card.context_length, card.has_geometry) == (tiny.WIDTH, tiny.CONTEXT, True)
    tokens = backbone.encode_image(tiny.picture())
    assert card.has_deepstack == (family == "qwen3_vl") == (tokens.deepstack.shape[0] == 3)


def _forget_positions(backbone: HuggingFaceBackbone) -> None:
    """Plain generation of a Qwen model leaves positions behind on it."""
    if hasattr(backbone.model.base_model, "rope_deltas"):
        backbone.model.base_model.rope_deltas = None


def _state(backbone: HuggingFaceBackbone) -> dict[str, Any]:
    model = backbone.model
    modules = list(model.modules())
    hooks = [len(module._forward_hooks) + len(module._forward_pre_hooks) for module in modules]
    attention = [getattr(getattr(module, "config", None), "_attn_implementation", None) for module in modules]
    return {
        "config": model.config.to_dict(),
        "generation": model.generation_config.to_dict(),
        "attention": attention,
        "hooks": hooks,
        "forward": [vars(module).get("forward") for module in modules],
        "training": [module.training for module in modules],
        "positions": getattr(model.base_model, "rope_deltas", None),
        "weights": [float(parameter.detach().sum()) for parameter in model.parameters()],
    }
