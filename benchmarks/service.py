"""Load on `ego serve` with the embedded model: latency, throughput, refusals, memory, wrong answers.

    python benchmarks/service.py --clients 64 --seconds 120

Every client asks, waits for the answer and asks about the next picture; one that is refused waits as long as it is
told. What the service may keep of pictures is bounded so that none is still there when its turn comes again: each
request costs a picture. Every answer is compared with what the library answers alone. Beside the service with memories
stand the same service without them, answers given one after the other, and one client.
"""

import argparse
import base64
import io
import itertools
import os
import re
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

import httpx2
import psutil
from PIL import Image

from ego.backbones import load_backbone
from ego.concept import Concept
from ego.config import EgoConfig
from ego.personalizer import Ego
from ego.store import ConceptStore

PICTURES = Path(__file__).resolve().parents[1] / "src" / "ego" / "demo" / "pictures"
CONCEPTS = {"Bo": "bo-1.jpg", "Nana's teapot": "nanas-teapot-1.jpg", "Zoe's bag": "zoes-bag-1.jpg"}
QUESTION = "Is Bo in this image?"
LONGEST = 16  # tokens of an answer
QUEUE = 32
KEPT_MEGABYTES = 64  # of pictures and prompts that were read: some fifteen
SIDE = 384


@dataclass
class Seen:
    """What the clients saw.

    Attributes:
        seconds: Duration of every answer.
        full: Refusals with 429.
        wrong: Answers other than the library's.
        lost: Requests without an answer.
        megabytes: Memory of the service, five times a second.
    """

    seconds: list[float] = field(default_factory=list)
    full: int = 0
    wrong: int = 0
    lost: int = 0
    megabytes: list[float] = field(default_factory=list)


class Served:
    """`ego serve` in a process of its own."""

    def __init__(self, home: Path, batch: int) -> None:
        log, began = home / "log", time.monotonic()
        (home / "ego").mkdir(exist_ok=True)
        (home / "ego" / "config.toml").write_text(f"[method]\ncache_megabytes = {KEPT_MEGABYTES}\n")
        environment = os.environ | {"EGO_LIBRARY": str(home / "library"), "XDG_CONFIG_HOME": str(home)}
        command = [sys.executable, "-c", "from ego.cli import main; main()", "serve", "--port", "0"]
        options = ["--requests-per-minute", "1000000", "--queue", str(QUEUE), "--batch", str(batch)]
        with log.open("wb") as stderr:
            self.process = subprocess.Popen([*command, *options], stderr=stderr, env=environment)
        while not (found := re.search(r"running on (http://127.0.0.1:\d+)", log.read_text())):
            if self.process.poll() is not None:
                sys.exit(log.read_text())
            time.sleep(0.05)
        self.url, self.ready = found[1], time.monotonic() - began

    def __enter__(self) -> "Served":
        return self

    def __exit__(self, *failure: object) -> None:
        self.process.kill()
        self.process.wait()

    def megabytes(self) -> float:
        return float(psutil.Process(self.process.pid).memory_info().rss / 1e6)


def views(count: int) -> list[Image.Image]:
    """Cut the demo's scenes into many pictures, no two alike."""
    scenes = [Image.open(path).convert("RGB") for path in sorted(PICTURES.glob("scene-*.jpg"))]
    cut = []
    for number in range(count):
        scene, offset = scenes[number % len(scenes)], number // len(scenes)
        width, height = (round(side * (0.95 - 0.005 * (offset % 20))) for side in scene.size)
        left, top = offset % 7, offset // 7 % 7
        cut.append(scene.crop((left, top, left + width, top + height)).resize((SIDE, SIDE)))
    return cut


def expected(home: Path, pictures: list[Image.Image], names: list[str] | None) -> list[str]:
    """Ask the library."""
    personal = Ego(load_backbone("mini"), ConceptStore(home / "library"), EgoConfig(cache_megabytes=KEPT_MEGABYTES))
    scenes = (personal.look(picture, names, question=QUESTION) for picture in pictures)
    return [scene.answer(scene.prompt(QUESTION), LONGEST).text for scene in scenes]


def body(picture: Image.Image, names: list[str] | None) -> dict[str, object]:
    content = io.BytesIO()
    picture.save(content, "PNG")
    url = "data:image/png;base64," + base64.b64encode(content.getvalue()).decode()
    parts = [{"type": "image_url", "image_url": {"url": url}}, {"type": "text", "text": QUESTION}]
    messages = [{"role": "user", "content": parts}]
    return {"model": "mini", "messages": messages, "max_tokens": LONGEST, "ego": {"concepts": names}}


def load(served: Served, clients: int, seconds: float, bodies: list[dict[str, object]], answers: list[str]) -> Seen:
    """Let clients ask for so many seconds."""
    seen, turns, until = Seen(), itertools.count(), time.monotonic() + seconds

    def call() -> None:
        with httpx2.Client(base_url=served.url, timeout=300) as client:
            while time.monotonic() < until:
                turn, began = next(turns) % len(bodies), time.monotonic()
                try:
                    answer = client.post("/v1/chat/completions", json=bodies[turn])
                except httpx2.HTTPError:
                    seen.lost += 1
                    continue
                if answer.status_code == 429:
                    seen.full += 1
                    time.sleep(float(answer.headers["retry-after"]))
                elif answer.status_code == 200:
                    seen.wrong += answer.json()["choices"][0]["message"]["content"] != answers[turn]
                    seen.seconds.append(time.monotonic() - began)
                else:
                    seen.lost += 1

    callers = [threading.Thread(target=call) for _ in range(clients)]
    for caller in callers:
        caller.start()
    while any(caller.is_alive() for caller in callers):
        seen.megabytes.append(served.megabytes())
        time.sleep(0.2)
    return seen


def line(what: str, clients: int, seconds: float, seen: Seen) -> str:
    times = sorted(seen.seconds) or [0.0]
    late = times[min(len(times) - 1, int(0.95 * len(times)))]
    half = len(seen.megabytes) // 2
    memory = f"{max(seen.megabytes[:half]):.0f}, {max(seen.megabytes[half:]):.0f}"
    numbers = f"{len(seen.seconds) / seconds:.2f} | {statistics.median(times):.2f} | {late:.2f}"
    return f"| {what} | {clients} | {numbers} | {seen.full} | {seen.wrong} | {seen.lost} | {memory} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clients", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=120.0)
    parser.add_argument("--pictures", type=int, default=120)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        library = Ego(load_backbone("mini"), ConceptStore(home / "library"))
        for name, file in CONCEPTS.items():
            library.introduce(Concept(name, images=[PICTURES / file]))
        pictures = views(given.pictures)
        names: dict[str, list[str] | None] = {"with": None, "without": []}
        answers = {kind: expected(home, pictures, wanted) for kind, wanted in names.items()}
        bodies = {kind: [body(one, wanted) for one in pictures] for kind, wanted in names.items()}
        print("| | clients | answers/s | p50 s | p95 s | 429 | wrong | lost | MB, first and second half |")
        print("|---|---|---|---|---|---|---|---|---|")
        for what, kind, clients, batch in (
            ("three memories", "with", given.clients, 8),
            ("no memories", "without", given.clients, 8),
            ("three memories, answered one after the other", "with", given.clients, 1),
            ("three memories, one client", "with", 1, 8),
        ):
            with Served(home, batch) as served:
                seen = load(served, clients, given.seconds, bodies[kind], answers[kind])
                print(line(what, clients, given.seconds, seen), flush=True)
                ready = served.ready
        print(f"\nready {ready:.1f} s after its start")


if __name__ == "__main__":
    main()
