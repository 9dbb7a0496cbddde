"""How often one owner may call: a bucket of tokens that fills up steadily."""

import math
import threading
import time
from collections import OrderedDict

from ego.server.failures import BusyError

REMEMBERED = 10_000  # owners whose bucket is kept


class RateLimit:
    """Lets every owner call a number of times a minute; a whole minute's worth may come at once.

    Args:
        per_minute: Calls.
    """

    def __init__(self, per_minute: int) -> None:
        self._per_minute = per_minute
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()
        self._lock = threading.Lock()

    def take(self, owner: str) -> None:
        """Count one call.

        Raises:
            BusyError: If the owner has called too often.
        """
        now, rate = time.monotonic(), self._per_minute / 60
        with self._lock:
            level, seen = self._buckets.pop(owner, (float(self._per_minute), now))
            level = min(self._per_minute, level + (now - seen) * rate)
            allowed = level >= 1
            self._buckets[owner] = (level - 1 if allowed else level, now)
            while len(self._buckets) > REMEMBERED:
                self._buckets.popitem(last=False)
        if not allowed:
            wait = max(1, math.ceil((1 - level) / rate))
            raise BusyError(f"more than {self._per_minute} requests in a minute; try again in {wait} s", wait)
