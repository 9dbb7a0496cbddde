"""The command `ego`: parse, call the library, print. Nothing else lives here, and nobody imports it.

Every command takes `--json`: one JSON document on stdout and nothing else there; progress and notes go to stderr. An
`EgoError` ends with one line and the exit code of its kind, never with a traceback.
"""

import sys

from ego.errors import EgoError

INTERRUPTED = 130


def main() -> None:
    """Run the command line and end the process with a documented exit code."""
    try:
        from ego.cli.app import app

        app()
    except EgoError as error:
        from ego.cli.output import report_error

        report_error(error, as_json="--json" in sys.argv)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
