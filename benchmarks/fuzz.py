"""All fuzzing by one command: damaged images, videos and memories, odd command lines; a table of totals.

    python benchmarks/fuzz.py [--share 0.01]

Runs `fuzz_media.py`, `fuzz_memories.py` and `fuzz_command_lines.py` one after the other, each in a process of its own,
shows what they print, and ends with their totals; `--share` does a part of everything. The exit status is 1 if anything
was wrong.
"""

import argparse
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Part:
    """One kind of input.

    Attributes:
        name: For the table.
        command: A script and its fixed options.
        option: What says how many.
        total: How many make the whole.
    """

    name: str
    command: tuple[str, ...]
    option: str
    total: int


PARTS = (
    Part("damaged images", ("fuzz_media.py", "--videos", "0"), "--images", 50_000),
    Part("damaged videos", ("fuzz_media.py", "--images", "0"), "--videos", 5_000),
    Part("damaged memories", ("fuzz_memories.py",), "--files", 100_000),
    Part("command lines", ("fuzz_command_lines.py",), "--lines", 1_000),
)


def run(part: Part, count: int, seed: int) -> tuple[str, bool]:
    """Run one kind; gives its row of the table and whether all was well."""
    script, *options = part.command
    command = [sys.executable, str(HERE / script), *options, part.option, str(count), "--seed", str(seed)]
    started, last = time.monotonic(), ""
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, errors="backslashreplace") as child:
        for line in child.stdout or ():
            last = line.strip() or last
            print(line, end="", flush=True)
    outcome = last if child.returncode == 0 else f"**wrong** ({child.returncode}): {last}"
    return f"| {part.name} | {count:,} | {time.monotonic() - started:.0f} | {outcome} |", child.returncode == 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--share", type=float, default=1.0, help="part of the whole, 0 to 1")
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    done = [run(part, max(1, round(part.total * asked.share)), asked.seed) for part in PARTS]
    print("\n| what | files or lines | seconds | outcome |\n|---|--:|--:|---|")
    print("\n".join(row for row, _ in done))
    return 0 if all(well for _, well in done) else 1


if __name__ == "__main__":
    sys.exit(main())
