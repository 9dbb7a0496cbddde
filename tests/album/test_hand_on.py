"""What is made of matches: tables, a gallery, links and copies, XMP sidecars."""

import csv
import io
import json
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from ego.album.find import Match, Seen
from ego.album.gallery import write_gallery
from ego.album.matches import gather
from ego.album.sidecar import keywords, sidecar_path, write_sidecar
from ego.album.tables import as_csv, as_json_lines
from ego.errors import InputError

FOREIGN = b"""<?xpacket begin="\xef\xbb\xbf" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/" x:xmptk="XMP Core 4.4.0-Exiv2">
 <rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
  <rdf:Description rdf:about="" xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmlns:dc="http://purl.org/dc/elements/1.1/"
    xmlns:darktable="http://darktable.sf.net/" xmp:Rating="4" darktable:auto_presets_applied="1">
   <dc:subject><rdf:Bag><rdf:li>holiday</rdf:li><rdf:li>Ted</rdf:li></rdf:Bag></dc:subject>
  </rdf:Description>
 </rdf:RDF>
</x:xmpmeta>
<?xpacket end="w"?>"""


@pytest.fixture
def photos(tmp_path: Path) -> list[Match]:
    """Two photos of one name in two folders; the first has a box."""
    matches = []
    for number, folder in enumerate(("a", "b")):
        path = tmp_path / folder / "photo.jpg"
        path.parent.mkdir()
        Image.new("RGB", (300, 200), ["navy", "teal"][number]).save(path)
        box = (0.1, 0.2, 0.5, 0.9) if number == 0 else None
        seen = (Seen("Bo", 0.9, box, ()), Seen("=1+1", 0.6, None, ()))[: 2 - number]
        matches.append(Match(str(path), "image", f"2026-0{number + 1}-01T10:00:00", seen))
    return matches


@pytest.mark.skipif(sys.platform == "win32", reason="modes of files")
def test_a_gallery_is_its_makers_and_tells_nothing_but_pixels(photos: list[Match], tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x010E] = "taken at home"
    Image.new("RGB", (300, 200)).save(photos[0].path, comment=b"home", exif=exif, xmp=b"<home/>")
    page = write_gallery(photos, tmp_path / "gallery")
    small = list((page.parent / "thumbnails").iterdir())
    assert len(small) == 2
    assert not any(b"home" in path.read_bytes() for path in small)
    assert {path.stat().st_mode & 0o777 for path in (page, *small)} == {0o600}
    assert {path.stat().st_mode & 0o777 for path in (page.parent, page.parent / "thumbnails")} == {0o700}


def test_tables_hold_every_concept_of_every_picture(photos: list[Match]) -> None:
    rows = list(csv.DictReader(io.StringIO(as_csv(photos))))
    assert [row["name"] for row in rows] == ["Bo", "'=1+1", "Bo"]
    assert (rows[0]["left"], rows[0]["bottom"], rows[2]["left"]) == ("0.1000", "0.9000", "")
    documents = [json.loads(line) for line in as_json_lines(photos).splitlines()]
    assert documents[0]["seen"][1]["name"] == "=1+1"


def test_links_and_copies_keep_pictures_of_one_name_apart(photos: list[Match], tmp_path: Path) -> None:
    before = {match.path: Path(match.path).read_bytes() for match in photos}
    assert gather(photos, tmp_path / "links", "link") == 2
    assert gather(photos, tmp_path / "links", "link") == 0
    assert sorted(path.name for path in (tmp_path / "links").iterdir()) == ["photo-2.jpg", "photo.jpg"]
    assert (tmp_path / "links" / "photo.jpg").readlink() == Path(photos[0].path)
    assert gather(photos, tmp_path / "copies", "copy") == 2
    assert gather(photos, tmp_path / "copies", "copy") == 0
    assert (tmp_path / "copies" / "photo-2.jpg").read_bytes() == before[photos[1].path]
    assert {match.path: Path(match.path).read_bytes() for match in photos} == before
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(InputError, match="cannot be filled"):
        gather(photos, tmp_path / "file", "link")


def test_a_gallery_shows_names_and_boxes_and_nothing_from_the_names_runs(photos: list[Match], tmp_path: Path) -> None:
    loud = Match(photos[1].path, "image", "", (Seen('<script>alert("1")</script>', 0.7, None, (61.5,)),))
    page = write_gallery([photos[0], loud], tmp_path / "gallery")
    text = page.read_text(encoding="utf-8")
    assert "left:10.00%;top:20.00%;width:40.00%;height:70.00%" in text
    assert "&lt;script&gt;alert" in text
    assert '<script>alert("1")' not in text
    assert "at 1:01.5" in text
    thumbnails = list((tmp_path / "gallery" / "thumbnails").iterdir())
    assert len(thumbnails) == 2
    written = {path: path.stat().st_mtime_ns for path in thumbnails}
    Path(photos[1].path).unlink()
    assert "teal" not in write_gallery(photos, tmp_path / "gallery").read_text(encoding="utf-8")
    assert written == {path: path.stat().st_mtime_ns for path in thumbnails}


def test_a_sidecar_is_made_read_and_corrected(photos: list[Match]) -> None:
    picture = Path(photos[0].path)
    before = picture.read_bytes()
    assert not write_sidecar(picture, [])
    assert write_sidecar(picture, ["Bo", "Zoë & Co <3"])
    assert not write_sidecar(picture, ["Bo", "Zoë & Co <3"])
    assert keywords(sidecar_path(picture)) == ("Bo", "Zoë & Co <3")
    assert write_sidecar(picture, ["Bo"])
    assert keywords(sidecar_path(picture)) == ("Bo",)
    assert write_sidecar(picture, [])
    assert keywords(sidecar_path(picture)) == ()
    assert picture.read_bytes() == before


@pytest.mark.parametrize("naming", ["appended", "replaced"])
def test_what_others_wrote_into_a_sidecar_stays(photos: list[Match], naming: str) -> None:
    picture = Path(photos[0].path)
    path = sidecar_path(picture, naming)
    assert path.name == {"appended": "photo.jpg.xmp", "replaced": "photo.xmp"}[naming]
    path.write_bytes(FOREIGN)
    write_sidecar(picture, ["Bo", "Ted"], naming=naming)
    assert keywords(path) == ("holiday", "Ted", "Bo")
    write_sidecar(picture, ["Bo"], naming=naming)
    text = path.read_text(encoding="utf-8")
    assert keywords(path) == ("holiday", "Bo")
    assert 'xmp:Rating="4"' in text
    assert "darktable:auto_presets_applied" in text
    assert text.count("xpacket") == 2


@pytest.mark.parametrize(
    "content",
    [b"", b"not XML", b"<html/>", b'<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><a>&b;</a>', b"<a>" * 5000],
)
def test_a_file_that_is_no_sidecar_is_left_alone(photos: list[Match], content: bytes) -> None:
    path = sidecar_path(Path(photos[0].path))
    path.write_bytes(content)
    with pytest.raises(InputError, match="move it away"):
        write_sidecar(Path(photos[0].path), ["Bo"])
    assert path.read_bytes() == content


@pytest.mark.skipif(shutil.which("exiftool") is None, reason="exiftool is not installed")
def test_exiftool_reads_what_was_written(photos: list[Match]) -> None:
    picture = Path(photos[0].path)
    for foreign in (False, True):
        path = sidecar_path(picture)
        if foreign:
            path.write_bytes(FOREIGN)
        write_sidecar(picture, ["Bo", "Zoë"])
        told = subprocess.run(["exiftool", "-json", "-charset", "utf8", str(path)], capture_output=True, check=True)
        document = json.loads(told.stdout)[0]
        assert document["Subject"] == (["holiday", "Ted", "Bo", "Zoë"] if foreign else ["Bo", "Zoë"])
        assert document["HierarchicalSubject"] == ["Ego|Bo", "Ego|Zoë"]
        assert document["TagsList"] == ["Ego/Bo", "Ego/Zoë"]
        assert "Warning" not in document


@pytest.mark.skipif(shutil.which("exiv2") is None, reason="exiv2 is not installed")
def test_exiv2_reads_what_was_written(photos: list[Match]) -> None:
    picture = Path(photos[0].path)
    write_sidecar(picture, ["Bo", "Zoë"])
    keys = ["-K", "Xmp.dc.subject", "-K", "Xmp.lr.hierarchicalSubject", "-K", "Xmp.digiKam.TagsList"]
    command = ["exiv2", "-Pkv", *keys, str(sidecar_path(picture))]
    told = subprocess.run(command, capture_output=True, check=True, text=True).stdout.splitlines()
    assert [line.split(maxsplit=1) for line in told] == [
        ["Xmp.dc.subject", "Bo, Zoë"],
        ["Xmp.lr.hierarchicalSubject", "Ego|Bo, Ego|Zoë"],
        ["Xmp.digiKam.TagsList", "Ego/Bo, Ego/Zoë"],
    ]


@pytest.mark.skipif(shutil.which("darktable-cli") is None, reason="darktable is not installed")
def test_darktable_takes_the_names_for_its_own_tags(photos: list[Match], tmp_path: Path) -> None:
    picture = Path(photos[0].path)
    write_sidecar(picture, ["Bo", "Zoë"])
    folders = ["--configdir", str(tmp_path / "config"), "--cachedir", str(tmp_path / "cache")]
    command = ["darktable-cli", str(picture), str(sidecar_path(picture)), str(tmp_path / "out.jpg"), "--core", *folders]
    subprocess.run([*command, "--disable-opencl"], capture_output=True, check=True)
    with sqlite3.connect(tmp_path / "config" / "data.db") as base:
        tags = {row[0] for row in base.execute("select name from tags")}
    assert {"Ego|Bo", "Ego|Zoë"} <= tags
