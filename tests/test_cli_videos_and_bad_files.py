"""The answering commands on videos, and on several files of which one is bad."""

from pathlib import Path

from tests.command import Run
from tests.test_cli import PICTURES, ego, knows_bo, library_with_bo, settings_folder  # noqa: F401  (fixtures)
from tests.test_video import write_video


def test_one_bad_file_does_not_cost_the_others(knows_bo: Run, tmp_path: Path) -> None:  # noqa: F811
    bad = tmp_path / "bad.jpg"
    bad.write_bytes(b"no picture")
    done = knows_bo("recognize", PICTURES / "scene-01.jpg", bad, PICTURES / "scene-02.jpg", "--json")
    assert done.code == 2
    assert ["concepts" in one for one in done.documents] == [True, False, True]
    assert "bad.jpg" in done.documents[1]["error"]
    assert "bad.jpg" in done.err
    assert knows_bo("recognize", bad, PICTURES / "scene-01.jpg").out.count("scene-01.jpg") == 1


def test_a_video_goes_through_every_answering_command(knows_bo: Run, tmp_path: Path) -> None:  # noqa: F811
    clip = write_video(tmp_path / "park.mp4", 6)
    seen = knows_bo("recognize", clip, "--json").document
    assert [one["name"] for one in seen["concepts"]] == ["Bo"]
    few = knows_bo("ask", "Where is Bo?", clip, "--frames", "2", "--json").document
    many = knows_bo("ask", "Where is Bo?", clip, "--frames", "4", "--json").document
    assert many["prompt_tokens"] > few["prompt_tokens"]
    assert knows_bo("caption", clip, "--frames", "2", "--json").code == 0
    assert knows_bo("chat", clip, "--frames", "2", "--json", given="Who?\n").code == 0


def test_a_broken_video_ends_with_2(knows_bo: Run, tmp_path: Path) -> None:  # noqa: F811
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"no video")
    done = knows_bo("recognize", broken)
    assert done.code == 2
    assert "broken.mp4" in done.err
