"""Scores against counts made by hand and against the arithmetic of published rows."""

import math
from pathlib import Path

import numpy as np
import pytest

from ego.evaluation.manifest import CaptionSample, ChoiceSample, Manifest, OpenSample, RecognitionSample, Subject
from ego.evaluation.metrics import captions, choice, curves, open_answers, recognition, sets
from ego.evaluation.metrics.bootstrap import differences, estimates
from ego.evaluation.metrics.ratio import harmonic
from ego.evaluation.reading import chosen_option, named, yes_or_no
from ego.evaluation.records import Introduction, Lines, Record

GROUPS = {"bo": "dog", "rex": "dog", "cup": "cup"}
SUBJECTS = tuple(Subject(key=key, name=key, references=("r.png",), group=group) for key, group in GROUPS.items())
MANIFEST = Manifest(dataset="d", root=".", subjects=SUBJECTS, samples=())


def record(sample: str, **fields: object) -> Record:
    return Record(method="m", views=1, sample=sample, context_tokens=0, **{"text": "", **fields})


def recognized(image: str, asked: str, present: bool, said: bool | None) -> tuple[RecognitionSample, Record]:
    name = f"{image}/{asked}"
    sample = RecognitionSample(id=name, pictures=(image,), known=(asked,), asked=asked, present=present)
    return sample, record(name, present=said)


# -- published arithmetic


def test_weighted_accuracy_of_the_published_row() -> None:
    assert recognition.weighted_accuracy(96.1, 91.9) == pytest.approx(94.0)


def test_harmonic_mean_of_the_published_rows() -> None:
    assert harmonic(87.2, 65.9) == pytest.approx(75.1, abs=0.05)
    assert harmonic(93.9, 78.2) == pytest.approx(85.3, abs=0.05)  # the published 88.6 is no harmonic mean of these
    assert harmonic(0, 0) == 0
    assert math.isnan(harmonic(float("nan"), 1))


@pytest.mark.parametrize(("says", "weighted", "f1"), [(False, 50.0, 0.0), (True, 50.0, 4.88)])
def test_trivial_answers_on_the_full_yollava_protocol(says: bool, weighted: float, f1: float) -> None:
    total = np.zeros((40, len(recognition.Count)))
    total[:, recognition.Count.TRUE_POSITIVE if says else recognition.Count.FALSE_NEGATIVE] = 333 / 40
    total[:, recognition.Count.FALSE_POSITIVE if says else recognition.Count.TRUE_NEGATIVE] = 333 * 39 / 40
    scores = recognition.scores(total)
    assert 100 * scores["weighted_accuracy"] == pytest.approx(weighted)
    assert 100 * scores["f1"] == pytest.approx(f1, abs=0.005)


def test_always_a_on_the_text_questions_loses_once_options_are_swapped() -> None:
    answered = []
    for number in range(400):
        right = 0 if number < 390 else 1
        sample = ChoiceSample(id=str(number), known=("bo",), question="?", options=("x", "y"), answer=right)
        answered += [(sample, record(sample.id, choice=0)), (sample, record(sample.id, choice=1, swapped=True))]
    scores = choice.scores(choice.tally(answered, MANIFEST).sum(0))
    assert scores["accuracy"] == pytest.approx(0.975)
    assert scores["accuracy_swapped"] == pytest.approx(0.025)
    assert scores["accuracy_both"] == 0
    assert scores["first_option_rate"] == 1


# -- recognition by hand


def test_recognition_by_hand() -> None:
    answered = [
        recognized("1", "bo", True, True),
        recognized("1", "rex", False, True),  # same group as bo: a look-alike error
        recognized("1", "cup", False, False),
        recognized("2", "bo", False, None),  # neither yes nor no
        recognized("2", "rex", True, None),
        recognized("2", "cup", False, True),
        recognized("3", "cup", True, True),
        recognized("3", "bo", False, False),
    ]
    scores = recognition.scores(recognition.tally(answered, MANIFEST).sum(0))
    assert scores["precision"] == pytest.approx(2 / 4)
    assert scores["recall"] == pytest.approx(2 / 3)
    assert scores["f1"] == pytest.approx(4 / 7)
    assert scores["macro_precision"] == pytest.approx((1 + 0 + 1 / 2) / 3)
    assert scores["macro_recall"] == pytest.approx((1 + 0 + 1) / 3)
    assert scores["macro_f1"] == pytest.approx(harmonic(0.5, 2 / 3))
    assert scores["mean_concept_f1"] == pytest.approx((1 + 0 + 2 / 3) / 3)
    assert scores["accuracy_positive"] == pytest.approx(2 / 3)
    assert scores["accuracy_negative"] == pytest.approx(2 / 5)  # the unparsable one counts as wrong
    assert scores["unparsable_rate"] == pytest.approx(2 / 8)
    assert scores["yes_rate"] == pytest.approx(4 / 8)
    assert scores["group_false_positive_rate"] == pytest.approx(1 / 2)  # rex on 1: yes; bo on 2: no


def test_never_detected_concept_has_precision_zero_or_is_left_out() -> None:
    answered = [recognized("1", "bo", True, True), recognized("2", "rex", True, False)]
    scores = recognition.scores(recognition.tally(answered, MANIFEST).sum(0))
    assert scores["macro_precision"] == 0.5  # bo 1, rex 0; cup was never asked about
    assert scores["macro_precision_defined"] == 1.0


def test_a_concept_without_positives_counts_only_when_falsely_detected() -> None:
    silent = [recognized("1", "bo", True, True), recognized("1", "cup", False, False)]
    assert recognition.scores(recognition.tally(silent, MANIFEST).sum(0))["macro_precision"] == 1.0
    alarmed = [*silent, recognized("1", "rex", False, True)]
    assert recognition.scores(recognition.tally(alarmed, MANIFEST).sum(0))["macro_precision"] == 0.5  # bo 1, rex 0


def test_the_interval_of_a_perfect_recogniser_holds_its_value() -> None:
    """One scene per concept: every resample leaves some concepts without a positive."""
    keys = list(GROUPS)
    answered = [recognized(f"{key}.png", asked, key == asked, key == asked) for key in keys for asked in keys]
    found = estimates(recognition.tally(answered, MANIFEST), recognition.scores)
    assert (found["macro_precision"].low, found["macro_precision"].high) == (1.0, 1.0)
    assert found["macro_f1"].value == found["macro_f1"].low == 1.0
    assert all(one.low <= one.value <= one.high for one in found.values() if not math.isnan(one.value))


def test_by_concept() -> None:
    total = recognition.tally([recognized("1", "bo", True, True), recognized("1", "cup", False, True)], MANIFEST).sum(0)
    each = recognition.by_concept(total, MANIFEST)
    assert each["bo"]["f1"] == 1
    assert each["cup"]["accuracy_negative"] == 0


def test_pairs_count_only_when_complete() -> None:
    manifest = MANIFEST.model_copy(update={"sets": (("bo", "rex"), ("rex", "cup"))})
    answered = [
        recognized("1", "bo", True, True),
        recognized("1", "rex", True, True),
        recognized("1", "cup", False, True),  # completes the pair rex and cup, which is not there
        recognized("2", "bo", False, False),
        recognized("2", "rex", True, True),
        recognized("2", "cup", True, False),  # half of its pair is not found
    ]
    scores = sets.scores(sets.tally(answered, manifest).sum(0))
    assert scores == {"set_recall": 0.5, "set_negative_recall": 0.5, "set_balanced_accuracy": 0.5}


# -- captions by hand


def caption(image: str, present: tuple[str, ...], text: str) -> tuple[CaptionSample, Record]:
    return CaptionSample(id=image, pictures=(image,), known=present, present=present), record(image, text=text)


def test_captions_by_hand() -> None:
    answered = [
        caption("1", ("bo", "cup"), "Bo beside a cup."),
        caption("2", ("bo",), "rex on grass"),  # a wrong name instead
        caption("3", ("bo",), "Bo and rex on grass"),  # a wrong name in addition
        caption("4", ("bo",), "a bottle"),  # nobody named: Bo is not in bottle
    ]
    scores = captions.scores(captions.tally(answered, MANIFEST).sum(0))
    assert scores["recall"] == pytest.approx(3 / 5)
    assert scores["recall_by_image"] == pytest.approx((1 + 0 + 1 + 0) / 4)
    assert scores["precision"] == pytest.approx(3 / 5)
    assert scores["set_f1"] == pytest.approx((1 + 0 + 2 / 3 + 0) / 4)
    assert scores["false_name_rate"] == pytest.approx(2 / 4)
    assert scores["repic_precision"] == pytest.approx(3 / 4)  # RePIC forgives the additional name
    assert scores["repic_f1"] == pytest.approx(harmonic(3 / 4, 3 / 5))


# -- reading answers


@pytest.mark.parametrize(
    ("text", "read"),
    [
        *[("Yes", True), ("no.", False), ("Yes, Bo is here", True), ("The answer is no", False)],
        *[("", None), ("Maybe", None), ("It could be yes or no", None), ("Not sure, nobody knows", None)],
    ],
)
def test_yes_or_no(text: str, read: bool | None) -> None:
    assert yes_or_no(text) is read


@pytest.mark.parametrize(
    ("text", "read"),
    [
        *[("A", 0), ("b", 1), ("(B)", 1), ("B. Grey", 1), ("Actually B", 1), ("The answer is A", 0)],
        *[("A dog that is grey", 1), ("brown", 0), ("Brown or grey", None), ("A or B", None), ("C", None), ("", None)],
    ],
)
def test_chosen_option(text: str, read: int | None) -> None:
    assert chosen_option(text, ["Brown", "Grey"]) == read


def test_names_are_whole_words_and_longer_ones_win() -> None:
    names = ["Zak", "Zak's dog Kona", "H", "asian_doll", "cup"]
    assert named("Zak's dog Kona sleeps", names) == ("Zak's dog Kona",)
    assert named("Zak and Zak’s dog Kona", names) == ("Zak", "Zak's dog Kona")
    assert named("Here is the <asian doll>", names) == ("asian_doll",)
    assert named("H smiles", names) == ("H",)
    assert named("h, cupboard, pig-cup", names) == ()


@pytest.mark.parametrize(
    ("text", "found"),
    [
        *[("A man stands", ()), ("I see a man", ()), ("There is A man", ()), ("<A> dog", ())],
        *[("A and L", ("A", "L")), ("A is here", ("A",)), ("It is A.", ("A",)), ("A", ("A",)), ("L sleeps", ("L",))],
        *[("A man, then A", ("A",)), ("I are here, A was", ("A", "I")), ("A island", ()), ("A isle", ())],
        *[("A, who runs", ("A",)), ("A\nman", ())],
    ],
)
def test_articles_and_pronouns_are_no_names(text: str, found: tuple[str, ...]) -> None:
    assert named(text, ["A", "I", "L"]) == found


# -- open answers


def test_open_answers_by_hand() -> None:
    def said(number: str, text: str) -> tuple[OpenSample, Record]:
        sample = OpenSample(id=number, pictures=(number,), known=("bo",), question="?", answer="the <bo> park.")
        return sample, record(number, text=text)

    answered = [said("1", "in the bo park"), said("2", "at home")]
    first, second = (line.key for _, line in answered)
    scores = open_answers.scores(open_answers.tally(answered, MANIFEST, {first: True}).sum(0))
    assert scores["contains_answer"] == 0.5
    assert scores["judged_right"] == 1.0  # the second is not judged yet
    scores = open_answers.scores(open_answers.tally(answered, MANIFEST, {first: True, second: None}).sum(0))
    assert scores["judged_right"] == 0.5  # what cannot be read counts as wrong
    assert math.isnan(open_answers.scores(open_answers.tally(answered, MANIFEST).sum(0))["judged_right"])


def test_character_bleu_by_hand() -> None:
    assert open_answers.character_bleu("abc", "abc") == pytest.approx(1)
    # "ab" against "abcd": both precisions 1, brevity penalty exp(1 - 4/2)
    assert open_answers.character_bleu("ab", "abcd") == pytest.approx(math.exp(-1))
    # "ba" against "ab": one character 2/2, pairs 0 -> 0.1/1
    assert open_answers.character_bleu("ba", "ab") == pytest.approx(math.exp(0.3 * math.log(0.1)))
    assert open_answers.character_bleu("xyz", "abc") == 0


# -- curves and intervals


def test_curve_of_a_perfect_and_of_a_blind_method() -> None:
    truth = np.array([True, True, False, False])
    perfect = curves.curve(truth, np.array([0.9, 0.8, 0.3, 0.1]))
    assert perfect is not None
    assert (perfect.area, perfect.best_threshold, perfect.best_f1) == (1.0, 0.8, 1.0)
    blind = curves.curve(truth, np.full(4, 0.5))
    assert blind is not None
    assert (blind.area, blind.best_threshold) == (0.5, 0.5)
    assert blind.best_f1 == pytest.approx(2 / 3)
    assert blind.calibration_error == pytest.approx(0)
    assert curves.curve(np.array([True, True]), np.array([0.1, 0.2])) is None


def test_calibration_error_by_hand() -> None:
    truth, probability = np.array([True, False, True, True]), np.array([0.95, 0.95, 0.05, 0.05])
    # upper bin: said 0.95, half are true; lower bin: said 0.05, all are true
    assert curves.expected_calibration_error(truth, probability) == pytest.approx((0.45 * 2 + 0.95 * 2) / 4)


def test_intervals_hold_the_value_and_shrink_with_the_number_of_scenes() -> None:
    def accuracy(total: np.ndarray) -> dict[str, float]:
        return {"accuracy": total[0] / total[1]}

    few = np.array([[1, 1], [0, 1]] * 10, dtype=float)
    many = np.array([[1, 1], [0, 1]] * 1000, dtype=float)
    wide, narrow = (estimates(tally, accuracy)["accuracy"] for tally in (few, many))
    assert wide.low < 0.5 < wide.high
    # 20 fair coins: standard error 0.112; 2000: 0.011
    assert wide.high - wide.low == pytest.approx(2 * 1.96 * 0.112, abs=0.06)
    assert narrow.high - narrow.low == pytest.approx(2 * 1.96 * 0.0112, abs=0.006)


def test_paired_difference_sees_what_separate_intervals_hide() -> None:
    def accuracy(total: np.ndarray) -> dict[str, float]:
        return {"accuracy": total[0] / total[1]}

    rng = np.random.default_rng(0)
    theirs = np.stack([rng.integers(0, 2, 200), np.ones(200)], axis=1).astype(float)
    ours = theirs.copy()
    wrong = np.flatnonzero(theirs[:, 0] == 0)[:10]
    ours[wrong, 0] = 1  # better on ten scenes, worse on none
    gap = differences(ours, theirs, accuracy)["accuracy"]
    assert gap.value == pytest.approx(0.05)
    assert gap.low > 0


# -- records


def test_half_a_line_is_cut_off_and_the_last_of_two_counts(tmp_path: Path) -> None:
    lines = Lines(tmp_path / "records.jsonl", Record)
    lines.append(record("1", text="old"))
    lines.append(record("1", text="new"))
    with lines.path.open("a") as file:
        file.write('{"method": "m", "vie')
    again = Lines(lines.path, Record)
    again.append(record("2"))
    assert [(line.sample, line.text) for line in again] == [("1", "new"), ("2", "")]


def test_answers_may_hold_any_character(tmp_path: Path) -> None:
    lines, text = Lines(tmp_path / "records.jsonl", Record), "a\u2028b\x85c\nd\re 🐶"
    lines.append(record("1", text=text))
    assert [line.text for line in Lines(lines.path, Record)] == [text]


def test_introductions_have_their_own_keys(tmp_path: Path) -> None:
    lines = Lines(tmp_path / "i.jsonl", Introduction)
    lines.append(Introduction(method="m", views=1, subject="bo", tokens=3))
    assert [line.key for line in lines] == ["m/1/bo"]
