"""A picture or concept as a file spells it -> the one that is there: whatever accents, case, slashes or prefix."""

from collections.abc import Iterable
from pathlib import Path

from ego.evaluation.datasets.entries import spelling_key
from ego.photo_files import is_file


class Places:
    """Finds the pictures of an album.

    Args:
        root: The album.
        pictures: Its pictures, relative to the root.
    """

    def __init__(self, root: Path, pictures: Iterable[str]) -> None:
        self._root = root
        self._by_key = {spelling_key(picture): picture for picture in pictures}

    def find(self, spelled: str, concept: str | None = None) -> str | None:
        """Find a picture.

        Args:
            spelled: Its path, relative to the album, to something above it, or to the folder of its concept.
            concept: Key of the concept it belongs to, if that is said.

        Returns:
            Its path relative to the root; None if it is not there, or if several could be meant.
        """
        key = spelling_key(spelled)
        if key in self._by_key:
            return self._by_key[key]
        if not Path(spelled).is_absolute() and is_file(self._root / spelled):
            return Path(spelled).as_posix()
        below = [picture for known, picture in self._by_key.items() if f"/{key}".endswith(f"/{known}")]
        if below:  # named from a folder above the album
            return max(below, key=len)
        inside = "" if concept is None else f"{spelling_key(concept)}/"
        meant = [p for known, p in self._by_key.items() if known.startswith(inside) and known.endswith(f"/{key}")]
        return meant[0] if len(meant) == 1 else None


def concept_named(spelled: str, keys: Iterable[str]) -> str | None:
    """Find a concept by its key, or by the name of its own folder if only one has it."""
    by_key = {spelling_key(key): key for key in keys}
    wanted = spelling_key(spelled)
    if wanted in by_key:
        return by_key[wanted]
    meant = [key for folded, key in by_key.items() if folded.rsplit("/", 1)[-1] in (wanted, wanted.replace(" ", "_"))]
    return meant[0] if len(meant) == 1 else None


def concept_of_picture(picture: str, keys: Iterable[str]) -> str | None:
    """Find the concept in whose folder a picture is; of nested ones the innermost."""
    owners = [key for key in keys if key == "." or picture.startswith(f"{key}/")]
    return max(owners, key=len, default=None)
