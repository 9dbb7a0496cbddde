"""Text appears in whole characters, and every token knows its span."""

from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from ego.backbones.decoding import Transcript

ALPHABET = sorted(pre_tokenizers.ByteLevel.alphabet())
bytewise = Tokenizer(models.BPE(vocab={letter: number for number, letter in enumerate(ALPHABET)}, merges=[]))
bytewise.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
bytewise.decoder = decoders.ByteLevel()
TOKENIZER = PreTrainedTokenizerFast(tokenizer_object=bytewise)
"""One token per byte: every character beyond ASCII is split."""


def said(text: str) -> tuple[str, tuple[tuple[int, int], ...], list[str]]:
    pieces: list[str] = []
    transcript = Transcript(TOKENIZER, pieces.append)
    for token in TOKENIZER(text)["input_ids"]:
        transcript.add(token)
    return *transcript.finish(), pieces


def test_every_token_covers_its_characters() -> None:
    text, spans, _ = said("a dog")
    assert text == "a dog"
    assert spans == ((0, 1), (1, 2), (2, 3), (3, 4), (4, 5))


def test_a_split_character_belongs_to_the_token_that_completes_it() -> None:
    text, spans, pieces = said("ö🐶")
    assert text == "ö🐶"
    assert spans == ((0, 0), (0, 1), (1, 1), (1, 1), (1, 1), (1, 2))
    assert pieces == ["ö", "🐶"]


def test_outer_blanks_are_cut_and_never_streamed() -> None:
    text, spans, pieces = said("  a dog \n")
    assert text == "a dog" == "".join(pieces)
    assert [text[start:stop] for start, stop in spans] == ["", "", "a", " ", "d", "o", "g", "", ""]
    assert pieces == ["a", " d", "o", "g"]


def test_half_a_character_at_the_end_is_shown_as_broken() -> None:
    transcript = Transcript(TOKENIZER)
    for token in [*TOKENIZER("ab")["input_ids"], TOKENIZER("ö")["input_ids"][0]]:
        transcript.add(token)
    text, spans = transcript.finish()
    assert text == "ab\ufffd"
    assert spans[-1] == (2, 3)


def test_nothing_said() -> None:
    pieces: list[str] = []
    assert Transcript(TOKENIZER, pieces.append).finish() == ("", ())
    assert pieces == []
