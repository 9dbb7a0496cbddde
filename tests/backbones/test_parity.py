"""Prompts are proved to be the model's own at load; what is not is refused, and the first difference shown."""

import dataclasses
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from ego.backbones import load_backbone
from ego.backbones.huggingface import HuggingFaceBackbone
from ego.backbones.parity import LARGE, compare_prompts, require_parity
from ego.backbones.picture_writing import PictureWriter, WrittenPicture
from ego.errors import BackboneError, SelfCheckError
from ego.prompt import Prompt, Text, Turn
from ego.visual_tokens import Markup
from tests.backbones import tiny

FAMILY = "internvl3"


def test_a_marker_removed_by_hand_is_found_and_shown(
    load: Callable[..., HuggingFaceBackbone], monkeypatch: pytest.MonkeyPatch
) -> None:
    backbone, whole = load(FAMILY), PictureWriter.write

    def without_marker(self: PictureWriter, image: object) -> WrittenPicture:
        written = whole(self, image)  # type: ignore[arg-type]
        return dataclasses.replace(written, markup=Markup(("", *written.markup.words[1:]), written.markup.runs))

    monkeypatch.setattr(PictureWriter, "write", without_marker)
    with pytest.raises(SelfCheckError, match=r"prompt for one image .* after '.*user\\n' .* processor writes '<img>"):
        require_parity(backbone)
    found = {one.conversation: bool(one.difference) for one in compare_prompts(backbone)}
    assert not found.pop("words alone")
    assert all(found.values())


@pytest.mark.parametrize(
    ("family", "tokens"),
    [("internvl3", 80), ("aya_vision", 80), ("gemma3", None), ("smolvlm", None), ("idefics3", None)],
)
def test_every_marker_among_the_tokens_of_an_image_is_missed(
    checkpoint: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch, family: str, tokens: int | None
) -> None:
    """Marks of tiles, too: with five tiles Aya Vision writes six of them."""
    backbone, whole = load_backbone(checkpoint(family), max_visual_tokens=tokens, self_check=False), PictureWriter.write
    assert isinstance(backbone, HuggingFaceBackbone)
    words = backbone.preparation.write(tiny.picture(*LARGE)).markup.words
    marks = [(place, token) for place, text in enumerate(words) for token in re.findall(r"<[^>]+>|TILE\w*", text)]
    assert marks
    for place, token in marks:

        def without_it(self: PictureWriter, image: object, place: int = place, token: str = token) -> WrittenPicture:
            written = whole(self, image)  # type: ignore[arg-type]
            kept = [text.replace(token, "", number == place) for number, text in enumerate(written.markup.words)]
            return dataclasses.replace(written, markup=Markup(tuple(kept), written.markup.runs))

        monkeypatch.setattr(PictureWriter, "write", without_it)
        found = {one.conversation: bool(one.difference) for one in compare_prompts(backbone)}
        assert found["a large image"], f"{token} of part {place} is not missed"


@pytest.mark.parametrize(
    ("template", "reason"),
    [
        (
            "{% for m in messages %}{% for c in m['content'] %}{{ c['text'] }}{% endfor %}{% endfor %}",
            "no",
        ),
        ("{% for m in messages %}{{ m['role'] + m['content'] }}{% endfor %}", "cannot write a conversation"),
        ("{% for m in messages %}{{ m['role'] }}: {{ m['content'] }}{% endfor %}", "plain text only"),
        ("{{ raise_exception('Only text is supported') }}", "Only text is supported"),
        ("{% for m in messages %}hello{% endfor %}", "plain text only"),
    ],
    ids=["no place", "wants strings", "prints lists", "raises", "loses words"],
)
def test_a_template_that_cannot_write_images_is_refused(tmp_path: Path, template: str, reason: str) -> None:
    folder = tiny.save(FAMILY, tmp_path)
    (folder / "chat_template.jinja").write_text(template)
    with pytest.raises(BackboneError, match=f"{reason}.*choose an instruction-tuned checkpoint for images"):
        load_backbone(folder)


def test_tokens_around_an_image_may_begin_like_what_follows(tmp_path: Path) -> None:
    """Compared character by character, the turn's end would be taken for a part of the image."""
    folder = tiny.save("llava", tmp_path)
    template = (
        "{% for m in messages %}<|im_start|>{{ m['role'] }}{% for c in m['content'] %}{% if c['type'] == 'image' %}"
        "<image>{% endif %}{% endfor %}{% for c in m['content'] %}{% if c['type'] == 'text' %}<|im_start|>"
        "{{ c['text'] }}{% endif %}{% endfor %}<|im_end|>{% endfor %}<|im_start|>assistant"
    )
    (folder / "chat_template.jinja").write_text(template)
    backbone = load_backbone(folder)
    assert isinstance(backbone, HuggingFaceBackbone)
    assert backbone.chat.template.around == ("", "")


@pytest.mark.parametrize("family", ["llava", "llava_next", "gemma3"])
def test_answers_are_recognized_with_and_without_a_blank(load: Callable[..., HuggingFaceBackbone], family: str) -> None:
    backbone = load(family)
    shown = {backbone.chat._processor.tokenizer.convert_ids_to_tokens(token) for token in backbone.word_ids(["Yes"])}
    assert {token.lstrip("▁")[:1] for token in shown} == {"Y"}
    assert {token.startswith("▁") for token in shown} == {True, False}


def test_an_answer_continues_its_prompt_as_the_tokenizer_writes_it(
    load: Callable[..., HuggingFaceBackbone], family: str
) -> None:
    backbone = load(family)
    tokenizer = backbone.chat._processor.tokenizer
    asked = Prompt((Turn("user", (Text("Who is Bo?"),)),))
    rendered = backbone.chat.template.render([{"role": "user", "content": [{"type": "text", "text": "Who is Bo?"}]}])
    together = tokenizer(rendered + "a small dog", add_special_tokens=False)["input_ids"]
    prompt = list(backbone.chat.tokenize(asked).ids)
    assert [*prompt, *backbone.chat.plain_ids("a small dog")][-len(together) :] == together
