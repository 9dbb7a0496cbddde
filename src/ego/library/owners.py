"""Owners: many small private libraries under one root, one folder each, opened when they are first asked for.

What belongs to one owner is never looked at for another: there is no shared file, no shared lock, no shared cache.
"""

import re
import secrets
import shutil
import threading
import unicodedata
from collections import OrderedDict
from os import PathLike
from pathlib import Path

from ego.errors import InputError, StoreError
from ego.store import ConceptStore

KEPT_OPEN = 256  # libraries whose memories stay loaded
_LONGEST_FOLDER = 200  # characters; file systems allow 255 bytes
_PREFIX, _GONE = "of-", ".gone-"  # the prefix keeps `con` and `nul` from being devices on Windows
_PLAIN = re.compile(r"[a-z0-9_-]")
_CODED = re.compile(r"=([0-9a-f]{2})")


class Owners:
    """Libraries by owner.

    Owners are told apart exactly: case counts, and no owner id becomes a path (it is spelled in a safe alphabet).
    Any number of threads and processes may use one root.

    Args:
        root: Folder of the libraries; made by the first change.
        keep_open: Most libraries whose memories stay loaded; the least recently used is closed first.
    """

    def __init__(self, root: str | PathLike[str], keep_open: int = KEPT_OPEN) -> None:
        if keep_open < 1:
            raise InputError(f"keep_open is {keep_open}; at least one library must stay open")
        self.root, self._keep_open = Path(root), keep_open
        self._open: OrderedDict[str, ConceptStore] = OrderedDict()
        self._lock = threading.Lock()
        if self.root.exists() and not self.root.is_dir():
            raise StoreError(f"{self.root} is a file; give a folder for the libraries")
        self._clear_gone()

    def library(self, owner: str) -> ConceptStore:
        """Open the library of an owner; an unknown owner has an empty one.

        Raises:
            InputError: If the id is no usable owner id.
        """
        folder = self.root / _folder_name(owner)
        with self._lock:
            store = self._open.pop(owner, None) or ConceptStore(folder)
            self._open[owner] = store
            while len(self._open) > self._keep_open:
                self._open.popitem(last=False)
            return store

    def names(self) -> tuple[str, ...]:
        """List the owners that have a library, sorted."""
        if not self.root.exists():
            return ()
        folders = (path.name for path in self.root.iterdir() if path.name.startswith(_PREFIX) and path.is_dir())
        return tuple(sorted(map(_owner_of, folders)))

    def __contains__(self, owner: str) -> bool:
        """Say whether an owner has a library."""
        return (self.root / _folder_name(owner)).is_dir()

    def remove(self, owner: str) -> None:
        """Forget everything of an owner for good; nothing happens if there is nothing.

        From the first moment the library is empty for everybody; a change that is being made to it then fails.

        Raises:
            StoreError: If the files cannot be removed.
        """
        folder = self.root / _folder_name(owner)
        with self._lock:
            self._open.pop(owner, None)
        try:
            folder.rename(self.root / f"{_GONE}{secrets.token_hex(8)}")
        except FileNotFoundError:
            return
        except OSError as error:
            raise StoreError(f"the library of {owner!r} cannot be removed ({error.strerror}); try again") from error
        self._clear_gone()
        left = [path.name for path in self.root.glob(f"{_GONE}*")]
        if left:
            raise StoreError(f"{self.root / left[0]} cannot be removed; it holds what was to be forgotten, delete it")

    def _clear_gone(self) -> None:
        """Remove what a killed removal left behind."""
        for path in self.root.glob(f"{_GONE}*"):
            shutil.rmtree(path, ignore_errors=True)


def _folder_name(owner: str) -> str:
    """Spell an owner id in lower-case letters, digits, `_`, `-` and `=xx` for every other byte."""
    if not owner.strip() or any(unicodedata.category(character)[0] == "C" for character in owner):
        raise InputError(f"{owner!r} is no owner id; give visible characters, for example a user name")
    spelled = "".join(
        character if _PLAIN.fullmatch(character) else "".join(f"={byte:02x}" for byte in character.encode())
        for character in owner
    )
    if len(spelled) > _LONGEST_FOLDER - len(_PREFIX):
        raise InputError(f"the owner id {owner[:20]!r}... is too long; use a shorter one, or a digest of it")
    return _PREFIX + spelled


def _owner_of(folder: str) -> str:
    spelled = folder.removeprefix(_PREFIX)
    return b"".join(
        bytes.fromhex(piece) if number % 2 else piece.encode() for number, piece in enumerate(_CODED.split(spelled))
    ).decode(errors="replace")
