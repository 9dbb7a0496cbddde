"""Fitting a correction to answers, and keeping it for the model it belongs to."""

import json
import logging
from pathlib import Path

import pytest
import torch
from torch.nn.functional import binary_cross_entropy_with_logits

from ego import answer_correction
from ego.answer_correction import FILE_NAME, SimilarityLine, fit, no_correction, refit, saved_correction
from ego.backbones import load_backbone
from ego.caption import caption_prompt
from ego.concept import Concept
from ego.errors import BackboneError, ConfigError, InputError
from ego.memory import Fingerprint
from ego.personalizer import Ego
from ego.similarity_filter import partial_similarity
from ego.token_space import fit_token_space
from tests.backbones.tiny import picture, save

FINGERPRINT = Fingerprint(
    model_id="m", revision="", model_type="t", dim=8, weights="w" * 64, processor="p", transformers="5"
)


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Keep corrections of the tests away from the user's."""
    monkeypatch.setattr(answer_correction, "user_data_path", lambda _: tmp_path / "data")
    saved_correction.cache_clear()
    return tmp_path


def test_a_line_that_made_the_answers_is_found_again() -> None:
    drawn = torch.Generator().manual_seed(0)
    margins = 4 * torch.randn(20_000, generator=drawn)
    truths = torch.rand(20_000, generator=drawn) < torch.sigmoid(0.5 * margins - 1)
    found = fit(FINGERPRINT, "d", margins.tolist(), truths.tolist(), source="test")
    assert (found.scale, found.bias) == pytest.approx((0.5, -1), abs=0.05)
    assert found.answers == 20_000


@pytest.mark.parametrize("margins", [[-3.0, -2.0, 5.0, 6.0], [-300.0, -200.0, 500.0, 600.0], [0.1, 0.2, 0.3, 0.4]])
def test_answers_without_any_error_give_a_finite_line_between_them(margins: list[float]) -> None:
    found = fit(FINGERPRINT, "d", margins, [False, False, True, True], source="test")
    told = found.probability(torch.tensor(margins))
    assert (told > 0.5).tolist() == [False, False, True, True]
    assert told.min() > 0
    assert told.max() < 1


@pytest.mark.parametrize("margins", [[2.0, 2.0, 2.0, 2.0], [5.0, 4.0, -4.0, -5.0]])
def test_margins_that_tell_nothing_leave_the_rate_of_yes(margins: list[float]) -> None:
    found = fit(FINGERPRINT, "d", margins, [False, False, False, True], source="test")
    assert found.scale > 0
    assert found.probability(torch.tensor(margins)).max() < 0.6


def test_one_kind_of_photos_is_not_enough() -> None:
    with pytest.raises(InputError, match="give both"):
        fit(FINGERPRINT, "d", [1.0, 2.0], [True, True], source="test")


def test_what_makes_the_answers_is_found_again_with_the_similarity() -> None:
    drawn = torch.Generator().manual_seed(0)
    margins, similar = 4 * torch.randn(20_000, generator=drawn), torch.rand(20_000, generator=drawn)
    truths = torch.rand(20_000, generator=drawn) < torch.sigmoid(0.5 * margins + 8 * similar - 5)
    found = fit(FINGERPRINT, "d", margins.tolist(), truths.tolist(), source="test", similarities=similar.tolist())
    line = found.with_similarity
    assert line is not None
    assert (line.scale, line.similarity, line.bias) == pytest.approx((0.5, 8, -5), rel=0.05)
    told = found.probability(margins, similar)
    assert torch.allclose(told, torch.sigmoid(line.scale * margins + line.similarity * similar + line.bias))
    assert torch.equal(found.probability(margins), torch.sigmoid(found.scale * margins + found.bias))


def test_no_other_line_is_better_however_far_the_first_steps_would_go() -> None:
    drawn = torch.Generator().manual_seed(3)
    truths = torch.arange(2_000) % 11 == 0
    similar = 0.6 + 0.06 * torch.randn(2_000, generator=drawn) + 0.15 * truths
    margins = 30 * similar - 20 + 4 * torch.randn(2_000, generator=drawn)
    line = fit(
        FINGERPRINT, "d", margins.tolist(), truths.tolist(), source="t", similarities=similar.tolist()
    ).with_similarity
    assert line is not None

    def loss(scale: float, similarity: float, bias: float) -> float:
        told = scale * margins.double() + similarity * similar.double() + bias
        return binary_cross_entropy_with_logits(told, truths.double(), reduction="sum").item()

    best = loss(line.scale, line.similarity, line.bias)
    for scale, similarity, bias in ((0.05, 0, 0), (0, 2, 0), (0, 0, 0.5), (0, 2, -1.3), (0.1, -3, 0)):
        for sign in (-1, 1):
            moved = loss(line.scale + sign * scale, line.similarity + sign * similarity, line.bias + sign * bias)
            assert moved > best


@pytest.mark.parametrize("similarity", [None, SimilarityLine(scale=0.5, similarity=8, bias=-5)])
def test_a_correction_of_corrected_answers_is_one_correction(similarity: SimilarityLine | None) -> None:
    known = no_correction(FINGERPRINT, "d").model_copy(update={"scale": 0.7, "with_similarity": similarity})
    margins, similar = torch.tensor([-5.0, 0.0, 1.0, 3.0]), torch.tensor([0.2, 0.9, 0.5, 0.6])
    said = known.probability(margins.double(), similar.double())
    new, corrected = refit(known, said.tolist(), [False, True, False, True], source="test")
    assert new.probability(margins.double(), similar.double()).tolist() == pytest.approx(corrected, abs=1e-6)
    assert (new.with_similarity is None) == (similarity is None)
    assert new.source == "test"


def test_a_correction_is_found_for_its_model_only(own_folder: Path) -> None:
    fit(FINGERPRINT, "d", [-1.0, 1.0], [False, True], source="test").save()
    assert saved_correction(FINGERPRINT, "d").source == "test"
    assert saved_correction(FINGERPRINT, "another decoder").source == "none"
    assert saved_correction(FINGERPRINT.model_copy(update={"weights": "x" * 64}), "d").source == "none"


def test_the_users_own_goes_before_the_one_in_the_models_folder(own_folder: Path) -> None:
    here = FINGERPRINT.model_copy(update={"model_id": str(own_folder)})
    fit(here, "d", [-1.0, 1.0], [False, True], source="folder").save(own_folder / FILE_NAME)
    assert saved_correction(here, "d").source == "folder"
    fit(here, "d", [-1.0, 1.0], [False, True], source="own").save()
    assert saved_correction(here, "d").source == "own"


def test_a_damaged_file_is_left_out_and_said(own_folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    here = FINGERPRINT.model_copy(update={"model_id": str(own_folder)})
    (own_folder / FILE_NAME).write_text('{"format": 1, "scale": -1}')
    with caplog.at_level(logging.WARNING):
        assert saved_correction(here, "d").source == "none"
    assert FILE_NAME in caplog.text


def test_a_file_that_cannot_be_written_is_an_error_with_its_name(own_folder: Path) -> None:
    (own_folder / "file").write_text("")
    with pytest.raises(ConfigError, match="cannot be written"):
        no_correction(FINGERPRINT, "d").save(own_folder / "file" / "c.json")


def test_recognition_uses_the_correction_of_the_model(own_folder: Path) -> None:
    backbone = load_backbone(save("internvl3", own_folder / "model", gain=2.0), device="cpu", self_check=False)
    personal = Ego(backbone)
    seen = picture()
    personal.introduce(Concept("Bo", [seen], keywords="dog"))
    before = personal.recognize(seen)["Bo"].probability
    plain = no_correction(backbone.fingerprint, backbone.card.decoder)
    plain.model_copy(update={"scale": 2.0, "bias": 1.0}).save()
    margin = torch.tensor(before).logit()
    assert personal.recognize(seen)["Bo"].probability == pytest.approx(torch.sigmoid(2 * margin + 1).item(), abs=1e-4)
    line = SimilarityLine(scale=2, similarity=3, bias=-1)
    plain.model_copy(update={"with_similarity": line}).save()
    (memory,) = personal.memories
    similar = partial_similarity(memory.tokens.rows, backbone.encode_image(seen).rows)
    told = torch.sigmoid(2 * margin + 3 * similar - 1).item()
    assert personal.recognize(seen)["Bo"].probability == pytest.approx(told, abs=1e-4)
    rows = torch.cat([backbone.encode_image(picture(seed=seed)).rows for seed in range(9)])
    space = fit_token_space(rows)
    plain.model_copy(update={"with_similarity": line.model_copy(update={"space": space.to_bytes()})}).save()
    other = picture(seed=5)
    there, here = (
        partial_similarity(brought(memory.tokens.rows), brought(backbone.encode_image(other).rows))
        for brought in (space, torch.Tensor.float)
    )
    assert here - there > 0.05
    found = torch.tensor(personal.recognize(other)["Bo"].probability).logit().item()
    plain.model_copy(update={"with_similarity": line}).save()
    before = torch.tensor(personal.recognize(other)["Bo"].probability).logit().item()
    assert before - found == pytest.approx(3 * (here - there), abs=1e-2)


def test_the_space_of_a_correction_is_kept_with_it(own_folder: Path) -> None:
    space = fit_token_space(torch.randn(50, 8, generator=torch.Generator().manual_seed(0)))
    made = fit(
        FINGERPRINT, "d", [-1.0, 0.5, 1.0], [False, False, True], source="t", similarities=[0.1, 0.2, 0.9], space=space
    )
    made.save()
    found = saved_correction(FINGERPRINT, "d")
    assert found == made
    assert found.with_similarity is not None
    rows = torch.randn(3, 8, generator=torch.Generator().manual_seed(1))
    assert torch.allclose(found.with_similarity.comparable(rows), space(rows), rtol=1e-2, atol=1e-2)
    again, _ = refit(found, [0.1, 0.8], [False, True], source="t")
    assert again.with_similarity is not None
    assert again.with_similarity.space == found.with_similarity.space


@pytest.mark.parametrize("content", [b"nothing", fit_token_space(torch.eye(5)).to_bytes()])
def test_a_space_that_is_none_or_for_other_tokens_is_refused(own_folder: Path, content: bytes) -> None:
    line = SimilarityLine(scale=1, similarity=1, bias=0).model_copy(update={"space": content})
    wrong = no_correction(FINGERPRINT, "d").model_copy(update={"with_similarity": line})
    wrong.save()
    assert saved_correction(FINGERPRINT, "d").with_similarity is None


def test_a_checkpoint_says_how_many_concepts_it_tells_apart(own_folder: Path) -> None:
    folder = save("fast_vlm", own_folder / "model")
    assert load_backbone(folder, device="cpu", self_check=False).card.concepts_per_prompt is None
    config = folder / "config.json"
    plain = json.loads(config.read_text())
    config.write_text(json.dumps(plain | {"ego_concepts_per_prompt": 6}))
    assert load_backbone(folder, device="cpu", self_check=False).card.concepts_per_prompt == 6
    config.write_text(json.dumps(plain | {"ego_concepts_per_prompt": 0}))
    with pytest.raises(BackboneError, match="from 1 on"):
        load_backbone(folder, device="cpu", self_check=False)


def told_in_config(folder: Path, **told: object) -> None:
    config = folder / "config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | told))


def test_a_caption_tells_of_a_few_recognized_at_a_time_where_the_checkpoint_says_so(own_folder: Path) -> None:
    folder = save("internvl3", own_folder / "model", gain=2.0)
    told_in_config(folder, ego_concepts_per_caption=2)
    personal = Ego(load_backbone(folder, device="cpu", self_check=False))
    for seed, name in enumerate(("Bo", "Ada", "Kim", "Tom")):
        personal.introduce(Concept(name, [picture(seed=seed)], keywords="dog"))
    ranked = sorted(personal.recognize(picture(seed=9)).values(), key=lambda one: -one.probability)
    threshold = (ranked[2].probability + ranked[3].probability) / 2
    choosy = Ego(personal.backbone, personal.store, personal.config.model_copy(update={"threshold": threshold}))
    heard: list[str] = []
    said = choosy.caption(picture(seed=9), on_text=heard.append)
    seen = [memory.name for memory in personal.memories if memory.name != ranked[3].name]
    assert said.names == tuple(seen)
    assert said.dropped == (ranked[3].name,)
    scenes = choosy.caption_scenes(picture(seed=9))
    assert [[memory.name for memory in scene.memories] for scene in scenes] == [seen[:2], seen[2:]]
    each = [scene.answer(caption_prompt(scene), choosy.config.caption_tokens) for scene in scenes]
    assert said.text == f"{each[0].text} {each[1].text}"
    assert "".join(heard) == said.text
    assert said.prompt_tokens == each[0].prompt_tokens + each[1].prompt_tokens
    nobody = Ego(personal.backbone, personal.store, personal.config.model_copy(update={"threshold": 1.0}))
    assert nobody.caption(picture(seed=9)).names == ()
    told_in_config(folder, ego_concepts_per_caption="all")
    with pytest.raises(BackboneError, match="from 1 on"):
        load_backbone(folder, device="cpu", self_check=False)


def test_a_question_sees_only_whom_it_names_where_the_checkpoint_says_so(own_folder: Path) -> None:
    folder = save("internvl3", own_folder / "model")
    told_in_config(folder, ego_answers_of_named=True)
    personal = Ego(load_backbone(folder, device="cpu", self_check=False))
    for seed, name in enumerate(("Bo", "Ada", "Kim")):
        personal.introduce(Concept(name, [picture(seed=seed)], keywords="dog"))
    said = personal.ask("Where are Kim and bo?", picture(seed=9))
    assert said.names == ("Bo", "Kim")
    assert said.dropped == ("Ada",)
    assert personal.ask("Who is there? Bottles?", picture(seed=9)).names == ("Bo", "Ada", "Kim")
    chat = personal.chat(picture(seed=9))  # others may be asked about later
    assert chat.say("Where is Bo?").names == ("Bo", "Ada", "Kim")
    told_in_config(folder, ego_answers_of_named="yes")
    with pytest.raises(BackboneError, match="true or false"):
        load_backbone(folder, device="cpu", self_check=False)
