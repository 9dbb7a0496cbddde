"""Scripts that no test runs name only what the package holds."""

import ast
from collections.abc import Iterator
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SCRIPTS = sorted(path for folder in ("benchmarks", "examples", "docs/site") for path in (ROOT / folder).rglob("*.py"))


def taken_from_ego(path: Path) -> Iterator[tuple[str, str]]:
    """Every name that a script imports from a module of the package."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "ego":
            yield from ((node.module, alias.name) for alias in node.names)


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_what_a_script_imports_is_there(path: Path) -> None:
    names = set(taken_from_ego(path))
    missing = {
        (module, name)
        for module, name in names
        if not hasattr(import_module(module), name) and find_spec(f"{module}.{name}") is None
    }
    assert not missing
