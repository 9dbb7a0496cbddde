"""Inputs made to hurt: each is read in a process of its own; prints peak memory, seconds and what was said.

    python benchmarks/hostile.py [--only WORD] [--markdown FILE]

Every line must stay below 2 GB and 60 seconds of the processor (`ego.limits`; by the clock, a reader is stopped after
120); the exit status says whether all did. The inputs are made
in a temporary folder (some 500 MB; the many gigabytes of the sparse ones take no room).
"""

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks import hostile_images, hostile_memories, hostile_videos

MOST_MEGABYTES, MOST_SECONDS = 2000, 60
KINDS = {"image": hostile_images.INPUTS, "video": hostile_videos.INPUTS, "memory": hostile_memories.INPUTS}
READERS = {
    "image": "from ego.footage import query_frames as read; seen = read(path, 8)",
    "video": "from ego.footage import query_frames as read; seen = read(path, int(count))",
    "memory": "from ego.memory_file import load as read; seen = [read(path)]",
}
CHILD = """
import sys
from ego.errors import EgoError
path, count = sys.argv[1:]
try:
    {reader}
    said = f"read: {{len(seen)}} of {{getattr(getattr(seen[0], 'picture', None), 'size', 'memory')}}"
except EgoError as error:
    said = f"refused: {{str(error).replace(path, 'FILE')}}"
print(said)
"""


@dataclass(frozen=True)
class Measured:
    """What reading one input took."""

    kind: str
    name: str
    megabytes: float
    seconds: float
    busy: float
    said: str

    @property
    def held(self) -> bool:
        return (
            self.megabytes < MOST_MEGABYTES and self.busy < MOST_SECONDS and self.said.startswith(("read", "refused"))
        )


def made(make: Callable[[Path], Path], folder: Path) -> Path:
    """Make an input in a child, too: what a process has once used counts for those that it starts."""
    told = folder / "path.txt"
    child = os.fork()
    if child == 0:
        told.write_text(str(make(folder)))
        os._exit(0)
    os.waitpid(child, 0)
    return Path(told.read_text())


def measure(kind: str, name: str, path: Path, count: int) -> Measured:
    """Read an input in a child; its peak memory is what the system says of it."""
    out = path.parent / "said.txt"
    started = time.monotonic()
    child = os.posix_spawn(
        sys.executable,
        [sys.executable, "-c", CHILD.format(reader=READERS[kind]), str(path), str(count)],
        os.environ,
        file_actions=[(os.POSIX_SPAWN_OPEN, 1, str(out), os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600)],
    )
    status, usage = _waited(child, started)
    lines = out.read_text().splitlines()
    said = lines[-1] if lines else f"ended with {os.waitstatus_to_exitcode(status)}"
    busy = usage.ru_utime + usage.ru_stime
    return Measured(kind, name, usage.ru_maxrss / 1024, time.monotonic() - started, busy, said)


def _waited(child: int, started: float) -> tuple[int, "os.struct_rusage"]:
    while True:
        done, status, usage = os.wait4(child, os.WNOHANG)
        if done:
            return status, usage
        if time.monotonic() - started > 2 * MOST_SECONDS:
            os.kill(child, 9)
        time.sleep(0.02)


def all_inputs(word: str) -> list[tuple[str, str, Callable[[Path], Path], int]]:
    return [
        (kind, one.name, one.make, one.count)
        for kind, inputs in KINDS.items()
        for one in inputs
        if word in f"{kind} {one.name}"
    ]


def table(rows: list[Measured]) -> str:
    lines = ["| input | MB | s | processor s | |", "|---|--:|--:|--:|---|"]
    for one in rows:
        said = one.said if len(one.said) < 110 else one.said[:107] + "..."
        lines.append(f"| {one.kind}: {one.name} | {one.megabytes:.0f} | {one.seconds:.1f} | {one.busy:.1f} | {said} |")
    return "\n".join(lines) + "\n"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", metavar="WORD", help="only inputs whose kind or name holds it")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="write the table there, too")
    asked = parser.parse_args()
    rows: list[Measured] = []
    for kind, name, make, count in all_inputs(asked.only):
        with tempfile.TemporaryDirectory(prefix="ego-hostile-") as folder:
            one = measure(kind, name, made(make, Path(folder)), count)
        rows.append(one)
        mark = "ok  " if one.held else "OVER"
        took = f"{one.megabytes:6.0f} MB {one.seconds:6.1f} s ({one.busy:.1f} busy)"
        print(f"{mark} {took}  {kind}: {name}: {one.said[:160]}", flush=True)
    if asked.markdown:
        asked.markdown.write_text(table(rows))
    print(f"{sum(one.held for one in rows)} of {len(rows)} below {MOST_MEGABYTES} MB and {MOST_SECONDS} s")
    return 0 if all(one.held for one in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
