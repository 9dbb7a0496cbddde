"""The main job on real photos, through the embedded model: two photos introduce, other photos of it and of others test.

Only photos that never taught the model. What is asserted is what holds on average over eleven concepts; single answers
of a model this small are not to be relied on (see its card).
"""

import json
from pathlib import Path
from statistics import mean

import pytest

from ego import Concept, ConceptStore, Ego, load_backbone

TAUGHT = {"backpack", "bear_plushie", "berry_bowl", "candle", "dog", "dog2", "duck_toy", "fancy_boot"}
TAUGHT |= {"pink_sunglasses", "robot_toy"}


@pytest.mark.data
def test_a_concept_is_more_probable_in_its_own_photos_than_in_those_of_others(data: Path, tmp_path: Path) -> None:
    concepts = [
        entry
        for entry in json.loads((data / "concepts/concepts.json").read_text())["concepts"]
        if entry["dataset"] == "dreambooth" and entry["name"] not in TAUGHT
    ]
    personal = Ego(load_backbone("mini"), store=ConceptStore(tmp_path / "library"))
    for entry in concepts:
        personal.introduce(Concept(entry["name"], [data / file for file in entry["refs"][:2]]))
    own, others = [], []
    for entry in concepts:
        for file in entry["tests"]:
            for name in (one["name"] for one in concepts):
                found = personal.recognize(data / file, [name])[name].probability
                (own if name == entry["name"] else others).append(found)
    assert len(own) == sum(len(entry["tests"]) for entry in concepts)
    assert mean(own) > mean(others) + 0.2
