"""The exam of the embedded model, on drawn shapes and on the real photos where they are."""

import json

import numpy as np
import pytest

pytest.importorskip("exam")
import explain_order
import write_exam
from composed_exam import examine_composed, introduce, kept_on_subject
from exam import CLEAR, compose, photo_concepts
from splits import DREAMBOOTH_TRAIN, MYVLM_VALIDATION
from subjects import Cast

from ego.backbones import load_backbone
from ego.evaluation.manifest import Manifest, check
from tests.training import world as drawn

NAMES = ["Bo", "Kona", "Miro", "Zak", "Luna", "Pip", "Rex", "Otis"]


@pytest.fixture(scope="module")
def composed():
    return compose(Cast(drawn.assets(), "train"), NAMES, seed=3, scenes=3)


def test_the_mask_of_a_reference_is_that_of_the_tokens_its_subject_fills(composed):
    for known in composed.known:
        assert known.mask.shape == (known.reference.height, known.reference.width)
        assert known.mask.any()
        side = known.mask.shape[0] // known.cover.shape[0]
        assert (known.mask[::side, ::side] <= (known.cover > 0)).all()


def test_selections_by_the_truth_keep_the_subject_and_uniform_ones_the_whole_picture(composed):
    backbone = load_backbone("mini")
    by_truth, uniform = (
        np.mean(list(kept_on_subject(introduce(backbone, composed, selector)).values()))
        for selector in ("mask", "uniform")
    )
    shares = [float((known.cover >= CLEAR).mean()) for known in composed.known]
    assert by_truth > 0.9
    assert uniform == pytest.approx(np.mean(shares), abs=0.2)


def test_an_exam_asks_of_one_and_of_four_concepts_in_every_scene(composed):
    figures = examine_composed(load_backbone("mini"), composed, "attention")
    assert figures["recognition_1"]["questions"] == 3
    assert figures["recognition_4"]["questions"] == 12
    assert figures["caption"]["present"] + figures["caption"]["absent"] == 12


@pytest.mark.data
def test_the_exam_on_photos_asks_of_concepts_that_did_not_teach(data):
    manifest = check(write_exam._photos(data))
    taught = {f"dreambooth/{name}" for name in DREAMBOOTH_TRAIN} | {f"myvlm/{name}" for name in MYVLM_VALIDATION}
    assert len(manifest.subjects) == 22
    assert not taught & {subject.key for subject in manifest.subjects}
    asked = [sample for sample in manifest.samples if sample.split == "dreambooth"]
    assert len(asked) == 11 * sum(len(concept.tests) for concept in photo_concepts(data, "dreambooth"))
    assert sum(sample.present for sample in asked) * 11 == len(asked)


def test_the_written_exam_asks_as_often_of_what_is_there_as_of_what_is_not(tmp_path, composed):
    (tmp_path / "scenes").mkdir()
    samples = list(write_exam._samples(composed, tmp_path))
    alone = [sample.present for sample in samples if sample.split == "one"]
    assert alone.count(True) > 0
    assert alone.count(False) == sum(max(1, len(scene.items)) for scene in composed.scenes)
    manifest = Manifest(dataset="x", root=".", subjects=(), samples=tuple(samples))
    assert json.loads(manifest.model_dump_json())["samples"]


def test_the_area_under_roc_counts_pairs():
    assert explain_order.roc([(True, 0.9), (False, 0.1)]) == 1
    assert explain_order.roc([(True, 0.2), (True, 0.8), (False, 0.5), (False, 0.8)]) == pytest.approx(1.5 / 4)
