"""Which model, library and device: option, else environment variable, else config file, else default.

The config file is `config.toml` in the usual folder of the platform (`~/.config/ego` on Linux):

    model = "OpenGVLab/InternVL3-14B-hf"
    library = "~/concepts"
    device = "cuda"

    [method]            # any field of ego.EgoConfig
    threshold = 0.6
"""

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from platformdirs import user_config_path, user_data_path

from ego.errors import ConfigError

if TYPE_CHECKING:
    from ego.config import EgoConfig

EMBEDDED = "mini"
_KEYS = {"model": str, "library": str, "device": str, "method": dict}


@dataclass(frozen=True)
class Settings:
    """What a command works with.

    Attributes:
        model: Model to load.
        chosen: Whether the user chose it; if not, the embedded model answers.
        library: Folder of remembered concepts.
        device: Where the model runs; None lets the library choose.
        method: Fields of EgoConfig from the config file.
    """

    model: str
    chosen: bool
    library: Path
    device: str | None
    method: dict[str, Any]

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
    chosen = model or file.get("model")
    folder = library or Path(file.get("library", default_library()))
    return Settings(
        model=str(Path(chosen).expanduser()) if chosen and chosen.startswith("~") else chosen or EMBEDDED,
        chosen=chosen is not None,
        library=folder.expanduser(),
        device=device or file.get("device"),
        method=file.get("method", {}),
    )


def config_file() -> Path:
    """Where the config file would be."""
    return user_config_path("ego") / "config.toml"


def default_library() -> Path:
    """Where concepts are remembered unless the user says otherwise."""
    return user_data_path("ego") / "library"


def _read(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise ConfigError(f"{path} cannot be read ({error}); correct it or remove it") from error
    for key, value in content.items():
        if key not in _KEYS:
            raise ConfigError(f"{path} holds {key!r}; known are {', '.join(_KEYS)}")
        if not isinstance(value, _KEYS[key]):
            raise ConfigError(f"{path}: {key} must be a {_KEYS[key].__name__}, not {value!r}")
    return content
