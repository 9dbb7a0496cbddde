"""The page inside the service: each owner's own, opened with the key, and no obstacle when the service stops."""

import signal
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from subprocess import Popen

import pytest

pytest.importorskip("gradio")
from ego.demo.pictures import shipped_pictures
from ego.server.keys import KeyRing
from tests.web.browsing import browser_page, drop, served, tab, words

pytestmark = pytest.mark.web

PICTURES = shipped_pictures().folder
SOON = 40.0  # seconds; a page that were waited for would take 150


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    path = tmp_path_factory.mktemp("keys") / "keys.jsonl"
    ring = KeyRing(path)
    return {"file": str(path), "Anna": ring.add("Anna"), "Ben": ring.add("Ben")}


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, keys: dict[str, str]) -> Iterator[tuple[str, "Popen[bytes]"]]:
    with served(tmp_path_factory.mktemp("home"), "serve", "--web", "--keys", keys["file"]) as running:
        yield running


def test_a_browser_is_asked_for_the_key(service: tuple[str, object]) -> None:
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(f"{service[0]}web/")
    assert refused.value.code == 401
    assert refused.value.headers["WWW-Authenticate"] == 'Basic realm="Ego"'
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(f"{service[0]}v1/concepts")
    assert refused.value.headers["WWW-Authenticate"] == "Bearer"


def test_each_owner_has_a_page_of_their_own(service: tuple[str, object], keys: dict[str, str]) -> None:
    url = f"{service[0]}web/"
    with browser_page(http_credentials={"username": "anyone", "password": keys["Anna"]}) as page:
        page.goto(url)
        tab(page, "Things")
        assert page.get_by_role("tab", name="Album").count() == 0
        words(page, "add-name").fill("Bo")
        drop(page, "add-files", PICTURES / "bo-1.jpg")
        page.locator("#add").click()
        page.locator("#story").get_by_text("is remembered in").wait_for()
        page.goto(url)
        tab(page, "Ask")
        drop(page, "ask-file", PICTURES / "scene-01.jpg")
        words(page, "ask-question").fill("Which side is Bo on?")
        page.keyboard.press("Enter")
        page.locator("#ask-without .bot").first.wait_for()
        assert not page.errors  # type: ignore[attr-defined]
    with browser_page(http_credentials={"username": "anyone", "password": keys["Ben"]}) as page:
        page.goto(url)
        tab(page, "Look")
        drop(page, "who-file", PICTURES / "scene-01.jpg")
        page.locator("#who-table").get_by_text("No thing is remembered yet").wait_for()


def test_an_open_page_does_not_keep_the_service_from_stopping(
    service: tuple[str, "Popen[bytes]"], keys: dict[str, str]
) -> None:
    with browser_page(http_credentials={"username": "anyone", "password": keys["Ben"]}) as page:
        page.goto(f"{service[0]}web/")
        tab(page, "Things")
        began = time.monotonic()
        service[1].send_signal(signal.SIGTERM)
        assert service[1].wait(timeout=SOON) in (0, -signal.SIGTERM)
        assert time.monotonic() - began < SOON
