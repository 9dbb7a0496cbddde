"""`ego.connect` and the command line with EGO_SERVER: the same verbs, the same errors, at once."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import ego
from ego.client.remote import RemoteEgo
from ego.concept import Concept, Region
from ego.errors import BackboneError, ConfigError, DuplicateConceptError, InputError, UnknownConceptError
from ego.footage import query_frames
from ego.heat_picture import draw_heat
from ego.personalizer import Ego
from ego.places import places
from tests.command import Run, runner
from tests.server.running import BO, PICTURES, SCENE, Running

pytestmark = pytest.mark.thorough

TEAPOT, CLIP = PICTURES / "nanas-teapot-1.jpg", PICTURES / "clip-01.mp4"


@pytest.fixture
def remote(served: Running) -> RemoteEgo:
    return ego.connect(served.url)


@pytest.fixture
def alone(served: Running) -> Ego:
    return Ego(served.service.backbone, served.service.library("me"))


@pytest.fixture
def command(served: Running, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    monkeypatch.setenv("EGO_SERVER", served.url)
    return runner(monkeypatch, capsys)


def test_answers_are_those_of_the_library(remote: RemoteEgo, alone: Ego) -> None:
    here, there = alone.recognize(SCENE)["Bo"], remote.recognize(SCENE)["Bo"]
    assert (there.said, there.threshold) == (here.said, here.threshold)
    assert there.probability == pytest.approx(here.probability, abs=1e-4)
    heard: list[str] = []
    said, asked = remote.ask("Where is Bo?", SCENE, on_text=heard.append), alone.ask("Where is Bo?", SCENE)
    assert said.text == "".join(heard) == asked.text
    assert (said.names, said.mentioned, said.prompt_tokens) == (asked.names, asked.mentioned, asked.prompt_tokens)
    assert remote.caption(Image.open(SCENE)).text == alone.caption(SCENE).text
    talk, quiet = remote.chat(SCENE), alone.chat(SCENE)
    for turn in ("Is Bo here?", "What else?"):
        assert talk.say(turn).text == quiet.say(turn).text


def test_where_is_that_of_the_library(remote: RemoteEgo, alone: Ego) -> None:
    for image in (SCENE, CLIP):
        told = remote.where(image, ["bo"])
        assert list(told) == ["Bo"]
        for there, here in zip(told["Bo"], alone.where(image, ["Bo"])["Bo"], strict=True):
            assert there.boxes == here.boxes
            assert there.box == pytest.approx(here.box)
            assert (*there.peak, *there.heat) == pytest.approx((*here.peak, *here.heat), abs=1e-4)
    assert list(remote.where(SCENE)) == ["Bo"]
    with pytest.raises(UnknownConceptError):
        remote.where(SCENE, ["Nobody"])


def test_commands_say_and_draw_where_as_without_a_service(command: Run, tmp_path: Path, alone: Ego) -> None:
    folder = tmp_path / "heat"
    done = command("recognize", SCENE, CLIP, "--heatmaps", folder, "--threshold", "0.5", "--json")
    assert done.code == 0, done.err
    drawn: list[str] = []
    for image, document in zip((SCENE, CLIP), done.documents, strict=True):
        found = alone.recognize(image, threshold=0.5)
        frames = {frame.seconds: frame.picture for frame in query_frames(image, alone.config.video_frames)}
        here, [bo] = places(alone, image, found.values())["Bo"], document["concepts"]
        assert [place["seconds"] for place in bo["where"]] == [place.seconds for place in here]
        for file, place, told in zip(bo["heatmaps"], here, bo["where"], strict=True):
            one = place.pointing
            assert told["box"] == pytest.approx(one.box)
            title = "Where Bo was seen"
            ours = draw_heat(frames[place.seconds], one.boxes, one.heat, outlined=[one.box], title=title)
            apart = np.abs(np.asarray(Image.open(file)).astype(int) - np.asarray(ours))
            assert (float(apart.mean()) < 0.1, file in drawn) == (True, False)
            drawn.append(file)
    assert sorted(drawn) == sorted(str(path) for path in folder.iterdir())
    assert len(drawn) > 2
    nobody = command("recognize", SCENE, "--where", "--threshold", "1", "--json").document["concepts"]
    assert nobody[0]["where"] == []


def test_an_animation_is_watched_as_a_clip_is(remote: RemoteEgo, alone: Ego, tmp_path: Path) -> None:
    pictures = [Image.open(path).resize((320, 320)) for path in (TEAPOT, SCENE, BO)]
    pictures[0].save(tmp_path / "moving.gif", save_all=True, append_images=pictures[1:], duration=500)
    here, there = (one.recognize(tmp_path / "moving.gif", threshold=0.0)["Bo"] for one in (alone, remote))
    assert there.seen_at == here.seen_at == (0.0, 0.5, 1.0)
    assert len(remote.where(tmp_path / "moving.gif")["Bo"]) == 3


def test_a_concept_from_its_first_day_to_its_last(remote: RemoteEgo) -> None:
    box = Region(box=(20.0, 20.0, 200.0, 200.0))
    made = remote.introduce(Concept("Nana's pot", images=[TEAPOT], category="pot", regions=[box]))
    assert made.described["views"][0]["description_by"] == "region"
    assert len(remote.add_view("nana's POT", [PICTURES / "nanas-teapot-2.jpg"]).described["views"]) == 2
    assert len(remote.remove_view("Nana's pot", 1).described["views"]) == 1
    assert remote.rename("Nana's pot", "Pot").name == "Pot"
    content = remote.export("Pot")
    remote.forget("Pot")
    assert [one.name for one in remote.memories] == ["Bo"]
    assert remote.import_file(content, "Pot again").name == "Pot again"
    remote.forget("Pot again")


def test_a_mask_travels_as_it_is(remote: RemoteEgo, alone: Ego) -> None:
    mask = np.zeros(Image.open(TEAPOT).size[::-1], dtype=bool)
    mask[40:160, 60:200] = True
    concept = Concept("Masked", images=[TEAPOT], regions=[Region(mask=mask)])
    there = remote.introduce(concept).described["views"][0]
    remote.forget("Masked")
    assert there["kept"] == list(Ego(alone.backbone).introduce(concept).views[0].kept)
    with pytest.raises(InputError, match="for every image"):
        remote.introduce(Concept("Half", images=[TEAPOT, BO], regions=[Region(mask=mask), None]))


def test_errors_are_those_of_the_library(remote: RemoteEgo, served: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UnknownConceptError):
        remote.recognize(SCENE, ["Nobody"])
    with pytest.raises(UnknownConceptError):
        remote.ask("Who?", SCENE, ["Nobody"])
    with pytest.raises(UnknownConceptError, match="known: Bo"):
        remote.forget("Nobody")
    with pytest.raises(DuplicateConceptError):
        remote.introduce(Concept("bo", images=[BO]))
    with pytest.raises(InputError):
        remote.recognize(b"no image")
    with pytest.raises(InputError, match="there is no file at"):
        remote.recognize("nowhere.jpg")
    with pytest.raises(InputError, match="empty"):
        remote.ask(" ")
    with pytest.raises(BackboneError, match="ego serve"):
        ego.connect("http://127.0.0.1:9").recognize(SCENE)
    monkeypatch.delenv("EGO_SERVER", raising=False)
    with pytest.raises(ConfigError, match="EGO_SERVER"):
        ego.connect()


def test_commands_use_the_service(command: Run, tmp_path: Path, alone: Ego) -> None:
    found = command("recognize", SCENE, "--json")
    assert found.code == 0, found.err
    assert [one["name"] for one in found.document["concepts"]] == ["Bo"]
    assert command("ask", "Where is Bo?", SCENE, "--json").document["text"] == alone.ask("Where is Bo?", SCENE).text
    assert command("caption", SCENE).out.strip() == alone.caption(SCENE).text
    assert command("introduce", "Pot", TEAPOT, "--category", "pot").code == 0
    assert command("introduce", "Pot", TEAPOT).code == 3
    assert [one["name"] for one in command("concepts", "list", "--json").document] == ["Bo", "Pot"]
    assert command("concepts", "show", "pot", "--json").document["category"] == "pot"
    assert command("concepts", "rename", "Pot", "Jug").code == 0
    assert command("concepts", "export", "Jug", tmp_path / "jug.ego").code == 0
    assert command("concepts", "export", "Jug", tmp_path / "jug.ego").code == 2
    assert command("concepts", "remove", "Jug", "--yes").code == 0
    assert command("concepts", "import", tmp_path / "jug.ego", "--name", "Jug II").code == 0
    assert command("concepts", "remove", "Jug II", "--yes").code == 0


@pytest.mark.parametrize("asked", [("recognize",), ("caption",), ("ask", "Who?")])
def test_a_number_of_frames_is_not_passed_over(command: Run, asked: tuple[str, ...]) -> None:
    done = command(*asked, CLIP, "--frames", 3)
    assert (done.code, "leave --frames out" in done.err) == (2, True)


def test_an_album_is_looked_at_by_the_service(command: Run, tmp_path: Path, alone: Ego, served: Running) -> None:
    folder = tmp_path / "album"
    folder.mkdir()
    for name in ("scene-01.jpg", "scene-12.jpg", "clip-01.mp4"):
        shutil.copy(PICTURES / name, folder)
    (folder / "broken.jpg").write_bytes(b"no picture")
    library = ("--library", tmp_path / "library")
    done = command("scan", folder, *library, "--json")
    assert (done.code, done.document["looked"], len(done.document["problems"])) == (0, 4, 1), done.err
    assert command("scan", folder, *library, "--json").document["looked"] == 0
    found = command("find", "--threshold", "0", *library, "--json").document
    seen = {Path(match["path"]).name: {one["name"]: one["probability"] for one in match["seen"]} for match in found}
    for name, probabilities in seen.items():
        told = alone.recognize(folder / name)
        assert probabilities == pytest.approx({one.name: one.probability for one in told.values()}, abs=1e-4)
    assert len(seen) == 3
    assert command("scan", folder, *library, "--ray").code == 2


def test_a_command_loads_none_of_what_is_slow_to_load(served: Running) -> None:
    slow = ("torch", "transformers", "numpy", "av", "faiss", "PIL")
    program = (
        "import sys; from ego.cli import main\n"
        "try: main()\n"
        "except SystemExit as end: code = end.code\n"
        f"print([name for name in {slow} if name in sys.modules], code or 0, file=sys.stderr)"
    )
    environment = os.environ | {"EGO_SERVER": served.url}
    command = [sys.executable, "-c", program, "recognize", str(SCENE)]
    done = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
    assert done.stderr.splitlines()[-1] == "[] 0"
