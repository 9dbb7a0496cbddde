"""Where stage B begins: a language part whose attention already compares rows and passes names on.

The width of the language part is divided: words, identity, marks. Visual rows begin with what stage A reads in them,
each in its part; attention begins as the chain of hops that `gaze.py` describes, written down as weights: what a head
looks for are a few marks, a place just before, or likeness in the identity part; what it passes on are words and
marks. All of it is only a starting point for training. In a table, a mark is a coordinate of the width.
"""

import math
from collections.abc import Mapping, Sequence

import torch
from presets import ROUND, Shape
from torch import Tensor
from transformers import FastVlmForConditionalGeneration, PreTrainedTokenizerFast
from vocabulary import IMAGE_START, NOTHING, TURN_START

from ego.prompt import GUARD, THE_PICTURE

WORDS, IDENTITY = slice(0, 120), slice(120, 216)
HALVES = (slice(0, 60), slice(60, 120))  # of the words: a head can pass on half of them
(
    FIRST, WORD, OPENING, ROW, ANNOUNCES, OPENS_PICTURE, IN_PICTURE, SUBJECT, ACROSS, DOWN, MATCHED, SEEN, SEEN_ACROSS,
    SEEN_DOWN, TOLD, TOLD_ACROSS, TOLD_DOWN, COVERED,
) = range(216, 234)  # fmt: skip
HEAD = 64
COARSE = 7  # pairs of rotary coordinates that turn with the place; the others stand still over a prompt
STILL = [index for pair in range(HEAD // 2 - 1, COARSE - 1, -1) for index in (pair, pair + HEAD // 2)]
SINKING, MARKED, ALSO_MARKED, _ = STILL[:4]  # of the slowest pairs, for marks; in all others likeness is compared
ALIKE = len(STILL) - 4
WORD_SCALE = 0.5  # root mean square of a word's coordinates
IDENTITY_SIZE = 5.0  # length of the identity part of a row
INNER_SCALE = 0.1  # of what the feed-forward part adds at random
NOISE = 0.01
WORD_MARK, TOKEN_MARK, ROW_MARK, SIDE_MARK = 2.0, 8.0, 2.0, 2.0
SIZE = 16.0  # of a normalised state
SIDES_OF_A_ROW = {0.21: -1, 0.71: 1}  # the middles of its halves, half a turn apart
# How much every pair of coordinates that turn counts: of all within some hundred places the nearest wins.
NEAREST = {1: 0.3, 2: 1.06, 3: 2.18, 4: 0.77, 5: 1.41}
LOUDNESS = 0.1  # of the last norm, so that words are not shouted


def begin(
    model: FastVlmForConditionalGeneration, tokenizer: PreTrainedTokenizerFast, shape: Shape, seed: int = 0
) -> None:
    """Set words and attention of a fresh language part; the projector follows (`imitate`)."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        _words(model, tokenizer, generator)
        for layer in model.model.language_model.layers:
            layer.mlp.down_proj.weight.mul_(INNER_SCALE)
            layer.self_attn.o_proj.weight.mul_(INNER_SCALE)
        _hops(model, shape, generator)


def _words(
    model: FastVlmForConditionalGeneration, tokenizer: PreTrainedTokenizerFast, generator: torch.Generator
) -> None:
    table = model.get_input_embeddings().weight
    token = tokenizer.convert_tokens_to_ids
    table.normal_(0, NOISE, generator=generator)
    table[:, WORDS] = WORD_SCALE * torch.randn(len(table), WORDS.stop, generator=generator)
    spoken = torch.ones(len(table), dtype=torch.bool)
    spoken[list(range(9))] = False  # control tokens
    plain = tokenizer.encode(f"This is:\nuser\nassistant\n.,?{GUARD}")
    spoken[plain] = False
    table[spoken, WORD] = WORD_MARK
    announcing = [tokenizer.encode(text)[0] for text in (THE_PICTURE, "Frame", "user")]
    table[announcing, WORD], table[announcing, ANNOUNCES] = WORD_MARK, WORD_MARK
    for name, mark in ((TURN_START, FIRST), (IMAGE_START, OPENING)):
        table[token(name), WORDS] *= NOISE / WORD_SCALE
        table[token(name), mark] = TOKEN_MARK
    for text, sign in {" left": -1, " Left": -1, " right": 1, " Right": 1}.items():
        table[tokenizer.encode(text)[0], [SEEN_ACROSS, TOLD_ACROSS]] = SIDE_MARK * sign
    nothing = token(NOTHING)
    table[nothing, WORDS] *= NOISE / WORD_SCALE
    table[nothing, ROW] = 2.5 * ROW_MARK  # what a row says that has found nobody
    model.model.language_model.norm.weight.fill_(LOUDNESS)


class Head:
    """One head of attention, about to be written."""

    def __init__(self, model: FastVlmForConditionalGeneration, layer: int, head: int, shape: Shape) -> None:
        """Forget what it does; it then looks at the first token, which passes nothing on."""
        attention = model.model.language_model.layers[layer].self_attn
        rows = slice(HEAD * head, HEAD * (head + 1))
        self.query, self.key, self.value = (
            p.weight[rows] for p in (attention.q_proj, attention.k_proj, attention.v_proj)
        )
        self.query_bias, self.output = attention.q_proj.bias[rows], attention.o_proj.weight[:, rows]
        for weight in (self.query, self.key, self.value):
            weight.normal_(0, NOISE)
        self.output.normal_(0, NOISE)
        for bias in (attention.q_proj.bias, attention.k_proj.bias, attention.v_proj.bias):
            bias[rows] = 0.0
        self.turns = [shape.turn(pair) for pair in range(COARSE)]
        self._carried = 0

    def sink(self, score: float) -> None:
        """Look at the first token with this score, whoever looks."""
        self.query_bias[SINKING] = math.sqrt(8 * score / 15)
        self.key[SINKING, FIRST] = math.sqrt(8 * score / 15)

    def marks(self, query: int | None, key: int, strength: float, place: int = MARKED) -> None:
        """Let tokens with one mark (or all) look at those with another."""
        signed = math.copysign(math.sqrt(abs(strength)), strength)
        if query is None:
            self.query_bias[place] = 5 * signed
        else:
            self.query[place, query] = signed
        self.key[place, key] = math.sqrt(abs(strength))

    def before(self, query: int, key: int, amplitudes: Mapping[int, float], distance: float = 0) -> None:
        """Let tokens with one mark look for the nearest with another, or the one at a distance."""
        for pair, amplitude in amplitudes.items():
            turn = self.turns[pair] * distance
            self.query[pair, query] = math.sqrt(amplitude) * math.cos(turn)
            self.query[pair + HEAD // 2, query] = -math.sqrt(amplitude) * math.sin(turn)
            self.key[pair, key] = math.sqrt(amplitude)

    def alike(self, query: Tensor, key: Tensor, strength: float) -> None:
        """Compare the projections of two states: [compared, width] each."""
        still = STILL[4 : 4 + len(query)]
        self.query[still], self.key[still] = math.sqrt(strength) * query, math.sqrt(strength) * key

    def carry(self, source: Tensor, target: Tensor, gain: float) -> None:
        """Pass on a projection [number, width] of what is seen into other coordinates [number, width]."""
        rows = slice(self._carried, self._carried + len(source))
        self.value[rows] = source
        self.output[:, rows] = gain * target.T
        self._carried = rows.stop

    def carry_marks(self, marks: Mapping[int, int], gain: float) -> None:
        """Pass on marks as other marks."""
        eye = torch.eye(self.value.shape[1])
        self.carry(eye[list(marks)], eye[list(marks.values())], gain)


def _hops(model: FastVlmForConditionalGeneration, shape: Shape, generator: torch.Generator) -> None:
    """Write the hops: two heads each where words are passed on, for a head carries half of them."""
    eye = torch.eye(model.config.text_config.hidden_size)
    axes = torch.linalg.qr(torch.randn(WORDS.stop, WORDS.stop, generator=generator))[0].T @ eye[WORDS]
    before, name = eye[IDENTITY][:ALIKE], eye[IDENTITY][ALIKE : 2 * ALIKE]  # of a word, where rows keep identity
    for half, words in enumerate(HALVES):
        said = eye[words]
        _know_the_name([Head(model, layer, half, shape) for layer in (0, 1)], said, half == 0)
        _find_the_memory(Head(model, 2, half, shape), said, half == 0)
        _read_the_picture(
            [Head(model, 3, half, shape), Head(model, 4, half, shape)], name, axes[:ALIKE], said, half == 0
        )
        _look_around([Head(model, layer, 2 + half, shape) for layer in (3, 4)], said)
        _say_again(Head(model, 2, 2 + half, shape), axes[:ALIKE], said)
    for head, (side, sign) in enumerate(SIDES_OF_A_ROW.items(), 2):
        _know_the_place(Head(model, 1, head, shape), side * shape.grid, sign)
    _measure(Head(model, 5, 0, shape))
    previous, collected = Head(model, 0, 2, shape), Head(model, 0, 3, shape)
    previous.before(WORD, WORD, {0: 8.0, 1: 2.0, 2: 1.0, 3: 1.0}, distance=1)
    previous.sink(9)
    previous.carry(axes[:ALIKE], before, 0.4)
    collected.before(WORD, WORD, dict.fromkeys(range(1, COARSE), 1.1))  # its last word knows the whole name
    collected.marks(WORD, WORD, 0.6)
    collected.sink(9)
    collected.carry(axes[:ALIKE], name, 0.6)


def _know_the_name(heads: Sequence[Head], said: Tensor, marked: bool) -> None:
    """Let an opening delimiter collect the name before it, or what announces a picture, and a row take it over."""
    opening, row = heads
    opening.before(OPENING, WORD, dict.fromkeys(range(1, COARSE), 0.28))
    opening.marks(OPENING, WORD, 0.6)
    opening.sink(9)
    opening.carry(said, said, 0.15)
    row.before(ROW, OPENING, NEAREST)
    row.marks(ROW, OPENING, 1.15)
    row.marks(ROW, OPENS_PICTURE, 26.0, ALSO_MARKED)  # none that precedes a memory has this mark
    row.sink(9)
    row.carry(said, said, 0.9)
    if marked:
        opening.carry_marks({ANNOUNCES: OPENS_PICTURE}, 0.3)
        row.carry_marks({OPENS_PICTURE: IN_PICTURE}, 0.8)


def _know_the_place(side: Head, tokens: float, sign: int) -> None:
    """Let a row of the picture see its opening delimiter more, the nearer it is to one side of the picture."""
    side.before(ROW, OPENING, {ROUND: 0.65}, distance=1 + tokens)
    side.marks(ROW, OPENS_PICTURE, 8.0, ALSO_MARKED)
    side.sink(14)
    side.carry_marks({OPENS_PICTURE: ACROSS}, 0.7 * sign)


def _find_the_memory(match: Head, said: Tensor, marked: bool) -> None:
    """Let a row of the picture find the rows of a memory that look like it."""
    identity = torch.eye(said.shape[1])[IDENTITY][:ALIKE]
    match.alike(identity, identity, 3.0)
    match.marks(ROW, IN_PICTURE, -12.0)
    match.sink(24)
    match.carry(said, said, 0.65)
    if marked:
        match.carry_marks({ROW: MATCHED}, 0.4)


def _read_the_picture(heads: Sequence[Head], name: Tensor, some: Tensor, said: Tensor, marked: bool) -> None:
    """Let the last word of a name find the picture's rows that found its concept, and whoever answers those words."""
    seen, told = heads
    seen.alike(name, some, 4.0)
    seen.marks(WORD, IN_PICTURE, 10.0)
    seen.marks(WORD, WORD, -100.0, ALSO_MARKED)  # the name itself is most like the name
    seen.sink(35)
    seen.carry(said, said, 0.2)
    told.marks(None, SEEN, 4.0)
    told.sink(5)
    told.carry(said, said, 0.1)
    if marked:
        seen.carry_marks({IN_PICTURE: SEEN, DOWN: SEEN_DOWN}, 0.5)
        seen.carry_marks({ACROSS: SEEN_ACROSS}, 1.5)
        told.carry_marks({SEEN: TOLD, SEEN_DOWN: TOLD_DOWN}, 0.5)
        told.carry_marks({SEEN_ACROSS: TOLD_ACROSS}, 1.0)


def _look_around(heads: Sequence[Head], said: Tensor) -> None:
    """Let any word learn who is there at all, and what the main subject is."""
    for head, mark in zip(heads, (MATCHED, SUBJECT), strict=True):
        head.marks(WORD, mark, 4.0)
        head.marks(WORD, IN_PICTURE, 3.0, ALSO_MARKED)
        head.sink(16)
        head.carry(said, said, 0.15)


def _measure(covered: Head) -> None:
    """Let anybody learn how much of the picture the main subject covers: the mean of all rows' marks."""
    covered.marks(None, IN_PICTURE, 2.0)
    covered.sink(3)
    covered.carry_marks({SUBJECT: COVERED}, 2.0)


def _say_again(next_word: Head, some: Tensor, said: Tensor) -> None:
    """Let a word that was said before find what followed it."""
    next_word.alike(some, torch.eye(said.shape[1])[IDENTITY][:ALIKE], 1.5)
    next_word.sink(8)
    next_word.carry(said, said, 0.25)
