"""What the documents say is true: commands and code run, links lead somewhere, generated pages are up to date."""

import re
import runpy
import shlex
import shutil
import sys
import tomllib
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

import ego
from ego.cli.app import app
from ego.demo.pictures import shipped_pictures
from tests.command import Run, runner

pytestmark = pytest.mark.thorough

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), *(ROOT / "examples").glob("*.md")])
BLOCK = re.compile(r"^```(?P<kind>[^\n]*)\n(?P<body>.*?)^```", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\((?P<target>[^)#\s]+)(?:#[^)]*)?\)")
# What the documents call the pictures, and which of the demo's pictures stand for them.
PHOTOS = {"bo-1.jpg": "bo-1.jpg", "bo-2.jpg": "bo-2.jpg", "park.jpg": "scene-01.jpg"}
RUNS_IN_ITS_OWN_TEST = {"adding-a-family.md", "memory-format.md", "tutorial.md"}


def blocks(kind: str) -> list[tuple[str, str]]:
    """Code blocks of one kind, with the page and the line they stand on."""
    found = []
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        for match in BLOCK.finditer(text):
            if match["kind"] == kind and page.name not in RUNS_IN_ITS_OWN_TEST:
                line = text[: match.start()].count("\n") + 1
                found.append((f"{page.relative_to(ROOT)}:{line}", match["body"]))
    return found


def cases(kind: str) -> list[object]:
    return [pytest.param(body, id=where) for where, body in blocks(kind)]


def commands(body: str) -> list[list[str]]:
    return [shlex.split(line, comments=True)[1:] for line in body.splitlines() if line.startswith("ego ")]


@pytest.fixture
def at_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the photos the documents speak of, and nobody's settings."""
    for name, file in PHOTOS.items():
        shutil.copy(shipped_pictures().folder / file, tmp_path / name)
    for variable in ("EGO_MODEL", "EGO_LIBRARY", "EGO_DEVICE"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def command(at_home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    return runner(monkeypatch, capsys)


def test_the_readme_has_commands_and_code() -> None:
    assert any(where.startswith("README.md") for where, _ in blocks("sh"))
    assert any(where.startswith("README.md") for where, _ in blocks("python"))


@pytest.mark.parametrize("body", cases("sh"))
def test_commands_run(command: Run, body: str) -> None:
    for arguments in commands(body):
        done = command(*arguments)
        assert done.code == 0, f"ego {shlex.join(arguments)}: {done.err}"


def test_the_tutorial_runs_from_its_first_line_to_its_last(command: Run, at_home: Path) -> None:
    text = (ROOT / "docs" / "tutorial.md").read_text(encoding="utf-8")
    for match in BLOCK.finditer(text):
        for arguments in commands(match["body"]) if match["kind"] == "sh" else ():
            done = command(*arguments)
            assert done.code == 0, f"ego {shlex.join(arguments)}: {done.err}"
    assert (at_home.parent / "found" / "index.html").is_file()
    assert (at_home / "heatmap.png").is_file()


@pytest.mark.parametrize("body", cases("sh gpu"))
def test_commands_that_need_a_gpu_are_spelt_right(body: str) -> None:
    root = typer.main.get_command(app)
    for name, *arguments in commands(body):
        context = typer.Context(root)
        found = root.get_command(context, name)  # type: ignore[attr-defined]
        assert found is not None, name
        assert found.make_context(name, arguments, parent=context).params


@pytest.mark.parametrize("body", cases("python"))
@pytest.mark.usefixtures("at_home")
def test_code_runs(body: str) -> None:
    exec(compile(body, "<document>", "exec"), {})


@pytest.mark.parametrize("body", cases("python gpu"))
def test_code_that_needs_a_gpu_compiles(body: str) -> None:
    compile(body, "<document>", "exec")


@pytest.mark.parametrize("body", cases("toml settings"))
def test_settings_are_known(at_home: Path, body: str) -> None:
    from ego.cli.settings import resolve

    (at_home / "config" / "ego").mkdir(parents=True)
    (at_home / "config" / "ego" / "config.toml").write_text(body, encoding="utf-8")
    assert resolve().chosen == ("model" in tomllib.loads(body))
    resolve().config()


def test_first_example_runs(at_home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["introduce_and_ask.py", "bo-1.jpg", "bo-2.jpg", "park.jpg"])
    runpy.run_path(str(ROOT / "examples" / "introduce_and_ask.py"), run_name="__main__")
    assert "Bo is remembered in" in capsys.readouterr().out


def test_folder_example_runs(
    command: Run, at_home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command("introduce", "Bo", "bo-1.jpg", "--library", "my-concepts", "--keywords", "a dog").code == 0
    monkeypatch.setattr(sys, "argv", ["photo_folder.py", "my-concepts", str(at_home)])
    runpy.run_path(str(ROOT / "examples" / "photo_folder.py"), run_name="__main__")
    assert [line.split(":")[0] for line in capsys.readouterr().out.splitlines()] == sorted(PHOTOS)


def test_every_example_is_run_here_and_listed() -> None:
    listed = (ROOT / "examples" / "README.md").read_text(encoding="utf-8")
    here = Path(__file__).read_text(encoding="utf-8")
    for example in (ROOT / "examples").glob("*.py"):
        assert f"`{example.name}`" in listed
        assert f'"{example.name}"' in here


def test_the_page_of_commands_is_up_to_date(tmp_path: Path) -> None:
    from typer.cli import app as typer_app

    fresh = tmp_path / "command-line.md"
    done = CliRunner().invoke(typer_app, ["ego.cli.app", "utils", "docs", "--name", "ego", "--output", str(fresh)])
    assert done.exit_code == 0, done.output
    stored = (ROOT / "docs" / "command-line.md").read_text(encoding="utf-8")
    wrapped = runpy.run_path(str(ROOT / "docs" / "site" / "command_line.py"))["wrapped"]
    assert wrapped(fresh.read_text(encoding="utf-8")) == stored, "the command line has changed: run `make docs`"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    text = BLOCK.sub("", page.read_text(encoding="utf-8"))
    targets = [match["target"] for match in LINK.finditer(text) if "://" not in match["target"]]
    assert not [target for target in targets if not (page.parent / target).exists()]


def test_every_page_is_in_the_index() -> None:
    index = (ROOT / "docs" / "index.md").read_text(encoding="utf-8")
    assert not [
        page.name for page in (ROOT / "docs").glob("*.md") if page.name not in index and page.name != "index.md"
    ]


def test_every_file_of_the_method_map_exists() -> None:
    text = (ROOT / "docs" / "method-map.md").read_text(encoding="utf-8")
    for name in re.findall(r"`([\w/]+(?:\.py|/))`", text):
        assert (ROOT / "src" / "ego" / name).exists() or (ROOT / name).exists(), name


def test_versions_agree() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["version"] == ego.__version__
    assert f"## {ego.__version__}" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def test_pinned_versions_satisfy_the_project() -> None:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pinned = {line.split("==")[0].lower().replace("_", "-") for line in lines if line and not line.startswith("#")}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    needed = [*project["dependencies"], *(one for extra in project["optional-dependencies"].values() for one in extra)]
    names = {re.split(r"[\[>=<]", one)[0].lower() for one in needed} - {"ego-vlm"}
    assert names <= pinned
