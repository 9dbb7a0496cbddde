"""Values of a wrong type from Python: one clear error, which is a TypeError, too.

In a process of its own: here, where the tests run, types are checked before the code of the library sees them.
"""

import json
import subprocess
import sys

import pytest

SCRIPT = """
import json, tempfile
import numpy as np
from ego import Concept, ConceptStore, Ego, Region, connect
from ego.backbones import load_backbone

ego, array = Ego(load_backbone("mini"), ConceptStore(tempfile.mkdtemp())), np.zeros((64, 64, 3), np.uint8)
ODD = [5, 5.0, True, {}, object(), array, [5], [None], [array], [array.astype(float)], open]
calls = {
    f"{ask} {number}": lambda ask=ask, odd=odd: getattr(ego, ask)(odd)
    for ask in ("recognize", "caption", "where", "chat") for number, odd in enumerate(ODD)
}
calls |= {
    "a concept": lambda: ego.introduce("Bo"),
    "a name": lambda: Concept(5, ["bo.jpg"]),
    "images": lambda: Concept("Bo", 5),
    "notes": lambda: Concept("Bo", ["bo.jpg"], notes=5),
    "keywords": lambda: Concept("Bo", ["bo.jpg"], keywords=b"dog"),
    "regions": lambda: Concept("Bo", ["bo.jpg"], regions=Region(box=(0, 0, 9, 9))),
    "a region": lambda: Concept("Bo", ["bo.jpg"], regions=[(0, 0, 9, 9)]),
    "a question": lambda: ego.ask(5),
    "a question of bytes": lambda: ego.ask(b"Who?"),
    "forget": lambda: ego.forget(5),
    "names": lambda: ego.ask("Who?", names=5),
    "a name of them": lambda: ego.ask("Who?", names=[5]),
    "an address": lambda: connect(5),
    "a path": lambda: ConceptStore(5),
}
for name, call in calls.items():
    try:
        print(json.dumps([name, [], repr(call())]))
    except Exception as error:
        print(json.dumps([name, [kind.__name__ for kind in type(error).__mro__], str(error)]))
"""


@pytest.fixture(scope="module")
def told() -> dict[str, tuple[list[str], str]]:
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True)
    return {name: (kinds, message) for name, kinds, message in map(json.loads, done.stdout.splitlines())}


def test_every_wrong_type_is_one_clear_type_error(told: dict[str, tuple[list[str], str]]) -> None:
    assert len(told) == 58
    for name, (kinds, message) in told.items():
        assert "TypeError" in kinds, (name, kinds, message)
        assert "\n" not in message


def test_it_says_what_was_given_and_what_to_give(told: dict[str, tuple[list[str], str]]) -> None:
    for name, (kinds, message) in told.items():
        if name == "a path":
            assert "expected str, bytes or os.PathLike object, not int" in message
        elif name.split()[0] in {"recognize", "caption", "where", "chat"}:
            assert "ImageError" in kinds
            assert "an image cannot be read from" in message
            assert "give a path, a PIL image" in message
        else:
            assert "was given; give" in message, (name, kinds, message)
