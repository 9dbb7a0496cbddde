"""`import ego`, `ego --help` and everything the command line needs before it starts work are light."""

import json
import subprocess
import sys

import pytest

import ego

HEAVY = {"torch", "transformers", "numpy", "av"}
REPORT = "import json, sys; print(json.dumps(sorted(sys.modules)), file=sys.stderr)"


def modules_after(code: str) -> set[str]:
    """Top-level modules that a fresh interpreter holds after running `code`."""
    done = subprocess.run([sys.executable, "-c", f"{code}\n{REPORT}"], capture_output=True, text=True, check=True)
    return {name.split(".")[0] for name in json.loads(done.stderr.splitlines()[-1])}


def run_command(*arguments: str) -> str:
    """Python code that runs the command line inside the interpreter and survives its exit."""
    return (
        f"import sys; sys.argv = ['ego', *{list(arguments)!r}]\n"
        "from ego.cli import main\n"
        "try:\n    main()\nexcept SystemExit:\n    pass"
    )


def test_import_ego_is_light() -> None:
    assert not modules_after("import ego") & HEAVY


@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        ["--version"],
        ["introduce", "--help"],
        ["concepts", "--help"],
        ["eval", "--help"],
        ["models"],
        ["models", "--json"],
        ["concepts", "list"],
        ["concepts", "list", "--json"],
        ["config", "show"],
    ],
    ids=" ".join,
)
def test_help_and_tables_are_light(arguments: list[str]) -> None:
    assert not modules_after(run_command(*arguments)) & HEAVY


def test_an_album_is_searched_without_a_model() -> None:
    from_index = "from ego.album.find import find\nfrom ego.album.index import AlbumIndex"
    assert not modules_after(from_index) & HEAVY


def test_public_names_resolve() -> None:
    for name in ego.__all__:
        assert getattr(ego, name) is not None


def test_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'introduce'"):
        _ = ego.introduce
