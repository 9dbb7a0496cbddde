"""Reports of runs written by hand: what is compared with what, what a query costs, what a reader is warned of."""

from collections.abc import Iterator
from itertools import combinations, product
from pathlib import Path
from typing import Any

import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text
from PIL import Image

from ego.config import EgoConfig
from ego.errors import ConfigError, DatasetError
from ego.evaluation.manifest import Manifest, RecognitionSample, Subject
from ego.evaluation.plan import Run
from ego.evaluation.records import Introduction, Lines, Record, Timing
from ego.evaluation.report import write_report
from ego.evaluation.report.examples import MOST, draw_examples
from ego.evaluation.report.meanings import MEANINGS
from ego.evaluation.report.plots import figures
from ego.evaluation.report.render import facts
from ego.evaluation.report.results import Cell, load_results
from ego.evaluation.report.tables import COLUMNS, SET_COLUMNS, SPLIT_COLUMNS, Table, all_tables, heading
from ego.evaluation.report.verdict import verdict

pytestmark = pytest.mark.thorough

SUBJECTS = (
    Subject(key="bo", name="Bo", references=("1.png", "2.png", "3.png", "4.png", "5.png")),
    Subject(key="rex", name="Rex", references=("1.png",)),
    Subject(key="cup", name="Cup", references=("1.png", "2.png")),
)
SCENES = 4  # of each split; half of them show Bo


def samples(*splits: str) -> tuple[RecognitionSample, ...]:
    return tuple(
        RecognitionSample(
            id=f"{split}{number}",
            pictures=(f"{split}{number}.png",),
            known=("bo",),
            asked="bo",
            present=number % 2 == 0,
            split=split,
        )
        for split, number in product(splits, range(SCENES))
    )


def finished(out: Path, cells: dict[Cell, set[str]], *splits: str) -> Path:
    """Write a run in which each cell answers rightly in the given splits, and with No elsewhere."""
    asked = samples(*(splits or ("one",)))
    manifest = Manifest(dataset="d", root=str(out), subjects=SUBJECTS, samples=asked)
    manifest.save(out / "manifest.json")
    run = Run(
        dataset="d",
        manifest="0",
        model="m",
        layers=(1,),
        tasks=("recognition",),
        methods=tuple(dict.fromkeys(cell.method for cell in cells)),
        views=tuple(dict.fromkeys(cell.views for cell in cells)),
        config=EgoConfig(),
        versions={},
    )
    (out / "run.json").write_text(run.model_dump_json())
    records = Lines(out / "records.jsonl", Record)
    for (cell, right), sample in product(cells.items(), asked):
        said = sample.present and sample.split in right
        who = {"method": cell.method, "views": cell.views}
        records.append(Record(**who, sample=sample.id, text="", present=said, context_tokens=1))
    return out


def titled(out: Path, against: str | None = None) -> dict[str, Table]:
    return {table.title: table for table in all_tables(load_results(out), against=against)}


# -- comparing


def test_a_method_is_compared_view_by_view(tmp_path: Path) -> None:
    cells = {Cell("full", 1): {"one"}, Cell("full", 5): set(), Cell("ego", 1): set(), Cell("ego", 5): {"one"}}
    table = titled(finished(tmp_path, cells), "full")["Recognition: difference from full"]
    assert table.rows == (
        ("ego, 1 view", "-100.0 [-100.0, -100.0]"),  # against full, 1 view
        ("ego, 5 views", "100.0 [100.0, 100.0]"),  # against full, 5 views
    )
    assert "full with as many views" in table.note


def test_one_row_is_compared_with_every_other(tmp_path: Path) -> None:
    cells = {Cell("full", 1): {"one"}, Cell("full", 5): set(), Cell("ego", 1): set(), Cell("ego", 5): {"one"}}
    table = titled(finished(tmp_path, cells), "full:1")["Recognition: difference from full, 1 view"]
    assert dict(table.rows) == {
        "full, 5 views": "-100.0 [-100.0, -100.0]",
        "ego, 1 view": "-100.0 [-100.0, -100.0]",
        "ego, 5 views": "0.0 [0.0, 0.0]",
    }
    assert "Points above full, 1 view," in table.note


@pytest.mark.parametrize("against", ["full:2", "fool", "full:", "full:one", ""])
def test_what_has_no_answers_is_no_comparison(tmp_path: Path, against: str) -> None:
    finished(tmp_path, {Cell("full", 1): set(), Cell("ego", 1): set()})
    with pytest.raises(ConfigError, match=f"no answers of '{against}' .* of full:1, ego:1"):
        write_report(tmp_path, against=against)


def test_differences_stand_apart_by_split(tmp_path: Path) -> None:
    cells = {Cell("full", 1): {"four"}, Cell("ego", 1): {"one", "four"}}
    tables = titled(finished(tmp_path, cells, "one", "four"), "full")
    by_split = tables["Recognition: difference from full by split"]
    assert by_split.columns == ("method", "split", "F1", "accuracy positive", "accuracy negative")
    assert [(row[1], row[3]) for row in by_split.rows] == [
        ("one", "100.0 [100.0, 100.0]"),
        ("four", "0.0 [0.0, 0.0]"),
    ]
    assert "mix the splits one, four" in tables["Recognition: difference from full"].note


# -- warnings


def test_mixed_splits_are_said(tmp_path: Path) -> None:
    for name, splits in (("mixed", ("one", "four")), ("pure", ("one",))):
        (tmp_path / name).mkdir()
        out = finished(tmp_path / name, {Cell("ego", 1): set()}, *splits)
        expected = name == "mixed"
        assert ("mix the splits one, four" in titled(out)["Recognition"].note) == expected
        warning = "Recognition: Figures over all questions mix the splits one, four; they stand apart by split."
        assert (warning in facts(load_results(out))) == expected
        assert ("Recognition by split" in titled(out)) == expected


def test_concepts_with_fewer_references_than_views_are_counted(tmp_path: Path) -> None:
    out = finished(tmp_path, {Cell("ego", 1): set(), Cell("ego", 2): set(), Cell("ego", 5): set()})
    assert [fact.split(";")[0] for fact in facts(load_results(out)) if "fewer" in fact] == [
        "1 of 3 concepts have fewer than 2 references",
        "2 of 3 concepts have fewer than 5 references",
    ]


# -- costs


def test_a_query_costs_its_share_of_what_is_kept_for_the_next(tmp_path: Path) -> None:
    out, timings = finished(tmp_path, {Cell("r2p", 1): set()}), Lines(tmp_path / "timings.jsonl", Timing)
    for record, seconds in zip(Lines(out / "records.jsonl", Record), (4.0, 0.0, 0.0, 0.0), strict=True):
        timings.append(Timing(of=record.key, seconds=seconds))  # looks at the picture once
    introductions = Lines(out / "introductions.jsonl", Introduction)
    for subject, seconds in (("bo", 9.0), ("rex", 1.0), ("cup", 2.0)):
        introductions.append(Introduction(method="r2p", views=1, subject=subject, tokens=3))
        timings.append(Timing(of=f"r2p/1/{subject}", seconds=seconds))
    table = titled(out)["Costs"]
    (row,) = table.rows
    found = dict(zip(table.columns, row, strict=True))
    assert (found["query, s (mean)"], found["introduction, s (median)"]) == ("1.0000", "2.000")
    assert "a picture share is in it" in table.note


# -- what can be read


def test_a_run_of_another_version_is_refused(tmp_path: Path) -> None:
    (finished(tmp_path, {Cell("ego", 1): set()}) / "run.json").write_text('{"dataset": "d"}')
    with pytest.raises(DatasetError, match="no run of this version of ego; repeat it"):
        load_results(tmp_path)


# -- the same records, the same report


def test_a_report_is_deterministic(tmp_path: Path) -> None:
    cells = {Cell("full", 1): {"one"}, Cell("ego", 1): {"four"}, Cell("ego", 5): {"one", "four"}}
    out = finished(tmp_path, cells, "one", "four")
    first = [path.read_bytes() for path in write_report(out, against="full:1")]
    assert [path.read_bytes() for path in write_report(out, against="full:1")] == first


# -- in words


def test_the_report_opens_with_the_verdict(tmp_path: Path) -> None:
    cells = {Cell("none", 1): set(), Cell("ego", 1): {"one"}, Cell("full", 1): {"one"}}
    finished(tmp_path, cells)
    [said] = verdict(load_results(tmp_path))
    assert said.startswith("Recognition: best is ego, 1 view, with F1 100.0 [100.0, 100.0] %.")
    assert "Of 100 pictures with the thing, it finds it in 100; of 100 without it, it says so of 100." in said
    assert "It cannot be told from full, 1 view (difference 0.0 [0.0, 0.0] points)." in said
    assert "That is 100.0 [100.0, 100.0] points more than none, 1 view." in said
    markdown, html = (path.read_text() for path in write_report(tmp_path))
    assert markdown.split("\n\n")[1] == said
    assert html.index(said) < html.index("<table>")


def test_a_single_method_is_not_called_the_best(tmp_path: Path) -> None:
    [said] = verdict(load_results(finished(tmp_path, {Cell("ego", 1): {"one"}})))
    assert said.startswith("Recognition: ego, 1 view has F1")


def test_every_column_of_figures_is_explained(tmp_path: Path) -> None:
    named = {name for columns in (*COLUMNS.values(), *SPLIT_COLUMNS.values(), SET_COLUMNS) for name in columns}
    assert {heading(name) for name in named} <= MEANINGS.keys()
    finished(tmp_path, {Cell("ego", 1): {"one"}, Cell("none", 1): {"one"}}, "one", "two")
    words = {"method", "split", "concept", "ego, 1 view", "none, 1 view"}
    for table in titled(tmp_path, "none").values():
        assert set(table.columns) <= MEANINGS.keys() | words
    html = write_report(tmp_path)[1].read_text()
    assert f'<abbr title="{MEANINGS["recall"]}' in html


# -- pictures


def test_examples_show_what_went_right_and_wrong(tmp_path: Path) -> None:
    finished(tmp_path, {Cell("ego", 1): {"one"}}, "one", "two")
    for split, number in product(("one", "two"), range(SCENES)):
        if (split, number) != ("two", 0):  # one picture is gone
            Image.new("RGB", (900, 300), "red").save(tmp_path / f"{split}{number}.png")
    [shown] = draw_examples(load_results(tmp_path), tmp_path)
    assert [example.right for example in shown.examples] == [False] + [True] * MOST
    assert shown.examples[0].picture == "examples/recognition-recognition-wrong-1.jpg"
    assert (shown.examples[0].asked, shown.examples[0].expected, shown.examples[0].said) == (
        "Is Bo there?",
        "yes",
        "no",
    )
    with Image.open(tmp_path / shown.examples[0].picture) as small:
        assert small.size == (320, 107)
    html = write_report(tmp_path)[1].read_text()
    assert html.count("<figure class=") == 1 + MOST


def test_a_run_whose_pictures_are_gone_still_has_a_report(tmp_path: Path) -> None:
    assert draw_examples(load_results(finished(tmp_path, {Cell("ego", 1): {"one"}})), tmp_path) == []


def test_no_label_of_a_plot_covers_another(tmp_path: Path) -> None:
    methods = [f"a-method-with-a-long-name-{number}" for number in range(6)]
    cells = {Cell(method, views): {"one"} for method in methods for views in (1, 5)}
    for name, figure in figures(load_results(finished(tmp_path, cells))):
        boxes = _boxes_of_words(figure)
        assert sum(text.startswith("a-method") for text, _ in boxes) == len(cells), name
        for (one, here), (other, there) in combinations(boxes, 2):
            assert not here.overlaps(there), (name, one, other)


def _boxes_of_words(figure: Figure) -> list[tuple[str, Any]]:
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    boxes = [(text.get_text(), text.get_window_extent(canvas.get_renderer())) for text in _words(figure)]
    return [(text, box) for text, box in boxes if text.strip()]


def _words(figure: Figure) -> Iterator[Text]:
    for axes in figure.axes:
        yield axes.title
        for axis in (axes.xaxis, axes.yaxis):
            yield axis.label
            low, high = sorted(axis.get_view_interval())
            places = zip(axis.get_ticklocs(), axis.get_ticklabels(), strict=True)
            yield from (label for place, label in places if low <= place <= high)
    for legend in figure.legends:
        yield from legend.get_texts()
