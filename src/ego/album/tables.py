"""Matches -> CSV or JSON lines, one line for each concept in each picture."""

import csv
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from io import StringIO
from typing import Any

from ego.album.find import Match

COLUMNS = ("path", "kind", "taken", "name", "probability", "left", "top", "right", "bottom", "seconds")


def as_csv(matches: Sequence[Match]) -> str:
    """Write a table that spreadsheets open: UTF-8, a line of headings first."""
    text = StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    writer.writerows(_lines(matches))
    return text.getvalue()


def as_json_lines(matches: Sequence[Match]) -> str:
    """Write one JSON document a line, one line a picture."""
    return "".join(json.dumps(asdict(match), ensure_ascii=False) + "\n" for match in matches)


def _lines(matches: Sequence[Match]) -> Iterator[list[Any]]:
    for match in matches:
        for one in match.seen:
            box = ["", "", "", ""] if one.box is None else [f"{side:.4f}" for side in one.box]
            moments = " ".join(f"{moment:.1f}" for moment in one.moments)
            yield [_cell(match.path), match.kind, match.taken, _cell(one.name), f"{one.probability:.4f}", *box, moments]


def _cell(text: str) -> str:
    """Keep a spreadsheet from taking a name for a formula."""
    return f"'{text}" if text[:1] in "=+-@\t\r" else text
