"""Peers on a real architecture in miniature with tiny random encoders: all steps run, figures mean nothing."""

from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

from ego.backbones.base import Backbone
from ego.backbones.gradient import answer_loss
from ego.config import EgoConfig
from ego.errors import BackboneError, ConfigError
from ego.evaluation.manifest import Manifest, Subject
from ego.evaluation.methods.peers import r2p, rap
from ego.evaluation.methods.peers.encoders import Box, Encoders, PeerSettings, read_settings
from ego.evaluation.methods.peers.pekit import PeKit
from ego.evaluation.methods.peers.r2p import R2p, _attributes
from ego.evaluation.methods.peers.rap import Rap
from ego.evaluation.methods.peers.soft_tokens import COUNT, LearnedTokens
from ego.evaluation.methods.table import PEERS
from ego.evaluation.plan import Scope, plan
from ego.evaluation.records import Lines, Record
from ego.evaluation.report import write_report
from ego.evaluation.runner import Runner
from ego.media import LoadedImage
from ego.prompt import Picture, Prompt, SoftTokens, Text, Turn
from ego.visual_tokens import VisualTokens
from tests.backbones.tiny import picture
from tests.evaluation.encoders import NOTE, save_convolutional, save_encoders

pytestmark = pytest.mark.thorough

CONFIG = EgoConfig(description_tokens=6, answer_tokens=6, caption_tokens=6, area_tokens=2)


@pytest.fixture(scope="session")
def settings(tmp_path_factory: pytest.TempPathFactory) -> PeerSettings:
    return save_encoders(tmp_path_factory.mktemp("encoders"))


class WholeImage(Encoders):
    """Sees one object that fills the image, so that what follows can be checked by eye."""

    def detect(self, picture: Image.Image, categories: Sequence[str]) -> list[Box]:
        return [Box((0, 0, *picture.size), 1.0)]

    def segment(self, picture: Image.Image, box: Box) -> np.ndarray:
        return np.ones(picture.size[::-1], dtype=bool)


def photo(seed: int) -> LoadedImage:
    return LoadedImage(picture(seed=seed), f"photo {seed}")


SUBJECTS = [Subject(key=name, name=name, references=("r",), category="dog") for name in ("bo", "rex", "cup")]


def test_every_peer_answers_every_kind_of_question(
    backbone: Backbone, manifest: Manifest, settings: PeerSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(r2p, "REASONING_TOKENS", 6)  # random weights never stop by themselves
    monkeypatch.setattr(r2p, "FINGERPRINT_TOKENS", 6)
    monkeypatch.setattr(rap, "INFO_TOKENS", 6)
    monkeypatch.setitem(PEERS, "soft-tokens", lambda model, config, _: LearnedTokens(model, config, steps=2))
    methods = ["rap", "r2p", "pekit", "soft-tokens"]
    run = plan(backbone, manifest, methods, scope=Scope(limit=1, known="all"), config=CONFIG, peers=settings)
    Runner(backbone, manifest, run, tmp_path).run()
    answered = list(Lines(tmp_path / "records.jsonl", Record))
    assert len(answered) == 4 * (3 + 1 + 2 + 1)  # recognition, caption, choice in two orders, open
    text = write_report(tmp_path)[0].read_text()
    assert f"rap rests on other models: {settings.clip}; {settings.detector}; {NOTE}" in text
    assert "| pekit, 1 view |" in text


def test_a_peer_without_its_encoders_is_not_run_and_the_report_says_so(
    backbone: Backbone, manifest: Manifest, settings: PeerSettings, tmp_path: Path
) -> None:
    peers = settings.model_copy(update={"dino": str(tmp_path / "nothing")})
    scope = Scope(tasks=("caption",), limit=1)
    run = plan(backbone, manifest, ["none", "pekit"], scope=scope, config=CONFIG, peers=peers)
    assert run.methods == ("none",)
    Runner(backbone, manifest, run, tmp_path / "out").run()
    assert "NOT RUN: pekit" in write_report(tmp_path / "out")[0].read_text()


def test_rap_retrieves_the_nearest_and_what_the_question_names(backbone: Backbone, settings: PeerSettings) -> None:
    method = Rap(backbone, WholeImage(settings))
    known = [method.introduce(subject, [photo(seed)]) for seed, subject in enumerate(SUBJECTS)]
    assert next(one.key for one in method._nearest([photo(1)], known)) == "rex"  # its own reference
    asked = [one.key for one in method._retrieve([photo(1)], "Is cup in this image?", known)]
    assert asked == ["cup", "rex"]
    parts = method._parts([photo(1)], "Is cup in this image?", known)
    assert isinstance(parts[0], Picture)  # the test image comes first
    assert sum(isinstance(part, Picture) for part in parts) == 3
    assert any(isinstance(part, Text) and part.text.startswith("Name: <cup>, Info: ") for part in parts)


def test_pekit_recognizes_its_own_reference_and_draws_a_box(backbone: Backbone, settings: PeerSettings) -> None:
    method = PeKit(backbone, WholeImage(settings))
    known = [method.introduce(subject, [photo(seed)]) for seed, subject in enumerate(SUBJECTS)]
    assert [method.recognize([photo(1)], one, known).text for one in known] == ["No", "Yes", "No"]
    (match,) = method._matches(photo(1), known)
    assert match.similarity == pytest.approx(1, abs=1e-4)
    parts = method._parts([photo(1)], "What is it?", known)
    assert parts[1] == Text("The red box shows rex.\n")


def test_pekit_needs_its_threshold(backbone: Backbone, settings: PeerSettings) -> None:
    method = PeKit(backbone, WholeImage(settings))
    known = [method.introduce(SUBJECTS[0], [photo(0)])]
    strange = known[0].rows.clone() * -1  # as unlike as can be
    far = [type(known[0])(key="x", name="x", tokens=0, story="", category="dog", rows=strange)]
    assert method.recognize([photo(0)], far[0], far).text == "No"


def test_r2p_looks_for_the_best_fingerprint(backbone: Backbone, settings: PeerSettings) -> None:
    method = R2p(backbone, WholeImage(settings))
    known = [method.introduce(subject, [photo(seed)]) for seed, subject in enumerate(SUBJECTS)]
    replies = [method.recognize([photo(1)], one, known) for one in known]
    assert sum((reply.probability or 0) > 0 for reply in replies) <= 1  # at most one concept is chosen
    assert all(reply.context_tokens == replies[0].context_tokens for reply in replies)  # decided once
    from_memory = method.ask([], "Which is a dog?", known, max_new_tokens=3)
    assert from_memory.context_tokens > 0


def test_peers_take_an_encoder_of_images_alone(backbone: Backbone, tmp_path: Path) -> None:
    encoders = Encoders(save_convolutional(tmp_path))
    strict = Encoders(encoders.settings.model_copy(update={"match_threshold": 1.01}))
    for method, no in ((PeKit(backbone, encoders), PeKit(backbone, strict)), (R2p(backbone, encoders), None)):
        method.require()
        assert method.needs == encoders.settings.of(*(("dino",) if no else ("clip",)))
        known = [method.introduce(subject, [photo(seed)]) for seed, subject in enumerate(SUBJECTS)]
        if no:
            assert [method.recognize([photo(1)], one, known).text for one in known] == ["No", "Yes", "No"]
            assert no.recognize([photo(1)], known[1], known).text == "No"
        else:
            ranked = [float(one.image @ encoders.embed_image(photo(1).picture)) for one in known]
            assert ranked.index(max(ranked)) == 1
            assert not encoders.embed_text("a dog").any()
    box = Box((4, 2, 10, 30), 1.0)
    assert encoders.segment(photo(0).picture, box).sum() == 6 * 28


def test_attributes_are_read_from_any_list() -> None:
    assert _attributes("1. red nose; 2) long ears.\n- a scar") == ("red nose", "long ears", "a scar")
    assert _attributes("") == ()


def test_soft_tokens_learn_without_touching_the_model(backbone: Backbone) -> None:
    before = {name: parameter.clone() for name, parameter in backbone.model.named_parameters()}
    method = LearnedTokens(backbone, CONFIG, steps=8)
    method.prepare([(subject, photo(seed)) for seed, subject in enumerate(SUBJECTS)])
    profile = method.introduce(SUBJECTS[0], [photo(0), photo(10)])
    first, last = (float(word) for word in profile.story.split(" in ")[0].removeprefix("loss ").split(" -> "))
    assert last < first
    assert profile.tokens == COUNT + 1
    assert all(torch.equal(parameter, before[name]) for name, parameter in backbone.model.named_parameters())
    assert all(parameter.grad is None for parameter in backbone.model.parameters())


def test_answer_loss_is_the_models_own_and_its_gradient_is_right(backbone: Backbone) -> None:
    tokens = backbone.encode_image(picture())

    def prompt(rows: torch.Tensor) -> Prompt:
        memory = VisualTokens(rows, rows.new_zeros(0, *rows.shape), None, torch.zeros(4).long(), torch.zeros(4).bool())
        return Prompt((Turn("user", (SoftTokens(memory), Text("Is it there?"))),))

    rows = tokens.rows[:4].clone().requires_grad_()
    loss = answer_loss(backbone, prompt(rows), "Yes")
    ids = backbone.chat.plain_ids("Yes")
    if len(ids) == 1:
        logits = backbone.next_token_logits([prompt(rows.detach())])
        assert float(loss.detach()) == pytest.approx(-float(logits[0].log_softmax(-1)[ids[0]]), abs=1e-4)
    (gradient,) = torch.autograd.grad(loss, rows)
    step = 1e-2 * gradient / gradient.norm()
    moved = [prompt((rows + sign * step).detach()) for sign in (1, -1)]
    ahead, behind = (float(answer_loss(backbone, place, "Yes").detach()) for place in moved)
    assert (ahead - behind) / 2 == pytest.approx(float((gradient * step).sum()), rel=0.1)


def test_gradients_need_a_model_in_this_process(backbone: Backbone) -> None:
    members = [name for name in dir(Backbone) if not name.startswith("_")] + list(Backbone.__annotations__)
    server = SimpleNamespace(**{name: getattr(backbone, name) for name in members})
    with pytest.raises(BackboneError, match="is not in this process"):
        answer_loss(server, Prompt(()), "Yes")
    with pytest.raises(BackboneError, match="answer to learn is empty"):
        answer_loss(backbone, Prompt(()), "")


def test_settings_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "peers.toml"
    path.write_text('clip = "google/siglip-base-patch16-224"\ndevice = "cuda"\n')
    assert read_settings(path).device == "cuda"
    assert read_settings(None) == PeerSettings()
    path.write_text("clop = 1")
    with pytest.raises(ConfigError, match=r"clop: .*known are clip") as wrong:
        read_settings(path)
    assert "\n" not in str(wrong.value)


def test_a_crop_has_at_least_one_pixel() -> None:
    assert Box((-5, -5, -1, -1), 1.0).crop(picture()).size == (1, 1)
    assert Box((10, 10, 20, 30), 1.0).crop(picture()).size == (10, 20)
