"""AlbumIndex: one SQLite file in the library that remembers what was found in which picture.

Each picture is written in one transaction with everything found in it, so that a scan can be stopped at any moment and
goes on where it stood. The index holds paths, probabilities and places; no picture, no text of a picture.
"""

import json
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path

from ego.album.picture_file import Kind, PictureFile
from ego.atomic_file import make_folder
from ego.errors import StoreError

FILE_NAME = "album.sqlite"
VERSION = 1
PATIENCE = 30.0  # seconds to wait for another process that writes
Box = tuple[float, float, float, float]

_SCHEMA = """
create table if not exists about (fact text primary key, told text not null);
create table if not exists concepts (id text primary key, name text not null);
create table if not exists pictures (
    id integer primary key,
    path text not null unique,
    size integer not null,
    modified integer not null,
    kind text not null,
    taken text not null default '',
    asked text not null default '',
    problem text not null default ''
);
create table if not exists finds (
    picture integer not null references pictures (id) on delete cascade,
    concept text not null,
    probability real not null,
    said text not null,
    box text,
    moments text,
    primary key (picture, concept)
) without rowid;
create index if not exists finds_by_concept on finds (concept, probability);
"""


@dataclass(frozen=True)
class Find:
    """What was found out about one concept in one picture.

    Attributes:
        concept: Identity of the concept in its library.
        probability: Of being there.
        said: As `Recognition.said`.
        box: Where, as fractions left top right bottom; None if not known.
        moments: Seconds of a clip at which it was seen.
    """

    concept: str
    probability: float
    said: str
    box: Box | None = None
    moments: tuple[float, ...] = ()


@dataclass(frozen=True)
class Entry:
    """A picture of the index.

    Attributes:
        path: Absolute path.
        kind: Image or video.
        taken: When, ISO 8601 without a zone; empty if unknown.
        problem: Why it could not be looked at; empty if it could.
        finds: Concept -> what was found.
    """

    path: str
    kind: Kind
    taken: str
    problem: str = ""
    finds: Mapping[str, Find] = field(default_factory=dict)


class AlbumIndex:
    """The index of one library.

    Args:
        library: Folder of remembered concepts.

    Raises:
        StoreError: From every method, if the file cannot be read or written, or is no index.
    """

    def __init__(self, library: str | PathLike[str]) -> None:
        self.path = Path(library) / FILE_NAME
        self._own = threading.local()  # a connection of its own for each thread: SQLite's may not be shared

    @property
    def exists(self) -> bool:
        """Tell whether anything was ever scanned."""
        return self.path.is_file()

    def close(self) -> None:
        """Let go of the file in this thread; the next call opens it again."""
        base = vars(self._own).pop("base", None)
        if base is not None:
            base.close()

    def sync(self, files: Sequence[PictureFile], folders: Sequence[str]) -> int:
        """Take in what a walk through folders found: new and changed files are to be looked at, gone ones leave.

        Returns:
            How many pictures left.
        """
        with self._changing() as base:
            known = {row["path"]: (row["size"], row["modified"]) for row in base.execute("select * from pictures")}
            there = {file.path for file in files}
            gone = [path for path in known if path not in there and _below(path, folders)]
            base.executemany("delete from pictures where path = ?", [(path,) for path in gone])
            changed = [file for file in files if known.get(file.path) != (file.size, file.modified)]
            base.executemany(
                "insert into pictures (path, size, modified, kind) values (?, ?, ?, ?) on conflict (path) do update "
                "set size = excluded.size, modified = excluded.modified, kind = excluded.kind, asked = ''",
                [(file.path, file.size, file.modified, file.kind) for file in changed],
            )
        return len(gone)

    def waiting(self, asked: str, folders: Sequence[str]) -> list[tuple[str, Kind]]:
        """List the pictures below some folders that were not asked this yet, by path."""
        rows = self._open().execute("select path, kind from pictures where asked != ? order by path", (asked,))
        with self._reporting():
            return [(row["path"], row["kind"]) for row in rows if _below(row["path"], folders)]

    def record(self, path: str, asked: str, finds: Iterable[Find], *, taken: str = "", problem: str = "") -> None:
        """Write what was found in one picture, in place of what was known of it; all of it or nothing."""
        with self._changing() as base:
            row = base.execute("select id from pictures where path = ?", (path,)).fetchone()
            if row is None:  # it left the album in the meantime
                return
            base.execute(
                "update pictures set asked = ?, taken = ?, problem = ? where id = ?", (asked, taken, problem, row["id"])
            )
            base.execute("delete from finds where picture = ?", (row["id"],))
            base.executemany("insert into finds values (?, ?, ?, ?, ?, ?)", [_row(row["id"], one) for one in finds])

    def call(self, names: Mapping[str, str], model: str) -> None:
        """Note what the concepts of the library are called now, and which model answers.

        Concepts that left the library leave the index.
        """
        with self._changing() as base:
            base.execute("insert or replace into about values ('model', ?)", (model,))
            base.execute("delete from concepts")
            base.executemany("insert into concepts values (?, ?)", list(names.items()))
            base.execute("delete from finds where concept not in (select id from concepts)")

    def names(self) -> dict[str, str]:
        """Concept -> name, as of the last scan."""
        with self._reporting():
            return {row["id"]: row["name"] for row in self._open().execute("select * from concepts order by rowid")}

    def model(self) -> str:
        """Tell which model answered in the last scan, as corrections name it."""
        with self._reporting():
            row = self._open().execute("select told from about where fact = 'model'").fetchone()
            return row["told"] if row else ""

    def entries(self) -> Iterator[Entry]:
        """Yield every picture that was looked at, or could not be, by path."""
        with self._reporting():
            rows = self._open().execute(
                "select p.path, p.kind, p.taken, p.problem, f.concept, f.probability, f.said, f.box, f.moments "
                "from pictures p left join finds f on f.picture = p.id where p.asked != '' order by p.path, f.concept"
            )
            yield from _grouped(rows)

    def _open(self) -> sqlite3.Connection:
        base: sqlite3.Connection | None = getattr(self._own, "base", None)
        if base is None:
            with self._reporting():
                make_folder(self.path.parent)
                self.path.touch(mode=0o600)  # SQLite gives its companion files the same permissions
                base = sqlite3.connect(self.path, timeout=PATIENCE)
                base.row_factory = sqlite3.Row
                base.execute("pragma foreign_keys = on")
                _prepare(base)
                self._own.base = base
        return base

    @contextmanager
    def _changing(self) -> Iterator[sqlite3.Connection]:
        base = self._open()
        with self._reporting(), base:
            base.execute("begin immediate")
            yield base

    @contextmanager
    def _reporting(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            raise StoreError(
                f"the album's index {self.path} cannot be used ({error}); check permissions and free space; if it is "
                "damaged, remove it and scan again: nothing but the scan is lost"
            ) from error


def _prepare(base: sqlite3.Connection) -> None:
    version = base.execute("pragma user_version").fetchone()[0]
    if version not in (0, VERSION):
        raise sqlite3.DatabaseError(f"it has version {version}, this program reads version {VERSION}")
    base.execute("pragma journal_mode = wal")
    base.execute("pragma synchronous = normal")  # a power cut may lose the last pictures, never damage the file
    base.executescript(_SCHEMA)
    base.execute(f"pragma user_version = {VERSION}")


def _below(path: str, folders: Sequence[str]) -> bool:
    return any(Path(path).is_relative_to(folder) for folder in folders)


def _row(picture: int, find: Find) -> tuple[int, str, float, str, str | None, str | None]:
    box = None if find.box is None else json.dumps(find.box)
    moments = json.dumps(find.moments) if find.moments else None
    return picture, find.concept, find.probability, find.said, box, moments


def _grouped(rows: Iterable[sqlite3.Row]) -> Iterator[Entry]:
    current: Entry | None = None
    finds: dict[str, Find] = {}
    for row in rows:
        if current is None or row["path"] != current.path:
            if current is not None:
                yield current
            finds = {}
            current = Entry(row["path"], row["kind"], row["taken"], row["problem"], finds)
        if row["concept"] is not None:
            finds[row["concept"]] = _find(row)
    if current is not None:
        yield current


def _find(row: sqlite3.Row) -> Find:
    box = None if row["box"] is None else tuple(json.loads(row["box"]))
    moments = () if row["moments"] is None else tuple(json.loads(row["moments"]))
    return Find(row["concept"], row["probability"], row["said"], box, moments)
