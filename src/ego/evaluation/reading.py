"""Read answers of models strictly and fairly: yes or no, the letter of an option, names as whole words."""

import re
from collections.abc import Sequence

from ego.evaluation.datasets.entries import LETTERS

ENGLISH_WORDS = {"A", "I"}  # names of one letter that are words, too
AFTER_A_NAME = "and|or|is|was|has|with|are"  # what follows a name of one letter, seldom such a word


def yes_or_no(text: str) -> bool | None:
    """Read a yes or a no: the first word, or the only one of the two in the text; None if it is neither."""
    words = [word.casefold() for word in re.findall(r"\w+", text)]
    said = {word for word in words[:1] if word in {"yes", "no"}} or {word for word in words if word in {"yes", "no"}}
    return said == {"yes"} if len(said) == 1 else None


def chosen_option(text: str, options: Sequence[str]) -> int | None:
    """Read which option was chosen, by letter or by its words; None if that is not clear.

    "Actually B" is B, "A dog" is no A, "(b)" is B.
    """
    letters = LETTERS[: len(options)]
    by_letter = (
        re.match(rf"\s*\(?([{letters}{letters.lower()}])(?:[.):,]|\s*$)", text)
        or re.search(rf"(?i:answer|option|choice)(?i:\s+is)?[:\s]+\(?([{letters}])\b", text)
        or _only_match(rf"(?<![\w'])([{letters}])(?![\w'])(?!\s(?!or\b|and\b)[a-z])", text)
    )
    if by_letter:
        return letters.index(by_letter[1].upper())
    said = [index for index, option in enumerate(options) if named(text, [option])]
    return said[0] if len(said) == 1 else None


def named(text: str, names: Sequence[str]) -> tuple[str, ...]:
    """List the names that occur in a text as whole words, in the order of `names`.

    Longer names win: "Zak's dog Kona" does not name Zak. Case counts only for names of one letter; "A man" does not
    name A, "A and L" does. Underscores, angle brackets and blanks are the same.
    """
    rest, found = _plain(text), set()
    for name in sorted(names, key=len, reverse=True):
        rest, count = _pattern(_plain(name)).subn("\0", rest)
        if count:
            found.add(name)
    return tuple(name for name in names if name in found)


def _pattern(name: str) -> re.Pattern[str]:
    """Match a plain name as a whole word; of A and I, not the article and the pronoun."""
    guard = rf"(?! (?!(?:{AFTER_A_NAME})\b)[a-z])" if name in ENGLISH_WORDS else ""
    flags = re.IGNORECASE if len(name) > 1 else 0
    return re.compile(rf"(?<![\w-]){re.escape(name)}(?!\w|-\w){guard}", flags)


def _plain(text: str) -> str:
    return " ".join(re.sub(r"[_<>]", " ", text).replace("’", "'").split())


def _only_match(pattern: str, text: str) -> re.Match[str] | None:
    matches = list(re.finditer(pattern, text))
    return matches[0] if len({match[1] for match in matches}) == 1 else None
