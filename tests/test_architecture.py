"""The house keeps its rules: directions of imports, sizes of files and functions."""

import ast
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

SOURCE = Path(__file__).resolve().parents[1] / "src"
LONGEST_FILE = 300
LONGEST_FUNCTION = 40

# Lower rooms come first; a room imports from its own floor or from below. A name stands for its package, too.
FLOORS = (
    ("errors", "shapes", "limits", "results"),
    (
        *("concept", "config", "visual_tokens", "memory", "prompt", "keywords", "attention", "layers", "memory_size"),
        *(
            "selection",
            "similarity_filter",
            "least_used",
            "best_views",
            "view_likeness",
            "compact_rows",
            "memory_story",
            "heat_picture",
        ),
    ),
    (
        "backbones.base",
        *("regular_file", "text_file", "media", "video", "footage", "regions"),
        *(
            "atomic_file",
            "memory_file",
            "memory_header",
            "memory_listing",
            "memory_folder",
            "store_contents",
            "photo_files",
            "own_layers",
            "store",
            "library",
            "corrections",
        ),
    ),
    ("backbones",),
    (
        *(
            "describe",
            "introduction",
            "answer",
            "answer_correction",
            "token_space",
            "calibration",
            "explain",
            "pointing",
            "watching",
        ),
        *("corrected", "references", "library.archive", "building"),
        *("prefix_cache", "crowd", "scene", "recognition", "thresholds", "chat", "caption"),
    ),
    ("personalizer", "places"),
    (
        "cli",
        "demo",
        "bench",
        "evaluation",
        "bulk",
        "album",
        "web",
        "server",
        "client",
    ),
)
ABOVE_BACKBONES = 4  # floors from here on know the contract, never a family...
LEAVES = 6  # ...except the leaves, which load one by name

MODULES = sorted(path for path in (SOURCE / "ego").rglob("*.py"))


def module_name(path: Path) -> str:
    parts = path.relative_to(SOURCE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


NAMES = {module_name(path) for path in MODULES}


def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def imported(tree: ast.AST) -> Iterator[str]:
    """Every module named by an import, wherever it stands; `from ego import media` counts as `ego.media`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            longer = [f"{node.module}.{alias.name}" for alias in node.names]
            yield from (name if name in NAMES else node.module for name in longer)


def own_imports(path: Path) -> set[str]:
    return {name for name in imported(tree_of(path)) if name.startswith("ego.")}


def floor(module: str) -> int:
    room = module.removeprefix("ego.")
    for number, rooms in enumerate(FLOORS):
        if any(room == one for one in rooms):
            return number
    package = room.split(".")[0]
    assert "." in room, f"{module} is in no room of the architecture; give it a floor here and in docs/architecture.md"
    return floor(f"ego.{package}")


ROOMS = [path for path in MODULES if module_name(path) != "ego"]
METHOD = [path for path in ROOMS if ABOVE_BACKBONES <= floor(module_name(path)) < LEAVES]
OUTSIDE_CLI = [path for path in ROOMS if not f"{module_name(path)}.".startswith("ego.cli.")]
WITHOUT_MODELS = [
    path for path in ROOMS if not module_name(path).startswith(("ego.backbones", "ego.evaluation", "ego.bench"))
]


@pytest.mark.parametrize("path", ROOMS, ids=module_name)
def test_imports_point_downwards(path: Path) -> None:
    name = module_name(path)
    upwards = {other for other in own_imports(path) if floor(other) > floor(name)}
    assert not upwards


@pytest.mark.parametrize("path", METHOD, ids=module_name)
def test_the_method_knows_no_family(path: Path) -> None:
    assert not {name for name in own_imports(path) if name.startswith("ego.backbones") and name != "ego.backbones.base"}


@pytest.mark.parametrize("path", OUTSIDE_CLI, ids=module_name)
def test_nobody_leans_on_the_command_line(path: Path) -> None:
    assert not {name for name in own_imports(path) if f"{name}.".startswith("ego.cli.")}


@pytest.mark.parametrize("path", WITHOUT_MODELS, ids=module_name)
def test_only_backbones_and_what_measures_them_import_transformers(path: Path) -> None:
    assert not {other for other in imported(tree_of(path)) if other.split(".")[0] == "transformers"}


def test_there_are_no_cycles() -> None:
    graph = {module_name(path): own_imports(path) - {module_name(path)} for path in ROOMS}
    assert list(TopologicalSorter(graph).static_order())  # raises CycleError


@pytest.mark.parametrize("path", MODULES, ids=module_name)
def test_files_are_short(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) < LONGEST_FILE


@pytest.mark.parametrize("path", MODULES, ids=module_name)
def test_functions_are_short(path: Path) -> None:
    long = {node.name: length for node, length in _function_lengths(tree_of(path)) if length > LONGEST_FUNCTION}
    assert not long


def _function_lengths(tree: ast.Module) -> Iterator[tuple[ast.FunctionDef | ast.AsyncFunctionDef, int]]:
    """Lines of the body; signature and docstring are documentation."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            body = node.body[1:] if ast.get_docstring(node) is not None else node.body
            yield node, (body[-1].end_lineno or 0) - body[0].lineno + 1 if body else 0
