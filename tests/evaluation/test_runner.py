"""Runs on a real architecture in miniature: identical records, resuming, and a report that says what was measured."""

from pathlib import Path

import pytest

from ego.backbones.base import Backbone
from ego.bulk.jobs import Finished, ThisProcess
from ego.concept import Concept
from ego.config import EgoConfig
from ego.errors import BackboneError, ConfigError, DatasetError
from ego.evaluation.answering import choice_question
from ego.evaluation.manifest import (
    ChoiceSample,
    Manifest,
    OpenSample,
    RecognitionSample,
    Subject,
    with_neutral_names,
)
from ego.evaluation.methods.memories import MemoryMethod
from ego.evaluation.plan import Scope, plan, spread
from ego.evaluation.records import Introduction, Lines, Record
from ego.evaluation.report import write_report
from ego.evaluation.report.results import load_results
from ego.evaluation.runner import Model, Runner, Step
from ego.media import read_image
from ego.personalizer import Ego
from tests.backbones.tiny import picture
from tests.test_video import write_video

pytestmark = pytest.mark.thorough

CONFIG = EgoConfig(description_tokens=6, answer_tokens=6, caption_tokens=6, area_tokens=2)


class Stopped(Exception):  # noqa: N818  (not an error: the machine is switched off)
    pass


def run(
    backbone: Backbone, manifest: Manifest, out: Path, *methods: str, stop_after: int | None = None, **plan_: object
) -> None:
    steps = 0

    def on_step(step: Step) -> None:
        nonlocal steps
        steps += 1
        if steps == stop_after:
            raise Stopped

    wanted = plan(backbone, manifest, methods or ("none", "ego"), config=CONFIG, scope=Scope(**plan_))
    Runner(backbone, manifest, wanted, out).run(on_step)


def records(out: Path) -> list[Record]:
    return list(Lines(out / "records.jsonl", Record))


def test_every_question_is_answered_once_per_method_and_view(
    backbone: Backbone, manifest: Manifest, tmp_path: Path
) -> None:
    run(backbone, manifest, tmp_path, "none", "ego", views=(1, 2))
    # 6 images x 3 concepts, 6 captions, one choice in two orders, one open question; two methods, two numbers of views
    assert len(records(tmp_path)) == (18 + 6 + 2 + 1) * 4
    made = {(line.views, line.subject): line.tokens for line in Lines(tmp_path / "introductions.jsonl", Introduction)}
    assert all(made[2, key] > made[1, key] >= 3 for key in ("bo", "rex", "cup"))


def test_probabilities_are_those_of_the_library_itself(backbone: Backbone, manifest: Manifest, tmp_path: Path) -> None:
    run(backbone, manifest, tmp_path, "ego", tasks=("recognition",))
    personal = Ego(backbone, config=CONFIG.model_copy(update={"stored_type": "float32"}))
    root = Path(manifest.root)
    personal.introduce(Concept("rex", [root / "rex/refs/0.png"]))
    expected = personal.recognize(root / "cup/tests/1.png")["rex"].probability
    (ours,) = [r for r in records(tmp_path) if r.sample == "recognition//cup/tests/1.png/rex"]
    assert ours.probability == pytest.approx(expected, abs=1e-5)


def test_two_runs_write_identical_records(backbone: Backbone, manifest: Manifest, tmp_path: Path) -> None:
    for name in ("one", "two"):
        run(backbone, manifest, tmp_path / name, "ego", "random", limit=2)
    for file in ("records.jsonl", "introductions.jsonl", "run.json", "manifest.json"):
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()


@pytest.mark.parametrize("stop_after", [1, 12])
def test_a_stopped_run_continues_to_the_same_scores(
    backbone: Backbone, manifest: Manifest, tmp_path: Path, stop_after: int
) -> None:
    run(backbone, manifest, tmp_path / "whole", limit=2)
    with pytest.raises(Stopped):
        run(backbone, manifest, tmp_path / "stopped", stop_after=stop_after, limit=2)
    with (tmp_path / "stopped/records.jsonl").open("a") as file:
        file.write('{"method": "ego", "vi')  # cut in the middle of a line
    run(backbone, manifest, tmp_path / "stopped", limit=2)
    assert records(tmp_path / "stopped") == records(tmp_path / "whole")
    reports = [write_report(tmp_path / name)[0].read_text().split("## Costs")[0] for name in ("whole", "stopped")]
    assert reports[0] == reports[1]


@pytest.mark.parametrize("batch", [1, 5])
def test_workers_that_load_their_own_model_answer_the_same(
    backbone: Backbone, manifest: Manifest, tmp_path: Path, batch: int
) -> None:
    run(backbone, manifest, tmp_path / "here", "ego", limit=2)
    wanted = plan(backbone, manifest, ("ego",), config=CONFIG, scope=Scope(limit=2))
    model = Model(backbone.card.model_id, "cpu", manifest, wanted)
    Runner(backbone, manifest, wanted, tmp_path / "there").run(workers=ThisProcess(model), batch=batch)
    for file in ("records.jsonl", "introductions.jsonl"):
        assert (tmp_path / "here" / file).read_bytes() == (tmp_path / "there" / file).read_bytes()


def test_workers_that_are_lost_end_the_run_and_keep_what_is_answered(
    backbone: Backbone, manifest: Manifest, tmp_path: Path
) -> None:
    wanted = plan(backbone, manifest, ("none",), config=CONFIG, scope=Scope(tasks=("caption",), limit=3))
    factory = Model(backbone.card.model_id, "cpu", manifest, wanted)

    class Losing(ThisProcess):
        def finished(self) -> Finished:
            finished = super().finished()
            lost = finished.batch.number == 1
            return Finished(finished.batch, None, reason="killed") if lost else finished

    with pytest.raises(BackboneError, match="its worker was lost 3 times"):
        Runner(backbone, manifest, wanted, tmp_path).run(workers=Losing(factory))
    assert len(records(tmp_path)) == 2
    Runner(backbone, manifest, wanted, tmp_path).run()
    assert len(records(tmp_path)) == 3


def test_a_folder_belongs_to_one_run(backbone: Backbone, manifest: Manifest, tmp_path: Path) -> None:
    run(backbone, manifest, tmp_path, "none", tasks=("caption",))
    with pytest.raises(ConfigError, match="methods differ"):
        run(backbone, manifest, tmp_path, "ego", tasks=("caption",))


def test_all_concepts_known_at_once(backbone: Backbone, manifest: Manifest, tmp_path: Path) -> None:
    for known in ("sample", "all"):
        run(backbone, manifest, tmp_path / known, "ego", tasks=("recognition",), known=known, limit=1)
    alone, together = records(tmp_path / "sample"), records(tmp_path / "all")
    assert len(alone) == len(together) == 3
    assert all(b.context_tokens > a.context_tokens for a, b in zip(alone, together, strict=True))


def test_concepts_that_do_not_fit_are_left_out_as_by_the_library(backbone: Backbone, manifest: Manifest) -> None:
    fixed = CONFIG.model_copy(update={"dynamic_size": False})
    references = {key: [read_image(Path(manifest.root) / f"{key}/refs/0.png")] for key in ("bo", "rex", "cup")}
    costs = [MemoryMethod(backbone, fixed).introduce(manifest.subject(k), r).tokens for k, r in references.items()]
    assert min(costs) > 4  # 4 rows, their delimiters, and the name
    method = MemoryMethod(backbone, fixed.model_copy(update={"context_budget": max(costs)}))
    pictures = {key: read_image(Path(manifest.root) / f"{key}/refs/0.png") for key in ("bo", "rex", "cup")}
    known = [method.introduce(manifest.subject(key), [picture]) for key, picture in pictures.items()]
    replies = [method.recognize([pictures["rex"]], profile, known) for profile in known]
    assert [reply.context_tokens > 0 for reply in replies] == [False, True, False]  # one fits
    assert [replies[0].text, replies[0].probability] == ["No", 0.0]


def test_limit_takes_whole_scenes_spread_over_the_data_set(manifest: Manifest) -> None:
    taken = spread(manifest.of_task("recognition"), 2)
    # six scenes, bo rex cup in alphabetical order of the folders: bo/0 bo/1 cup/0 cup/1 rex/0 rex/1
    assert [sample.scene for sample in taken] == ["bo/tests/1.png"] * 3 + ["rex/tests/0.png"] * 3
    assert len(spread(manifest.of_task("recognition"), 100)) == 18


def test_unknown_methods_and_tasks(backbone: Backbone, manifest: Manifest) -> None:
    with pytest.raises(ConfigError, match="choose from none"):
        plan(backbone, manifest, ["egoo"])
    with pytest.raises(ConfigError, match="no questions for"):
        plan(backbone, manifest, ["ego"], scope=Scope(tasks=("video",)))


def test_choice_question() -> None:
    assert choice_question("What is Bo?", ["a dog", "a cup."]) == (
        "What is Bo? A. a dog  B. a cup. Answer with the letter."
    )


def test_clips_references_from_clips_and_questions_from_memory(backbone: Backbone, tmp_path: Path) -> None:
    write_video(tmp_path / "bo.mp4", frames=6)
    picture(seed=3).save(tmp_path / "rex.png")
    names = ("bo", "rex")
    manifest = Manifest(
        dataset="clips",
        root=str(tmp_path),
        subjects=(
            Subject(key="bo", name="Bo", references=("bo.mp4",)),
            Subject(key="rex", name="Rex", references=("rex.png",)),
        ),
        samples=(
            RecognitionSample(id="clip", video="bo.mp4", known=("bo",), asked="bo", present=True),
            OpenSample(id="what", video="bo.mp4", known=names, question="What does <bo> do?", answer="runs"),
            ChoiceSample(id="memory", known=names, question="Who is a dog?", options=("<bo>", "<rex>"), answer=0),
        ),
    )
    frames = CONFIG.model_copy(update={"video_frames": 2})
    Runner(backbone, manifest, plan(backbone, manifest, ["ego"], config=frames), tmp_path / "out").run()
    answered = {record.sample: record for record in records(tmp_path / "out")}
    assert set(answered) == {"clip", "what", "memory"}
    made = {line.subject: line.tokens for line in Lines(tmp_path / "out/introductions.jsonl", Introduction)}
    assert answered["clip"].context_tokens > made["bo"] + 2 * 16  # the memory and two frames of 16 tokens
    text = write_report(tmp_path / "out")[0].read_text()
    assert all(f"## {heading}" in text for heading in ("Text: choice", "Video: open", "Video: recognition"))


# -- the report


def test_report_of_pairs_and_splits(backbone: Backbone, manifest: Manifest, tmp_path: Path) -> None:
    pairs = manifest.model_copy(
        update={
            "sets": (("bo", "rex"),),
            "samples": tuple(
                sample.model_copy(update={"split": "dogs" if "bo" in sample.id else "others"})
                for sample in manifest.of_task("recognition")
            ),
        }
    )
    run(backbone, pairs, tmp_path, "none", limit=3)
    text = write_report(tmp_path)[0].read_text()
    assert "## Recognition of sets" in text
    assert "| none, 1 view | dogs |" in text


def test_report_holds_scores_intervals_differences_and_costs(
    backbone: Backbone, manifest: Manifest, tmp_path: Path
) -> None:
    run(backbone, manifest, tmp_path, "uniform", "ego", limit=3)
    markdown, html = write_report(tmp_path, against="uniform")
    text = markdown.read_text()
    for heading in ("Recognition", "Recognition: difference from uniform", "Recognition: thresholds", "Caption"):
        assert f"\n## {heading}\n" in text
    assert "| ego, 1 view |" in text
    assert (tmp_path / "plots/recognition-recognition.png").stat().st_size > 1000
    assert "<h2>Recognition: F1 by concept</h2>" in html.read_text()


def test_report_escapes_what_comes_from_data(backbone: Backbone, manifest: Manifest, tmp_path: Path) -> None:
    evil = manifest.model_copy(update={"notes": ("<script>alert(1)</script>",)})
    run(backbone, evil, tmp_path, "none", tasks=("caption",))
    assert "<script>" not in write_report(tmp_path)[1].read_text()


def test_report_says_what_is_unfinished(backbone: Backbone, manifest: Manifest, tmp_path: Path) -> None:
    with pytest.raises(Stopped):
        run(backbone, manifest, tmp_path, tasks=("recognition",), stop_after=20)
    assert "UNFINISHED: ego, 1 view lacks 16 questions" in write_report(tmp_path)[0].read_text()


def test_report_of_nothing(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="holds no run"):
        load_results(tmp_path)


def test_a_folder_belongs_to_its_names_and_layers(backbone: Backbone, manifest: Manifest, tmp_path: Path) -> None:
    run(backbone, manifest, tmp_path, "none", tasks=("caption",))
    with pytest.raises(ConfigError, match="manifest"):
        run(backbone, with_neutral_names(manifest), tmp_path, "none", tasks=("caption",))
    other = plan(backbone, manifest, ("none",), config=CONFIG.model_copy(update={"layers": (0,)}))
    assert other.layers == (0,)
