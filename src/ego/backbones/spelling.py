"""Words of a prompt -> the tokens that spell them."""

from collections.abc import Sequence

from ego.backbones.chat_tokens import ChatTokens
from ego.backbones.decoding import Transcript
from ego.errors import BackboneError


def last_spelling(tokenizer: object, chat: ChatTokens, words: str, seen: int) -> tuple[int, int, tuple[int, ...]]:
    """Find words in the last part of a prompt: where the part begins and ends, and which of its tokens spell them.

    Raises:
        BackboneError: If they are not there, or the part is among the `seen` tokens that were read already.
    """
    start, stop = chat.part_ends[-2] if len(chat.part_ends) > 1 else 0, chat.part_ends[-1]
    spelt = spelling(tokenizer, chat.ids[start:stop], words)
    if not spelt or seen > start:
        raise BackboneError(f"{words!r} is not in the last text of the prompt, or was read already")
    return start, stop, spelt


def spelling(tokenizer: object, ids: Sequence[int], words: str) -> tuple[int, ...]:
    """Find the tokens whose text overlaps any occurrence of some words; upper and lower case are the same.

    Args:
        tokenizer: The model's.
        ids: Tokens of a text.
        words: What is looked for.

    Returns:
        Indices among `ids`, ascending; none if the words are not there.
    """
    transcript = Transcript(tokenizer)
    for token in ids:
        transcript.add(token)
    text, spans = transcript.finish()
    low, wanted = text.casefold(), words.strip().casefold()
    found: list[tuple[int, int]] = []
    place = low.find(wanted) if wanted else -1
    while place >= 0:
        found.append((place, place + len(wanted)))
        place = low.find(wanted, place + len(wanted))
    return tuple(
        index
        for index, (start, stop) in enumerate(spans)
        if any(start < last and first < stop for first, last in found)
    )
