"""Which results this work has begun to write: one key per line, on the disk before the result is.

A key that stands here while its result is where it belongs is done. A key whose result is missing belongs to a run that
was killed between the two: the job is done again.
"""

import os
from pathlib import Path

from ego.errors import StoreError


class Journal:
    """An append-only list of keys; a half-written last line does not count.

    Args:
        path: Its file; None remembers nothing beyond this run.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self.keys: set[str] = set()
        try:
            if path is not None and path.exists():
                text = path.read_text(encoding="utf-8", errors="replace")
                self.keys = set(text.split("\n")[:-1])
                if not text.endswith("\n"):
                    self._append("\n")
        except OSError as error:
            raise StoreError(f"{path} cannot be read ({error.strerror}); check permissions") from error

    def claim(self, keys: list[str]) -> None:
        """Note that these results are being written now."""
        fresh = [key for key in keys if key not in self.keys]
        self.keys.update(fresh)
        if fresh and self._path is not None:
            try:
                self._append("".join(f"{key}\n" for key in fresh))
            except OSError as error:
                raise StoreError(f"{self._path} cannot be written ({error.strerror}); check free space") from error

    def _append(self, text: str) -> None:
        assert self._path is not None
        with self._path.open("a", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
