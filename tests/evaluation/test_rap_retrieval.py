"""RAP: which concepts a question names; no model and no encoders are asked."""

from collections.abc import Sequence

import pytest
import torch

from ego.evaluation.methods.peers.rap import Entry, Rap
from ego.evaluation.methods.respondent import Recent
from ego.media import LoadedImage
from ego.prompt import recognition_question
from tests.backbones.tiny import picture

NOBODY_ELSE = "Rex"


class Retriever(Rap):
    """Finds the concept called NOBODY_ELSE nearest, so that all others come from the question."""

    def __init__(self) -> None:
        self._ranked = Recent(1)

    def _nearest(self, pictures: Sequence[LoadedImage], known: Sequence[Entry]) -> list[Entry]:
        return [entry for entry in known if entry.name == NOBODY_ELSE]


def entry(name: str) -> Entry:
    reference, row = LoadedImage(picture(), name), torch.zeros(1)
    return Entry(key=name, name=name, tokens=0, story="", reference=reference, info="", category="dog", embedding=row)


@pytest.mark.parametrize(
    ("question", "names"),
    [
        ("Is Zak's dog Kona in this image?", ["Zak's dog Kona", NOBODY_ELSE]),
        ("Is Zak with Zak's dog Kona?", ["Zak", "Zak's dog Kona"]),
        ("Any other dog?", [NOBODY_ELSE]),  # no A, no Zak
        ("Do you see Zak and A?", ["A", "Zak"]),
    ],
)
def test_names_in_the_question_are_whole_words(question: str, names: list[str]) -> None:
    known = [entry(name) for name in ("A", "Zak", "Zak's dog Kona", NOBODY_ELSE)]
    retrieved = Retriever()._retrieve([LoadedImage(picture(), "photo")], question, known)
    assert [one.name for one in retrieved] == names


def test_the_concept_asked_about_comes_first_and_alone_of_the_question() -> None:
    known = [entry(name) for name in ("A", "Zak", "Zak's dog Kona", NOBODY_ELSE)]
    for asked in known[:3]:
        question = recognition_question(asked.name)
        retrieved = Retriever()._retrieve([LoadedImage(picture(), "photo")], question, known, asked)
        assert [one.name for one in retrieved] == [asked.name, NOBODY_ELSE]
