"""How a command ends: with a documented exit code, one line about what went wrong, and never with a traceback.

Three kinds of ends are not the command's own: a reader that went away (`| head`), a full disk behind stdout, and
errors nobody thought of. For the last there is one place, here; `--debug` shows the traceback.
"""

import errno
import os
import sys
import traceback
import warnings
from contextlib import suppress
from types import TracebackType

import typer
from typer.main import get_command

from ego.cli.output import Output
from ego.errors import EgoError, OutputError

DEBUG = "--debug"
INTERRUPTED = 130
REPORT = "please report it where you got ego-vlm from, with what the same command prints under --debug"
# Typer brings its own copy of click; its errors are told by their common base.
_UsageError: type[Exception] = next(kind for kind in typer.BadParameter.__mro__ if kind.__name__ == "ClickException")


def run(arguments: list[str]) -> int:
    """Run a command line.

    Args:
        arguments: Without the name of the program.

    Returns:
        The exit code.
    """
    _prepare_streams()
    debug = DEBUG in arguments
    as_json = "--json" in arguments
    stdout = _whither()
    if not debug:
        warnings.filterwarnings("ignore", module="PIL")  # of damaged files; what matters is said in an error of our own
    try:
        code = _answer([argument for argument in arguments if argument != DEBUG])
        sys.stdout.flush()
    except SystemExit as end:
        code = 0 if _whither() != stdout else _number(end.code)  # the reader left: typer and rich lead stdout away
    except KeyboardInterrupt:
        code = INTERRUPTED
    except BrokenPipeError:
        code = 0
    except OSError as error:
        code = _report(_of_the_system(error), as_json=as_json, debug=debug)
    except Exception as error:  # the last resort: whatever nobody thought of ends here
        code = _report(error, as_json=as_json, debug=debug)
    _let_go_of_stdout()
    return code


def _answer(arguments: list[str]) -> int:
    """Run the command; how it ended. Errors of the command line itself pass."""
    from ego.cli.app import app

    ended = get_command(app).main(args=arguments, prog_name="ego", standalone_mode=False)
    return ended if isinstance(ended, int) else 0


def _whither() -> tuple[object, ...]:
    """Say which stream stdout is, and where it leads."""
    try:
        there = os.fstat(sys.stdout.fileno())
    except (OSError, ValueError, AttributeError):  # one in memory, or a closed one
        return (sys.stdout,)
    return sys.stdout, there.st_dev, there.st_ino


def _number(code: object) -> int:
    return code if isinstance(code, int) else 0 if code is None else 1


def _report(error: Exception, *, as_json: bool, debug: bool) -> int:
    """Say in one line what went wrong."""
    code = error.exit_code if isinstance(error, EgoError) else getattr(error, "exit_code", 1)
    message = _message(error)
    with suppress(OSError):  # stderr may be full or gone, too
        if debug and message:
            _print_traceback(error, error.__traceback__)
        if message:
            Output(as_json=as_json).failure(type(error).__name__, message, code)
    return int(code)


def _message(error: Exception) -> str:
    if isinstance(error, EgoError):
        return str(error)
    if isinstance(error, typer.Abort):
        return "stopped; nothing was changed"
    if isinstance(error, _UsageError):
        return _wrong_use(error)
    told = f"{type(error).__name__}: {error}".splitlines()[0]
    return f"this should not have happened ({told}); {REPORT}"


def _wrong_use(error: Exception) -> str:
    """Say what is wrong with the command line; nothing where the help has been shown instead."""
    if type(error).__name__ == "NoArgsIsHelpError":
        return ""
    context = getattr(error, "ctx", None)
    path = context.command_path if context else "ego"
    text: str = error.format_message()  # type: ignore[attr-defined]
    return f"{text.rstrip('.')}; see `{path} --help`"


def _of_the_system(error: OSError) -> OutputError:
    """Put what the system refused, and nobody foresaw, into one line."""
    place = error.filename if isinstance(error.filename, str) else "the output"
    what = "choose a shorter name" if error.errno == errno.ENAMETOOLONG else "check permissions and free space"
    told = OutputError(f"{place} cannot be used ({error.strerror or error}); {what}")
    return told.with_traceback(error.__traceback__)


def _print_traceback(error: Exception, trace: TracebackType | None) -> None:
    traceback.print_exception(type(error), error, trace, file=sys.stderr)


def _prepare_streams() -> None:
    """Make streams take and give any text; a closed one becomes one that swallows everything."""
    if sys.stdout is None:
        sys.stdout = open(os.devnull, "w")  # noqa: PTH123, SIM115  (open for as long as the program runs)
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w")  # noqa: PTH123, SIM115
    for stream, errors in ((sys.stdin, "surrogateescape"), (sys.stdout, "backslashreplace")):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors=errors)


def _let_go_of_stdout() -> None:
    """Keep Python from writing what is left to a stdout that is full or gone when it ends."""
    try:
        sys.stdout.flush()
    except (OSError, ValueError) as error:
        gone = getattr(error, "errno", None) in {errno.EPIPE, errno.ENOSPC, errno.EIO, errno.EBADF}
        if gone and sys.__stdout__ is not None:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.__stdout__.fileno())
