"""Area answer and budget -> how many tokens of a reference image to keep (paper Eq. 4)."""

import re
from dataclasses import dataclass

_DECIMAL = r"\d+(?:[.,]\d+)?"
_PERCENT = re.compile(rf"({_DECIMAL})\s*(?:%|per\s?cent)", re.IGNORECASE)
_RATIO = re.compile(r"(\d+)\s*/\s*([1-9]\d*)")
_NUMBER = re.compile(rf"(?<![\w.])({_DECIMAL})(?!\w)")


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
    """Read the share of the image from the model's words, in percent, clamped to 1..100; None without a number.

    A number with a percent sign wins over others ("2 dogs cover 40 %"); "0.25" and "1/4" are read as shares of one.
    """
    for pattern in (_PERCENT, _RATIO, _NUMBER):
        match = pattern.search(answer)
        if match:
            return min(100.0, max(1.0, _in_percent(pattern, match)))
    return None


def _in_percent(pattern: re.Pattern[str], match: re.Match[str]) -> float:
    if pattern is _RATIO:
        return 100 * int(match[1]) / int(match[2])
    value = float(match[1].replace(",", "."))
    is_share = pattern is _NUMBER and 0 < value < 1
    return 100 * value if is_share else value


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
    covered = f"{area_percent:g} % of the photo covered = {wanted} tokens"
    return MemorySize(count, f"{covered}; at least {min(minimum, cap)}, at most {cap} are kept")
