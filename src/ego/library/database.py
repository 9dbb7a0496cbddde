"""The SQLite file of a catalogue: one connection per thread, transactions, and errors that say what to do."""

import os
import secrets
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ego.atomic_file import OWN_FILE, make_folder
from ego.errors import StoreError

FILE = "catalogue.sqlite"
LOCK_SECONDS = 30.0  # longest wait for another process
REMEMBERED = 10_000  # changes of each model that an index can catch up with one by one
_VERSION = 1
_SCHEMA = """
CREATE TABLE models (model TEXT PRIMARY KEY, changes INTEGER NOT NULL);
CREATE TABLE history (model TEXT NOT NULL, change INTEGER NOT NULL, id INTEGER NOT NULL, PRIMARY KEY (model, change));
CREATE TABLE about (catalogue TEXT NOT NULL);
CREATE TABLE concepts (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    key TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    created REAL NOT NULL,
    model TEXT NOT NULL,
    tokens INTEGER NOT NULL,
    memory BLOB NOT NULL
);
CREATE INDEX by_model ON concepts (model, created, name);
CREATE INDEX by_time ON concepts (created, name);
"""


class Database:
    """Reads without a file find nothing; the first change makes it.

    Args:
        folder: Where the file is.
    """

    def __init__(self, folder: Path) -> None:
        self._folder, self._path = folder, folder / FILE
        self._mine = threading.local()

    def rows(self, query: str, values: Sequence[Any] = ()) -> Iterator[Any]:
        """Read all rows of a query."""
        with self._reporting():
            connection = self._connection()
            return iter(connection.execute(query, values).fetchall() if connection else ())

    def one(self, query: str, values: Sequence[Any] = ()) -> Any:
        """Read one row; zero for each column without a file."""
        return next(self.rows(query, values), (0,))

    def write(self, query: str, values: Sequence[Any]) -> int:
        """Change something, inside `changing`; give the id of what was inserted."""
        return int(self._connection().execute(query, values).lastrowid or 0)

    def touch(self, model: str, identity: int) -> None:
        """Note that a memory of a model has come or gone, inside `changing`."""
        self.write("INSERT INTO models VALUES (?, 1) ON CONFLICT (model) DO UPDATE SET changes = changes + 1", (model,))
        (change,) = self.one("SELECT changes FROM models WHERE model = ?", (model,))
        self.write("INSERT INTO history VALUES (?, ?, ?)", (model, change, identity))
        self.write("DELETE FROM history WHERE model = ? AND change = ?", (model, change - REMEMBERED))

    def revision(self, model: str) -> str:
        """Name the present state of a model's memories."""
        return f"{self._name()}-{self._changes(model)}"

    def touched(self, model: str, since: str) -> set[int] | None:
        """Ids that came or went since a state that `revision` named; None if that is too long ago."""
        name, _, change = since.rpartition("-")
        if name != self._name() or not change.isdecimal() or self._changes(model) - int(change) > REMEMBERED:
            return None
        query = "SELECT id FROM history WHERE model = ? AND change > ?"
        return {int(identity) for (identity,) in self.rows(query, (model, int(change)))}

    def _name(self) -> str:
        return str(next(self.rows("SELECT catalogue FROM about"), ("",))[0])

    def _changes(self, model: str) -> int:
        return int(next(self.rows("SELECT changes FROM models WHERE model = ?", (model,)), (0,))[0])

    @contextmanager
    def changing(self) -> Iterator[None]:
        """Do all changes inside or none, while nobody else changes anything."""
        with self._reporting():
            if not self._path.exists():
                self._create()
            connection = self._connection()
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                connection.execute("ROLLBACK")
                raise
            connection.execute("COMMIT")

    def _create(self) -> None:
        make_folder(self._folder)
        beside = self._path.with_name(f".{secrets.token_hex(8)}.sqlite")
        os.close(os.open(beside, os.O_CREAT | os.O_EXCL | os.O_WRONLY, OWN_FILE))
        connection = sqlite3.connect(beside)
        connection.executescript(_SCHEMA)
        connection.execute("INSERT INTO about VALUES (?)", (secrets.token_hex(8),))
        connection.execute(f"PRAGMA user_version = {_VERSION}")
        connection.commit()
        connection.close()
        try:
            os.link(beside, self._path)  # and not replace: another process may have made it meanwhile
        except FileExistsError:
            pass
        finally:
            beside.unlink()

    def _connection(self) -> Any:
        known = getattr(self._mine, "connection", None)
        if known is None and self._path.exists():
            known = sqlite3.connect(self._path, timeout=LOCK_SECONDS, isolation_level=None)
            known.execute("PRAGMA secure_delete = ON")  # what is forgotten is overwritten
            (version,) = known.execute("PRAGMA user_version").fetchone()
            if version != _VERSION:
                known.close()
                raise StoreError(
                    f"{self._path} has format version {version}, this release reads {_VERSION}; upgrade ego-vlm"
                )
            self._mine.connection = known
        return known

    @contextmanager
    def _reporting(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.DatabaseError as error:
            raise StoreError(
                f"{self._path} cannot be used ({error}); check permissions, free space and other users of it, or "
                "restore it from a copy; nothing was changed"
            ) from error
        except OSError as error:
            raise StoreError(f"{self._path} cannot be used ({error.strerror}); nothing was changed") from error
