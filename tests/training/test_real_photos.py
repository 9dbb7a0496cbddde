"""The main job on real photos, through the embedded model: two photos introduce, other photos of it and of others test.

Only photos that never taught the model. What is asserted is what holds on average over eleven concepts; single answers
of a model this small are not to be relied on (see its card).
"""

from pathlib import Path
from statistics import mean

import pytest

exam = pytest.importorskip("exam")

from ego import Concept, ConceptStore, Ego, load_backbone  # noqa: E402


@pytest.mark.data
def test_a_concept_is_more_probable_in_its_own_photos_than_in_those_of_others(data: Path, tmp_path: Path) -> None:
    concepts = exam.photo_concepts(data, "dreambooth")
    personal = Ego(load_backbone("mini"), store=ConceptStore(tmp_path / "library"))
    for concept in concepts:
        personal.introduce(Concept(concept.name, concept.references[:2]))
    own, others = [], []
    for shown in concepts:
        for file in shown.tests:
            for asked in concepts:
                found = personal.recognize(file, [asked.name])[asked.name].probability
                (own if asked is shown else others).append(found)
    assert len(own) == sum(len(concept.tests) for concept in concepts) == 24
    assert mean(own) > mean(others) + 0.5
    assert mean(wrong < right for right in own for wrong in others) > 0.93  # the area under ROC; measured: 0.99
