"""Which model, library and device: option, else environment variable, else config file, else default.

The config file is `config.toml` in the usual folder of the platform (`~/.config/ego` on Linux):

    model = "OpenGVLab/InternVL3-14B-hf"
    library = "~/concepts"
    device = "cuda"

    [method]            # any field of ego.EgoConfig
    threshold = 0.6
"""

import os
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from platformdirs import user_config_path, user_data_path
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ego.errors import ConfigError
from ego.text_file import read_text

if TYPE_CHECKING:
    from ego.config import EgoConfig

EMBEDDED = "mini"


class _File(BaseModel):
    """What config.toml may hold."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    model: str | None = Field(default=None, min_length=1)
    library: str | None = Field(default=None, min_length=1)
    device: str | None = Field(default=None, min_length=1)
    server: str | None = Field(default=None, min_length=1)
    method: dict[str, Any] = {}


@dataclass(frozen=True)
class Settings:
    """What a command works with.

    Attributes:
        model: Model to load.
        chosen: Whether the user chose it; if not, the embedded model answers.
        library: Folder of remembered concepts.
        library_chosen: Whether the user chose it; if not, it may not be there yet.
        device: Where the model runs; None lets the library choose.
        method: Fields of EgoConfig from the config file.
        server: Address of a running service that does the work; None: this process does.
        from_file: Which of them the config file says, whether or not something else says more.
    """

    model: str
    chosen: bool
    library: Path
    library_chosen: bool
    device: str | None
    method: dict[str, Any]
    server: str | None = None
    from_file: frozenset[str] = frozenset()

    def config(self, **overrides: Any) -> "EgoConfig":
        """Build the numbers of the method; an override of None changes nothing.

        Raises:
            ConfigError: If a number is unknown or out of range.
        """
        from ego.config import EgoConfig

        given = {name: value for name, value in overrides.items() if value is not None}
        try:
            return EgoConfig(**{**self.method, **given})
        except ConfigError as error:
            raise ConfigError(f"{error}; settings come from options and {config_file()}") from error


def resolve(model: str | None = None, library: Path | None = None, device: str | None = None) -> Settings:
    """Complete what the command line and the environment say by the config file and the defaults."""
    file = _read(config_file())
    chosen = model or file.model
    folder = library or (None if file.library is None else Path(file.library))
    return Settings(
        model=str(at_home(Path(chosen))) if chosen and chosen.startswith("~") else chosen or EMBEDDED,
        chosen=chosen is not None,
        library=at_home(folder or default_library()),
        library_chosen=folder is not None,
        device=device or file.device,
        method=file.method,
        server=os.environ.get("EGO_SERVER") or file.server,
        from_file=frozenset(file.model_fields_set),
    )


def at_home(path: Path) -> Path:
    """Put the user's folder in the place of `~`.

    Raises:
        ConfigError: If it is the folder of somebody who is not known here.
    """
    try:
        return path.expanduser()
    except RuntimeError as error:
        raise ConfigError(f"{path}: nobody of that name has a folder here; write the whole path") from error


def config_file() -> Path:
    """Where the config file would be."""
    return user_config_path("ego") / "config.toml"


def default_library() -> Path:
    """Where concepts are remembered unless the user says otherwise."""
    return user_data_path("ego") / "library"


def _read(path: Path) -> _File:
    try:
        if not path.is_file() or path.stat().st_size == 0:
            return _File()
        return _File.model_validate(tomllib.loads(read_text(path, ConfigError)))
    except (tomllib.TOMLDecodeError, OSError) as error:
        raise ConfigError(f"{path} cannot be read ({error}); correct it or remove it") from error
    except RecursionError as error:
        raise ConfigError(f"{path} cannot be read (nested too deeply); correct it or remove it") from error
    except ValidationError as error:
        raise ConfigError(f"{path}: {_first(error)}") from error


def _first(error: ValidationError) -> str:
    """Say what is wrong with the first wrong key."""
    first = error.errors()[0]
    key = ".".join(map(str, first["loc"]))
    if first["type"] == "extra_forbidden":
        return f"it holds {key!r}; known are {', '.join(_File.model_fields)}"
    return f"{key} = {first['input']!r}: {first['msg']}; correct it"
