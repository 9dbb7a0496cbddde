"""The memory files of one folder: listed by cards, loaded when asked for, kept as long as they do not change on disk.

What a card says is kept in a file beside the memories once there are many, so that a library of thousands opens without
reading them all. It is only a shortcut: a card whose file has changed is made anew.
"""

import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from pydantic import ValidationError

from ego.atomic_file import write_file
from ego.errors import EgoError, StoreError
from ego.limits import LISTED_BYTES
from ego.memory import ConceptMemory, Fingerprint
from ego.memory_file import load
from ego.memory_listing import SUFFIX, one_of_each_name
from ego.regular_file import open_regular

CARDS = ".cards.json"
_MANY = 256  # files from which the cards are kept
_FEW = 64  # new cards that are not worth writing all of them for
_Stamp: TypeAlias = tuple[int, ...]


@dataclass(frozen=True)
class Card:
    """What is known of a memory without loading it.

    Attributes:
        file: Its name in the folder.
        stamp: Changes with the file.
        name: Of the concept.
        created: Time of introduction.
        tokens: Rows of the memory.
        fingerprint: The model it belongs to.
    """

    file: str
    stamp: _Stamp
    name: str
    created: str
    tokens: int
    fingerprint: Fingerprint

    @property
    def key(self) -> int:
        """A number that stands for this file as it is now."""
        content = f"{self.file} {self.stamp}".encode()
        return int.from_bytes(hashlib.sha256(content).digest()[:8], "little") >> 1


class MemoryFolder:
    """Reads a folder again and again; a file that has not changed gives the same object every time."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._cards: dict[str, Card | tuple[_Stamp, str]] = {}  # or why there is none
        self._loaded: dict[str, tuple[_Stamp, ConceptMemory]] = {}
        self._kept: set[str] | None = None  # files of the cards on the disk
        self._listed: tuple[dict[Path, Card], dict[Path, str]] | None = None

    def scan(self) -> tuple[dict[Path, ConceptMemory], dict[Path, str]]:
        """Load every file: usable memories in stable order, and why the others are not.

        Raises:
            OSError: If the folder cannot be read.
        """
        cards, skipped = self.cards()
        memories, unusable = self.load(cards.values())
        return memories, skipped | unusable

    def load(self, cards: Iterable[Card], *, keep: bool = True) -> tuple[dict[Path, ConceptMemory], dict[Path, str]]:
        """Load the memories of some cards; those that are gone meanwhile are left out.

        Args:
            cards: Of this folder.
            keep: Hold them for the next time.
        """
        memories: dict[Path, ConceptMemory] = {}
        unusable: dict[Path, str] = {}
        for card in cards:
            path, known = self._folder / card.file, self._loaded.get(card.file)
            if known and known[0] == card.stamp:
                memories[path] = known[1]
                continue
            try:
                memories[path] = load(path)
            except (EgoError, OSError) as error:
                if os.path.lexists(path):
                    unusable[path] = str(error)
                continue
            if keep:
                self._loaded[card.file] = card.stamp, memories[path]
        return memories, unusable

    def cards(self) -> tuple[dict[Path, Card], dict[Path, str]]:
        """List usable memories in stable order, and why the others are not.

        Raises:
            OSError: If the folder cannot be read.
        """
        stamps = self._stamps()
        if self._kept is None:
            self._read_cards(stamps)
        old = {file: card for file, card in self._cards.items() if stamps.get(file) == _stamp_of(card)}
        fresh = {file: made for file in stamps.keys() - old.keys() if (made := self._card(file, stamps[file]))}
        if self._listed is None or fresh or len(old) < len(self._cards):
            self._cards = old | fresh
            self._loaded = {file: kept for file, kept in self._loaded.items() if stamps.get(file) == kept[0]}
            self._write_cards()
            self._listed = self._in_order()
        return self._listed

    def _stamps(self) -> dict[str, _Stamp]:
        if not self._folder.exists():
            return {}
        with os.scandir(self._folder) as entries:
            there = [entry for entry in entries if entry.name.endswith(SUFFIX) and not entry.name.startswith(".")]
        stamps: dict[str, _Stamp] = {}
        for entry in there:
            try:
                status = entry.stat()
                if entry.is_file():
                    stamps[entry.name] = (status.st_mtime_ns, status.st_ctime_ns, status.st_size, status.st_ino)
            except OSError:  # removed since it was listed, or a link that leads nowhere
                continue
        return stamps

    def _card(self, file: str, stamp: _Stamp) -> Card | tuple[_Stamp, str] | None:
        """Load a file to see what it is; None if it is gone."""
        path = self._folder / file
        try:
            memory = load(path)
        except (EgoError, OSError) as error:
            return (stamp, str(error)) if os.path.lexists(path) else None
        self._loaded[file] = stamp, memory
        return Card(file, stamp, memory.name, memory.created, len(memory.tokens), memory.fingerprint)

    def _in_order(self) -> tuple[dict[Path, Card], dict[Path, str]]:
        cards = {self._folder / file: card for file, card in self._cards.items() if isinstance(card, Card)}
        unusable = {self._folder / file: card[1] for file, card in self._cards.items() if not isinstance(card, Card)}
        return one_of_each_name(cards, unusable)

    def _read_cards(self, stamps: Mapping[str, _Stamp]) -> None:
        """Take over the cards of files that have not changed."""
        self._kept = set()
        if len(stamps) < _MANY:
            return
        try:
            with open_regular(self._folder / CARDS, largest=LISTED_BYTES, refuse=StoreError) as file:
                document = json.loads(file.read())
            models = [Fingerprint.model_validate(model) for model in document["models"]]
            cards = [_card_from(values, models) for values in document["cards"]]
        except (StoreError, OSError, ValueError, TypeError, KeyError, IndexError, ValidationError):
            return
        self._kept = {card.file for card in cards}
        self._cards = {card.file: card for card in cards if stamps.get(card.file) == card.stamp}

    def _write_cards(self) -> None:
        """Keep the cards of a large folder, unless little has changed; cards of what is gone do not stay."""
        cards = [card for card in self._cards.values() if isinstance(card, Card)]
        kept = self._kept or set()
        gone = kept - self._cards.keys()
        new = len(cards) - len(kept) + len(gone)
        if (len(cards) < _MANY and not kept) or not (gone or new > max(_FEW, len(kept) // 20)):
            return
        models = list(dict.fromkeys(card.fingerprint for card in cards))
        place = {model: number for number, model in enumerate(models)}
        document = {
            "models": [model.model_dump() for model in models],
            "cards": [[c.file, c.stamp, c.name, c.created, c.tokens, place[c.fingerprint]] for c in cards],
        }
        try:
            write_file(self._folder / CARDS, json.dumps(document).encode())
        except OSError:  # a library that may only be read is read without
            return
        self._kept = {card.file for card in cards}


def _stamp_of(card: "Card | tuple[_Stamp, str]") -> _Stamp:
    return card.stamp if isinstance(card, Card) else card[0]


def _card_from(values: Any, models: list[Fingerprint]) -> Card:
    file, stamp, name, created, tokens, model = values
    return Card(str(file), tuple(stamp), str(name), str(created), int(tokens), models[model])
