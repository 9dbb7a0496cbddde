"""The same work on real Ray actors, killed ones included. `make test-distributed` runs these."""

import ast
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

from ego.album.looking import spread_out
from ego.album.scan import scan, scan_with
from ego.bulk.introductions import Model, introduce_all
from ego.bulk.jobs import ThisProcess
from ego.bulk.manifest import read_concepts
from ego.bulk.ray_shards import RayShards, merged
from ego.bulk.ray_workers import RayWorkers, ray_session
from ego.bulk.run import run_bulk
from ego.config import EgoConfig
from ego.errors import ConfigError, InputError
from ego.library.filter.index import Found
from ego.memory_story import ViewRecord
from ego.store import ConceptStore
from tests.album.albums import Counting, album, assert_alike, known
from tests.bulk.shards import Shard
from tests.bulk.test_introductions import write_manifest
from tests.bulk.work import Deadly, DeadlyOnce, Doubling, NoModel, jobs
from tests.library.filter.concepts import picture

ROOT = Path(__file__).resolve().parents[2]
ROUNDING = 1e-2  # rows are stored in bfloat16, of 8 binary digits; another memory differs by about 1


def test_nothing_else_imports_ray() -> None:
    for path in (ROOT / "src").rglob("*.py"):
        names = {
            alias.name.split(".")[0]
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
            if isinstance(node, ast.Import)
            for alias in node.names
        }
        assert "ray" not in names, path
        assert path.name == "ray_workers.py" or 'import_module("ray' not in path.read_text(encoding="utf-8"), path


@pytest.mark.distributed
def test_an_address_where_nothing_is() -> None:
    pytest.importorskip("ray")
    with pytest.raises(ConfigError, match="check the address"), ray_session("127.0.0.1:1"):
        pass


@pytest.fixture(scope="module")
def ray() -> Iterator[Any]:
    pytest.importorskip("ray")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", f"{ROOT}/src:{ROOT}")
        with ray_session(workers=2) as session:
            yield session


@pytest.mark.distributed
def test_two_actors_and_one_of_them_killed(ray: Any, tmp_path: Path) -> None:
    written: list[int] = []
    factory = Doubling(bad=2, deadly=5, mark=tmp_path / "killed")
    report = run_bulk(jobs(12), RayWorkers(ray, factory, 2), lambda one: written.append(one.result), batch=3)
    assert written == [2 * number for number in range(12) if number != 2]
    assert report.lost == 1
    assert [one.error for one in report.failures] == ["InputError: 2 is not to be doubled"]


@pytest.mark.distributed
def test_a_job_that_kills_every_worker_is_given_up(ray: Any) -> None:
    report = run_bulk(jobs(1), RayWorkers(ray, Deadly(), 1), lambda one: None, retries=1)
    assert "its worker was lost 2 times" in report.failures[0].error


@pytest.mark.distributed
def test_a_worker_that_cannot_be_made_ready(ray: Any) -> None:
    with pytest.raises(InputError, match="no such model"):
        run_bulk(jobs(1), RayWorkers(ray, NoModel(), 1), lambda one: None)


@pytest.mark.distributed
@pytest.mark.usefixtures("threads_of_an_actor")
def test_introductions_are_the_same_as_in_one_process(ray: Any, tmp_path: Path) -> None:
    manifest = write_manifest(tmp_path)
    lines = read_concepts(manifest)
    model = Model("mini", "cpu", EgoConfig(description_tokens=4))
    libraries = []
    for name, workers in (("one", ThisProcess(model)), ("two", RayWorkers(ray, model, 2))):
        store = ConceptStore(tmp_path / name)
        introduce_all(lines, manifest.parent, model, workers, store, batch=1)
        libraries.append(store.load_all().memories)
    for one, two in zip(*libraries, strict=True):
        assert one.name == two.name
        assert [chosen(view) for view in one.views] == [chosen(view) for view in two.views]
        torch.testing.assert_close(one.tokens.rows, two.tokens.rows, rtol=ROUNDING, atol=ROUNDING)


def chosen(view: ViewRecord) -> dict[str, Any]:
    """What is decided, and not computed to the last bit: words, kept tokens, their places."""
    return view.model_dump(exclude={"importance", "seconds"})


@pytest.fixture
def threads_of_an_actor() -> Iterator[None]:
    """Sums depend on the number of threads: Ray gives an actor of one core one thread."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.mark.distributed
def test_an_album_on_two_workers_of_which_one_is_killed(ray: Any, tmp_path: Path) -> None:
    personal, folder = known(tmp_path), album(tmp_path)
    alone, many = Counting(tmp_path / "alone"), Counting(tmp_path / "many")
    scan(personal, alone, [folder])
    task = spread_out(personal, "mini", "cpu")
    factory = DeadlyOnce(task.look, str(folder / "scene-03.jpg"), tmp_path / "killed")
    scan_with(task, RayWorkers(ray, factory, 2), many, [folder], batch=2)
    assert (tmp_path / "killed").exists()
    assert_alike(many, alone)
    assert many.written == alone.written


def same(one: Sequence[Found], other: Sequence[Found]) -> bool:
    scores = [found.score for found in other]
    return [f.key for f in one] == [f.key for f in other] and [f.score for f in one] == pytest.approx(scores, abs=1e-5)


def test_the_best_of_all_shards_are_the_best_of_all(tmp_path: Path) -> None:
    whole = Shard(tmp_path / "whole", 0, 1)()
    parts = [Shard(tmp_path / "parts", number, 3)() for number in range(3)]
    for seed in range(5):
        answers = [part.nearest(picture(seed), 7) for part in parts]
        assert same(merged(answers, 7), whole.nearest(picture(seed), 7))


@pytest.mark.distributed
def test_shards_on_actors_and_one_of_them_killed(ray: Any, tmp_path: Path) -> None:
    whole = Shard(tmp_path / "whole", 0, 1)()
    shards = RayShards(ray, [Shard(tmp_path / "parts", number, 2, deadly=number == 1) for number in range(2)])
    assert same(shards.nearest(picture(0), 7), whole.nearest(picture(0), 7))
