"""The command line on the embedded model: what it prints, where, and how it ends."""

import os
import pty
import select
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from PIL import Image

from ego.demo.pictures import shipped_pictures
from ego.errors import ConfigError, InputError
from tests.command import Run, exit_code, runner

PICTURES = shipped_pictures().folder
WORDS = "a yellow dog with a harness"
PATIENCE = 300.0  # seconds; importing torch on a busy machine takes its time
VARIABLES = ("EGO_MODEL", "EGO_LIBRARY", "EGO_DEVICE")


@pytest.fixture
def settings_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No settings of the person who runs the tests; the usual folders are below `tmp_path`."""
    for variable in VARIABLES:
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    (tmp_path / "config" / "ego").mkdir(parents=True)
    return tmp_path / "config" / "ego"


@pytest.fixture
def ego(settings_folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    return runner(monkeypatch, capsys)


@pytest.fixture(scope="session")
def library_with_bo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A library made once by the command itself; tests work on copies of it."""
    library = tmp_path_factory.mktemp("made-once") / "library"
    told = ["introduce", "Bo", str(PICTURES / "bo-1.jpg"), "--keywords", WORDS, "--category", "dog"]
    assert exit_code(*told, "--library", str(library)) == 0
    return library


@pytest.fixture
def knows_bo(ego: Run, library_with_bo: Path, tmp_path: Path) -> Run:
    shutil.copytree(library_with_bo, tmp_path / "data" / "ego" / "library")
    return ego


# -- help, version, wrong use


def test_help_names_every_command(ego: Run) -> None:
    done = ego("--help")
    assert done.code == 0
    for command in ("introduce", "recognize", "ask", "caption", "chat", "explain", "concepts", "models", "demo"):
        assert f" {command} " in done.out


def test_version(ego: Run) -> None:
    assert ego("--version").out == "ego 0.1.0\n"


@pytest.mark.parametrize("wrong", [["fly"], ["introduce", "Bo"], ["recognize", "a.jpg", "--threshold", "2"]])
def test_wrong_use_ends_with_2(ego: Run, wrong: list[str]) -> None:
    assert ego(*wrong).code == 2


# -- settings


def test_option_beats_environment_beats_file_beats_default(
    settings_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ego.cli.settings import resolve

    assert (resolve().model, resolve().chosen) == ("mini", False)
    (settings_folder / "config.toml").write_text('model = "from-file"\nlibrary = "~/things"\ndevice = "cpu"\n')
    assert (resolve().model, resolve().chosen, resolve().device) == ("from-file", True, "cpu")
    assert resolve().library == Path.home() / "things"
    assert resolve(model="~/models/tiny").model == str(Path.home() / "models/tiny")
    assert resolve(model="from-option", library=Path("here"), device="cuda").library == Path("here")


def test_the_environment_reaches_a_command(ego: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("EGO_MODEL", str(tmp_path / "no-model"))
    done = ego("caption", PICTURES / "scene-01.jpg")
    assert done.code == 6
    assert "no-model" in done.err


def test_method_settings_come_from_the_file(settings_folder: Path) -> None:
    from ego.cli.settings import resolve

    (settings_folder / "config.toml").write_text("[method]\nthreshold = 0.7\nvideo_frames = 4\n")
    assert resolve().config().threshold == 0.7
    assert resolve().config(video_frames=None).video_frames == 4
    assert resolve().config(video_frames=2).video_frames == 2


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("modell = 'x'", "known are model, library"),
        ("model = 3", "model = 3: Input should be a valid string"),
        ("library = ''", "at least 1 character"),
        ("a = " + "[" * 3000, "nested too deeply"),
        ("model = ", "cannot be read"),
        ("[method]\nthreshold = 7", "threshold"),
        ("[method]\nthreshhold = 0.5", "threshhold"),
    ],
)
def test_wrong_settings_are_named(settings_folder: Path, content: str, complaint: str) -> None:
    from ego.cli.settings import resolve

    (settings_folder / "config.toml").write_text(content)
    with pytest.raises(ConfigError, match=complaint):
        resolve().config()


# -- introduce, and the library


def test_introduction_as_a_document(ego: Run) -> None:
    done = ego("introduce", "Bo", PICTURES / "bo-1.jpg", PICTURES / "bo-2.jpg", "--keywords", WORDS, "--json")
    assert done.code == 0
    assert done.document["name"] == "Bo"
    assert done.document["tokens"] == sum(len(view["kept"]) for view in done.document["views"])
    assert [view["description_by"] for view in done.document["views"]] == ["user", "user"]


def test_without_a_choice_mini_answers_and_says_so_in_one_line(ego: Run) -> None:
    done = ego("introduce", "Bo", PICTURES / "bo-1.jpg", "--keywords", WORDS)
    [line] = [line for line in done.err.splitlines() if "embedded model" in line]
    assert "InternVL3-14B-hf" in line
    assert "GB" in line
    chosen = ego("introduce", "Bo", PICTURES / "bo-1.jpg", "--keywords", WORDS, "--replace", "--model", "mini")
    assert "embedded model" not in chosen.err


def test_a_box_and_a_mask_say_where_the_subject_is(ego: Run, tmp_path: Path) -> None:
    size = Image.open(PICTURES / "bo-1.jpg").size
    mask = Image.new("L", size, 0)
    mask.paste(255, (80, 80, 240, 240))
    mask.save(tmp_path / "mask.png")
    boxed = ego("introduce", "Boxed", PICTURES / "bo-1.jpg", "--box", "80,80,240,240", "--json")
    masked = ego("introduce", "Masked", PICTURES / "bo-1.jpg", "--mask", tmp_path / "mask.png", "--json")
    assert boxed.document["views"][0]["kept"] == masked.document["views"][0]["kept"]
    assert boxed.document["views"][0]["description_by"] == "region"


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--box", "1,2,3"], "four numbers"),
        (["--box", "1,2,3,4", "--box", "1,2,3,4"], "2 regions for 1 images"),
        (["--box", "1,2,3,4", "--mask", "m.png"], "not both"),
        (["--replace", "--add-view"], "contradict"),
        (["--add-view", "--notes", "old"], "changes neither"),
    ],
)
def test_contradictions_end_before_any_work(ego: Run, arguments: list[str], complaint: str) -> None:
    done = ego("introduce", "Bo", PICTURES / "bo-1.jpg", *arguments)
    assert done.code == 2
    assert complaint in done.err


def test_a_missing_photo_is_one_line_and_no_traceback(ego: Run) -> None:
    done = ego("introduce", "Bo", "nowhere.jpg", "--json")
    assert done.code == 2
    assert "Traceback" not in done.err
    assert done.document["error"]["kind"] == "ImageError"
    assert done.document["error"]["exit_code"] == 2


def test_a_taken_name_is_refused_replaced_or_extended(knows_bo: Run) -> None:
    assert knows_bo("introduce", "bo", PICTURES / "bo-2.jpg").code == 3
    more = knows_bo("introduce", "Bo", PICTURES / "bo-2.jpg", "--add-view", "--box", "40,60,300,300", "--json")
    assert len(more.document["views"]) == 2
    anew = knows_bo("introduce", "Bo", PICTURES / "bo-2.jpg", "--replace", "--keywords", WORDS, "--json")
    assert len(anew.document["views"]) == 1


def test_the_library_is_looked_after(knows_bo: Run, tmp_path: Path) -> None:
    assert [one["name"] for one in knows_bo("concepts", "list", "--json").document] == ["Bo"]
    assert "dog" in knows_bo("concepts", "list").out
    assert WORDS in knows_bo("concepts", "show", "bo").out
    assert knows_bo("concepts", "export", "Bo", tmp_path / "bo.ego").code == 0
    assert knows_bo("concepts", "export", "Bo", tmp_path / "bo.ego").code == 2
    assert knows_bo("concepts", "rename", "Bo", "Rex", "--json").document == {"renamed": "Bo", "to": "Rex"}
    assert knows_bo("concepts", "import", tmp_path / "bo.ego", "--json").document["name"] == "Bo"
    assert knows_bo("concepts", "import", tmp_path / "bo.ego").code == 3
    assert knows_bo("concepts", "import", tmp_path / "bo.ego", "--name", "Max").code == 0
    assert knows_bo("concepts", "remove", "Rex", "nobody").code == 3
    assert knows_bo("concepts", "remove", "Rex", "Max").code == 0
    assert [one["name"] for one in knows_bo("concepts", "list", "--json").document] == ["Bo"]


def test_a_damaged_file_is_named_and_the_others_work(knows_bo: Run, tmp_path: Path) -> None:
    library = next((tmp_path / "data" / "ego" / "library").glob("*.ego")).parent
    (library / "broken.ego").write_bytes(b"not a memory")
    done = knows_bo("recognize", PICTURES / "scene-01.jpg", "--json")
    assert done.code == 0
    assert "broken.ego" in done.err
    assert [one["name"] for one in done.document["concepts"]] == ["Bo"]


def test_a_library_that_is_a_file_ends_with_5(ego: Run, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert ego("concepts", "list", "--library", tmp_path / "file").code == 5


# -- answers


def test_recognition_for_people_and_for_programs(knows_bo: Run) -> None:
    [first, second] = knows_bo("recognize", PICTURES / "scene-01.jpg", PICTURES / "scene-12.jpg", "--json").documents
    assert first["image"].endswith("scene-01.jpg")
    [bo] = first["concepts"]
    assert 0.0 <= bo["probability"] <= 1.0
    assert bo["present"] == (bo["probability"] >= bo["threshold"])
    assert second["concepts"][0]["name"] == "Bo"
    assert "Bo" in knows_bo("recognize", PICTURES / "scene-01.jpg").out


def test_the_threshold_decides(knows_bo: Run) -> None:
    for threshold, present in (("0", True), ("1", False)):
        done = knows_bo("recognize", PICTURES / "scene-01.jpg", "--threshold", threshold, "--json")
        assert done.document["concepts"][0]["present"] is present


def test_an_unknown_name_ends_with_3(knows_bo: Run) -> None:
    assert knows_bo("recognize", PICTURES / "scene-01.jpg", "--name", "Rex").code == 3


def test_nothing_known_is_said_before_a_model_is_loaded(ego: Run) -> None:
    done = ego("recognize", PICTURES / "scene-01.jpg", "--json", "--model", "no-such-model")
    assert done.code == 3
    assert "ego introduce" in done.document["error"]["message"]
    described = ego("caption", PICTURES / "scene-01.jpg", "--json")
    assert (described.code, described.document["names"]) == (0, [])
    assert "ego introduce" in described.err


def test_an_answer_is_the_same_streamed_and_as_a_document(knows_bo: Run) -> None:
    question = ("ask", "What is Bo?", PICTURES / "scene-01.jpg")
    document = knows_bo(*question, "--json").document
    assert document["names"] == ["Bo"]
    assert knows_bo(*question).out.strip() == document["text"]


def test_a_question_needs_no_image(knows_bo: Run) -> None:
    assert knows_bo("ask", "What is Bo?", "--json").document["prompt_tokens"] > 0


def test_caption_lists_who_was_in_the_prompt(knows_bo: Run) -> None:
    document = knows_bo("caption", PICTURES / "scene-01.jpg", "--json").document
    assert document["names"] == ["Bo"]
    assert document["dropped"] == []


def test_chat_answers_line_by_line(knows_bo: Run) -> None:
    done = knows_bo("chat", PICTURES / "scene-01.jpg", "--json", given="What is this?\n\nAnd Bo?\n/exit\nmore\n")
    assert done.code == 0
    assert len(done.out.splitlines()) == 2
    spoken = knows_bo("chat", PICTURES / "scene-01.jpg", given="What is this?")
    assert spoken.code == 0


def test_who_was_left_out_is_said(knows_bo: Run, settings_folder: Path) -> None:
    (settings_folder / "config.toml").write_text("[method]\ncontext_budget = 1\n")
    done = knows_bo("ask", "What is Bo?", PICTURES / "scene-01.jpg", "--json")
    assert done.document["dropped"] == ["Bo"]
    assert "Bo" in done.err
    table = knows_bo("recognize", PICTURES / "scene-01.jpg").out
    assert "not asked" in table


# -- explain


def test_the_photo_of_a_memory_is_found_by_its_pixels(knows_bo: Run, tmp_path: Path) -> None:
    done = knows_bo("explain", "Bo", PICTURES / "bo-1.jpg", "--out", tmp_path / "heat.png", "--json")
    assert done.document["view"] == 0
    assert Image.open(tmp_path / "heat.png").size >= (320, 320)


@pytest.mark.parametrize(
    ("photo", "out", "complaint"),
    [
        ("scene-01.jpg", "heat.png", "none of the photos"),
        ("bo-1.jpg", "heat.nothing", "not named like a picture"),
        ("bo-1.jpg", "heat.fits", "not named like a picture"),
        ("bo-1.jpg", "no/such/folder/heat.png", "no folder"),
    ],
)
def test_a_heat_map_that_cannot_be_drawn(knows_bo: Run, tmp_path: Path, photo: str, out: str, complaint: str) -> None:
    done = knows_bo("explain", "Bo", PICTURES / photo, "--out", tmp_path / out)
    assert done.code == 2
    assert complaint in done.err.replace("\n", " ")


# -- models, demo


def test_models_say_what_they_need(ego: Run) -> None:
    document = ego("models", "--json").document
    assert {"InternVL 3 and 3.5", "Qwen2.5-VL", "unknown"} <= {one["family"] for one in document}
    assert "OpenGVLab/InternVL3-14B-hf" in ego("models").out


def test_demo_with_own_photos(ego: Run, tmp_path: Path) -> None:
    photos = [
        "--photo",
        PICTURES / "bo-1.jpg",
        "--test",
        PICTURES / "scene-01.jpg",
        "--test",
        PICTURES / "scene-12.jpg",
    ]
    done = ego("demo", "--concept", "Rex", *photos, "--out", tmp_path / "out", "--json")
    assert done.code == 0
    assert [one["concept"] for one in done.document["seen"]] == ["Rex", "Rex"]
    assert done.document["scores"] == []  # nobody said what is in the pictures
    assert "Step 1" in done.err
    assert {"contact-sheet.png", "heatmap-1.png"} <= {path.name for path in (tmp_path / "out").iterdir()}
    assert not (tmp_path / "data").exists()  # the library stays untouched


def test_demo_of_the_package_counts_right_and_wrong(ego: Run, tmp_path: Path) -> None:
    done = ego("demo", "--out", tmp_path / "out")
    assert done.code == 0
    for step in range(1, 7):
        assert f"Step {step}" in done.out
    assert "judged against the truth" in done.out
    assert len(list((tmp_path / "out").glob("heatmap-*.png"))) == 3


def test_demo_with_a_folder_per_thing(ego: Run, tmp_path: Path) -> None:
    for thing, files in {
        "Rex": ("bo-1.jpg", "bo-2.jpg", "scene-01.jpg"),
        "Pot": ("scene-05.jpg", "scene-06.jpg"),
    }.items():
        (tmp_path / "mine" / thing).mkdir(parents=True)
        for file in files:
            shutil.copy(PICTURES / file, tmp_path / "mine" / thing)
    done = ego("demo", "--photos", tmp_path / "mine", "--out", tmp_path / "out", "--json")
    assert done.code == 0, done.err
    assert [(one["concept"], one["expected"], one["likely"]) for one in done.document["seen"]] == [
        *(("Pot", True, False), ("Rex", False, True)),
        *(("Pot", False, True), ("Rex", True, False)) * 2,
    ]
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        *("contact-sheet.png", "heatmap-1.png", "heatmap-2.png"),
    }
    assert ego("demo", "--photos", tmp_path / "mine", "--concept", "Rex").code == 2


@pytest.mark.parametrize("arguments", [["--photo", "a.jpg"], ["--concept", "Rex"], ["--test", "a.jpg"]])
def test_demo_with_half_of_what_it_needs(ego: Run, arguments: list[str]) -> None:
    assert ego("demo", *arguments).code == 2


def test_demo_into_a_file(ego: Run, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert ego("demo", "--out", tmp_path / "file").code == 2


def test_demo_that_cannot_write_its_pictures(ego: Run, tmp_path: Path) -> None:
    (tmp_path / "out/contact-sheet.png").mkdir(parents=True)
    own = ("--concept", "Bo", "--photo", PICTURES / "bo-1.jpg", "--test", PICTURES / "scene-01.jpg")
    done = ego("demo", *own, "--out", tmp_path / "out")
    assert done.code == 2
    assert "cannot be written" in done.err


def test_a_mask_without_an_outside_is_refused(ego: Run, tmp_path: Path) -> None:
    with Image.open(PICTURES / "bo-1.jpg") as photo:
        Image.new("RGBA", photo.size, (255, 255, 255, 0)).save(tmp_path / "mask.png")
    done = ego("introduce", "Bo", PICTURES / "bo-1.jpg", "--mask", tmp_path / "mask.png")
    assert done.code == 2
    assert "marks the whole picture or nothing of it" in done.err


def test_a_bench_runs_on_one_device(ego: Run) -> None:
    done = ego("bench", "introduction", "--device", "auto")
    assert done.code == 2
    assert "one device" in done.err


# -- bench


def test_bench_says_how_the_ways_compare(capsys: pytest.CaptureFixture[str]) -> None:
    from ego.bench.introduction import IntroductionBench, Rival
    from ego.cli.bench import show
    from ego.cli.output import Output

    measured = IntroductionBench(
        model="m",
        visual_tokens=1024,
        new_tokens=(24, 3),
        same_answers=True,
        rounds=1,
        rivals=(
            Rival(name="ego", seconds=1.0, extra_peak_mb=100.0),
            Rival(name="limit", seconds=0.8, extra_peak_mb=90.0),
            Rival(name="separate passes", seconds=3.0, extra_peak_mb=None),
        ),
        environment={},
    )
    show(measured, Output(as_json=False))
    said = " ".join(capsys.readouterr().out.split())
    assert "1.25x the time of the least possible" in said
    assert "3.00x that of Ego" in said
    assert "extra memory is unknown" in said
    show(measured, Output(as_json=True))
    assert '"over_limit": 1.25' in capsys.readouterr().out


# -- the parts


def test_a_box_is_four_numbers() -> None:
    from ego.cli.introduce import _box

    assert _box("1, 2,3.5,4") == (1.0, 2.0, 3.5, 4.0)
    with pytest.raises(InputError):
        _box("a,b,c,d")


# -- Ctrl-C


@pytest.mark.thorough
def test_ctrl_c_in_the_middle_of_an_introduction_leaves_the_library_unharmed(knows_bo: Run, tmp_path: Path) -> None:
    before = {path.name: path.read_bytes() for path in (tmp_path / "data" / "ego" / "library").glob("*.ego")}
    photos = [str(tmp_path / f"{number}.png") for number in range(200)]  # long enough to be interrupted anywhere
    with Image.open(PICTURES / "bo-2.jpg") as bo:
        for number, photo in enumerate(photos):
            bo.putpixel((0, 0), (number, 0, 0))
            bo.save(photo)
    with on_a_terminal("introduce", "Rex", *photos, "--keywords", WORDS) as (process, screen):
        wait_for(screen, "introducing Rex")
        time.sleep(0.5)  # well inside the work, long before 200 photos are done
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=PATIENCE) == 130
    assert {path.name: path.read_bytes() for path in (tmp_path / "data" / "ego" / "library").glob("*.ego")} == before
    assert [one["name"] for one in knows_bo("concepts", "list", "--json").document] == ["Bo"]
    assert knows_bo("introduce", "Rex", PICTURES / "bo-2.jpg", "--keywords", WORDS).code == 0


@contextmanager
def on_a_terminal(*arguments: str) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """Run `ego` in a process of its own, as a person would: stderr is a terminal, so progress shows."""
    screen, terminal = pty.openpty()
    code = "from ego.cli import main; main()"
    process = subprocess.Popen([sys.executable, "-c", code, *arguments], stdout=terminal, stderr=terminal)
    os.close(terminal)
    try:
        yield process, screen
    finally:
        process.kill()
        process.wait()
        os.close(screen)


def wait_for(screen: int, text: str, seconds: float = PATIENCE) -> None:
    seen, end = b"", time.monotonic() + seconds
    while text.encode() not in seen:
        ready, _, _ = select.select([screen], [], [], max(0.0, end - time.monotonic()))
        assert ready, f"{text!r} never appeared; the screen shows {seen.decode(errors='replace')!r}"
        seen += os.read(screen, 4096)
