"""Every family of the table on trial, in miniature: writes the table of docs/checkpoints.md.

    python benchmarks/families.py > table.md

Real architectures with random weights, built on the spot (tests/backbones); nothing is downloaded. Families whose
processors transformers offers with torchvision only are tried where it is installed.
"""

import sys
import tempfile
from contextlib import redirect_stdout
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import transformers
from tests.backbones import tiny
from tests.backbones.further import FURTHER

from ego.backbones.loading import hide_progress
from ego.bench.checkup import Checkup, check_up
from ego.errors import BackboneError

COLUMNS = {
    "ids and positions": "prompts",
    "probe": "attention",
    "memory": "memory",
    "prefix": "prefix",
    "video": "video",
}
SEVERAL = "several images"


def row(name: str) -> str:
    """Try one miniature and write its line."""
    with tempfile.TemporaryDirectory() as folder:
        tiny.save(name, Path(folder))
        try:
            found = check_up(folder, device="cpu", device_map=None, timed=False)
        except BackboneError as refused:
            reason = "needs torchvision" if "torchvision" in str(refused) else str(refused)
            return f"| {name} | not tried: {reason} |" + " |" * (len(COLUMNS) - 1)
    return f"| {name} | " + " | ".join(outcome(found, what) for what in COLUMNS.values()) + " |"


def outcome(found: Checkup, what: str) -> str:
    """Say how one attempt came out, in few words."""
    finding = next((one for one in found.findings if one.what == what), None)
    if finding is None:
        return "not reached"
    if not finding.works:
        return "refused"
    if finding.detail == SEVERAL:
        return SEVERAL
    way = f"{finding.detail.partition(':')[0]}, " if what == "video" else ""
    figure = finding.detail.rpartition("differ")[2]
    words = [word for word in figure.replace(";", " ").split() if "e-" in word or "e+" in word]
    return way + ("exact" if not words or float(words[0]) == 0 else words[0])


def main() -> None:
    """Print the table."""
    transformers.utils.logging.set_verbosity_error()
    hide_progress()
    print("| family | " + " | ".join(COLUMNS) + " |")
    print("|---" * (len(COLUMNS) + 1) + "|")
    for name in (*tiny.FAMILIES, *FURTHER):
        with redirect_stdout(sys.stderr):  # transformers draws bars and empty lines
            line = row(name)
        print(line, flush=True)


if __name__ == "__main__":
    main()
