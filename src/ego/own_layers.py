"""Where the layers that a user calibrated are kept, with those before them, so that a calibration can be undone."""

from pathlib import Path

from platformdirs import user_data_path

from ego.atomic_file import make_folder, write_file
from ego.errors import ConfigError
from ego.memory import Fingerprint


def own_file(fingerprint: Fingerprint, decoder: str) -> Path:
    """Say where the layers of a model are."""
    name = f"{fingerprint.model_type}-{fingerprint.weights[:16]}-{decoder[:16]}.json"
    return user_data_path("ego") / "layers" / name


def write_keeping_what_was(path: Path, content: bytes) -> None:
    """Write a file and keep the one that was there beside it.

    Raises:
        ConfigError: If it cannot be written.
    """
    try:
        make_folder(path.parent)
        if path.is_file():
            write_file(_before(path), path.read_bytes())
        write_file(path, content)
    except OSError as error:
        raise ConfigError(f"{path} cannot be written ({error.strerror}); choose another file") from error


def undo(path: Path) -> None:
    """Bring back the file before the last one, or none if there was none.

    Raises:
        ConfigError: If there is nothing to undo.
    """
    if not path.is_file():
        raise ConfigError(f"there is no calibration of yours at {path}; nothing to undo")
    if _before(path).is_file():
        _before(path).replace(path)
    else:
        path.unlink()


def _before(path: Path) -> Path:
    return path.with_suffix(".before.json")
