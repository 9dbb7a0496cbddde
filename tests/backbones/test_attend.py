"""Where the words of a question look: rows equal to eager attention, over a prefix or without."""

import pytest
import torch

from ego.backbones.base import Record
from ego.backbones.huggingface import HuggingFaceBackbone
from ego.backbones.spelling import spelling
from ego.errors import BackboneError
from tests.backbones.test_contract import eager_rows, exact, query

QUESTION = "Is Bo in this image? Answer about Bo."


@pytest.mark.parametrize("reuse", [False, True], ids=["whole", "over a prefix"])
def test_rows_of_words_equal_eager_attention(backbone: HuggingFaceBackbone, family: str, reuse: bool) -> None:
    prompt = query(backbone, QUESTION)
    record = Record(backbone.card.attention_layers, part=5)
    prefix = backbone.prefill(prompt, len(prompt.parts) - 1) if reuse else None
    rows = backbone.attend(prompt, "bo", record=record, prefix=prefix)
    chat, _ = backbone.lay_out(prompt)
    start, stop = chat.part_ends[-2:]
    spelt = spelling(backbone._tokenizer, chat.ids[start:stop], "Bo")
    told = "".join(backbone._tokenizer.decode([chat.ids[start + index]]) for index in spelt)
    assert told.replace(" ", "").startswith("Bo")
    whole = eager_rows(backbone, family, prompt, torch.tensor([], dtype=torch.long), part=5, first=start)
    expected = whole[:, :, list(spelt)]
    assert rows.shape == expected.shape
    assert float((rows - expected).abs().max()) <= exact(family)
    assert float(rows.max()) > 0


def test_words_that_are_not_there_are_refused(internvl: HuggingFaceBackbone) -> None:
    prompt = query(internvl, QUESTION)
    record = Record(internvl.card.attention_layers, part=5)
    for words in ("Ted", ""):
        with pytest.raises(BackboneError, match="not in the last text"):
            internvl.attend(prompt, words, record=record)
    everything = internvl.prefill(prompt, len(prompt.parts))
    with pytest.raises(BackboneError, match="read already"):
        internvl.attend(prompt, "Bo", record=record, prefix=everything)
