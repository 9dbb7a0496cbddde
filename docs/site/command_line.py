"""Write docs/command-line.md anew from the command line itself, in lines that can be read in a diff.

python docs/site/command_line.py docs/command-line.md
"""

import subprocess
import sys
import tempfile
import textwrap
from pathlib import Path

WIDTH = 100


def wrapped(text: str) -> str:
    """Wrap paragraphs and list items; what stands in fences stays as it is."""
    lines, fenced = [], False
    for line in text.splitlines():
        fenced ^= line.startswith("```")
        indent = "  " if line.startswith("* ") else ""
        kept = fenced or not line.strip()
        lines += (
            [line]
            if kept
            else textwrap.wrap(line, WIDTH, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)
        )
    return "\n".join(lines) + "\n"


def main() -> None:
    """Let typer write the page, and wrap it."""
    with tempfile.TemporaryDirectory() as folder:
        fresh = Path(folder) / "page.md"
        command = ["ego.cli.app", "utils", "docs", "--name", "ego", "--output", str(fresh)]
        subprocess.run([sys.executable, "-m", "typer", *command], check=True)
        Path(sys.argv[1]).write_text(wrapped(fresh.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
