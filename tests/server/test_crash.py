"""The service is killed while it is busy: whatever it had acknowledged is there when it is back."""

import threading
from pathlib import Path

import httpx2
import pytest

from tests.server.running import PICTURES, SCENE, Served, introduce, shown

pytestmark = pytest.mark.thorough

PHOTOS = [PICTURES / name for name in ("bo-1.jpg", "nanas-teapot-1.jpg", "zoes-bag-1.jpg")]
ACKNOWLEDGED = 8  # concepts before each kill
TEACHERS, ASKERS = 3, 2


class Load:
    """Callers who introduce concepts, and callers who ask about them, until the service is gone."""

    def __init__(self, served: Served, known: list[str]) -> None:
        self._served, self.known, self.answers = served, known, 0
        self._enough, self._until = threading.Event(), len(known) + ACKNOWLEDGED
        self._callers = [threading.Thread(target=self._teach, args=(number,)) for number in range(TEACHERS)]
        self._callers += [threading.Thread(target=self._ask) for _ in range(ASKERS)]
        for caller in self._callers:
            caller.start()

    def wait(self) -> None:
        assert self._enough.wait(900), self._served.log.read_text()

    def join(self) -> None:
        for caller in self._callers:
            caller.join()

    def _teach(self, caller: int) -> None:
        with self._served.client() as client:
            turn = self._until
            try:
                while True:
                    turn += 1
                    name = f"Thing {turn} of {caller}"
                    made = introduce(client, name, PHOTOS[turn % len(PHOTOS)], thumbnail="true")
                    assert made.status_code == 201, made.text
                    self.known.append(name)
                    if len(self.known) >= self._until:
                        self._enough.set()
            except httpx2.HTTPError:
                return

    def _ask(self) -> None:
        body = {"model": "mini", "messages": shown(SCENE, "Who is in this image?"), "max_tokens": 4}
        with self._served.client() as client:
            try:
                while client.post("/v1/chat/completions", json=body).status_code == 200:
                    self.answers += 1
            except httpx2.HTTPError:
                return


def test_no_acknowledged_concept_is_lost_when_the_service_is_killed_under_load(tmp_path: Path) -> None:
    known: list[str] = []
    for _ in range(2):
        with Served(tmp_path) as served:
            load = Load(served, known)
            load.wait()
            served.kill()
            load.join()
        assert load.answers > 0
        with Served(tmp_path) as back, back.client() as client:
            assert client.get("/readyz").json()["status"] == "ready"
            listed = client.get("/v1/concepts").json()
            names = {concept["name"] for concept in listed["data"]}
            assert set(known) <= names
            assert len(names) <= len(known) + TEACHERS  # what was on its way may have arrived, nothing else
            assert listed["skipped"] == []
            assert client.get(f"/v1/concepts/{known[-1]}/thumbnail").status_code == 200
            seen = client.post("/v1/recognize", files={"image": SCENE.read_bytes()}).json()["data"]
            assert names == {one["name"] for one in seen}
            known = sorted(names)
