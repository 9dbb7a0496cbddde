"""Take the pictures of the page that the documentation shows, on the drawn photos of the demo.

ego web --library EMPTY_FOLDER &
python docs/site/screenshots.py http://127.0.0.1:8322/
"""

import shutil
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from ego.demo.pictures import shipped_pictures

PICTURES = shipped_pictures()
IMAGES = Path(__file__).resolve().parents[1] / "images"
PATIENCE = 600_000  # milliseconds
SETTLED = 2000  # milliseconds until pictures have faded in


def main(address: str) -> None:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1100, "height": 800})
        page.set_default_timeout(PATIENCE)
        for concept in reversed(PICTURES.concepts):  # the first one stays in sight
            page.goto(address)
            page.get_by_role("tab", name="Things").click()
            _add(page, concept.name, [PICTURES.folder / file for file in concept.references[:2]])
        _take(page, "page-things.png")
        page.get_by_role("tab", name="Look").click()
        page.locator("#who-file input[type=file]").set_input_files(PICTURES.folder / PICTURES.scenes[0].file)
        page.locator("#who-table table").wait_for()
        page.locator("#who-show").click()
        page.locator("#who-heat img").wait_for()
        _take(page, "page-look.png")
        page.get_by_role("tab", name="Album").click()
        with tempfile.TemporaryDirectory(prefix="album-") as folder:
            for scene in PICTURES.scenes:
                shutil.copy(PICTURES.folder / scene.file, folder)
            page.locator("#scan-folder").get_by_role("textbox").fill(folder)
            page.locator("#scan").click()
            page.locator("#scan-told").get_by_text("looked at").wait_for()
            page.locator("#album img").first.wait_for()
            page.locator("#scan-folder").get_by_role("textbox").fill("~/Pictures")
            _take(page, "page-album.png")
        browser.close()


def _add(page: Page, name: str, photos: list[Path]) -> None:
    page.locator("#add-name").get_by_role("textbox").fill(name)
    page.locator("#add-files input[type=file]").set_input_files(photos)
    page.locator("#add-files").get_by_text(photos[-1].stem).first.wait_for()
    page.locator("#add").click()
    page.locator("#story").get_by_text(name, exact=False).first.wait_for()
    page.locator("#kept img").nth(3).wait_for()


def _take(page: Page, name: str) -> None:
    page.mouse.move(0, 0)
    page.wait_for_timeout(SETTLED)
    page.screenshot(path=IMAGES / name, full_page=True)


if __name__ == "__main__":
    main(sys.argv[1])
