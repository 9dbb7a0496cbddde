"""Command lines by the thousand, in one process: each ends with a documented exit code and no traceback.

    python benchmarks/fuzz_command_lines.py --lines 1000

Commands, options, names, paths and values are drawn at random, good ones among bad ones: other encodings, control
characters, missing and damaged files, folders, devices, numbers out of range. A library with two concepts must
still hold the one that nothing names. Prints the totals; exits 1 at the first line that does anything else.
"""

import argparse
import contextlib
import io
import os
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from ego.cli.ending import run
from ego.demo.pictures import shipped_pictures
from ego.store import ConceptStore

DOCUMENTED = {0, 1, 2, 3, 4, 5, 6, 7, 130}
LIGHT = ("concepts list", "concepts show", "concepts rename", "concepts remove", "concepts export", "concepts import")
COMMANDS = (
    *LIGHT,
    *("explain", "models", "report", "find", "tune-threshold", "calibrate", "eval", "demo", "introduce", "recognize"),
    *("ask", "caption", "chat", "fly", "", "--help", "--version"),
)
SENSIBLE = (  # words apart by |
    *("concepts|list", "concepts|list|--json", "concepts|show|kept", "concepts|rename|kept|Rex|--json"),
    *("concepts|export|kept|out.ego", "concepts|export|kept|out.ego|--replace", "concepts|import|out.ego|--name|Rex"),
    *("explain|kept|PHOTO|--replace", "models|--json", "report|here", "find|kept", "recognize|SCENE|PHOTO"),
    *("recognize|SCENE|--threshold|0.5|--json", "ask|Who_is_there?|SCENE", "caption|SCENE|--json", "chat|SCENE|--json"),
    *("introduce|Rex|PHOTO|--keywords|dog", "introduce|kept|SCENE|--add-view|--box|1,2,90,90", "eval|folder|here"),
    *("tune-threshold|--negatives|SCENE|--save", "tune-threshold|--reset", "calibrate|--images|.|--annotations|a.json"),
)
OPTIONS = (
    *("--json", "--library", "--name", "--model", "--device", "--threshold", "--frames", "--out", "--replace", "--yes"),
    *("--box", "--mask", "--keywords", "--notes", "--negatives", "--positives", "--save", "--limit", "--images"),
    *("--annotations", "--view", "--views", "--task", "--method", "--photos", "--nonsense", "-x", "--", "--add-view"),
)


def words(folder: Path) -> list[str]:
    """Values, good and bad."""
    pictures = shipped_pictures().folder
    (folder / "bad.jpg").write_bytes(b"no picture")
    (folder / "empty.png").touch()
    (folder / "bad.json").write_bytes(b'{"a": [')
    (folder / "bad.ego").write_bytes(b"no memory")
    (folder / "odd\udcff \x1b[31m.txt").write_bytes(b"\xff\xfe")
    (folder / "loop").symlink_to(folder / "loop")
    os.mkfifo(folder / "pipe.jpg")
    files = [*folder.iterdir(), pictures / "bo-1.jpg", pictures / "scene-01.jpg", folder / "missing.jpg", folder]
    plain = ["Bo", "bo", "Rex", "", " ", "\udcff", "\x1b]0;x\x07", "a\nb", "\u202e", "x" * 5000, "-1", "0", "0.5"]
    odd = ["nan", "1e309", "1,2,3,4", "0,0,9999,9999", "a,b", "~nosuchuser/x", "cpu", "xpu", "banana", "100000"]
    places = ["/dev/zero", "/dev/full", "http://x/y.jpg", "concat:a|b", "folder", "manifest"]
    return [*map(str, files), *plain, *odd, *places]


def line(chance: random.Random, values: list[str], library: Path) -> list[str]:
    """Draw a line: half of them nonsense from the beginning, half a sensible one with one or two things changed."""
    return nonsense(chance, values, library) if chance.random() < 0.5 else slip(chance, values, library)


def slip(chance: random.Random, values: list[str], library: Path) -> list[str]:
    photo, scene = (str(shipped_pictures().folder / name) for name in ("bo-1.jpg", "scene-01.jpg"))
    arguments = [
        {"PHOTO": photo, "SCENE": scene}.get(word, word)
        for word in chance.choice(SENSIBLE).replace("_", " ").split("|")
    ]
    for _ in range(chance.randint(0, 2)):
        place = chance.randrange(1, len(arguments) + 1)
        arguments[place : place + chance.randint(0, 1)] = [chance.choice([*values, *OPTIONS])] * chance.randint(0, 2)
    return [*arguments, "--library", str(library)]


def nonsense(chance: random.Random, values: list[str], library: Path) -> list[str]:
    command = chance.choice(COMMANDS).split() if chance.random() < 0.9 else [chance.choice(values)]
    arguments: list[str] = []
    for _ in range(chance.randint(0, 5)):
        arguments.append(chance.choice(values) if chance.random() < 0.6 else chance.choice(OPTIONS))
    where = ["--library", str(library)] if chance.random() < 0.8 else []
    return [*command, *arguments, *where]


def ended(arguments: list[str]) -> tuple[int, str]:
    """Run a line; its exit code and all that it said."""
    said = io.StringIO()
    sys.stdin = io.StringIO("Who?\n\udcff\n")
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        code = run(arguments)
    return code, said.getvalue()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lines", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    wanted = parser.parse_args()
    chance, counted = random.Random(wanted.seed), Counter[int]()
    started, stdin = time.perf_counter(), sys.stdin
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        for variable in ("XDG_CONFIG_HOME", "XDG_DATA_HOME", "HOME"):
            os.environ[variable] = str(place / "home")
        os.chdir(_made(place / "here"))
        values, library, spare = words(_made(place / "files")), place / "library", place / "spare"
        picture = str(shipped_pictures().folder / "bo-1.jpg")
        for concept in ("kept", "held"):  # nothing ever names the second one
            assert run(["introduce", concept, picture, "--keywords", "dog", "--library", str(spare)]) == 0
        for number in range(wanted.lines):
            shutil.copytree(spare, library, dirs_exist_ok=True)
            arguments = line(chance, values, library)
            code, said = ended(arguments)
            counted[code] += 1
            if code not in DOCUMENTED or "Traceback" in said or "should not have happened" in said or "\x1b]0" in said:
                sys.stdin = stdin
                print(f"line {number} ended with {code}: {arguments!r}\n{said[-2000:]}")
                return 1
            assert "held" in ConceptStore(library).names(), f"line {number} lost a memory: {arguments!r}"
            if number % 100 == 99:
                print(f"{number + 1} lines, {time.perf_counter() - started:.0f} s", file=sys.stderr, flush=True)
    sys.stdin = stdin
    print(", ".join(f"exit {code}: {count}" for code, count in sorted(counted.items())))
    print(f"{wanted.lines} command lines in {time.perf_counter() - started:.0f} s: no traceback, nothing lost")
    return 0


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True)
    return folder


if __name__ == "__main__":
    sys.exit(main())
