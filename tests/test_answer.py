"""Reading the model's answer."""

import pytest
import torch

from ego.answer import mentions, not_asked, yes_margin


def test_yes_against_no_over_all_spellings() -> None:
    logits = torch.log(torch.tensor([[0.2, 0.1, 0.1, 0.6]]))  # Yes, yes, No, other
    assert torch.sigmoid(yes_margin(logits, yes=(0, 1), no=(2,))).tolist() == pytest.approx([0.75])


def test_probabilities_survive_extreme_scores() -> None:
    margins = yes_margin(torch.tensor([[1e4, -1e4], [-1e4, 1e4]]), yes=(0,), no=(1,))
    assert torch.sigmoid(margins).tolist() == [1.0, 0.0]


@pytest.mark.parametrize(
    ("text", "name", "expected"),
    [
        ("Bo sits.", "Bo", True),
        ("A bottle.", "Bo", False),
        ("Bottles and bo.", "Bo", True),
        ("Here is Zak's dog Kona!", "Zak's dog Kona", True),
        ("I see <sks>.", "<sks>", True),
        ("a🐶b", "🐶", True),
        ("", "Bo", False),
    ],
)
def test_names_are_found_as_whole_words(text: str, name: str, expected: bool) -> None:
    assert mentions(text, name) is expected


def test_a_filtered_concept_is_marked_as_not_asked() -> None:
    left_out = not_asked("Bo", 0.5)
    assert (left_out.present, left_out.probability, left_out.said) == (False, 0.0, "not asked")
