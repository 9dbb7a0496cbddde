"""Keys and their owners: a file with one JSON document a line, which holds digests and never a key."""

import hashlib
import json
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from ego.atomic_file import make_folder, write_file
from ego.errors import ConfigError, InputError, OutputError
from ego.limits import LISTED_BYTES
from ego.text_file import read_text

LONGEST_OWNER = 64
_MARK = "ego-"


@dataclass(frozen=True)
class KeyEntry:
    """One key, as the file knows it.

    Attributes:
        owner: Whose concepts it opens.
        digest: sha256 of the key.
        created: When it was made, ISO 8601.
    """

    owner: str
    digest: str
    created: str


class KeyRing:
    """Finds the owner of a key; a change of the file counts at once, so that a lost key can be taken away.

    Args:
        path: The file; it is made by the first key.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stamp: tuple[int, int] | None = None
        self._owners: dict[str, str] = {}

    def owner_of(self, key: str) -> str | None:
        """Give the owner of a key, None if nobody has it."""
        self._refresh()
        return self._owners.get(_digest(key))

    def entries(self) -> list[KeyEntry]:
        """List all keys.

        Raises:
            ConfigError: If the file cannot be read.
        """
        if not self._path.exists() or (self._path.is_file() and self._path.stat().st_size == 0):
            return []
        lines = read_text(self._path, ConfigError, largest=LISTED_BYTES).splitlines()
        try:
            return [KeyEntry(**json.loads(line)) for line in lines if line.strip()]
        except (ValueError, TypeError) as error:
            raise ConfigError(f"{self._path} holds no keys ({error}); give the file of `ego keys add`") from error

    def add(self, owner: str) -> str:
        """Make a key for an owner; it is shown once and cannot be found out from the file.

        Raises:
            InputError: If the owner's name is empty, too long or not printable.
        """
        if not (owner.strip() == owner and 0 < len(owner) <= LONGEST_OWNER and owner.isprintable()):
            raise InputError(f"{owner!r} is no name for an owner; use 1 to {LONGEST_OWNER} visible characters")
        key = _MARK + secrets.token_urlsafe(32)
        entry = KeyEntry(owner, _digest(key), datetime.now(UTC).isoformat(timespec="seconds"))
        self._write([*self.entries(), entry])
        return key

    def remove(self, owner: str) -> int:
        """Take all keys of an owner away; returns how many there were. The concepts stay."""
        entries = self.entries()
        kept = [entry for entry in entries if entry.owner != owner]
        if kept != entries:
            self._write(kept)
        return len(entries) - len(kept)

    def _write(self, entries: list[KeyEntry]) -> None:
        text = "".join(json.dumps(vars(entry), ensure_ascii=False) + "\n" for entry in entries)
        try:
            make_folder(self._path.parent)
            write_file(self._path, text.encode())
        except OSError as error:
            raise OutputError(
                f"{self._path} cannot be written ({error.strerror or error}); choose another place"
            ) from error

    def _refresh(self) -> None:
        try:
            status = self._path.stat()
        except FileNotFoundError:
            self._owners, self._stamp = {}, None
            return
        stamp = (status.st_mtime_ns, status.st_size)
        if stamp != self._stamp:
            self._owners = {entry.digest: entry.owner for entry in self.entries()}
            self._stamp = stamp


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()
