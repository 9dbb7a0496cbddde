"""Whether the hub can be asked at all: its client would try a refused connection for half a minute, file by file."""

from pathlib import Path
from typing import Any

from huggingface_hub import constants, get_session

PATIENCE = 5.0  # seconds until there is a connection
NO_CONNECTION = {"ConnectError", "ConnectTimeout"}  # whatever HTTP client the hub's release uses


def hub_options(source: str, revision: str | None) -> dict[str, Any]:
    """Give what files of a model are asked for with; without a network, only what was downloaded before counts.

    Args:
        source: Folder, or name on the hub.
        revision: Branch, tag or commit; None: the main one.
    """
    asked = not Path(source).expanduser().is_dir() and not constants.HF_HUB_OFFLINE
    return {
        "revision": revision or "main",
        "trust_remote_code": False,
        "local_files_only": asked and not _can_be_reached(),
    }


def _can_be_reached() -> bool:
    """Try to connect, twice if it is refused at once; whatever else goes wrong is left to the hub's client to say."""
    for _ in range(2):
        try:
            get_session().head(constants.ENDPOINT, timeout=PATIENCE)
        except Exception as error:
            kinds = {kind.__name__ for kind in type(error).__mro__}
            if not kinds & NO_CONNECTION:
                return True
            if "ConnectTimeout" in kinds:
                return False
        else:
            return True
    return False
