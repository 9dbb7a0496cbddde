"""Videos of families that read them: pairs of frames, times, positions and a limit, as their processors have them."""

import dataclasses
import json
import logging
import re
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from PIL import Image
from transformers.models.glm4v.image_processing_pil_glm4v import smart_resize as by_all_frames
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import smart_resize as by_a_frame

from ego import ConceptStore, Ego, EgoConfig
from ego.backbones import load_backbone
from ego.backbones.empty_places import GRID, METADATA, PIXELS
from ego.backbones.frame_pairs import FramePairs
from ego.backbones.huggingface import HuggingFaceBackbone
from ego.backbones.parity import compare_videos
from ego.backbones.tolerance import relative_difference
from ego.backbones.video_check import settle_videos
from ego.backbones.video_writing import VideoWriter
from ego.concept import Concept
from ego.errors import BackboneError, VideoError
from ego.media import Frame
from ego.prompt import Picture, Prompt, SoftTokens, Text, Turn, introduction_prompt, query_prompt
from ego.visual_tokens import Markup, VisualTokens
from tests.backbones import tiny
from tests.backbones.conftest import skip_without_torchvision
from tests.backbones.further import FURTHER

pytestmark = pytest.mark.thorough

Loader = Callable[..., HuggingFaceBackbone]
PAIRS = ["qwen2_vl", "qwen2_5_vl", "qwen3_vl", "qwen3_5", "glm4v", "glm46v"]
ALONE = ["llava_onevision", "internvl3", "smolvlm", "gemma4"]
"""Families that read every frame by itself."""
COLUMNS = 7
SECONDS = (0.0, 2.5, 5.0, 7.5)
FRAMES = [tiny.picture(seed=seed) for seed in range(len(SECONDS))]


@pytest.fixture(params=[*PAIRS, *ALONE])
def reader(load: Loader, request: pytest.FixtureRequest) -> HuggingFaceBackbone:
    """A model that reads videos."""
    return load(request.param)


@pytest.fixture(params=[name for name in (*tiny.FAMILIES, *FURTHER) if name not in (*PAIRS, *ALONE, "internvl3_5")])
def several(request: pytest.FixtureRequest) -> str:
    """A family that is shown the frames as images."""
    return str(request.param)


@pytest.fixture(params=PAIRS)
def pairing(load: Loader, request: pytest.FixtureRequest) -> HuggingFaceBackbone:
    """A model that reads pairs of frames."""
    return load(request.param)


def pairs_of(backbone: HuggingFaceBackbone) -> FramePairs:
    frames = writer_of(backbone).frames
    assert isinstance(frames, FramePairs)
    return frames


def writer_of(backbone: HuggingFaceBackbone) -> VideoWriter:
    assert backbone.videos is not None
    return backbone.videos.writer


def test_ids_and_positions_are_the_processors(reader: HuggingFaceBackbone) -> None:
    assert reader.card.has_video
    assert [one.difference for one in compare_videos(reader)] == ["", ""]


def test_the_answer_is_the_models_own_to_the_same_video(reader: HuggingFaceBackbone) -> None:
    """The model gets what its processor makes of a video, and finds out the positions by itself."""
    video = reader.encode_video(FRAMES, SECONDS)
    # a model's own forward takes no pixels of an image beside those of a video where both have one placeholder;
    # a template that puts videos first is asked with the video first
    in_order = reader.chat.template.keeps_order
    images = [tiny.picture(seed=9)] if video.as_video and in_order else []
    ahead = [*[{"type": "image"} for _ in images], {"type": "text", "text": "This is Bo.\n"}] if in_order else []
    message = {"role": "user", "content": [*ahead, {"type": "video"}, {"type": "text", "text": "What is Bo doing?"}]}
    fitted, options = writer_of(reader).native(FRAMES, SECONDS)
    native = reader.chat.native_inputs([message], images, videos=[fitted], videos_kwargs=options, return_tensors="pt")
    with torch.no_grad():
        theirs = reader.model(**native).logits[0, -1].float()

    def ours(video: VisualTokens) -> torch.Tensor:
        before = (
            *[Picture(reader.encode_image(image)) for image in images],
            *[Text("This is Bo.\n") for _ in ahead[:1]],
        )
        asked = Prompt((Turn("user", (*before, Picture(video), Text("What is Bo doing?"))),))
        return reader.next_token_logits([asked])[0]

    assert relative_difference(ours(video), theirs) < 1e-5
    assert relative_difference(ours(reader.encode_video(FRAMES[::-1], SECONDS)), theirs) > 0.01


def test_times_are_written_where_the_family_writes_them(load: Loader) -> None:
    def prompt(family: str, seconds: tuple[float, ...]) -> str:
        backbone = load(family)
        asked = introduction_prompt(backbone.encode_video(FRAMES, seconds), "What?")
        return backbone.chat.shown(backbone.chat.tokenize(asked).ids)

    assert "<1.2 seconds>" in prompt("qwen3_vl", SECONDS)
    assert "<6.2 seconds>" in prompt("qwen3_vl", SECONDS)
    assert "<|end_of_image|>61<|" in prompt("glm4v", (60.0, 60.5, 61.4, 62.0))
    assert prompt("qwen2_5_vl", SECONDS) == prompt("qwen2_5_vl", (0.0, 1.0, 2.0, 3.0))


def test_frames_are_numbered_or_timed_as_the_processor_does(load: Loader) -> None:
    def prompt(family: str) -> tuple[str, VisualTokens]:
        backbone = load(family)
        video = backbone.encode_video(FRAMES, SECONDS)
        return backbone.chat.shown(backbone.chat.tokenize(introduction_prompt(video, "What?")).ids), video

    shown, _ = prompt("internvl3")
    assert shown.index("\nFrame1: <img><IMG_CONTEXT>") < shown.index("</img>\nFrame4: <img><IMG_CONTEXT>")
    shown, _ = prompt("smolvlm")
    assert "following series of four frames from a 0:00:07 [H:MM:SS] video" in shown
    assert shown.index("Frame from 00:00:<fake") < shown.index("Frame from 00:07:<fake")
    shown, video = prompt("llava_onevision")
    assert shown.count("<video>") == len(video) == 4 * 4 + 1, (
        "a quarter of an image's tokens for each, a mark behind all"
    )


def test_a_frame_in_a_square_has_the_pixels_of_a_tile(load: Loader) -> None:
    backbone = load("internvl3")
    fitted, options = writer_of(backbone).native(FRAMES, SECONDS)
    assert {frame.size for frame in fitted} == {(112, 112)}
    pixels = writer_of(backbone).frames([fitted], **options)[PIXELS]
    tiles = torch.cat([backbone.preparation(frame)["pixel_values"] for frame in FRAMES])
    assert torch.allclose(pixels[0], tiles, atol=1e-6)


def settings(folder: Path, **told: object) -> None:
    file = folder / "video_preprocessor_config.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **told}))


def test_a_checkpoint_that_says_too_little_of_videos_shows_images(tmp_path: Path) -> None:
    folder = tiny.save("internvl3", tmp_path)
    settings(folder, image_mean=None)
    assert not load_backbone(folder).card.has_video


def test_a_video_side_that_does_not_fit_its_model_shows_images(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tiny.save("internvl3", tmp_path)
    settings(folder, size={"height": 56, "width": 56})
    with caplog.at_level(logging.WARNING):
        assert not load_backbone(folder).card.has_video
    assert "videos are shown as several images: the processor writes 32 placeholders for a video of 8" in caplog.text


def test_seconds_are_places_in_time_where_the_family_counts_them(load: Loader) -> None:
    """Two pairs lie so far apart: seconds between them x tokens per second (Qwen2.5-VL), or one step (Qwen2-VL)."""
    seconds = (0.0, 1.0, 2.0, 3.0)
    fine, coarse = (load(family).encode_video(FRAMES, seconds).grid_time for family in ("qwen2_5_vl", "qwen2_vl"))
    assert fine is not None
    assert coarse is not None
    assert set(fine.tolist()) == {0, 2 * load("qwen2_5_vl").model.config.vision_config.tokens_per_second}
    assert set(coarse.tolist()) == {0, 1}


def test_half_a_pair_is_shown_twice(pairing: HuggingFaceBackbone) -> None:
    three = pairing.encode_video(FRAMES[:3], SECONDS[:3])
    four = pairing.encode_video([*FRAMES[:3], FRAMES[2]], (*SECONDS[:3], SECONDS[2]))
    assert torch.equal(three.rows, four.rows)


def test_a_still_video_has_the_patches_of_its_image(pairing: HuggingFaceBackbone) -> None:
    writer = writer_of(pairing)
    (frame, *_), _ = writer.native([FRAMES[0]] * 4, SECONDS)
    pairs = writer.write([frame] * 4, SECONDS).inputs
    still = pairing.preparation.processor(images=[frame], do_resize=False, return_tensors="pt")["pixel_values"]
    assert torch.equal(pairs[PIXELS], still.repeat(2, 1))
    assert pairs[GRID][0, 0] == 2


def test_a_prefix_with_a_video_can_be_reused(reader: HuggingFaceBackbone) -> None:
    memory = SoftTokens(reader.encode_image(tiny.picture(seed=9)).select(torch.arange(4)))
    parts = (Text("This is Bo:"), memory, Text("\n"), Picture(reader.encode_video(FRAMES, SECONDS)))
    prompts = [Prompt((Turn("user", (*parts, Text(words))),)) for words in ("Is Bo there?", "What is Bo doing?")]
    prefix = reader.prefill(prompts[0], 4)
    for prompt, reused in zip(prompts, reader.next_token_logits(prompts, prefix=prefix), strict=True):
        assert relative_difference(reused, reader.next_token_logits([prompt])[0]) < 1e-4


@pytest.mark.parametrize("size", [(320, 240), (800, 600), (10, 900), (900, 10), (64, 64), (17, 23)])
@pytest.mark.parametrize("count", [2, 7, 32])
def test_the_limit_holds_and_the_processor_would_leave_the_frames_as_they_are(
    load: Loader, size: tuple[int, int], count: int
) -> None:
    for family, limit in (("qwen2_vl", 64), ("qwen3_vl", 1024), ("glm4v", 100)):
        writer = writer_of(load(family, max_visual_tokens=limit))
        frames, _ = writer.native([Image.new("RGB", size)] * count, [float(second) for second in range(count)])
        (width, height), side, pairs = (
            frames[0].size,
            writer.frames.patch_size * writer.frames.merge_size,
            writer.frames,
        )
        assert len(frames) == count + count % 2
        assert 0 < (width // side) * (height // side) * len(frames) // 2 <= 2 * limit
        smallest, largest = pairs.smallest, pairs.largest
        assert largest is not None
        if family == "qwen2_vl":
            native = by_a_frame(height, width, side, smallest, largest)
        else:
            native = by_all_frames(len(frames), height, width, 2, side, smallest, largest)
        assert native == (height, width)


@pytest.mark.parametrize("family", ALONE)
def test_frames_that_cost_a_fixed_number_of_tokens_are_thinned_evenly(load: Loader, family: str) -> None:
    backbone = load(family)
    writer, times = writer_of(backbone), [float(number) for number in range(9)]
    frames = [tiny.picture(seed=number) for number in range(9)]
    all_of_them = len(writer.write(frames, times).markup)
    writer.limit = -(-5 * all_of_them // 9)
    kept = writer.write(frames, times)
    assert len(kept.markup) <= writer.limit
    evenly = writer.write(frames[::2], times[::2])
    assert kept.markup == evenly.markup
    for name, value in kept.inputs.items():
        assert not isinstance(value, torch.Tensor) or torch.equal(value, evenly.inputs[name])
    writer.limit = 1
    assert len(writer.write(frames, times).markup) == len(writer.write(frames[::8], times[::8]).markup)


def test_too_many_frames_for_a_limit_and_bands_are_refused(load: Loader) -> None:
    writer = writer_of(load("qwen2_vl", max_visual_tokens=64))
    with pytest.raises(BackboneError, match="128 visual tokens are too few for a video of 400 frames; raise max"):
        writer.native([Image.new("RGB", (64, 64))] * 400, [0.0] * 400)
    with pytest.raises(VideoError, match="3000x10 pixels are too long"):
        writer.native([Image.new("RGB", (3000, 10))] * 2, [0.0, 1.0])


def test_patches_and_prompts_are_those_of_the_checkpoints_own_video_processor(
    checkpoint: Callable[[str], Path], reader: HuggingFaceBackbone
) -> None:
    skip_without_torchvision("videos")
    own = writer_of(reader).own_processor()
    assert type(own.video_processor).__name__.endswith("VideoProcessor")
    assert [one.difference for one in compare_videos(reader, own)] == ["", ""]
    frames, options = writer_of(reader).native(FRAMES, SECONDS)
    theirs = own.video_processor([frames], return_tensors="pt", **options)
    ours = writer_of(reader).frames([frames], **options)
    for name in set(ours) - {METADATA}:
        assert float((ours[name] - theirs[name]).abs().max()) < 1e-5


def fresh(folder: Path) -> HuggingFaceBackbone:
    backbone = load_backbone(folder, self_check=False)
    assert isinstance(backbone, HuggingFaceBackbone)
    return backbone


def test_a_video_that_is_not_the_models_own_is_shown_as_images(
    checkpoint: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    whole = VideoWriter._markup

    def without_times(self: VideoWriter, text: str) -> Markup:
        found = whole(self, text)
        return dataclasses.replace(found, words=("", *found.words[1:]))

    backbone = fresh(checkpoint("qwen3_vl"))
    assert backbone.card.has_video
    monkeypatch.setattr(VideoWriter, "_markup", without_times)
    with caplog.at_level(logging.WARNING):
        found = settle_videos(backbone)
    assert found.startswith("several images: the prompt for a video is not its processor's: after '")
    assert "videos are shown as several images" in caplog.text
    assert (backbone.card.has_video, backbone.videos) == (False, None)
    with pytest.raises(BackboneError, match="show it the frames as images"):
        backbone.encode_video(FRAMES, SECONDS)


def test_features_that_are_not_the_models_own_are_found(
    checkpoint: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, calls = FramePairs._cut, []

    def shaken(self: FramePairs, frames: list[Image.Image]) -> object:
        calls.append(len(frames))
        patches, grid = whole(self, frames)
        return (patches + 0.5 * (calls.count(4) % 2) * torch.rand(patches.shape), grid)

    backbone = fresh(checkpoint("qwen2_5_vl"))
    monkeypatch.setattr(FramePairs, "_cut", shaken)
    assert re.search("differ (by|from)", settle_videos(backbone))
    assert not backbone.card.has_video


def test_a_template_without_a_place_for_videos_shows_images(tmp_path: Path) -> None:
    folder = tiny.save("qwen2_5_vl", tmp_path)
    template = (folder / "chat_template.jinja").read_text()
    (folder / "chat_template.jinja").write_text(template.replace("c['type'] == 'video'", "false"))
    backbone = load_backbone(folder)
    assert not backbone.card.has_video


def test_a_clip_is_exact_as_several_images_where_a_processor_has_no_videos(load: Loader, several: str) -> None:
    backbone = load(several)
    assert not backbone.card.has_video
    assert "video_processor" not in backbone.chat._processor.get_attributes()
    shown = [backbone.encode_image(frame) for frame in FRAMES]
    clip = query_prompt((), shown, "What happens?")
    if not backbone.chat.template.keeps_order:  # images that stand among words are moved by the template
        clip = Prompt((Turn("user", (*map(Picture, shown), Text("What happens?"))),))
    said = [{"type": "text", "text": part.text} if isinstance(part, Text) else {"type": "image"} for part in clip.parts]
    native = backbone.chat.native_inputs([{"role": "user", "content": said}], FRAMES)["input_ids"][0]
    assert list(backbone.chat.tokenize(clip).ids) == list(map(int, native))


def test_the_table_of_the_documentation_says_how_every_family_reads_a_video() -> None:
    lines = (Path(__file__).parents[2] / "docs" / "checkpoints.md").read_text().splitlines()
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.count("|") == COLUMNS]
    told = {row[0]: row[-1] for row in rows if row[0] in tiny.MINIATURES}
    ways = dict.fromkeys(PAIRS, "pairs of frames, exact") | dict.fromkeys(ALONE, "frame by frame, exact")
    ways["internvl3_5"] = ways["internvl3"]
    assert told == {name: ways.get(name, "several images") for name in (*tiny.FAMILIES, *FURTHER)}
    assert all(all(row) for row in rows)


def test_a_question_about_a_video_shows_it_as_the_model_was_trained(load: Loader, tmp_path: Path) -> None:
    film = tmp_path / "film.gif"
    FRAMES[0].save(film, save_all=True, append_images=FRAMES[1:], duration=1000)
    backbone = load("qwen3_vl")
    personal = Ego(backbone, ConceptStore(tmp_path / "store"), EgoConfig(answer_tokens=4, video_frames=4))
    personal.introduce(Concept("Bo", [tiny.picture(seed=7)], keywords="white dog"))
    scene = personal.look(film)
    assert [image.is_video for image in scene.images] == [True]
    shown = backbone.chat.shown(backbone.chat.tokenize(scene.prompt("What is Bo doing?")).ids)
    assert "The video:\n<|vision_start|><0.5 seconds>" in shown
    assert shown.count("<|video_pad|>") == len(scene.images[0])
    again = personal.look(film)
    assert again.images[0] is scene.images[0]
    assert personal.ask("What is Bo doing?", film).prompt_tokens == backbone.count_tokens(
        scene.prompt("What is Bo doing?")
    )
    assert [image.is_video for image in personal.look(list(FRAMES)).images] == [False] * 4
    assert 0 <= personal.recognize(film)["Bo"].probability <= 1


def test_frames_at_other_times_are_another_video(load: Loader, tmp_path: Path) -> None:
    personal = Ego(load("qwen3_vl"), ConceptStore(tmp_path), EgoConfig())
    films = [[Frame(frame, step * number) for number, frame in enumerate(FRAMES)] for step in (1.0, 2.0)]
    one, other = (personal._scenes.scene(personal._scenes.look((), film)) for film in films)
    assert torch.equal(one.images[0].rows, other.images[0].rows)
    assert one.prefix is not None
    assert other.prefix is not None
    assert one.prefix.length == other.prefix.length
    assert one.answer(one.prompt("What?"), 2).prompt_tokens == other.answer(other.prompt("What?"), 2).prompt_tokens
