"""/v1/concepts, /v1/recognize and /v1/caption of a running service."""

import io
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import av
import httpx2
import numpy as np
import pytest
from PIL import Image

from ego.concept import Concept, Region
from ego.memory_file import load
from ego.personalizer import Ego
from tests.server.running import BO, PICTURES, SCENE, Running, introduce

TEAPOT = PICTURES / "nanas-teapot-1.jpg"


@pytest.fixture
def client(served: Running):
    with served.client() as client:
        yield client


def photo(path: Path) -> dict[str, object]:
    return {"images": (path.name, path.read_bytes(), "image/jpeg")}


def clip(path: Path, pictures: list[Path]) -> bytes:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=2)
        stream.width, stream.height, stream.pix_fmt = 384, 384, "yuv420p"
        for picture in pictures:
            array = np.asarray(Image.open(picture).convert("RGB").resize((384, 384)))
            container.mux(stream.encode(av.VideoFrame.from_ndarray(array, format="rgb24")))
        container.mux(stream.encode())
    return path.read_bytes()


def test_a_concept_from_its_first_day_to_its_last(client: httpx2.Client) -> None:
    made = introduce(client, "Nana's teapot", TEAPOT, category="teapot", keywords="blue teapot").json()
    assert made["views"][0]["description_by"] == "user"
    listed = client.get("/v1/concepts").json()["data"]
    assert [concept["name"] for concept in listed] == ["Bo", "Nana's teapot"]
    renamed = client.patch(f"/v1/concepts/{made['id']}", json={"name": "Tea/../pot"})
    assert renamed.json()["name"] == "Tea/../pot"
    place = f"/v1/concepts/{renamed.json()['id']}"
    assert client.get(place).json()["category"] == "teapot"
    more = client.post(f"{place}/views", files=photo(PICTURES / "nanas-teapot-2.jpg"))
    assert more.json()["views"][0]["kept"] == made["views"][0]["kept"]
    assert len(more.json()["views"]) == 2
    less = client.delete(f"{place}/views/0").json()
    assert less["tokens"] == len(more.json()["views"][1]["kept"])
    assert less["views"] == more.json()["views"][1:]
    assert client.delete(f"{place}/views/0").status_code == 400
    assert client.delete(place).status_code == 204
    assert client.get(place).status_code == 404


def test_pictures_of_a_concept(client: httpx2.Client) -> None:
    small = client.get("/v1/concepts/Bo/thumbnail")
    assert Image.open(io.BytesIO(small.content)).format == "JPEG"
    drawn = client.post("/v1/concepts/Bo/heatmap", files={"image": BO.read_bytes()})
    assert drawn.headers["content-type"] == "image/png"
    assert Image.open(io.BytesIO(drawn.content)).size[0] >= 256
    for photo, view in ((SCENE, {}), (SCENE, {"view": 0}), (BO, {"view": 3})):  # of the same size, all
        other = client.post("/v1/concepts/Bo/heatmap", files={"image": photo.read_bytes()}, params=view)
        assert other.status_code == 400


def test_boxes_and_masks_say_what_the_subject_is(client: httpx2.Client, served: Running) -> None:
    alone = Ego(served.service.backbone)
    with Image.open(TEAPOT) as picture:
        width, height = picture.size
    mask = np.zeros((height, width), dtype=bool)
    mask[height // 4 : height // 2, width // 4 : width // 2] = True
    drawn = io.BytesIO()
    Image.fromarray(mask).save(drawn, "PNG")
    box = (width // 4, height // 4, width // 2, height // 2)
    given = {
        "by mask": ({"masks": drawn.getvalue()}, {}, Region(mask=mask)),
        "by box": ({}, {"boxes": ",".join(map(str, box))}, Region(box=tuple(map(float, box)))),
    }
    for name, (files, fields, region) in given.items():
        made = client.post(
            "/v1/concepts", data={"name": name, **fields}, files={"images": TEAPOT.read_bytes(), **files}
        )
        assert made.status_code == 201, made.text
        kept = alone.introduce(Concept(name, images=[TEAPOT], regions=[region])).views[0].kept
        assert made.json()["views"][0]["kept"] == list(kept)
        assert made.json()["views"][0]["description_by"] == "region"
    more = client.post("/v1/concepts/by mask/views", files={"images": BO.read_bytes()}, data={"boxes": "20,20,200,200"})
    assert more.json()["views"][1]["description_by"] == "region"
    both = {"images": TEAPOT.read_bytes(), "masks": drawn.getvalue()}
    refused = client.post("/v1/concepts", data={"name": "X", "boxes": "1,1,9,9"}, files=both)
    assert (refused.status_code, "give one of them" in refused.text) == (400, True)
    for wrong in (drawn.getvalue()[:40], b"no mask", b""):
        files = {"images": TEAPOT.read_bytes(), "masks": wrong}
        assert client.post("/v1/concepts", data={"name": "X"}, files=files).status_code == 400
    for name in given:
        assert client.delete(f"/v1/concepts/{name}").status_code == 204


def test_says_and_draws_where_a_concept_is(client: httpx2.Client, served: Running) -> None:
    found = client.post(
        "/v1/recognize", files={"image": SCENE.read_bytes()}, data={"where": "true", "threshold": "0"}
    ).json()["data"]
    (place,) = found[0]["where"]
    (alone,) = Ego(served.service.backbone, served.service.library("me")).where(SCENE, ["Bo"])["Bo"]
    assert place["box"] == pytest.approx(alone.box)
    assert place["peak"] == pytest.approx(alone.peak)
    (numbers,) = client.post("/v1/pointings", files={"image": SCENE.read_bytes()}, data={"names": "bo"}).json()["data"]
    assert numbers["heat"] == pytest.approx(alone.heat, abs=1e-4)
    never = client.post(
        "/v1/recognize", files={"image": SCENE.read_bytes()}, data={"where": "true", "threshold": "1"}
    ).json()["data"]
    assert never[0].get("where", []) == []
    drawn = client.post("/v1/where", files={"image": SCENE.read_bytes()}, data={"name": "bo"})
    assert drawn.headers["content-type"] == "image/png"
    assert Image.open(io.BytesIO(drawn.content)).size[0] >= 256
    assert client.post("/v1/where", files={"image": SCENE.read_bytes()}, data={"name": "X"}).status_code == 404


def test_export_and_import(client: httpx2.Client) -> None:
    content = client.get("/v1/concepts/bo/export").content
    assert load(content).name == "Bo"
    twin = client.post("/v1/concepts/import", files={"file": content}, data={"name": "Bo II"})
    assert twin.status_code == 201
    assert twin.json()["tokens"] == len(load(content).tokens)
    again = client.post("/v1/concepts/import", files={"file": content}, data={"name": "bo ii"})
    assert again.status_code == 409
    assert client.delete("/v1/concepts/Bo II").status_code == 204
    for broken in (content[:-9], b"", b"\x00" * 64, content[:600] + b"x" + content[601:]):
        assert client.post("/v1/concepts/import", files={"file": broken}).status_code == 422


def test_a_name_is_taken_once(client: httpx2.Client) -> None:
    assert introduce(client, "BO").status_code == 409
    assert introduce(client, " ").status_code == 400
    assert client.post("/v1/concepts", data={"name": "X"}).status_code == 422
    assert client.post("/v1/concepts", data={"name": "X"}, files={"images": b"no image"}).status_code == 400


def test_recognizes_as_the_library_does(served: Running, client: httpx2.Client) -> None:
    found = client.post("/v1/recognize", files={"image": SCENE.read_bytes()}).json()["data"]
    alone = Ego(served.service.backbone, served.service.library("me")).recognize(SCENE)
    assert [(one["name"], one["said"]) for one in found] == [(one.name, one.said) for one in alone.values()]
    assert found[0]["probability"] == pytest.approx(alone["Bo"].probability, abs=1e-4)
    always = client.post("/v1/recognize", files={"image": SCENE.read_bytes()}, data={"threshold": "0"}).json()["data"]
    assert always[0]["present"]
    none = client.post("/v1/recognize", files={"image": SCENE.read_bytes()}, data={"names": "Nobody"})
    assert none.status_code == 404


def test_clips_can_be_introduced_recognized_and_described(client: httpx2.Client, tmp_path: Path) -> None:
    film = clip(tmp_path / "film.mp4", [BO, BO, SCENE, SCENE])
    made = client.post("/v1/concepts", data={"name": "From a clip"}, files={"images": film})
    assert made.status_code == 201
    assert len(made.json()["views"]) == 3
    assert client.delete("/v1/concepts/From a clip").status_code == 204
    assert client.post("/v1/recognize", files={"image": film}).json()["data"][0]["name"] == "Bo"
    described = client.post("/v1/caption", files={"image": film}).json()
    assert described["text"]
    assert described["names"] == ["Bo"]


def test_captions_as_the_library_does(served: Running, client: httpx2.Client) -> None:
    said = client.post("/v1/caption", files={"image": SCENE.read_bytes()}).json()
    alone = Ego(served.service.backbone, served.service.library("me")).caption(SCENE)
    assert said["text"] == alone.text
    assert said["mentioned"] == list(alone.mentioned)


def test_a_caption_of_several_sentences_is_whole_whoever_else_asks(served: Running, client: httpx2.Client) -> None:
    """Two things are recognized there, and the embedded model tells of one in a sentence."""
    both = PICTURES / "scene-10.jpg"
    assert introduce(client, "Zoe's bag", PICTURES / "zoes-bag-1.jpg").status_code == 201
    alone = Ego(served.service.backbone, served.service.library("me"))
    expected = {path: alone.caption(path).text for path in (both, SCENE, PICTURES / "scene-08.jpg")}
    assert expected[both].count(".") == 2

    def described(path: Path) -> str:
        with served.client() as another:
            return str(another.post("/v1/caption", files={"image": path.read_bytes()}).json()["text"])

    asked = list(expected) * 3
    with ThreadPoolExecutor(len(asked)) as at_once:
        assert list(at_once.map(described, asked)) == [expected[path] for path in asked]
    assert client.delete("/v1/concepts/Zoe's bag").status_code == 204
