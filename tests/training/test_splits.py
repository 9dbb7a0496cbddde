import json

import numpy as np
import pytest

splits = pytest.importorskip("splits")


def test_four_drawings_of_a_name_stay_on_one_side():
    parts = {splits.sprite_part(slug) for slug in ["fox"] * 4}
    assert len(parts) == 1


def test_three_quarters_of_many_names_teach():
    parts = [splits.sprite_part(f"name{number}") for number in range(2000)]
    assert parts.count("train") / 2000 == pytest.approx(0.75, abs=0.03)
    assert parts.count("test") / 2000 == pytest.approx(0.15, abs=0.03)


def test_no_licence_that_forbids_a_free_model():
    assert splits.COCO_FREE_LICENSES.isdisjoint({1, 2, 3, 6})


@pytest.mark.data
def test_training_photos_are_free_and_every_group_keeps_unseen_concepts(data, monkeypatch):
    import sources
    from sources import coco_photos, concept_photos

    blank = np.zeros((8, 8, 4), np.uint8)  # which photos, not what they show
    monkeypatch.setattr(sources, "_photo", lambda file, mask: blank.copy())
    monkeypatch.setattr(sources, "boxed", lambda rgb: blank[..., 3])
    table = json.loads((data / "coco_seg/annotations/instances_coco.json").read_text())
    licence = {f"coco/{image['id']}": image["license"] for image in table["images"]}
    used = [asset.identity for asset in coco_photos(data, free=True)]
    assert {licence[identity] for identity in used if identity in licence} <= splits.COCO_FREE_LICENSES
    taught = {asset.identity for asset in concept_photos(data)}
    concepts = [
        c for c in json.loads((data / "concepts/concepts.json").read_text())["concepts"] if c["dataset"] == "dreambooth"
    ]
    assert len(taught) <= len(concepts) / 2
    for group in ("dog", "plush", "vessel", "shoe", "toy"):
        assert any(c["group"] == group and c["id"] not in taught for c in concepts)
