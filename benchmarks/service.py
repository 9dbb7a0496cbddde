"""Load on `ego serve` with the embedded model: latency, throughput, refusals, memory, wrong answers.

    python benchmarks/service.py --clients 64 --seconds 120

Beside the service with memories stand the same service without them, and one caller at a time.
"""

import argparse
import base64
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

PICTURES = Path(__file__).resolve().parents[1] / "src" / "ego" / "demo" / "pictures"
SCENES = [PICTURES / f"scene-{number:02}.jpg" for number in range(1, 5)]
CONCEPTS = {"Bo": "bo-1.jpg", "Nana's teapot": "nanas-teapot-1.jpg", "Zoe's bag": "zoes-bag-1.jpg"}


@dataclass
class Seen:
    """What the clients saw.

    Attributes:
        seconds: Duration of every answer.
        full: Refusals with 429.
        wrong: Answers other than the service gave when it was alone.
        lost: Requests without an answer.
        megabytes: Largest memory of the service.
    """

    seconds: list[float] = field(default_factory=list)
    full: int = 0
    wrong: int = 0
    lost: int = 0
    megabytes: float = 0.0


def start(home: Path) -> tuple["subprocess.Popen[bytes]", str, float]:
    log, began = home / "log", time.monotonic()
    environment = os.environ | {"EGO_LIBRARY": str(home / "library"), "XDG_CONFIG_HOME": str(home)}
    command = [sys.executable, "-c", "from ego.cli import main; main()", "serve", "--port", "0"]
    with log.open("wb") as stderr:
        process = subprocess.Popen([*command, "--requests-per-minute", "1000000"], stderr=stderr, env=environment)
    while not (found := re.search(r"running on (http://127.0.0.1:\d+)", log.read_text())):
        if process.poll() is not None:
            sys.exit(log.read_text())
        time.sleep(0.05)
    return process, found[1], time.monotonic() - began


def question(scene: Path, names: list[str] | None) -> dict[str, object]:
    url = "data:image/jpeg;base64," + base64.b64encode(scene.read_bytes()).decode()
    content = [{"type": "image_url", "image_url": {"url": url}}, {"type": "text", "text": "Is Bo in this image?"}]
    messages = [{"role": "user", "content": content}]
    return {"model": "mini", "messages": messages, "max_tokens": 16, "ego": {"concepts": names}}


def load(url: str, process: "subprocess.Popen[bytes]", clients: int, seconds: float, names: list[str] | None) -> Seen:
    bodies, seen = [question(scene, names) for scene in SCENES], Seen()
    with httpx2.Client(base_url=url, timeout=300) as alone:
        expected = [alone.post("/v1/chat/completions", json=body).json()["choices"][0]["message"] for body in bodies]
    until = time.monotonic() + seconds

    def call(number: int) -> None:
        with httpx2.Client(base_url=url, timeout=300) as client:
            turn = number
            while time.monotonic() < until:
                turn, began = turn + 1, time.monotonic()
                try:
                    answer = client.post("/v1/chat/completions", json=bodies[turn % len(bodies)])
                except httpx2.HTTPError:
                    seen.lost += 1
                    continue
                if answer.status_code == 429:
                    seen.full += 1
                    time.sleep(min(1.0, float(answer.headers["retry-after"])))
                elif answer.json().get("choices", [{}])[0].get("message") != expected[turn % len(bodies)]:
                    seen.wrong += 1
                else:
                    seen.seconds.append(time.monotonic() - began)

    callers = [threading.Thread(target=call, args=(number,)) for number in range(clients)]
    for caller in callers:
        caller.start()
    while any(caller.is_alive() for caller in callers):
        seen.megabytes = max(seen.megabytes, psutil.Process(process.pid).memory_info().rss / 1e6)
        time.sleep(0.2)
    return seen


def line(what: str, clients: int, seconds: float, seen: Seen) -> str:
    times = sorted(seen.seconds) or [0.0]
    late = times[min(len(times) - 1, int(0.95 * len(times)))]
    numbers = f"{len(seen.seconds) / seconds:.1f} | {statistics.median(times):.2f} | {late:.2f}"
    return f"| {what} | {clients} | {numbers} | {seen.full} | {seen.wrong} | {seen.lost} | {seen.megabytes:.0f} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clients", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=120.0)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as home:
        process, url, ready = start(Path(home))
        try:
            with httpx2.Client(base_url=url, timeout=300) as client:
                for name, file in CONCEPTS.items():
                    images = {"images": (PICTURES / file).read_bytes()}
                    client.post("/v1/concepts", data={"name": name}, files=images).raise_for_status()
            print(f"ready after {ready:.1f} s\n")
            print("| | clients | answers/s | p50 s | p95 s | 429 | wrong | lost | MB |")
            print("|---|---|---|---|---|---|---|---|---|")
            for what, clients, names in (
                ("three memories", given.clients, None),
                ("no memories", given.clients, []),
                ("three memories, one at a time", 1, None),
            ):
                seen = load(url, process, clients, given.seconds, names)
                print(line(what, clients, given.seconds, seen), flush=True)
        finally:
            process.kill()


if __name__ == "__main__":
    main()
