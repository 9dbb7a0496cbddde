"""Several pictures of one command: answered as they come, counted, and where things were seen."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from tests.command import Run
from tests.test_cli import PICTURES, ego, knows_bo, library_with_bo, settings_folder  # noqa: F401  (fixtures)

pytestmark = pytest.mark.thorough

SCENE, OTHER = PICTURES / "scene-01.jpg", PICTURES / "scene-12.jpg"
CLIP = PICTURES / "clip-01.mp4"


def test_each_picture_has_a_line_and_the_end_a_summary(knows_bo: Run) -> None:  # noqa: F811
    done = knows_bo("recognize", SCENE, OTHER, "--threshold", "0")
    first, second, last = done.out.splitlines()
    assert first.startswith(f"{SCENE}: Bo 0.")
    assert second.startswith(f"{OTHER}: Bo 0.")
    assert last == "2 pictures: Bo in 2"
    nobody = knows_bo("recognize", SCENE, OTHER, "--threshold", "1").out.splitlines()
    assert nobody[0] == f"{SCENE}: nobody"


def test_lines_come_while_the_rest_is_still_looked_at(library_with_bo: Path) -> None:  # noqa: F811
    command = [sys.executable, "-c", "from ego.cli import main; main()", "recognize", "--json"]
    photos = [str(SCENE)] * 2000  # minutes of work
    process = subprocess.Popen(
        [*command, "--library", str(library_with_bo), *photos], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    try:
        assert process.stdout is not None
        assert json.loads(process.stdout.readline())["image"] == str(SCENE)
        assert process.poll() is None
    finally:
        process.kill()
        process.wait()


@pytest.mark.parametrize("command", [("ask", "What is Bo?"), ("caption",)], ids=lambda command: command[0])
def test_ask_and_caption_take_several_pictures(
    knows_bo: Run,  # noqa: F811
    tmp_path: Path,
    command: tuple[str, ...],
) -> None:
    bad = tmp_path / "bad.jpg"
    bad.write_bytes(b"no picture")
    alone = [knows_bo(*command, image, "--json").document for image in (SCENE, OTHER)]
    together = knows_bo(*command, SCENE, bad, OTHER, "--json")
    assert together.code == 2
    first, failed, second = together.documents
    assert [first["text"], second["text"]] == [one["text"] for one in alone]
    assert (failed["image"], "bad.jpg" in failed["error"]) == (str(bad), True)
    shown = knows_bo(*command, SCENE, OTHER)
    assert (shown.code, shown.out) == (0, f"{SCENE}: {alone[0]['text']}\n{OTHER}: {alone[1]['text']}\n")


def test_where_gives_a_box_for_what_is_there(knows_bo: Run) -> None:  # noqa: F811
    found = knows_bo("recognize", SCENE, CLIP, "--where", "--json").documents
    for document in found:
        [bo] = document["concepts"]
        assert bo["present"]
        assert [place["seconds"] for place in bo["where"]] == (bo["seen_at"] or [None])
        for place in bo["where"]:
            left, top, right, bottom = place["box"]
            assert 0 <= left < right <= 1
            assert 0 <= top < bottom <= 1
    box = " ".join(f"{side:.2f}" for side in found[0]["concepts"][0]["where"][0]["box"])
    assert f"[{box}]" in knows_bo("recognize", SCENE, OTHER, "--where").out
    absent = knows_bo("recognize", SCENE, "--where", "--threshold", "1", "--json").document["concepts"][0]
    assert absent["where"] == []


def test_heatmaps_fill_a_new_folder_and_overwrite_nothing(knows_bo: Run, tmp_path: Path) -> None:  # noqa: F811
    folder = tmp_path / "heat"
    done = knows_bo("recognize", SCENE, "--heatmaps", folder, "--json")
    [drawn] = done.document["concepts"][0]["heatmaps"]
    assert [str(path) for path in folder.iterdir()] == [drawn]
    with Image.open(drawn) as picture:
        assert min(picture.size) > 300
    again = knows_bo("recognize", SCENE, "--heatmaps", folder, "--model", "no-such-model")
    assert (again.code, "no empty folder" in again.err) == (2, True)
