"""Area answer and budget -> how many tokens of a reference image to keep (paper Eq. 4)."""

import re
from dataclasses import dataclass

_NUMBER = re.compile(r"(?<![\w.])\d+(?:\.\d+)?")


@dataclass(frozen=True)
class MemorySize:
    """How many tokens are kept and why.

    Attributes:
        count: K_c, tokens.
        rule: In words, for the record.
    """

    count: int
    rule: str


def parse_area(answer: str) -> float | None:
    """Read the share of the image from the model's words, in percent, clamped to 1..100; None without a number."""
    match = _NUMBER.search(answer)
    return None if match is None else min(100.0, max(1.0, float(match[0])))


def memory_size(
    candidates: int, *, budget: float, area_percent: float | None, dynamic: bool = True, minimum: int = 4
) -> MemorySize:
    """Compute K_c = min(K, alpha * N_r / 100), at least `minimum`, at most `candidates`.

    Args:
        candidates: N_r, visual tokens of the reference image.
        budget: Cap K as a share of N_r.
        area_percent: alpha, the share the subject covers; None when it could not be read.
        dynamic: Off: always the cap.
        minimum: Fewest tokens.
    """
    cap = min(candidates, max(minimum, round(budget * candidates)))
    if not dynamic:
        return MemorySize(cap, f"cap {cap} of {candidates} (fixed size)")
    if area_percent is None:
        return MemorySize(cap, f"cap {cap} of {candidates} (the area answer holds no number)")
    wanted = round(area_percent * candidates / 100)
    count = min(cap, max(minimum, wanted))
    return MemorySize(count, f"{area_percent:g} % of {candidates} = {wanted}, within {min(minimum, cap)}..{cap}")
