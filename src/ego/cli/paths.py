"""Look at the paths of a command before a model is loaded for minutes."""

from collections.abc import Iterable
from pathlib import Path

from ego.errors import ImageError, InputError, OutputError
from ego.limits import VIDEO_BYTES
from ego.regular_file import open_regular


def problem_with(path: Path) -> ImageError | None:
    """Say why a picture or clip cannot be opened; None if it can. What is in it is not looked at."""
    try:
        require_files([path])
    except ImageError as error:
        return error
    return None


def require_files(paths: Iterable[Path]) -> None:
    """Refuse pictures and clips that cannot be opened.

    Raises:
        ImageError: For the first one that is missing, empty, unreadable, or no regular file.
    """
    for path in paths:
        open_regular(path, largest=VIDEO_BYTES, refuse=ImageError).close()


def require_new_file(path: Path, *, replace: bool, option: str) -> None:
    """Refuse to overwrite a file unasked, and a place where none can be.

    Raises:
        InputError: If there is one, or something else.
    """
    if path.is_dir() or (path.exists() and not replace):
        raise InputError(f"{path} exists already; give another {option}, or --replace")
    if not path.parent.is_dir():
        raise InputError(f"there is no folder {path.parent}; make it, or give another {option}")


def require_new_folder(path: Path, *, option: str) -> None:
    """Refuse a folder that holds something already, and make it if it is not there.

    Raises:
        InputError: If there is a file, or a folder with something in it.
        OutputError: If it cannot be made.
    """
    from ego.atomic_file import make_folder

    try:
        if path.exists() and (not path.is_dir() or any(path.iterdir())):
            raise InputError(f"{path} exists already and is no empty folder; give another {option}")
        make_folder(path)
    except OSError as error:
        raise OutputError(f"{path} cannot be made ({error.strerror or error}); choose another place") from error


def written(path: Path, content: bytes) -> Path:
    """Write a file of the user's in one step.

    Raises:
        OutputError: If it cannot be written.
    """
    from ego.atomic_file import write_file

    try:
        write_file(path, content)
    except OSError as error:
        raise OutputError(f"{path} cannot be written ({error.strerror or error}); choose another place") from error
    return path
