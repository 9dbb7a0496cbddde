"""Take the pictures of the page that the documentation shows, on the drawn photos of the demo.

ego web --library EMPTY_FOLDER &
python docs/site/screenshots.py http://127.0.0.1:8322/
"""

import shutil
import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

from ego.demo.pictures import shipped_pictures

PICTURES = shipped_pictures().folder
IMAGES = Path(__file__).resolve().parents[1] / "images"
PATIENCE = 90_000  # milliseconds


def main(address: str) -> None:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1100, "height": 800})
        page.set_default_timeout(PATIENCE)
        page.goto(address)
        page.get_by_role("tab", name="Things").click()
        page.locator("#add-name input, #add-name textarea").first.fill("Bo")
        page.locator("#add-files input[type=file]").set_input_files([PICTURES / "bo-1.jpg", PICTURES / "bo-2.jpg"])
        page.locator("#add-files").get_by_text("bo-2").first.wait_for()
        page.locator("#add").click()
        page.locator("#kept img").nth(1).wait_for()
        page.wait_for_timeout(2000)
        page.screenshot(path=IMAGES / "page-things.png", full_page=True)
        page.get_by_role("tab", name="Look").click()
        page.locator("#who-file input[type=file]").set_input_files(PICTURES / "scene-01.jpg")
        page.locator("#who-table table").wait_for()
        page.locator("#who-show").click()
        page.locator("#who-heat img").wait_for()
        page.wait_for_timeout(2000)
        page.screenshot(path=IMAGES / "page-look.png", full_page=True)
        browser.close()


if __name__ == "__main__":
    main(sys.argv[1])
