"""Prompts in rows -> answers: each in a slot of llama.cpp's memory, all of them one word a pass."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from itertools import takewhile

import numpy as np
from jaxtyping import Float

from ego.backbones.decoding import Transcript
from ego.server.conversation import Reply
from ego.server.engines.listening import Listener, MetStopError, reply_of
from ego.server.engines.llama.context import ROWS, LlamaContext
from ego.server.work import Ticket


@dataclass(frozen=True, eq=False)
class Asked:
    """A prompt that is to be answered.

    Attributes:
        owner: Who asks.
        rows: What the decoder reads.
        limit: Most tokens of the answer.
        listener: Hears the answer.
        ticket: Knows whether anybody waits for it.
        transcript: What is said; it tells the listener.
        used: Concepts in the prompt.
        dropped: Concepts that were left out of it.
    """

    owner: str
    rows: Float[np.ndarray, "token dim"] = field(repr=False)
    limit: int
    listener: Listener
    ticket: Ticket
    transcript: Transcript
    used: tuple[str, ...]
    dropped: tuple[str, ...]


@dataclass(eq=False)
class _Slot:
    """A stretch of llama.cpp's memory, and what it has read of whose prompt: a digest of each row."""

    number: int
    owner: str = ""
    read: tuple[bytes, ...] = ()

    def common(self, owner: str, wanted: Sequence[bytes]) -> int:
        """Count the rows with which both begin; nobody gains by what another owner has asked."""
        if owner != self.owner:
            return 0
        pairs = zip(self.read, wanted, strict=False)
        return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))


class Slots:
    """The slots of a context; a prompt takes the one that has read most of its beginning, else the oldest."""

    def __init__(self, context: LlamaContext) -> None:
        self._context = context
        self._slots = [_Slot(number) for number in range(context.slots)]  # used longest ago first

    def begin(self, asked: Asked, taken: Collection[int]) -> "_Speaker":
        """Read a prompt into a slot that is not taken."""
        digests = tuple(blake2b(row.tobytes(), digest_size=16).digest() for row in asked.rows)
        free = [slot for slot in self._slots if slot.number not in taken]
        slot = max(free, key=lambda slot: slot.common(asked.owner, digests))
        common = min(slot.common(asked.owner, digests), len(digests) - 1)  # the last row gives the first word
        slot.owner, slot.read = "", ()
        kept = self._context.keep(slot.number, common)
        scores = np.empty(0, dtype=np.float32)
        for start in range(kept, len(digests), ROWS):
            asked.ticket.still_wanted()
            scores = self._context.read(slot.number, asked.rows[start : start + ROWS], start)
        slot.owner, slot.read = asked.owner, digests
        self._slots.remove(slot)
        self._slots.append(slot)
        return _Speaker(asked, slot.number, kept, scores)


@dataclass(eq=False)
class _Speaker:
    """An answer that is being given."""

    asked: Asked
    slot: int
    kept: int
    scores: Float[np.ndarray, " vocab"]

    def hear(self, token: int, ends: Collection[int]) -> Reply | Exception | None:
        """Take the next token; gives the reply, or what ended it, once the answer is over."""
        transcript, listener = self.asked.transcript, self.asked.listener
        over = token in ends
        try:
            if not over:
                transcript.add(token)
            if over or len(transcript.ids) == self.asked.limit:
                transcript.finish()
                listener.finish()
                return self._reply(cut=not over)
        except MetStopError:
            return self._reply(cut=False)
        except Exception as error:
            return error
        return None

    @property
    def place(self) -> int:
        """Where the next token stands."""
        return len(self.asked.rows) + len(self.asked.transcript.ids) - 1

    def _reply(self, *, cut: bool) -> Reply:
        asked = self.asked
        return reply_of(
            asked.listener,
            asked.used,
            asked.dropped,
            prompt_tokens=len(asked.rows),
            answer_tokens=len(asked.transcript.ids),
            cached_tokens=self.kept,
            cut=cut,
        )


def speak(
    context: LlamaContext, slots: Slots, asked: Sequence[Asked], ends: Collection[int]
) -> Iterator[tuple[int, Reply | Exception]]:
    """Answer several prompts, at most one for each slot.

    Yields:
        As each ends, its number and its reply, or what ended it.
    """
    speakers: dict[int, _Speaker] = {}
    for number, one in enumerate(asked):
        try:
            speakers[number] = slots.begin(one, [speaker.slot for speaker in speakers.values()])
        except Exception as error:  # of one prompt; the others are read
            yield number, error
    while speakers:
        said = {number: int(speaker.scores.argmax()) for number, speaker in speakers.items()}
        ended = {number: speakers[number].hear(token, ends) for number, token in said.items()}
        for number, reply in ended.items():
            if reply is not None:
                del speakers[number]
                yield number, reply
        if speakers:
            rows = list(speakers.values())
            words = [said[number] for number in speakers]
            scores = context.step([one.slot for one in rows], words, [one.place for one in rows])
            for speaker, row in zip(rows, scores, strict=True):
                speaker.scores = row
