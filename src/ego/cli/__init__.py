"""The command `ego`: parse, call the library, print. Nothing else lives here, and nobody imports it.

Every command takes `--json`: one JSON document on stdout (a line for each picture where there may be several) and
nothing else there; progress and notes go to stderr. Every error ends with one line and the exit code of its kind, never
with a traceback (see `ending`).
"""

import sys


def main() -> None:
    """Run the command line and end the process with a documented exit code."""
    from ego.cli.ending import run

    sys.exit(run(sys.argv[1:]))
