"""Write lessons from a bank: some remembered concepts, a picture that shows some of them or look-alikes, questions."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from bank import Bank, Shown
from colours import COLOURS
from lessons import AREA, AREAS, COLOUR, NOBODY, NOUN, PICTURE_TO_MEMORY, PRESENCE, SIDE, SIDES, Lesson, Words
from names import random_names
from nouns import NOUNS
from wording import Exchange, Item, about_concept, about_presence, about_reference, area_answer, caption, yes_or_no

from ego.prompt import CAPTION, CAPTION_WITH_NAMES, GUARD, THE_PICTURE

CLEAR_COVER, TOUCHED = (
    0.4,
    0.15,
)  # share of a visual token that shows a subject; between the two it is nobody's business
LEAST_ROWS, MOST_ROWS = 6, 30  # of a reference: the method keeps at most a fifth of a picture's 144
QUESTIONS = 160  # tokens of a lesson that memories leave to questions
WHOLE, RANDOM = 0.05, 0.1  # shares of memories that are whole pictures, where there is room, or random tokens
SEVERAL = 0.4  # share of memories from several references
WORDS_ONLY, WORDS_TOO = 0.03, 0.04  # shares of memories that are a description, or have one beside their rows
SEEN_CONCEPTS = 0.75  # chance of a clearly visible subject to be among the remembered, where there is room for it
AGAIN = 0.3  # share of pictures that are another photo of a remembered thing, not a scene
ALIKE_NAMES = 0.15  # share of lessons whose names may begin alike
ASKED = 6  # most yes-or-no questions of a lesson
FULL, LEAST_LOOKED = 0.5, 0.5  # share of pictures of which every token is shown; of the others at least this part
CAPTION_WEIGHT = 1.5
TELLING = 4  # tokens of a single picture of which each alone shall say what its subject is
FROM_MEMORY = 0.05  # share of lessons without a picture
SINGLE = 0.6  # share of introductions that are of things which are shown only once, in a photo
ALL_THERE = 0.35  # share of lessons with few concepts that remember those who are there and nobody else
MOST_ALL_THERE = 4


@dataclass(frozen=True)
class Remembered:
    """A concept of a lesson."""

    member: int
    name: str
    place: int  # among the sightings of the picture, -1 if absent
    rows: tuple[int, ...]  # places of those rows that show it


class Teacher:
    """Writes lessons from a bank."""

    def __init__(self, bank: Bank, words: Words, length: int, tokens: int, *, whole: bool = False) -> None:
        """Lessons have some `length` tokens at most, pictures `tokens`."""
        self.bank, self.words, self.length, self.tokens, self.whole = bank, words, length, tokens, whole
        self.known = [member for member, views in enumerate(bank.references) if views]

    def introductions(self, rng: np.random.Generator) -> Lesson:
        """Ask about single pictures without memory: descriptions, areas, colours, captions."""
        lesson = Lesson(self.words)
        lesson.write(self.words.opening)
        while len(lesson.ids) + self.tokens + 110 < self.length:
            with lesson.branch("picture"):
                self._introduce(lesson, rng)
        return lesson

    def _introduce(self, lesson: Lesson, rng: np.random.Generator) -> None:
        single = self.bank.singles and rng.random() < SINGLE
        view = self._one_of(rng, self.bank.singles) if single else self._reference(rng, int(rng.choice(self.known)))
        main = view.sightings[0]
        look = self.bank.looks[main.member]
        looked = self._looked(rng)
        places = lesson.show([(view.index, looked)], self.tokens)
        end, share = places[-1] + 1, float(main.cover.mean())
        lesson.facts += [(end, AREA, AREAS.index(int(area_answer(share))))] * view.measured
        lesson.facts += self._colour(end, main.member)
        shown = np.array(places)[main.cover[looked] > CLEAR_COVER]
        telling = rng.permutation(shown)[:TELLING].tolist()
        lesson.facts += [(place, NOUN, NOUNS.index(look.noun)) for place in (end, *telling)]
        describe, area, *others = about_reference(rng, look, share)
        rest = [others[index] for index in rng.permutation(len(others))]
        told = Exchange(CAPTION, caption([Item(look, main.centre)]), CAPTION_WEIGHT)
        self._ask_all(lesson, [describe, *[area] * view.measured, told, *rest])

    def remembering(self, rng: np.random.Generator, number: int, hard: float) -> Lesson:
        """Remember some concepts, then ask about a picture that holds some of them, or look-alikes, or none."""
        scene = self._picture(rng)
        lesson = Lesson(self.words, concepts=number)
        lesson.write((*self.words.opening, *self.words.encode(GUARD)))
        concepts = self._concepts(rng, lesson, scene, number, hard)
        if rng.random() < FROM_MEMORY:
            self._ask_all(lesson, self._from_memory(rng, concepts))
            return lesson
        with lesson.branch("picture"):
            lesson.write(self.words.encode(THE_PICTURE))
            looked = self._looked(rng)
            self._name_owners(lesson, scene, concepts, looked, lesson.show([(scene.index, looked)], self.tokens))
            for concept in concepts:
                item = self._item(scene, concept)
                facts = [(PRESENCE, int(item is None))]
                if item and item.is_clearly_placed:
                    facts.append((SIDE, SIDES.index(item.side)))
                lesson.known[self.words.name(concept.name)] += facts
            self._ask_all(lesson, self._about_scene(rng, scene, concepts))
        return lesson

    def _picture(self, rng: np.random.Generator) -> Shown:
        if rng.random() < AGAIN:
            return self._reference(rng, int(rng.choice(self.known)))
        return self._one_of(rng, self.bank.scenes)

    @staticmethod
    def _one_of(rng: np.random.Generator, pictures: Sequence[Shown]) -> Shown:
        return pictures[int(rng.integers(len(pictures)))]

    def _concepts(
        self, rng: np.random.Generator, lesson: Lesson, scene: Shown, number: int, hard: float
    ) -> list[Remembered]:
        alike = rng.random() < ALIKE_NAMES
        names = random_names(rng, number, key=self.words.name if alike else lambda name: self.words.name(name)[0])
        chosen = []
        for (member, place), name in zip(self._cast(rng, scene, number, hard), names, strict=False):
            rows = self._remember(lesson, rng, member, name, scene.index)
            noun = NOUNS.index(self.bank.looks[member].noun)
            lesson.known[self.words.name(name)] = [(NOUN, noun), *(fact[1:] for fact in self._colour(0, member))]
            chosen.append(Remembered(member, name, place, tuple(rows)))
        return chosen

    def _cast(self, rng: np.random.Generator, scene: Shown, number: int, hard: float) -> list[tuple[int, int]]:
        """Choose whom to remember: (subject, its place among the sightings or -1).

        Absent ones are rather those who look like somebody, or in whose place the picture was taken. Captions are
        mostly asked for with only those in memory who were recognized, so some lessons remember only them.
        """
        there = {sighting.member for sighting in scene.sightings}
        clear = [place for place, s in enumerate(scene.sightings) if s.is_clear and self._views(s.member, scene.index)]
        chosen: dict[int, int] = {}
        all_there = len(clear) > 1 < number <= MOST_ALL_THERE and rng.random() < ALL_THERE
        for place in rng.permutation(clear).tolist():
            if len(chosen) < number and (all_there or rng.random() < SEEN_CONCEPTS):
                chosen[scene.sightings[place].member] = place
        if all_there:
            return list(chosen.items())
        if scene.host >= 0 and scene.host not in there and len(chosen) < number and self.bank.references[scene.host]:
            chosen[scene.host] = -1
        for _ in range(4 * number + 40):
            if len(chosen) >= number:
                break
            twins = [other for member in (*there, *chosen) for other in self.bank.look_alikes(member)]
            new = int(rng.choice(twins)) if twins and rng.random() < hard else int(rng.choice(self.known))
            if new not in there:
                chosen.setdefault(new, -1)
        items = list(chosen.items())
        return [items[index] for index in rng.permutation(len(items))]

    def _views(self, member: int, without: int = -1) -> list[Shown]:
        return [view for view in self.bank.references[member] if view.index != without]

    def _reference(self, rng: np.random.Generator, member: int) -> Shown:
        views = self.bank.references[member]
        return views[int(rng.integers(len(views)))]

    def _looked(self, rng: np.random.Generator) -> np.ndarray:
        """Choose the tokens of a picture that are shown: all, or a random part, which leaves room for questions."""
        share = 1.0 if rng.random() < FULL else rng.uniform(LEAST_LOOKED, 1.0)
        return np.sort(rng.permutation(self.tokens)[: max(1, round(share * self.tokens))])

    def _remember(self, lesson: Lesson, rng: np.random.Generator, member: int, name: str, scene: int) -> list[int]:
        """Write a memory; give the places of those rows that show the subject (all, if none does)."""
        draw, first = rng.random(), len(lesson.rows)
        told = self.bank.looks[member].description.strip() if draw < WORDS_ONLY + WORDS_TOO else ""
        room = (self.length - self.tokens - QUESTIONS) // lesson.concepts
        places = lesson.introduce(name, [] if draw < WORDS_ONLY else self._memory(rng, member, scene, room), told)
        covers = {view.index: view.sightings[0].cover for view in self.bank.references[member]}
        shown = [place for place, picture, token in lesson.rows[first:] if covers[picture][token] > CLEAR_COVER]
        return shown or places

    def _memory(self, rng: np.random.Generator, member: int, scene: int, room: int) -> list[tuple[int, np.ndarray]]:
        """Choose the rows of a memory, of one or several references; never of the picture that is asked about.

        Several references have as many rows each as one has, as in use, where there is `room`.
        """
        views = self._views(member, scene)
        several = len(views) > 1 and rng.random() < SEVERAL
        chosen = [
            views[i] for i in rng.permutation(len(views))[: int(rng.integers(2, len(views) + 1)) if several else 1]
        ]
        most = MOST_ROWS if len(chosen) == 1 else min(MOST_ROWS, max(LEAST_ROWS, room // len(chosen)))
        return [(view.index, self._kept(rng, view, most)) for view in chosen]

    def _kept(self, rng: np.random.Generator, view: Shown, most: int) -> np.ndarray:
        """Keep rows as the method does, rather those that show the subject; some at random; seldom all."""
        cover, draw = view.sightings[0].cover, rng.random()
        if draw < WHOLE and self.whole:
            return np.arange(self.tokens)
        noise = 2.0 if draw < WHOLE + RANDOM else rng.uniform(0.05, 0.5)
        count = int(rng.integers(LEAST_ROWS, most + 1))
        return np.sort(np.argsort(-cover - rng.normal(0, noise, self.tokens))[:count])

    def _colour(self, place: int, member: int) -> list[tuple[int, int, int]]:
        """Ask for the colour of a subject at a place, if one dominates."""
        colour = self.bank.looks[member].clear_colour
        return [(place, COLOUR, COLOURS.index(colour))] if colour else []

    def _name_owners(
        self, lesson: Lesson, scene: Shown, concepts: Sequence[Remembered], looked: np.ndarray, places: Sequence[int]
    ) -> None:
        """At each visual token of the picture, ask for the remembered subject it shows, or for nobody."""
        owner, clear = np.zeros(len(looked), int), np.ones(len(looked), bool)
        for number, concept in enumerate(concepts, 1):
            if concept.place < 0:
                continue
            cover = scene.sightings[concept.place].cover[looked]
            clear &= (cover > CLEAR_COVER) | (cover < TOUCHED)
            owner[cover > CLEAR_COVER] = number
            shown = [place for place, share in zip(places, cover, strict=True) if share > CLEAR_COVER]
            lesson.owned[self.words.name(concept.name)] = shown
        for place, number, certain in zip(places, owner.tolist(), clear.tolist(), strict=True):
            if certain:
                rows = concepts[number - 1].rows if number else NOBODY
                lesson.owners.append((place, number))
                if rows:
                    lesson.gazes.append((PICTURE_TO_MEMORY, place, rows))

    def _item(self, scene: Shown, concept: Remembered) -> Item | None:
        if concept.place < 0:
            return None
        sighting = scene.sightings[concept.place]
        return Item(self.bank.looks[concept.member], sighting.centre, concept.name)

    def _about_scene(self, rng: np.random.Generator, scene: Shown, concepts: Sequence[Remembered]) -> list[Exchange]:
        """List questions: recognition first, those who are there among them, a caption, then a mixture."""
        names = [concept.name for concept in concepts]
        present = [concept.name for concept in concepts if concept.place >= 0]
        all_there = len(present) == len(concepts) > 1  # where it need not look to say yes
        absent = [name for name in names if name not in present][: max(1, ASKED - len(present))]
        certain = [] if all_there else [yes_or_no(rng, name, True) for name in present]
        certain += [yes_or_no(rng, name, False) for name in absent]
        by_member = {concept.member: concept.name for concept in concepts}
        items = [
            Item(self.bank.looks[s.member], s.centre, by_member.get(s.member)) for s in scene.sightings if s.is_clear
        ]
        named = [item for item in items if item.name] or items[:1]
        rest = about_presence(rng, names[:ASKED], [name for name in present if name in names[:ASKED]])
        if len(names) > ASKED:
            rest = []
        for concept in concepts if len(concepts) <= ASKED else [c for c in concepts if c.place >= 0]:
            rest += about_concept(rng, concept.name, self.bank.looks[concept.member], self._item(scene, concept))
        told = Exchange(CAPTION_WITH_NAMES, caption(named), CAPTION_WEIGHT)
        return [*certain, told, *(rest[index] for index in rng.permutation(len(rest)))]

    def _from_memory(self, rng: np.random.Generator, concepts: Sequence[Remembered]) -> list[Exchange]:
        asked = [
            exchange for c in concepts for exchange in about_concept(rng, c.name, self.bank.looks[c.member], None)[:-2]
        ]
        return [asked[index] for index in rng.permutation(len(asked))]

    def _ask_all(self, lesson: Lesson, exchanges: Sequence[Exchange]) -> None:
        for exchange in exchanges:
            if len(lesson.ids) + lesson.cost(exchange) <= self.length:
                lesson.ask(exchange)
