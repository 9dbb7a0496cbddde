"""Verdicts on open answers, read back: whose they are, and what that judge found."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ego.errors import ConfigError, DatasetError
from ego.evaluation.records import Judgement, Lines

FILE = "judgements.jsonl"


@dataclass(frozen=True)
class Verdicts:
    """What one judge found.

    Attributes:
        judge: Name of the judge model; empty when nothing was judged.
        right: By key of the answer; None where the verdict could not be read.
    """

    judge: str = ""
    right: Mapping[str, bool | None] = field(default_factory=dict)


def read_judgements(out: Path) -> list[Judgement]:
    """Read the verdicts of all judges of a run; of two by one judge on one answer the last counts.

    Raises:
        DatasetError: If the file holds anything but verdicts of named judges.
    """
    path = out / FILE
    advice = "remove it and judge again with --judge URL --judge-model NAME"
    lines = Lines(path, Judgement)
    found = list(lines)
    if lines.damaged:
        raise DatasetError(f"line {lines.damaged[0]} of {path} is no verdict of a named judge; {advice}")
    if not all(line.judge for line in found):
        raise DatasetError(f"{path} holds verdicts that name no judge; {advice}")
    return found


def verdicts_of(out: Path, judge: str | None) -> Verdicts:
    """Read the verdicts of one judge: the one named, or the only one there is.

    Raises:
        ConfigError: If the named judge has given no verdict, or if several have and none is named.
        DatasetError: If the file holds anything but verdicts of named judges.
    """
    judgements = read_judgements(out)
    judges = sorted({line.judge for line in judgements})
    if judge is None and not judges:
        return Verdicts()
    if judge is None and len(judges) > 1:
        raise ConfigError(f"the answers in {out} have verdicts of {', '.join(judges)}; choose one by --judge-model")
    chosen = judges[0] if judge is None else judge
    if chosen not in judges:
        there = ", ".join(judges) or "nobody"
        raise ConfigError(
            f"the answers in {out} have verdicts of {there}, not of {chosen!r}; judge them by --judge URL"
        )
    return Verdicts(chosen, {line.of: line.right for line in judgements if line.judge == chosen})
