"""Damaged memory files by the hundred thousand: each is refused clearly or read, and nothing of a library is lost.

    python benchmarks/fuzz_memories.py --files 100000

Half of the files have a right checksum, as somebody who wants to deceive would write them; every thousandth is put into
a library, whose other memory must stay readable. Prints the totals; exits 1 at the first file that does anything else.
"""

import argparse
import json
import random
import re
import sys
import tempfile
import time
from collections import Counter
from hashlib import sha256
from pathlib import Path

from ego.errors import DamagedMemoryError, EgoError
from ego.memory_file import dump, load
from ego.store import ConceptStore

GOLDEN = Path(__file__).resolve().parents[1] / "tests" / "golden" / "memory-v1.ego"
IN_A_LIBRARY = 1000
VALUES = (None, True, -1, 0, 2**63, 1e300, "", "x", "\u202e", [], {}, [[]], [0.5] * 4)


def flipped(blob: bytes, chance: random.Random) -> bytes:
    altered = bytearray(blob)
    for _ in range(chance.randint(1, 8)):
        altered[chance.randrange(len(altered))] = chance.randrange(256)
    return bytes(altered)


def cut(blob: bytes, chance: random.Random) -> bytes:
    first, last = sorted((chance.randrange(len(blob)), chance.randrange(len(blob))))
    return blob[:first] + blob[last:]


def repeated(blob: bytes, chance: random.Random) -> bytes:
    place = chance.randrange(len(blob))
    return blob[:place] + blob[place : place + chance.randint(1, 300)] * chance.randint(2, 9) + blob[place:]


def told_otherwise(blob: bytes, chance: random.Random) -> bytes:
    """Put another value somewhere into the JSON headers."""
    length = int.from_bytes(blob[:8], "little")
    outer = json.loads(blob[8 : 8 + length])
    inner = json.loads(outer["__metadata__"]["ego"])
    target = chance.choice([inner, inner["fingerprint"], inner["views"][0], outer, outer["rows"]])
    target[chance.choice([*target, "more"])] = chance.choice(VALUES)
    if isinstance(outer.get("__metadata__"), dict) and "ego" in outer["__metadata__"]:
        outer["__metadata__"]["ego"] = json.dumps(inner, separators=(",", ":"))
    text = json.dumps(outer).encode()
    return len(text).to_bytes(8, "little") + text + blob[8 + length :]


def noise(_: bytes, chance: random.Random) -> bytes:
    return chance.randbytes(chance.randrange(400))


def signed(blob: bytes) -> bytes:
    """Mend the checksum, if there is a place for it."""
    found = re.search(rb'\\"sha256\\":\\"([^"\\]{64})\\"', blob)
    if not found:
        return blob
    start, end = found.span(1)
    digest = sha256(blob[:start] + b"0" * 64 + blob[end:]).hexdigest().encode()
    return blob[:start] + digest + blob[end:]


WAYS = (flipped, cut, repeated, told_otherwise, noise)


def outcome(blob: bytes) -> str:
    try:
        memory = load(blob)
    except DamagedMemoryError as error:
        return "refused" if "\n" not in str(error) else "refused in several lines"
    load(dump(memory))  # what is read can be written and read again
    return "read"


def check_library(store: ConceptStore, blob: bytes) -> None:
    (store.folder / "damaged.ego").write_bytes(blob)
    names = store.names()
    assert "kept" in names, "a memory was lost"
    if store.load_all().skipped:
        assert store.remove("damaged.ego") == ("damaged.ego",)
    assert ConceptStore(store.folder).get("kept").name == "kept"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=0)
    wanted = parser.parse_args()
    chance, good = random.Random(wanted.seed), GOLDEN.read_bytes()
    counted: Counter[tuple[str, str]] = Counter()
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        store = ConceptStore(folder)
        store.add(load(good).renamed("kept"))
        for number in range(wanted.files):
            way = WAYS[number % len(WAYS)]
            blob = way(good, chance)
            blob = signed(blob) if chance.random() < 0.5 else blob
            try:
                end = outcome(blob)
                assert end in ("refused", "read"), end
                counted[way.__name__, end] += 1
                if number % IN_A_LIBRARY == 0:
                    check_library(store, blob)
            except (EgoError, AssertionError, Exception) as error:
                Path("failing.ego").write_bytes(blob)
                print(f"file {number} ({way.__name__}) ended in {type(error).__name__}: {error}; see failing.ego")
                return 1
    for (way, end), count in sorted(counted.items()):
        print(f"{way:15} {end:8} {count:8}")
    print(f"{sum(counted.values())} files in {time.perf_counter() - started:.0f} s: no other error, nothing lost")
    return 0


if __name__ == "__main__":
    sys.exit(main())
