"""The probe comes on and off, keeps threads apart, and reads windows and masks as attention does."""

import threading

import pytest
import torch

from ego.backbones.attention_probe import PROBED, ProbeSwitch, Recorder, attention_rows
from ego.backbones.base import Record
from ego.backbones.huggingface import HuggingFaceBackbone
from ego.prompt import introduction_prompt
from tests.backbones import tiny


def recorder(modules: dict[int, int], layers: tuple[int, ...] = (0,)) -> Recorder:
    return Recorder(modules, layers=layers, columns=torch.arange(2), from_position=0, seen=0)


def test_it_is_on_inside_and_off_outside(internvl: HuggingFaceBackbone) -> None:
    switch, config = ProbeSwitch(internvl.model), internvl.model.get_decoder().config
    with switch.recording(recorder(switch.modules)):
        with switch.recording(recorder(switch.modules)):
            assert config._attn_implementation == PROBED
        assert config._attn_implementation == PROBED
        assert internvl.model.base_model.vision_tower.config._attn_implementation == "sdpa"
    assert config._attn_implementation == "sdpa"


def test_it_comes_off_after_an_error(internvl: HuggingFaceBackbone) -> None:
    switch = ProbeSwitch(internvl.model)
    with pytest.raises(ZeroDivisionError), switch.recording(recorder(switch.modules)):
        1 / 0  # noqa: B018
    assert internvl.model.get_decoder().config._attn_implementation == "sdpa"


def test_nothing_is_recorded_without_a_recorder(internvl: HuggingFaceBackbone) -> None:
    with ProbeSwitch(internvl.model).recording(None):
        assert internvl.model.get_decoder().config._attn_implementation == "sdpa"


def test_recording_does_not_change_the_answer(internvl: HuggingFaceBackbone) -> None:
    prompt = introduction_prompt(internvl.encode_image(tiny.picture()), "describe")
    plain = internvl.generate(prompt, max_new_tokens=3)
    recorded = internvl.generate(prompt, max_new_tokens=3, record=Record((0, 3), part=0))
    assert torch.equal(plain.first_logits, recorded.first_logits)
    assert plain.token_ids.tolist() == recorded.token_ids.tolist()


def test_threads_record_their_own_rows(internvl: HuggingFaceBackbone) -> None:
    prompts = [introduction_prompt(internvl.encode_image(tiny.picture(seed=seed)), "describe") for seed in range(4)]

    def rows(index: int) -> torch.Tensor | None:
        said = internvl.generate(
            prompts[index], max_new_tokens=1, record=Record((1,), part=0), forced_text="a small white dog"
        )
        return said.attention

    alone = [rows(index) for index in range(4)]
    together: dict[int, torch.Tensor | None] = {}
    threads = [threading.Thread(target=lambda index=index: together.update({index: rows(index)})) for index in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for index in range(4):
        torch.testing.assert_close(together[index], alone[index])
    assert internvl.model.get_decoder().config._attn_implementation == "sdpa"


def test_weights_are_a_softmax_over_the_visible_keys() -> None:
    query = torch.zeros(1, 2, 3, 4)
    key = torch.zeros(1, 1, 3, 4)
    causal = attention_rows(query, key, None, None, torch.tensor([0, 2]))
    torch.testing.assert_close(causal[0], torch.tensor([[1, 0, 0], [1 / 3, 1 / 3, 1 / 3]]))
    allowed = torch.tensor([[[[True, False, True]] * 3]])
    assert attention_rows(query, key, allowed, None, torch.tensor([1]))[1].tolist() == [[0.5, 0.0, 0.5]]
    added = torch.tensor([[[[0.0, float("-inf"), 0.0]] * 3]])
    assert attention_rows(query, key, added, None, torch.tensor([1]))[1].tolist() == [[0.5, 0.0, 0.5]]
    single = attention_rows(query[:, :, :1], key, None, None, torch.tensor([0]))
    torch.testing.assert_close(single[0], torch.full((1, 3), 1 / 3))


def test_scaling_is_the_models_own() -> None:
    query, key = torch.tensor([[[[2.0]]]]), torch.tensor([[[[1.0], [0.0]]]])
    default = attention_rows(query, key, None, None, torch.tensor([0]))
    scaled = attention_rows(query, key, None, 0.5, torch.tensor([0]))
    assert default[0, 0].tolist() == pytest.approx(torch.tensor([2.0, 0.0]).softmax(0).tolist())
    assert scaled[0, 0].tolist() == pytest.approx(torch.tensor([1.0, 0.0]).softmax(0).tolist())


def test_keys_outside_a_window_get_nothing() -> None:
    module = torch.nn.Identity()
    watcher = Recorder({id(module): 0}, layers=(0,), columns=torch.tensor([0, 3]), from_position=5, seen=5)
    watcher(module, torch.zeros(1, 1, 1, 4), torch.zeros(1, 1, 4, 4), None, None)  # keys of positions 2..5
    assert watcher.attention().tolist() == [[[[0.0, 0.25]]]]
