"""Examine the model on composed scenes: recognition, captions, questions, areas."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from colours import COLOURS
from exam import CLEAR, Composed, Scene
from PIL import Image
from scipy.stats import spearmanr
from scores import Decision, best_threshold, report
from wording import and_list

from ego import Concept, Ego, EgoConfig, Region
from ego.backbones.base import Backbone

NUMBERS = (1, 4)  # of concepts in memory
HARD = 0.5  # share of absent concepts that are look-alikes of what is in the picture, where there is one


Asked = Callable[[Ego, Image.Image, Sequence[str]], dict[str, float]]


def probabilities(personal: Ego, picture: Image.Image, names: Sequence[str]) -> dict[str, float]:
    """Recognize."""
    return {name: seen.probability for name, seen in personal.recognize(picture, names).items()}


@dataclass
class Exam:
    """The concepts of an exam, introduced once."""

    personal: Ego
    composed: Composed
    rng: np.random.Generator

    def choose(self, scene: Scene, number: int) -> list[int]:
        """Choose whom to remember: about half of them in the picture."""
        present = self.rng.permutation(list(scene.items)).tolist()[: int(self.rng.binomial(number, 0.5))]
        chosen = [int(member) for member in present]
        twins = [t for m in scene.there for t in self.composed.twins(m) if t not in scene.there]
        while len(chosen) < number:
            hard = twins and self.rng.random() < HARD
            new = int(self.rng.choice(twins)) if hard else int(self.rng.integers(len(self.composed.known)))
            if new not in chosen and new not in scene.there:
                chosen.append(new)
            twins = [twin for twin in twins if twin not in chosen]
        return chosen

    def name(self, member: int) -> str:
        """Give the name of a concept."""
        return self.composed.known[member].name


def introduce(backbone: Backbone, composed: Composed, selector: str) -> Exam:
    """Introduce every concept of the exam with one selection rule ("all": the full reference, "mask": the truth)."""
    personal = Ego(backbone, config=EgoConfig(selector="attention" if selector == "mask" else selector))
    for known in composed.known:
        regions = [Region(mask=known.mask)] if selector == "mask" else []
        personal.introduce(Concept(known.name, [known.reference], regions=regions))
    return Exam(personal, composed, np.random.default_rng(5))


def tuned_thresholds(backbone: Backbone, validation: Composed, selector: str) -> dict[int, float]:
    """Find the thresholds of the highest F1 on the validation part, by the number of concepts in memory."""
    exam = introduce(backbone, validation, selector)
    return {
        number: best_threshold([decision for _, decision in composed_decisions(exam, number)]) for number in NUMBERS
    }


def examine_composed(
    backbone: Backbone, composed: Composed, selector: str, tuned: dict[int, float] | None = None
) -> dict[str, object]:
    """Measure everything that is asked of composed scenes; recognition at 0.5 and at tuned thresholds."""
    exam = introduce(backbone, composed, selector)
    figures: dict[str, object] = {}
    for number in NUMBERS:
        decisions = list(composed_decisions(exam, number))
        plain = [decision for _, decision in decisions]
        figures[f"recognition_{number}"] = report(plain, 0.5)
        if tuned:
            figures[f"recognition_{number}_tuned"] = report(plain, tuned[number])
        figures |= _by_selection(exam, decisions, number)
    figures["kept_on_subject"] = round(float(np.mean(list(kept_on_subject(exam).values()))), 3)
    figures["caption"] = _captions(exam)
    figures |= _questions(exam)
    if selector == "attention":
        figures["area_spearman"] = _areas(exam)
    return figures


def kept_on_subject(exam: Exam) -> dict[str, float]:
    """Compute for every concept the share of its kept tokens that mostly show it."""
    covers = {known.name: known.cover.reshape(-1) for known in exam.composed.known}
    return {
        memory.name: float(np.mean([covers[memory.name][list(view.kept)] >= CLEAR for view in memory.views]))
        for memory in exam.personal.memories
    }


def _by_selection(exam: Exam, decisions: Sequence[tuple[str, Decision]], number: int) -> dict[str, object]:
    """Tell the recognition of concepts whose memory mostly shows them from that of the others."""
    good = {name for name, share in kept_on_subject(exam).items() if share >= CLEAR}
    parts = {"on_subject": [d for name, d in decisions if name in good]}
    parts["off_subject"] = [d for name, d in decisions if name not in good]
    return {f"recognition_{number}_{part}": report(some, 0.5) for part, some in parts.items() if some}


def composed_decisions(exam: Exam, number: int, asked: Asked = probabilities) -> Iterator[tuple[str, Decision]]:
    """Ask about every scene with so many concepts in memory; `asked` scores all of some names in a picture."""
    for scene in exam.composed.scenes:
        members = exam.choose(scene, number)
        found = asked(exam.personal, scene.picture, [exam.name(member) for member in members])
        for member in members:
            near = any(twin in scene.there for twin in exam.composed.twins(member))
            name = exam.name(member)
            yield name, Decision(member in scene.items, found[name], near)


def _captions(exam: Exam) -> dict[str, float]:
    named = wrong = present = absent = 0
    exact = []
    for scene in exam.composed.scenes:
        members = exam.choose(scene, 4)
        said = exam.personal.caption(scene.picture, [exam.name(member) for member in members])
        exact.append(set(said.mentioned) == {exam.name(member) for member in members if member in scene.items})
        for member in members:
            mentioned = exam.name(member) in said.mentioned
            present, absent = present + (member in scene.items), absent + (member not in scene.items)
            named, wrong = (
                named + (mentioned and member in scene.items),
                wrong + (mentioned and member not in scene.items),
            )
    return {
        "exactly_right": round(float(np.mean(exact)), 3),
        "recall": round(named / present, 3),
        "false_names": round(wrong / absent, 3),
        "present": present,
        "absent": absent,
    }


def _questions(exam: Exam) -> dict[str, dict[str, float]]:
    right: dict[str, list[bool]] = {"colour": [], "side": [], "which": []}
    for scene in exam.composed.scenes:
        members = exam.choose(scene, 3)
        names = [exam.name(member) for member in members]
        ask = exam.personal.ask
        for member in members:
            colour = exam.composed.known[member].look.clear_colour
            if colour:
                said = ask(f"What colour is {exam.name(member)}?", scene.picture, names).text
                right["colour"].append(_first(said, COLOURS) == colour)
            item = scene.items.get(member)
            if item and item.is_clearly_placed:
                said = ask(f"Which side is {exam.name(member)} on?", scene.picture, names).text
                right["side"].append(_first(said, ("left", "middle", "right")) == item.side)
        seen = [member for member in members if member in scene.items]
        if len(seen) == 1:
            said = ask(f"Which of {and_list(names)} is in the picture?", scene.picture, names)
            right["which"].append(said.mentioned == (exam.name(seen[0]),))
    return {name: {"accuracy": round(float(np.mean(hits)), 3), "questions": len(hits)} for name, hits in right.items()}


def _first(said: str, words: tuple[str, ...]) -> str | None:
    """Find the first of some words in an answer."""
    spoken = said.lower().replace(".", " ").replace(",", " ").split()
    return next((word for word in spoken if word in words), None)


def _areas(exam: Exam) -> float:
    told = [view.area_percent for memory in exam.personal.memories for view in memory.views]
    by_name = {known.name: known.area for known in exam.composed.known}
    truth = [by_name[memory.name] for memory in exam.personal.memories for _ in memory.views]
    pairs = [(said, area) for said, area in zip(told, truth, strict=True) if said is not None]
    return round(float(spearmanr(*zip(*pairs, strict=True)).statistic), 3)
