"""Text of anybody's (names, answers, file names, notes of imported memories) -> text that a terminal only shows."""

import unicodedata

_TURNS = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")  # the direction of what follows
_HARMLESS = frozenset("\n\t")


def visible(text: str) -> str:
    """Spell out what would command a terminal or turn the order of a line, and what is no character at all."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(_escape(character) if _commands(character) else character for character in text)


def _commands(character: str) -> bool:
    if character in _HARMLESS:
        return False
    return character in _TURNS or unicodedata.category(character) in {"Cc", "Cs", "Zl", "Zp"}


def _escape(character: str) -> str:
    return character.encode("unicode_escape").decode()
