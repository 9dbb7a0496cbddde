"""The command line at its edges: no input, stream or mistake ends in a traceback, and each ends as documented."""

import functools
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PIL import Image

from ego.cli import app as tree
from ego.cli.models import models
from ego.cli.output import Output
from ego.cli.visible import visible
from ego.memory import ConceptMemory
from ego.store import ConceptStore
from tests.command import Done, Run
from tests.examples_of_memories import memory_of
from tests.terminal import answered
from tests.test_cli import PICTURES, ego, knows_bo, library_with_bo, settings_folder  # noqa: F401  (fixtures)

NOBODY = 65534
PROGRAM = [sys.executable, "-c", "from ego.cli import main; main()"]


def in_a_process(*arguments: str | bytes, **options: object) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run([*PROGRAM, *arguments], check=False, **{"capture_output": True, **options})


# -- the last resort


def broken(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    @functools.wraps(models)
    def fail(**_: object) -> None:
        raise error

    (command,) = (one for one in tree.app.registered_commands if one.callback is models)
    monkeypatch.setattr(command, "callback", fail)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (ZeroDivisionError("nobody thought of it\nsecond line"), "ZeroDivisionError: nobody thought of it"),
        (RecursionError("too deep"), "RecursionError"),
        (MemoryError(), "MemoryError"),
    ],
)
def test_what_nobody_thought_of_is_one_line(
    ego: Run,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
    error: Exception,
    words: str,
) -> None:
    broken(monkeypatch, error)
    done = ego("models", "--json")
    assert done.code == 1
    assert (done.err.count("\n"), words in done.err, "report it" in done.err, "--debug" in done.err) == (1, *[True] * 3)
    assert done.document["error"]["kind"] == type(error).__name__
    assert "Traceback" not in done.err
    assert "Traceback" in ego("--debug", "models").err
    assert "Traceback" in ego("models", "--debug").err


def test_a_full_disk_that_nobody_foresaw_is_no_fault_of_the_program(
    ego: Run,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    broken(monkeypatch, OSError(28, "No space left on device", "/somewhere/file"))
    done = ego("models")
    assert (done.code, "/somewhere/file cannot be used (No space left" in done.err) == (1, True)
    assert "report" not in done.err


def test_wrong_use_has_the_shape_of_every_error(ego: Run) -> None:  # noqa: F811
    done = ego("recognize", "--threshhold", "2", "--json")
    assert done.code == 2
    assert done.document["error"]["exit_code"] == 2
    assert "--threshhold" in done.err
    assert "`ego recognize --help`" in done.err
    nothing = ego()
    assert (nothing.code, "recognize" in nothing.out + nothing.err, "error:" in nothing.err) == (2, True, False)


# -- streams


@pytest.mark.parametrize("command", ["models --json", "models", "--help", "concepts"])
def test_a_reader_that_goes_away_is_no_error(command: str) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    done = in_a_process(*command.split(), stdout=writing, capture_output=False, stderr=subprocess.PIPE)
    os.close(writing)
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_full_disk_behind_stdout_is_one_line() -> None:
    with Path("/dev/full").open("w") as full:
        done = in_a_process("models", "--json", stdout=full, capture_output=False, stderr=subprocess.PIPE)
        both = in_a_process("models", stdout=full, stderr=full, capture_output=False)
    assert done.returncode == 1
    assert done.stderr.count(b"\n") == 1
    assert b"No space left on device" in done.stderr
    assert both.returncode == 1


def test_closed_streams_are_no_error() -> None:
    done = subprocess.run(
        ["sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh", *PROGRAM, "models"], check=False, capture_output=True
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def test_any_encoding_of_the_terminal_will_do(tmp_path: Path) -> None:
    library = ConceptStore(tmp_path / "library")
    library.add(memory_of("Bo 🐕"))
    latin = {**os.environ, "PYTHONIOENCODING": "latin-1"}
    done = in_a_process("concepts", "list", "--library", str(library.folder), env=latin)
    assert done.returncode == 0
    assert rb"Bo \U0001f415" in done.stdout


# -- text that is no UTF-8


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("ask", "what is \udcff?"), 2, "is no character"),
        (("introduce", "Bo\udcff", str(PICTURES / "bo-1.jpg")), 2, "visible characters"),
        (("introduce", "Rex", str(PICTURES / "bo-1.jpg"), "--keywords", "\udcff"), 2, "is no character"),
        (("caption", "no-\udcff.jpg"), 2, r"no-\udcff.jpg"),
        (("concepts", "remove", "Bo\udcff"), 2, "visible characters"),
        (("caption", "~nosuchuser/photo.jpg"), 2, "there is no file"),
        (("concepts", "list", "--library", "~nosuchuser/library"), 2, "write the whole path"),
    ],
)
def test_arguments_that_are_no_text(knows_bo: Run, arguments: tuple[str, ...], code: int, words: str) -> None:  # noqa: F811
    done = knows_bo(*arguments)
    assert (done.code, words in " ".join(done.err.split())) == (code, True), done.err


def test_a_photo_with_any_name_is_answered(knows_bo: Run, tmp_path: Path) -> None:  # noqa: F811
    (tmp_path / "a [").mkdir()  # with the slash behind it, the beginning of a closing tag in rich's markup
    odd = os.fsdecode(os.fsencode(tmp_path) + b"/a [/b] \xff\x1b[31m 12:30.png")
    Image.open(PICTURES / "scene-01.jpg").save(odd)
    done = knows_bo("recognize", odd)
    assert (done.code, r"a [/b] \udcff\x1b[31m 12:30.png" in done.out, "\x1b" in done.out) == (0, True, False)
    assert knows_bo("recognize", odd, "--json").document["image"] == odd
    assert knows_bo("correct", "Bo", odd, "--no").code == 0
    assert knows_bo("correct", "--undo").code == 0


def test_a_line_that_is_no_text_is_reported_and_the_chat_goes_on(knows_bo: Run) -> None:  # noqa: F811
    done = knows_bo("chat", "--json", given="Who?\n\udcff\nWho is Bo?\n")
    first, second, third = map(json.loads, done.out.splitlines())
    assert ("text" in first, "is no character" in second["error"]["message"], "text" in third) == (True, True, True)
    assert done.code == 2


# -- what a foreign memory says


def test_nothing_that_a_memory_says_commands_the_terminal(ego: Run, tmp_path: Path) -> None:  # noqa: F811
    store = ConceptStore(tmp_path / "data/ego/library")
    store.add(hostile())
    for command in (("concepts", "list"), ("concepts", "show", "Bo"), ("concepts", "export", "Bo", tmp_path / "b.ego")):
        done = ego(*command)
        assert done.code == 0
        assert not {"\x1b", "\x07", "\u202e", "\x9b", "\r"} & set(done.out + done.err)
    assert r"\x1b]0;owned\x07" in ego("concepts", "show", "Bo").out


def hostile() -> ConceptMemory:
    evil = "\x1b]0;owned\x07 \x9b31m \u202eevil\r [red]"
    memory = memory_of("Bo")
    view = memory.views[0].model_copy(update={"description": evil, "keywords": (evil,), "area_answer": evil})
    fingerprint = memory.fingerprint.model_copy(update={"model_id": evil})
    from dataclasses import replace

    return replace(memory, category=evil, notes=evil, views=(view,), fingerprint=fingerprint)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Bo", "Bo"),
        ("שלום 👩‍🚀 Zoë", "שלום 👩‍🚀 Zoë"),
        ("a\tb\nc", "a\tb\nc"),
        ("\x1b[2J\x00\x7f\x85", r"\x1b[2J\x00\x7f\x85"),
        ("\u2028\u2066\ud800", r"\u2028\u2066\ud800"),
    ],
)
def test_visible(text: str, shown: str) -> None:
    assert visible(text) == shown


# -- paths, libraries, devices


@pytest.mark.parametrize(
    "command",
    [
        ("recognize", "nowhere.jpg"),
        ("caption", "nowhere.jpg"),
        ("ask", "What?", "nowhere.jpg"),
        ("chat", "nowhere.jpg"),
        ("introduce", "Rex", "nowhere.jpg"),
        ("introduce", "Rex", str(PICTURES / "bo-1.jpg"), "--mask", "nowhere.jpg"),
    ],
)
def test_paths_are_looked_at_before_a_model_is_loaded(knows_bo: Run, command: tuple[str, ...]) -> None:  # noqa: F811
    done = knows_bo(*command, "--model", "no-such-model")
    assert (done.code, "nowhere.jpg" in done.err, "no-such-model" in done.err) == (2, True, False)


@pytest.mark.parametrize(
    "command",
    [
        ("recognize", PICTURES / "bo-1.jpg", "--model", "no-such-model"),
        ("ask", "What is Bo?", "--model", "no-such-model"),
        ("concepts", "list"),
        ("concepts", "remove", "Bo"),
    ],
)
def test_a_mistyped_library_is_named(knows_bo: Run, tmp_path: Path, command: tuple[object, ...]) -> None:  # noqa: F811
    done = knows_bo(*command, "--library", tmp_path / "libary")
    assert (done.code, "no library at" in done.err, "--library" in done.err) == (5, True, True)
    assert not (tmp_path / "libary").exists()


@pytest.mark.parametrize("device", ["banana", "xpu", "meta", "cuda:99", "cpu:x", ""])
def test_a_device_that_is_not_there_ends_with_6(knows_bo: Run, device: str) -> None:  # noqa: F811
    done = knows_bo("recognize", PICTURES / "bo-1.jpg", "--device", device)
    assert done.code == (6 if device else 0), done.err
    assert done.err.count("error:") == bool(device)


@pytest.fixture
def readable_by_all() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)


def test_one_unreadable_photo_does_not_cost_the_others(
    ego: Run,  # noqa: F811
    library_with_bo: Path,  # noqa: F811
    readable_by_all: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for variable in ("XDG_CONFIG_HOME", "XDG_DATA_HOME", "HOME"):
        monkeypatch.setenv(variable, str(readable_by_all / "home"))
    library = shutil.copytree(library_with_bo, readable_by_all / "library")
    for path in library.glob("*.ego"):
        path.chmod(0o644)
    library.chmod(0o755)
    good, locked = readable_by_all / "good.png", readable_by_all / "photo.png"
    for path in (good, locked):
        Image.open(PICTURES / "scene-01.jpg").save(path)
    locked.chmod(0o000)
    done = as_nobody(lambda: ego("recognize", locked, good, "--library", library, "--json"))
    assert done.code == 2
    assert ["concepts" in one for one in done.documents] == [False, True]
    assert "Permission denied" in done.documents[0]["error"]


def as_nobody(work: Callable[[], Done]) -> Done:
    """Do something without root's right to read everything."""
    if os.geteuid() != 0:
        return work()
    os.seteuid(NOBODY)
    try:
        return work()
    finally:
        os.seteuid(0)


def test_several_pictures_end_with_a_summary(knows_bo: Run, tmp_path: Path) -> None:  # noqa: F811
    (tmp_path / "bad.jpg").write_bytes(b"x")
    done = knows_bo("recognize", PICTURES / "bo-1.jpg", PICTURES / "scene-12.jpg", tmp_path / "bad.jpg", "-t", "0")
    assert done.code == 2
    done = knows_bo("recognize", PICTURES / "bo-1.jpg", tmp_path / "bad.jpg", "--threshold", "0")
    assert done.out.splitlines()[-1] == "2 pictures: Bo in 1, 1 left out"


# -- removing


def test_removing_asks_on_a_terminal_only(
    ego: Run,  # noqa: F811
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    library = ConceptStore(tmp_path / "library")
    for name in ("Bo", "Ada", "Max"):
        library.add(memory_of(name))
    command = ("concepts", "remove", "Bo", "ADA", "ada", "--library", str(library.folder))
    assert "Forget Bo, Ada for good? [y/N]" in answered(*command, answer="n")
    assert len(library.names()) == 3
    monkeypatch.setattr(Output, "can_ask", True)
    assert ego(*command, given="yes\n").code == 0
    assert library.names() == ("Max",)
    assert ego("concepts", "remove", "Max", "--yes", "--library", library.folder).code == 0
    assert library.names() == ()


def test_a_damaged_memory_is_removed_by_its_name_in_the_list(knows_bo: Run, tmp_path: Path) -> None:  # noqa: F811
    library = tmp_path / "data/ego/library"
    (library / "broken.ego").write_bytes(b"no memory")
    assert "left aside broken.ego" in knows_bo("concepts", "list").err
    done = knows_bo("concepts", "remove", "broken.ego", "Bo", "bo", "--json")
    assert done.document == {"removed": ["broken.ego", "Bo"]}
    assert list(library.glob("*.ego")) == []


# -- introducing and explaining


def test_the_same_photo_twice_is_noticed(knows_bo: Run, tmp_path: Path) -> None:  # noqa: F811
    copy = tmp_path / "copy.png"
    Image.open(PICTURES / "bo-1.jpg").save(copy)
    again = knows_bo("introduce", "Bo", copy, "--add-view", "--keywords", "dog")
    assert (again.code, "remembered from these pictures already" in again.err) == (2, True)
    both = knows_bo("introduce", "Rex", PICTURES / "bo-1.jpg", copy, "--keywords", "dog", "--json")
    assert (both.code, len(both.document["views"])) == (0, 1)


def test_many_photos_say_what_they_cost_and_the_best_can_be_kept(
    ego: Run,  # noqa: F811
    settings_folder: Path,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (settings_folder / "config.toml").write_text("[method]\ncontext_budget = 100\n")
    photos = [PICTURES / name for name in ("bo-1.jpg", "bo-2.jpg", "scene-01.jpg")]
    all_of_them = ego("introduce", "Bo", *photos, "--keywords", "dog", "--json")
    assert len(all_of_them.document["views"]) == 3
    assert "tokens of every prompt" in all_of_them.err
    assert "--best-views" in all_of_them.err
    two = ego("introduce", "Rex", *photos, "--keywords", "dog", "--best-views", "2", "--json").document
    assert two["tokens"] == sum(len(view["kept"]) for view in two["views"])
    assert len(two["views"]) == 2
    monkeypatch.setattr(Output, "can_ask", True)
    assert ego("introduce", "Max", *photos, "--keywords", "dog", given="y\n").code == 0
    monkeypatch.undo()


def test_explain_tells_the_truth_and_overwrites_nothing(knows_bo: Run, tmp_path: Path) -> None:  # noqa: F811
    out = tmp_path / "heat.png"
    other = knows_bo("explain", "Bo", PICTURES / "scene-01.jpg", "--view", "0", "--out", out)
    assert (other.code, "none of the photos" in other.err, out.exists()) == (2, True, False)
    assert knows_bo("explain", "Bo", PICTURES / "bo-1.jpg", "--out", out).code == 0
    before = out.read_bytes()
    again = knows_bo("explain", "Bo", PICTURES / "bo-1.jpg", "--out", out)
    assert (again.code, "exists already" in again.err, out.read_bytes() == before) == (2, True, True)
    assert knows_bo("explain", "Bo", PICTURES / "bo-1.jpg", "--out", out, "--replace").code == 0
    wrong = knows_bo("explain", "Bo", PICTURES / "bo-1.jpg", "--out", tmp_path / "b.png", "--view", "3")
    assert (wrong.code, "view 0 of 'Bo'" in wrong.err) == (2, True)
