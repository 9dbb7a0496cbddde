"""Which generated tokens count as keywords."""

import pytest

from ego.keywords import find_keywords

TEXT = "A small dog, with brown ears."
SPANS = ((0, 1), (1, 7), (7, 11), (11, 12), (12, 17), (17, 23), (23, 26), (26, 28), (28, 29), (29, 29))


def test_punctuation_and_control_tokens_drop_out() -> None:
    found = find_keywords(TEXT, SPANS)
    assert found.positions == (0, 1, 2, 4, 5, 6, 7)
    assert found.words == ("A", "small", "dog", "with", "brown", "ea", "rs")
    assert len(found) == 7


def test_stop_words_drop_out_when_asked_and_words_split_over_tokens_stay_whole() -> None:
    assert find_keywords(TEXT, SPANS, drop_stop_words=True).words == ("small", "dog", "brown", "ea", "rs")


@pytest.mark.parametrize("text", ["", "...", " ?! ", "—"])
def test_a_description_without_words_has_no_keywords(text: str) -> None:
    assert find_keywords(text, [(0, len(text))]).positions == ()


def test_hyphens_and_apostrophes_inside_words_belong_to_them() -> None:
    assert find_keywords("Zak's red-brown dog", [(0, 3), (3, 5), (5, 9), (9, 10), (10, 15), (15, 19)]).positions == (
        *range(6),
    )


def test_other_scripts_are_words_too() -> None:
    assert find_keywords("小さな犬。", [(0, 3), (3, 4), (4, 5)]).positions == (0, 1)
