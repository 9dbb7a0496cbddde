"""A store of limited size that lets go of what was used longest ago; several threads may share it."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)
Kept = TypeVar("Kept")


class LeastUsed(Generic[Key, Kept]):
    """Keeps values up to a number of bytes."""

    def __init__(self, limit: int) -> None:
        """Set the limit in bytes; 0 keeps nothing."""
        self.limit, self.held = limit, 0
        self._entries: OrderedDict[Key, tuple[Kept, int]] = OrderedDict()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        """Count what is kept."""
        return len(self._entries)

    def get(self, key: Key) -> Kept | None:
        """Give a value, which counts as a use of it; None if it is not kept."""
        with self._lock:
            if key not in self._entries:
                return None
            self._entries.move_to_end(key)
            return self._entries[key][0]

    def keep(self, key: Key, value: Kept, size: int) -> None:
        """Keep a value of so many bytes, in the place of others if need be; one beyond the limit is not kept."""
        with self._lock:
            if key in self._entries:
                self.held -= self._entries.pop(key)[1]
            if size > self.limit:
                return
            self._entries[key] = value, size
            self.held += size
            while self.held > self.limit:
                self.held -= self._entries.popitem(last=False)[1][1]

    def drop(self, unwanted: Callable[[Key], bool]) -> None:
        """Let go of everything whose key is unwanted."""
        with self._lock:
            for key in [key for key in self._entries if unwanted(key)]:
                self.held -= self._entries.pop(key)[1]

    def clear(self) -> None:
        """Let go of everything."""
        with self._lock:
            self._entries.clear()
            self.held = 0
