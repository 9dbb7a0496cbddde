"""`ego bench filter`: the index beside exact search, on generated concepts."""

from pathlib import Path

import numpy as np
import pytest

from ego.bench.filter import EXACT, INDEX, POOLED, Material, bench_filter
from ego.bench.filter_material import real
from ego.bench.generated_concepts import statistics_of
from ego.errors import InputError
from ego.library.filter.late_interaction import unit
from tests.command import runner


def rows(count: int, each: int, seed: int = 0) -> np.ndarray:
    """Concepts whose rows have something in common."""
    generator = np.random.default_rng(seed)
    shared = generator.standard_normal((count, 1, 12), np.float32)
    return (shared + generator.standard_normal((count, each, 12), np.float32)).reshape(-1, 12)


def test_generated_rows_are_spread_like_real_ones() -> None:
    real_rows = unit(rows(200, 8))
    made = np.concatenate(list(statistics_of(real_rows, np.full(200, 8), 8).generate(500, seed=1, at_once=128)))
    assert made.shape == (500, 8, 12)
    np.testing.assert_allclose(np.linalg.norm(made, axis=2), 1, atol=1e-5)

    def likeness(one: np.ndarray) -> tuple[float, float]:
        """Mean cosine inside a concept, and between concepts."""
        means = one.mean(axis=1)
        return float((means**2).sum(axis=1).mean()), float((means.mean(axis=0) ** 2).sum())

    inside, between = likeness(real_rows.reshape(200, 8, 12))
    assert likeness(made)[0] == pytest.approx(inside, abs=0.15)
    assert likeness(made)[1] == pytest.approx(between, abs=0.1)


def test_the_table_and_what_it_says() -> None:
    material = Material(rows(60, 16), np.full(60, 16), tuple(rows(3, 4, seed) for seed in range(2)), "noise")
    measured = bench_filter(material, (40, 80), rounds=2)
    assert [point.size for point in measured.points] == [40, 80]
    assert all(point.same_answers for point in measured.points)
    assert measured.figures[f"recall@20 of {INDEX} against exact"] > 0.9
    assert measured.figures[f"recall@20 of {EXACT} against exact"] == 1.0
    assert measured.points[0].way(POOLED).seconds > 0


def test_material_that_is_not_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(InputError, match="holds nothing"):
        real(tmp_path, tmp_path / "questions.npz")
    done = runner(monkeypatch, capsys)("bench", "filter", "--library", tmp_path)
    assert (done.code, "go together" in done.err.replace("\n", " ")) == (2, True)


@pytest.mark.parametrize("bench", ["query", "filter", "library"])
def test_what_cannot_be_drawn_is_said_before_anything_is_measured(
    bench: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run, kept = runner(monkeypatch, capsys), tmp_path / "mine.png"
    kept.write_bytes(b"mine")
    for plot in (kept, tmp_path / "no" / "a.png", tmp_path / "notes.txt"):
        done = run("bench", bench, "--plot", plot)
        assert (done.code, "--plot" in done.err) == (2, True)
    assert kept.read_bytes() == b"mine"
    assert run("bench", "filter", "--without", "nonsense").code == 2
