"""The page in a real browser: all that a visitor does, on a desktop and a phone, without an error or an obstacle."""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("gradio")
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

from ego.demo.pictures import shipped_pictures
from tests.web.browsing import browser_page, drop, served, tab, visit, words

pytestmark = pytest.mark.web

PICTURES = shipped_pictures().folder


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with served(tmp_path_factory.mktemp("home"), "web") as (url, _):
        yield url


@pytest.fixture(scope="module")
def page(address: str) -> Iterator[Page]:
    with browser_page() as opened:
        opened.goto(address)
        yield opened


def test_add_from_two_photos_and_see_what_was_kept(page: Page) -> None:
    tab(page, "Things")
    words(page, "add-name").fill("Bo")
    drop(page, "add-files", PICTURES / "bo-1.jpg", PICTURES / "bo-2.jpg")
    page.locator("#add").click()
    page.locator("#story").get_by_text("is remembered in").wait_for()
    page.locator("#kept img").nth(3).wait_for()
    assert page.locator("#kept figcaption").all_inner_texts()[:2] == ["Photo 1", "What was kept of photo 1"]


def test_a_known_name_is_not_taken_by_mistake(page: Page, address: str) -> None:
    visit(page, address)
    tab(page, "Things")
    page.locator("#story").get_by_text("is remembered in").wait_for()
    words(page, "add-name").fill("bo")
    drop(page, "add-files", PICTURES / "bo-2.jpg")
    page.locator("#add").click()
    page.get_by_text("is remembered already").first.wait_for()


def test_add_from_the_camera(page: Page, address: str) -> None:
    visit(page, address)
    tab(page, "Things")
    page.locator("#add-camera-open button").first.click()
    page.locator("#add-camera").get_by_text("Click to Access Webcam").click()
    page.locator("#add-camera video").wait_for()
    page.wait_for_function("document.querySelector('#add-camera video').videoWidth > 0")
    page.locator("#add-camera button:visible").first.click()
    page.locator("#add-files").get_by_text(re.compile(r"\d\s(B|KB|MB)")).first.wait_for()
    words(page, "add-name").fill("Test card")
    page.locator("#add").click()
    page.locator("#story").get_by_text("Test card").wait_for()
    page.locator("#things").get_by_text("Test card").first.wait_for()


def test_add_from_a_clip(page: Page, address: str) -> None:
    visit(page, address)
    tab(page, "Things")
    words(page, "add-name").fill("Walk")
    drop(page, "add-files", PICTURES / "clip-01.mp4")
    page.locator("#add").click()
    page.locator("#story").get_by_text("Walk").wait_for()
    assert page.locator("#kept img").count() > 4


def test_correct_a_frame_by_a_box(page: Page) -> None:
    page.locator("#correct button").first.click()
    page.locator("#correct-which label").nth(1).click()
    photo = page.locator("#correct-photo img")
    photo.wait_for()
    photo.scroll_into_view_if_needed()
    for share in (0.2, 0.8):
        size = photo.bounding_box()
        assert size is not None
        photo.click(position={"x": share * size["width"], "y": share * size["height"]})
        page.wait_for_timeout(1500)
    page.wait_for_function("document.querySelector('#correct-box').querySelector('input, textarea').value")
    page.locator("#correct-use").click()
    page.locator("#story").get_by_text("Chosen by your box").wait_for()
    words(page, "correct-box").fill("0, 0, 9000, 40")  # by the keyboard alone, and wrongly
    page.locator("#correct-use").click()
    page.get_by_text("not inside the photo").first.wait_for()


def test_recognise_where_yes_and_no(page: Page) -> None:
    tab(page, "Look")
    page.locator("#who-file input[type=file]").set_input_files(PICTURES / "scene-01.jpg")
    page.locator("#who-table table").get_by_text("Bo").wait_for()
    page.locator("#who-yes").click()
    page.locator("#who-table").get_by_text("1.00").wait_for()
    page.locator("#who-show").click()
    page.locator("#who-heat img").wait_for()
    page.locator("#who-no").click()
    page.locator("#who-table").get_by_text("0.00").wait_for()
    page.locator("#who-undo").click()
    page.locator("#who-table").get_by_text("0.00").wait_for(state="detached")


def test_when_in_a_clip(page: Page) -> None:
    page.locator("#who-file button[aria-label]").last.click()  # takes the photo away
    page.locator("#who-file input[type=file]").set_input_files(PICTURES / "clip-01.mp4")
    page.locator("#who-table td").filter(has_text=re.compile(r"\d\.\d s")).first.wait_for()


def test_a_bad_file_is_a_message(page: Page, tmp_path: Path) -> None:
    tab(page, "Ask")
    bad = tmp_path / "bad.jpg"
    bad.write_bytes(b"no picture")
    drop(page, "ask-file", bad)
    words(page, "ask-question").fill("Who is there?")
    page.keyboard.press("Enter")
    page.get_by_text("neither an image nor a video").first.wait_for()


def test_ask_with_and_without(page: Page, address: str) -> None:
    visit(page, address)
    tab(page, "Ask")
    drop(page, "ask-file", PICTURES / "scene-01.jpg")
    page.wait_for_timeout(1000)
    words(page, "ask-question").fill("Which side is Bo on?")
    page.keyboard.press("Enter")
    page.locator("#ask-without .bot").first.wait_for()
    assert page.locator("#ask-with .bot").first.inner_text().strip()


def test_album_filters_and_review_by_keys(page: Page, tmp_path: Path) -> None:
    tab(page, "Album")
    for number in range(1, 6):
        shutil.copy(PICTURES / f"scene-0{number}.jpg", tmp_path)
    shutil.copy(PICTURES / "clip-01.mp4", tmp_path)
    words(page, "scan-folder").fill(str(tmp_path))
    page.locator("#scan").click()
    page.locator("#scan-told").get_by_text("6 looked at").wait_for()
    page.locator("#album-names").get_by_text("Bo", exact=True).click()
    page.locator("#album-count").get_by_text("picture").wait_for()
    page.locator("#album img").first.wait_for()
    words(page, "album-since").fill("soon")
    page.keyboard.press("Enter")
    page.get_by_text("is no day").first.wait_for()
    words(page, "album-since").fill("2100-01-01")
    page.keyboard.press("Enter")
    page.locator("#album-count").get_by_text("0 pictures").wait_for()
    page.locator("#album-without").get_by_text("Bo", exact=True).click()  # and the keys are heeded on a checkbox
    asked = page.locator("#review-asked").inner_text()
    page.keyboard.press("s")
    page.wait_for_function("asked => document.querySelector('#review-asked').innerText !== asked", arg=asked)


def test_rename_delete_export_import_and_reload(page: Page, address: str, tmp_path: Path) -> None:
    tab(page, "Things")
    page.locator("#things").get_by_text("Bo", exact=True).first.click()
    page.locator("#story").get_by_text("Bo", exact=True).wait_for()
    page.locator("#manage button").first.click()
    words(page, "rename-to").fill("Beau")
    page.locator("#rename").click()
    page.locator("#things").get_by_text("Beau").first.wait_for()
    visit(page, address)
    tab(page, "Things")
    page.locator("#things").get_by_text("Beau").first.wait_for()
    page.locator("#things").get_by_text("Beau", exact=True).first.click()
    page.locator("#story").get_by_text("Beau").wait_for()
    page.locator("#manage button").first.click()
    page.locator("#export").click()
    with page.expect_download() as exported:
        page.locator("#exported a").first.click()
    exported.value.save_as(tmp_path / "beau.ego")
    page.locator("#export-all").click()
    page.locator("#exported").get_by_text("my-things").first.wait_for()
    page.locator("#delete").click()
    page.get_by_text("tick the box first").first.wait_for()
    page.locator("#delete-sure input").check()
    page.locator("#delete").click()
    page.locator("#things").get_by_text("Beau").first.wait_for(state="detached")
    page.locator("#import input[type=file]").set_input_files(tmp_path / "beau.ego")
    page.locator("#things").get_by_text("Beau").first.wait_for()


def test_nothing_is_wider_than_a_phone(page: Page, address: str) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    visit(page, address)
    for name in ("Look", "Ask", "Things", "Album"):
        tab(page, name)
        page.wait_for_timeout(300)
        assert page.evaluate("document.documentElement.scrollWidth") <= 391


def test_nothing_offers_to_publish_what_is_on_the_page(page: Page, address: str) -> None:
    components = page.request.get(f"{address}config").json()["components"]
    assert len(components) > 20
    assert not [one for one in components if "share" in (one["props"].get("buttons") or [])]


def test_names_in_galleries_are_not_cut_short(page: Page, address: str) -> None:
    visit(page, address)
    long = "Grandmother's old brass teapot, bought in Istanbul"
    tab(page, "Things")
    words(page, "add-name").fill(long)
    drop(page, "add-files", PICTURES / "bo-1.jpg")
    page.locator("#add").click()
    caption = page.locator("#things .caption-label").filter(has_text=long)
    caption.wait_for()
    assert caption.evaluate("one => one.scrollWidth <= one.clientWidth && one.scrollHeight <= one.clientHeight")


def test_no_obstacle_for_those_who_cannot_see_or_use_a_mouse(page: Page, address: str) -> None:
    page.set_viewport_size({"width": 1200, "height": 900})
    visit(page, address)
    for name in ("Look", "Ask", "Things", "Album"):
        tab(page, name)
        page.wait_for_timeout(500)
        if name == "Look":
            drop(page, "who-file", PICTURES / "scene-01.jpg")
            page.locator("#who-picture img").wait_for()
        assert not page.locator(".toast-body").all_inner_texts()
        found = Axe().run(page).response["violations"]
        serious = [
            (one["id"], one["help"], one["nodes"][0]["html"])
            for one in found
            if one["impact"] in ("serious", "critical")
        ]
        assert not serious, (name, serious)


def test_the_console_stayed_quiet(page: Page) -> None:
    assert not page.errors  # type: ignore[attr-defined]
