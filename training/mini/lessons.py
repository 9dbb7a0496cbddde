"""Write lessons: one context (memories, perhaps a picture) and many questions about it, each on its own branch.

A branch sees its context and itself, never the other branches, and continues the positions of its context: every
question is exactly what the model will meet alone, at a fraction of the price.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
from bank import Bank, Shown, Sighting
from colours import COLOURS
from names import random_names
from transformers import PreTrainedTokenizerFast
from vocabulary import IMAGE, IMAGE_END, IMAGE_START, NOTHING, TURN_END, TURN_START
from wording import Exchange, Item, about_concept, about_presence, about_reference, area_answer, caption, yes_or_no

from ego.prompt import CAPTION, CAPTION_WITH_NAMES, GUARD, THE_PICTURE

# What shall be known at a name, or at the end of a picture, before anything is answered.
PRESENCE, COLOUR, SIDE, AREA = range(4)
SIDES = ("left", "middle", "right")
AREAS = (*range(1, 10), *range(10, 101, 5))
MOST_CONCEPTS = 4
MOST_MEMORY_TOKENS = 170
CLEAR_COVER = 0.4
INTRODUCTIONS = 0.16  # share of lessons about single pictures, without memory
LEAST_LOOKED = 0.4
WHOLE = 0.3  # share of memories that are whole pictures, where there is room; else a random part of them
WHOLE_IN_ROOM = 0.6  # the same where there is room for whole pictures of all
SEVERAL = 0.25  # share of memories from several references
WORDS_ONLY, WORDS_TOO = 0.05, 0.05  # shares of memories that are a description, or have one beside their rows
CAPTIONED = 0.8  # share of scenes that are captioned before anything but recognition is asked
CAPTION_WEIGHT = 1.0
NOTHING_WEIGHT = 0.3
# The hops from a reference to an answer; tokens of a picture that show nobody known shall look past the names.
NAME_TO_MEMORY, PICTURE_TO_NAME, PICTURE_PAST_NAMES = range(3)
QUESTION_TO_NAME, QUESTION_TO_PICTURE, ANSWER_TO_QUESTION = range(3, 6)


def room(tokens: int) -> int:
    """Count the tokens by which roomy lessons are longer."""
    return max(0, MOST_CONCEPTS * tokens - MOST_MEMORY_TOKENS)


class Words:
    """Text -> token ids, remembered."""

    def __init__(self, tokenizer: PreTrainedTokenizerFast) -> None:
        """Keep the tokenizer and the control tokens."""
        self.encode = lru_cache(50_000)(lambda text: tuple(tokenizer.encode(text)))
        ids = tokenizer.convert_tokens_to_ids
        self.image, self.start, self.end, self.turn_end, self.nothing = (
            ids(t) for t in (IMAGE, IMAGE_START, IMAGE_END, TURN_END, NOTHING)
        )
        colours, sides = ([self.encode(f" {word}")[0] for word in words] for words in (COLOURS, SIDES))
        self.facts = ([self.encode(word)[0] for word in ("Yes", "No")], colours, sides, list(map(ids, map(str, AREAS))))
        self.opening = self.encode(f"{TURN_START}user\n")
        self.handover = self.encode(f"{TURN_END}\n{TURN_START}assistant\n")


@dataclass
class Lesson:
    """A sequence under construction: ids, positions, branches, visual rows, and what is to be predicted where."""

    words: Words
    ids: list[int] = field(default_factory=list)
    positions: list[int] = field(default_factory=list)
    pictures: list[int] = field(default_factory=list)  # branch of the picture, -1 in the shared context
    questions: list[int] = field(default_factory=list)  # branch of the question, -1 outside
    rows: list[tuple[int, int, int]] = field(default_factory=list)  # place, picture of the bank, token
    targets: list[tuple[int, int, float]] = field(default_factory=list)  # place, next id, weight
    owners: list[tuple[int, int, float]] = field(default_factory=list)  # place, first id of the name, weight
    answered: list[tuple[int, int, Exchange]] = field(default_factory=list)  # first and last of its targets
    gazes: list[tuple[int, int, list[int]]] = field(default_factory=list)  # hop, who looks, at what
    named: dict[int, int] = field(default_factory=dict)  # first id of a name -> where it is introduced
    owned: dict[int, list[int]] = field(default_factory=dict)  # first id of a name -> its visual tokens in the picture
    candidates: list[int] = field(default_factory=list)  # among which the owner of a visual token is sought
    known: dict[int, list[tuple[int, int]]] = field(default_factory=dict)  # first id of a name -> facts: kind, which
    facts: list[tuple[int, int, int]] = field(default_factory=list)  # place, kind, which
    concepts: int = 0
    _at: int = 0
    _picture: int = -1
    _question: int = -1
    _branches: int = 0

    def write(self, ids: Sequence[int]) -> None:
        """Append tokens to the current branch."""
        self.ids += ids
        self.positions += range(self._at, self._at + len(ids))
        self.pictures += [self._picture] * len(ids)
        self.questions += [self._question] * len(ids)
        self._at += len(ids)

    def show(self, views: Sequence[tuple[int, Sequence[int]]]) -> int:
        """Append visual tokens (picture of the bank, its tokens) between image delimiters; say where they end."""
        self.write((self.words.start,))
        for picture, tokens in views:
            self.rows += [(len(self.ids) + offset, picture, int(token)) for offset, token in enumerate(tokens)]
            self.write([self.words.image] * len(tokens))
        self.write((self.words.end, *self.words.encode("\n")))
        return len(self.ids) - 1 - len(self.words.encode("\n"))

    @contextmanager
    def branch(self, kind: str) -> Iterator[None]:
        """Write a picture or a question that the next one will not see."""
        kept = self._at, self._picture, self._question
        self._branches += 1
        if kind == "picture":
            self._picture = self._branches
        else:
            self._question = self._branches
        yield
        self._at, self._picture, self._question = kept

    def ask(self, exchange: Exchange) -> None:
        """Write a question and its answer on a new branch; only the answer is to be learnt."""
        with self.branch("question"):
            question = self.words.encode(exchange.question)
            asked = [(place, token) for place, token in enumerate(question, len(self.ids)) if token in self.named]
            self.facts += [(place, *fact) for place, token in asked for fact in self.known.get(token, ())]
            self.gazes += [(QUESTION_TO_NAME, place, [self.named[token]]) for place, token in asked]
            self.gazes += [
                (QUESTION_TO_PICTURE, place, self.owned[token]) for place, token in asked if self.owned.get(token)
            ]
            self.write((*question, *self.words.handover))
            if asked:
                self.gazes.append((ANSWER_TO_QUESTION, len(self.ids) - 1, [place for place, _ in asked]))
            answer = (*self.words.encode(exchange.answer), self.words.turn_end)
            self.answered.append((len(self.targets), len(self.targets) + len(answer), exchange))
            self.targets += [
                (len(self.ids) - 1 + offset, token, exchange.weight) for offset, token in enumerate(answer)
            ]
            self.write(answer)

    def cost(self, exchange: Exchange) -> int:
        """Count the tokens a question would add."""
        return (
            len(self.words.encode(exchange.question))
            + len(self.words.encode(exchange.answer))
            + len(self.words.handover)
            + 1
        )


@dataclass(frozen=True)
class Remembered:
    """A concept of a lesson."""

    member: int
    name: str
    place: int  # among the sightings of the picture, -1 if absent
    named: int  # place of the first token of its name


class Teacher:
    """Writes lessons from a bank, easy ones first."""

    def __init__(
        self, bank: Bank, words: Words, length: int, tokens: int, *, thinned: float = 0.0, roomy: bool = False
    ) -> None:
        """Lessons have at most `length` tokens, pictures `tokens`; a share `thinned` of lessons leaves some out.

        Roomy lessons have concepts only, and room for a whole picture of each of them beside `length`.
        """
        self.bank, self.words, self.tokens, self.thinned, self.roomy = bank, words, tokens, thinned, roomy
        self.length = length + room(tokens) if roomy else length
        self.memory_tokens = MOST_CONCEPTS * tokens if roomy else MOST_MEMORY_TOKENS
        self.known = [member for member, views in enumerate(bank.references) if views]

    def lesson(self, rng: np.random.Generator, progress: float) -> Lesson:
        """Write one lesson; `progress` (0..1) brings more concepts and closer look-alikes."""
        if not self.roomy and rng.random() < INTRODUCTIONS:
            return self._introductions(rng)
        most = 1 + int(min(1.0, progress * 1.7 + 0.34) * (MOST_CONCEPTS - 1) + 1e-6)
        return self._remembering(rng, int(rng.integers(1, most + 1)), hard=min(0.65, 0.15 + 1.2 * progress))

    def _introductions(self, rng: np.random.Generator) -> Lesson:
        """Ask about single pictures without memory: descriptions, areas, colours, captions."""
        lesson = Lesson(self.words)
        lesson.write(self.words.opening)
        while len(lesson.ids) + self.tokens + 110 < self.length:
            with lesson.branch("picture"):
                self._introduce(lesson, rng)
        return lesson

    def _introduce(self, lesson: Lesson, rng: np.random.Generator) -> None:
        view = self._reference(rng, int(rng.choice(self.known)))
        main = view.sightings[0]
        first = len(lesson.ids) + 1
        looked = self._looked(rng)
        end = lesson.show([(view.index, looked)])
        share = float(main.cover.mean())
        lesson.facts += [(end, AREA, AREAS.index(int(area_answer(share)))), *self._colour(end, main.member)]
        self._mark_main(lesson, main, looked, first)
        asked = about_reference(rng, self.bank.looks[main.member], share)
        rest = [asked[index] for index in 2 + rng.permutation(len(asked) - 2)]
        told = Exchange(
            CAPTION,
            caption([Item(self.bank.looks[main.member], main.centre)]),
            CAPTION_WEIGHT,
        )
        self._ask_all(lesson, [*asked[:2], told, *rest])

    def _remembering(self, rng: np.random.Generator, number: int, hard: float) -> Lesson:
        """Remember some concepts, then ask about a picture that holds some of them, or look-alikes, or none."""
        scene = self.bank.scenes[int(rng.integers(len(self.bank.scenes)))]
        lesson = Lesson(self.words, concepts=number)
        lesson.write(self.words.opening)
        lesson.write(self.words.encode(GUARD))
        concepts = []
        names = random_names(rng, number, key=lambda name: self.words.encode(f" {name}")[0])
        for (member, place), name in zip(self._cast(rng, scene, number, hard), names, strict=False):
            named = self._introduced(lesson, rng, member, name, self.memory_tokens // number)
            concepts.append(Remembered(member, name, place, named))
        for concept in concepts:
            lesson.known[lesson.ids[concept.named]] = [fact[1:] for fact in self._colour(0, concept.member)]
        if rng.random() < 0.06:
            self._ask_all(lesson, self._from_memory(rng, concepts))
            return lesson
        with lesson.branch("picture"):
            lesson.write(self.words.encode(THE_PICTURE))
            first = len(lesson.ids) + 1
            looked = self._looked(rng)
            lesson.show([(scene.index, looked)])
            self._name_owners(lesson, scene, concepts, looked, first)
            for concept in concepts:
                item = self._item(scene, concept)
                seen = [(PRESENCE, int(item is None))]
                if item and item.is_clearly_placed:
                    seen.append((SIDE, SIDES.index(item.side)))
                lesson.known[lesson.ids[concept.named]] += seen
            self._ask_all(lesson, self._about_scene(rng, scene, concepts))
        return lesson

    def _cast(self, rng: np.random.Generator, scene: Shown, number: int, hard: float) -> list[tuple[int, int]]:
        """Choose whom to remember: (subject, its place among the sightings or -1)."""
        there = {sighting.member for sighting in scene.sightings}
        clear = [
            place
            for place, sighting in enumerate(scene.sightings)
            if sighting.is_clear and self.bank.references[sighting.member]
        ]
        chosen: dict[int, int] = {}
        for place in rng.permutation(clear).tolist():
            if len(chosen) < number and rng.random() < 0.6:
                chosen[scene.sightings[place].member] = place
        for _ in range(50):
            if len(chosen) >= number:
                break
            near = [*there, *chosen]
            twins = [
                other
                for member in near
                for other in self.bank.look_alikes(member)
                if other not in there and other not in chosen
            ]
            new = int(rng.choice(twins)) if twins and rng.random() < hard else int(rng.choice(self.known))
            if new not in there and new not in chosen:
                chosen[new] = -1
        order = rng.permutation(len(chosen))
        items = list(chosen.items())
        return [items[index] for index in order]

    def _reference(self, rng: np.random.Generator, member: int) -> Shown:
        views = self.bank.references[member]
        return views[int(rng.integers(len(views)))]

    def _looked(self, rng: np.random.Generator) -> np.ndarray:
        """Choose the tokens of a picture that are shown: all, or a random part."""
        if rng.random() >= self.thinned:
            return np.arange(self.tokens)
        share = rng.uniform(LEAST_LOOKED, 1.0)
        return np.sort(rng.permutation(self.tokens)[: max(1, round(share * self.tokens))])

    def _memory(self, rng: np.random.Generator, member: int, most: int) -> list[tuple[int, np.ndarray]]:
        """Choose the rows of a memory: around the object, at random, or everything; sometimes of several references."""
        views = self.bank.references[member]
        if len(views) > 1 and rng.random() < SEVERAL:
            number = int(rng.integers(2, len(views) + 1))
            return [(view.index, self._kept(rng, view, most // number)) for view in views[:number]]
        view = self._reference(rng, member)
        return [(view.index, self._kept(rng, view, most))]

    def _kept(self, rng: np.random.Generator, view: Shown, most: int) -> np.ndarray:
        cover, draw = view.sightings[0].cover, rng.random()
        if most >= self.tokens and draw < (WHOLE_IN_ROOM if self.roomy else WHOLE):
            return np.arange(self.tokens)
        if draw < WHOLE:
            scores, count = rng.random(self.tokens), rng.integers(16, 73)
        elif draw < 0.55:
            scores, count = (
                np.where(cover > 0.5, 1 + rng.random(self.tokens), cover),
                min(rng.integers(4, 30), max(4, (cover > 0.5).sum())),
            )
        else:
            scores, count = cover + rng.normal(0, 0.35, self.tokens), rng.integers(4, 41)
        return np.sort(np.argsort(-scores)[: min(int(count), most)])

    def _introduced(self, lesson: Lesson, rng: np.random.Generator, member: int, name: str, most: int) -> int:
        """Write a memory of at most so many rows, seldom with or as a description; give the place of its name."""
        draw = rng.random()
        rows = [] if draw < WORDS_ONLY else self._remembered(lesson, self._memory(rng, member, most), member)
        before = len(lesson.ids)
        described = f":{self.bank.looks[member].description}" if draw < WORDS_ONLY + WORDS_TOO else "."
        lesson.write(self.words.encode(f"This is {name}{described}\n"))
        word = self.words.encode(f" {name}")[0]
        lesson.named[word] = lesson.ids.index(word, before)
        if rows:
            naming = range(before, before + len(self.words.encode(f"This is {name}")))
            lesson.gazes += [(NAME_TO_MEMORY, place, rows) for place in naming]
            lesson.facts += self._colour(lesson.named[word], member)
        return lesson.named[word]

    def _remembered(self, lesson: Lesson, views: Sequence[tuple[int, np.ndarray]], member: int) -> list[int]:
        """Write the rows of a memory; give the places of those that show the subject (all, if none does)."""
        first = len(lesson.rows)
        lesson.show(views)
        covers = {view.index: view.sightings[0].cover for view in self.bank.references[member]}
        rows = lesson.rows[first:]
        subject = [place for place, picture, token in rows if covers[picture][token] > CLEAR_COVER]
        return subject or [place for place, _, _ in rows]

    def _colour(self, place: int, member: int) -> list[tuple[int, int, int]]:
        """Ask for the colour of a subject at a place, if one dominates."""
        colour = self.bank.looks[member].clear_colour
        return [(place, COLOUR, COLOURS.index(colour))] if colour else []

    def _mark_main(self, lesson: Lesson, main: Sighting, looked: np.ndarray, first: int) -> None:
        """At each visual token of a reference, ask for the colour of the main subject it shows, or for nothing."""
        lesson.candidates = [self.words.nothing, *(self.words.encode(f" {name}")[0] for name in COLOURS)]
        colour = self.words.encode(f" {self.bank.looks[main.member].colours[0]}")[0]
        self._mark(lesson, np.where(main.cover[looked] > CLEAR_COVER, colour, self.words.nothing), first)

    def _name_owners(
        self, lesson: Lesson, scene: Shown, concepts: Sequence[Remembered], looked: np.ndarray, first: int
    ) -> None:
        """At each visual token of the picture, ask for the name of the remembered subject it shows, or for nothing."""
        owner = np.full(len(looked), self.words.nothing)
        for concept in concepts:
            if concept.place >= 0:
                shown = np.flatnonzero(scene.sightings[concept.place].cover[looked] > CLEAR_COVER)
                owner[shown] = self.words.encode(f" {concept.name}")[0]
                places = (first + shown).tolist()
                lesson.owned[int(self.words.encode(f" {concept.name}")[0])] = places
                lesson.gazes += [(PICTURE_TO_NAME, place, [concept.named]) for place in places]
        named = {concept.named for concept in concepts}
        elsewhere = [place for place in range(first + len(looked)) if place not in named]
        strangers = first + np.flatnonzero(owner == self.words.nothing)
        lesson.gazes += [(PICTURE_PAST_NAMES, int(place), elsewhere) for place in strangers]
        lesson.candidates = [self.words.nothing, *{lesson.ids[place] for place in named}]
        self._mark(lesson, owner, first)

    def _mark(self, lesson: Lesson, wanted: np.ndarray, first: int) -> None:
        nothing = self.words.nothing
        lesson.owners += [
            (first + token, int(word), NOTHING_WEIGHT if word == nothing else 1.0) for token, word in enumerate(wanted)
        ]

    def _item(self, scene: Shown, concept: Remembered) -> Item | None:
        if concept.place < 0:
            return None
        sighting = scene.sightings[concept.place]
        return Item(self.bank.looks[concept.member], sighting.centre, concept.name)

    def _about_scene(self, rng: np.random.Generator, scene: Shown, concepts: Sequence[Remembered]) -> list[Exchange]:
        """List questions: recognition of every concept first, then a mixture in random order."""
        names = [concept.name for concept in concepts]
        present = [concept.name for concept in concepts if concept.place >= 0]
        certain = [yes_or_no(rng, concept.name, concept.place >= 0) for concept in concepts]
        by_member = {concept.member: concept.name for concept in concepts}
        items = [
            Item(self.bank.looks[s.member], s.centre, by_member.get(s.member)) for s in scene.sightings if s.is_clear
        ]
        named = [item for item in items if item.name] or items[:1]
        rest = about_presence(rng, names, present)
        for concept in concepts:
            rest += about_concept(rng, concept.name, self.bank.looks[concept.member], self._item(scene, concept))
        told = [Exchange(CAPTION_WITH_NAMES, caption(named), CAPTION_WEIGHT)] if rng.random() < CAPTIONED else []
        return [*certain, *told, *(rest[index] for index in rng.permutation(len(rest)))]

    def _from_memory(self, rng: np.random.Generator, concepts: Sequence[Remembered]) -> list[Exchange]:
        asked = [
            exchange for c in concepts for exchange in about_concept(rng, c.name, self.bank.looks[c.member], None)[:-2]
        ]
        return [asked[index] for index in rng.permutation(len(asked))]

    def _ask_all(self, lesson: Lesson, exchanges: Sequence[Exchange]) -> None:
        for exchange in exchanges:
            if len(lesson.ids) + lesson.cost(exchange) <= self.length:
                lesson.ask(exchange)
