import pytest
import torch
from torch import nn

beginnings = pytest.importorskip("beginnings")
import imitation  # noqa: E402
import vocabulary  # noqa: E402
from tower import TOWER_WIDTH, TowerWithHeads  # noqa: E402

SIDE = 64


def test_rows_begin_with_what_stage_a_reads(monkeypatch):
    monkeypatch.setattr(vocabulary, "TALKS", 400)
    tokenizer = vocabulary.build_tokenizer(2000, 7)
    torch.manual_seed(0)
    stage_a = {name: value * 4 if name == "noun.weight" else value for name, value in heads().items()}
    features = torch.randn(4000, 6) @ torch.randn(6, TOWER_WIDTH)  # few directions, as pictures have
    table = 0.5 * torch.randn(len(tokenizer), 256)
    projector = nn.Module()
    projector.linear_1, projector.linear_2 = nn.Linear(TOWER_WIDTH, 256), nn.Linear(256, 256)
    projector.forward = lambda x: projector.linear_2(nn.functional.gelu(projector.linear_1(x)))
    few, many = (imitation.imitate(projector, stage_a, features, table, tokenizer, steps=n) for n in (20, 300))
    assert many["held"] < few["held"]
    assert many["noun"] < 0.5 * few["noun"]
    words = table[[tokenizer.encode(f" {word}")[0] for word in imitation.NOUNS]][:, beginnings.WORDS]
    with torch.no_grad():
        told = projector(features)[:, beginnings.WORDS] @ (words - words.mean(0)).T
        wanted = features @ stage_a["noun.weight"].T + stage_a["noun.bias"]
    assert (told.argmax(1) == wanted.argmax(1)).float().mean() > 0.6


def heads() -> dict[str, torch.Tensor]:
    return {name: value for name, value in TowerWithHeads(SIDE).state_dict().items() if not name.startswith("tower.")}
