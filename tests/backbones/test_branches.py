"""Questions that stand in one sequence are answered as if each stood alone."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from ego.backbones import scoring
from ego.backbones.assembly import Tokens
from ego.backbones.branches import forks_of, packed, tree_of
from ego.backbones.huggingface import HuggingFaceBackbone
from ego.prompt import Picture, Prompt, SoftTokens, Text, Turn
from ego.visual_tokens import VisualTokens
from tests.backbones import tiny
from tests.examples_of_memories import tokens_of

pytestmark = pytest.mark.thorough

NAMES = ("Bo", "Ada", "my white dog", "the brown cat of my sister", "Bo")
ROWS = ("qwen3_5", "gemma3", "gemma4", "aya_vision", "lfm2_vl")
"""Families with windows or recurrent states: each question is a row of a batch."""


@pytest.fixture
def fresh(load: Callable[..., HuggingFaceBackbone], family: str) -> HuggingFaceBackbone:
    """Every family in turn, its branches not tried yet."""
    backbone = load(family)
    backbone._scorer = scoring.Scorer(backbone.runner)
    return backbone


def prompts_about(backbone: HuggingFaceBackbone, pictures: list[VisualTokens], names: tuple[str, ...]) -> list[Prompt]:
    memory = backbone.encode_image(tiny.picture(seed=1))
    memory = memory.select(torch.arange(0, len(memory), 3))
    known = (Text("Remembered concepts.\n"), SoftTokens(memory), Text("This is Bo.\n"))
    return [
        Prompt((Turn("user", (*known, Text("The picture:\n"), Picture(picture), Text(f"Is {name} in this image?"))),))
        for picture in pictures
        for name in names
    ]


@contextmanager
def counted(model: Any) -> Iterator[list[tuple[int, ...]]]:
    """List the shape of every forward pass."""
    shapes: list[tuple[int, ...]] = []

    def note(_: Any, args: Any, options: Any) -> None:
        shapes.append(tuple(options["input_ids"].shape))

    handle = model.register_forward_pre_hook(note, with_kwargs=True)
    yield shapes
    handle.remove()


def alone(backbone: HuggingFaceBackbone, prompts: list[Prompt]) -> Tensor:
    return torch.cat([backbone.next_token_logits([prompt]) for prompt in prompts])


@pytest.mark.parametrize("parts", [0, 3, 5], ids=["no prefix", "memories first", "picture first"])
def test_questions_in_one_pass_are_answered_like_single_ones(
    fresh: HuggingFaceBackbone, family: str, parts: int
) -> None:
    prompts = prompts_about(fresh, [fresh.encode_image(tiny.picture(seed=7))], NAMES)
    expected = alone(fresh, prompts)
    assert (expected[0] - expected[1]).abs().max() > 1e-3  # names matter
    prefix = fresh.prefill(prompts[0], parts) if parts else None
    for _ in range(2):  # the first time, one branch is tried alone
        with counted(fresh.model) as passes:
            together = fresh.next_token_logits(prompts, prefix=prefix)
        torch.testing.assert_close(together, expected, atol=1e-4 if family == "gemma4" else 1e-5, rtol=0)
    assert fresh._scorer._branches == (family not in ROWS)
    if family not in ROWS:
        assert [rows for rows, _ in passes] == [1]


def test_several_pictures_share_one_pass(fresh: HuggingFaceBackbone, family: str) -> None:
    pictures = [fresh.encode_image(tiny.picture(seed=seed)) for seed in (7, 8, 9)]
    prompts = prompts_about(fresh, pictures, NAMES[:2])
    expected = alone(fresh, prompts)
    prefix = fresh.prefill(prompts[0], 3)
    fresh.next_token_logits(prompts, prefix=prefix)
    with counted(fresh.model) as passes:
        together = fresh.next_token_logits(prompts, prefix=prefix)
    torch.testing.assert_close(together, expected, atol=1e-4 if family == "gemma4" else 1e-5, rtol=0)
    if family not in ROWS:
        assert len(passes) == 1
        assert passes[0][1] < sum(len(fresh.lay_out(prompt)[1]) - prefix.length for prompt in prompts)


@pytest.mark.parametrize("limit", [1, 40, 120])
def test_long_trees_are_cut(internvl: HuggingFaceBackbone, monkeypatch: pytest.MonkeyPatch, limit: int) -> None:
    pictures = [internvl.encode_image(tiny.picture(seed=seed)) for seed in (7, 8)]
    prompts = prompts_about(internvl, pictures, NAMES)
    expected = alone(internvl, prompts)
    monkeypatch.setattr(scoring, "TREE_TOKENS", limit)
    with counted(internvl.model) as passes:
        together = internvl.next_token_logits(prompts)
    torch.testing.assert_close(together, expected, atol=1e-5, rtol=0)
    assert len(passes) > 2
    picture = len(internvl.lay_out(prompts[0])[1])
    assert all(width <= max(limit, picture) for _, width in passes)


def test_a_model_that_mixes_branches_is_found_out(
    internvl: HuggingFaceBackbone, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    prompts = prompts_about(internvl, [internvl.encode_image(tiny.picture(seed=7))], NAMES)
    expected = alone(internvl, prompts)
    monkeypatch.setattr(internvl, "_scorer", scoring.Scorer(internvl.runner))
    forward = internvl.model.forward

    def blind(*args: Any, **options: Any) -> Any:
        if options["attention_mask"].ndim == 4:
            options["attention_mask"] = torch.ones_like(options["attention_mask"]).tril(
                options["attention_mask"].shape[3] - options["attention_mask"].shape[2]
            )
        return forward(*args, **options)

    monkeypatch.setattr(internvl.model, "forward", blind)
    torch.testing.assert_close(internvl.next_token_logits(prompts), expected, atol=1e-5, rtol=0)
    assert "does not keep branches of one sequence apart" in caplog.text
    with counted(internvl.model) as passes:
        internvl.next_token_logits(prompts)
    assert max(rows for rows, _ in passes) == len(NAMES)  # rows from now on


def test_what_a_token_sees() -> None:
    tree = tree_of(forks_of([words(1, 2, 3), words(1, 2, 4, 5)]))
    assert tree.tokens.ids.tolist() == [1, 2, 3, 4, 5]
    assert tree.order.tolist() == [0, 1, 2, 2, 3]
    assert tree.ends.tolist() == [2, 4]
    assert tree.visible.int().tolist() == [
        [1, 0, 0, 0, 0],
        [1, 1, 0, 0, 0],
        [1, 1, 1, 0, 0],
        [1, 1, 0, 1, 0],
        [1, 1, 0, 1, 1],
    ]


def test_a_trunk_never_cuts_a_picture() -> None:
    block = tokens_of(torch.eye(3))
    one, other = (Tokens(torch.tensor([5, 9, 9, 9]), *along(4, [1, 2, 3]), (block,)) for _ in range(2))
    (only,) = forks_of([one, other])  # identical to the last token, which is part of a picture
    assert [len(only.trunk), *map(len, only.branches)] == [1, 3, 3]
    assert all(branch.features == (block,) for branch in only.branches)


@given(st.lists(st.lists(st.integers(1, 3), min_size=1, max_size=6), min_size=1, max_size=6), st.integers(1, 20))
def test_every_way_through_a_tree_is_its_continuation(ids: list[list[int]], limit: int) -> None:
    suffixes = [words(*continuation) for continuation in ids]
    seen = []
    for pack in packed(forks_of(suffixes), limit):
        tree = tree_of(pack)
        for end, member in zip(tree.ends.tolist(), tree.members, strict=True):
            way = tree.visible[end]
            assert tree.tokens.ids[way].tolist() == ids[member]
            assert tree.order[way].tolist() == list(range(len(ids[member])))
            assert tree.tokens.places[0, way].tolist() == list(range(len(ids[member])))
            seen.append(member)
    assert sorted(seen) == list(range(len(ids)))


def words(*ids: int) -> Tokens:
    return Tokens(torch.tensor(ids), *along(len(ids), []), ())


def along(length: int, visual: list[int]) -> tuple[Tensor, Tensor]:
    marks = torch.zeros(length, dtype=torch.bool)
    marks[torch.tensor(visual, dtype=torch.long)] = True
    return torch.arange(length).expand(3, -1), marks
