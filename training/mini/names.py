"""Names a user might give: known ones, invented ones, possessives, placeholders. The model must copy any of them."""

from collections.abc import Callable

import numpy as np

_KNOWN = """
Bo Kona Mia Zak Rex Luna Max Bella Charlie Lucy Milo Daisy Rocky Coco Nala Oscar Ruby Toby Lola Jack Molly Sam
Chloe Leo Zoe Finn Ivy Otis Pip Nemo Gus Hazel Moxie Ziggy Waffles Biscuit Pepper Ginger Shadow Smokey Tiger
Oreo Cookie Peanut Snowy Ollie Teddy Winnie Felix Simba Mochi Sushi Tofu Kiwi Mango Olive Poppy Rosie Willow
Maple Ash Storm Sky Star Sunny Blue Scout Hunter Bandit Boots Socks Patch Spot Buddy Duke King Prince Queen Nana
Anna Ben Cara Dan Emma Fred Gina Hugo Ida Jon Kim Lea Noa Omar Paul Rita Sara Tom Uma Vera Will Yara Ana Bob
Cleo Dora Eve Faye Greta Hank Ines Juno Kai Lars Mona Nils Opal Pia Quinn Ravi Suki Tara Ulla Viola Wanda Xena
Yuki Zeno Bax Dax Fido Goofy Hobbes Jiji Kiki Lulu Mimi Nini Pogo Tutu Zuzu Maeve Robo Sparky Bubbles Captain
Duchess Einstein Freckles
"""
KNOWN: tuple[str, ...] = tuple(_KNOWN.split())
_CONSONANTS = "b br c ch d dr f fl g gr h j k kl l m n p pl r s sh st t tr v w x y z"
_ONSETS = ("", *_CONSONANTS.split())
_VOWELS = ("a", "e", "i", "o", "u", "oo", "ee", "ai", "y", "ou")
_CODAS = ("", "", "", "n", "m", "r", "l", "s", "x", "ck", "t", "ng", "d")
_THINGS = (
    "dog",
    "cat",
    "mug",
    "cup",
    "teapot",
    "bear",
    "shoe",
    "toy",
    "bag",
    "hat",
    "car",
    "doll",
    "robot",
    "duck",
    "clock",
    "bike",
    "plant",
    "ball",
)
_SCRIPTS = (
    "абвгдежзиклмнопрстуфхцчшэюя",
    "αβγδεζηθικλμνξοπρστυφχψω",
    "あいうえおかきくけこさしすせそたちつてと",
    "アイウエオカキクケコサシスセソタチツテト",
    "小白花月雪星龙虎明美丽红云山水",
    "가나다라마바사아자차카타파하",
    "ابتثجحدرزسشصطعفقكلمنهوي",
    "áéíóúàèìòùâêîôûäëïöüãõñçåøæœßłžšč",
)
_LETTERS = "abcdefghijklmnopqrstuvwxyz"
_PICTURES = "🐶🐱🐻🦊🚗🎁☕⭐"


def invented(rng: np.random.Generator) -> str:
    """Make up a word of one to three syllables."""
    parts = [
        rng.choice(_ONSETS) + rng.choice(_VOWELS) + rng.choice(_CODAS)
        for _ in range(rng.choice((1, 2, 3), p=(0.35, 0.5, 0.15)))
    ]
    word = "".join(parts)
    return word.capitalize() if rng.random() < 0.8 else word


def _known(rng: np.random.Generator) -> str:
    return str(rng.choice(KNOWN))


def _possessive(rng: np.random.Generator) -> str:
    owner = _known(rng) if rng.random() < 0.6 else invented(rng)
    return f"{owner}'s {rng.choice(_THINGS)}" if rng.random() < 0.7 else f"{owner} the {rng.choice(_THINGS)}"


def _placeholder(rng: np.random.Generator) -> str:
    core = "".join(rng.choice(list(_LETTERS), int(rng.integers(2, 5))))
    return str(
        rng.choice(
            (f"<{core}>", core, f"<{core}-{rng.integers(1, 10)}>", f"{core}_{rng.choice(_THINGS)}", core.upper())
        )
    )


def _odd(rng: np.random.Generator) -> str:
    return str(
        rng.choice(
            (
                f"{_known(rng)} {rng.integers(2, 100)}",
                f"{rng.choice(list(_PICTURES))}",
                f"my {rng.choice(_THINGS)}",
                f"Dr {_known(rng)}",
            )
        )
    )


def _foreign(rng: np.random.Generator) -> str:
    script = str(rng.choice(_SCRIPTS))
    word = "".join(rng.choice(list(script), int(rng.integers(2, 5))))
    return word if script != _SCRIPTS[-1] else invented(rng) + word[:2]


def _wordy(rng: np.random.Generator) -> str:
    """Describe by several words, as people do who have no name for a thing."""
    owner = str(rng.choice((f"{_known(rng)}'s", "my", "our", "the", "grandma's")))
    kind = str(rng.choice(("old", "new", "little", "big", "red", "blue", "green", "white", "black", "favourite")))
    return f"{owner} {kind} {rng.choice(_THINGS)}"


def _plain(rng: np.random.Generator) -> str:
    return _known(rng).lower()


_MAKERS: tuple[Callable[[np.random.Generator], str], ...] = (
    _known,
    invented,
    _possessive,
    _placeholder,
    _odd,
    _foreign,
    _wordy,
    _plain,
)
_SHARES = (0.28, 0.3, 0.11, 0.08, 0.05, 0.06, 0.06, 0.06)


def random_name(rng: np.random.Generator) -> str:
    """Draw one name."""
    return _MAKERS[int(rng.choice(len(_MAKERS), p=_SHARES))](rng)


def random_names(
    rng: np.random.Generator, number: int, key: Callable[[str], object] = lambda name: name[:3].lower()
) -> list[str]:
    """Draw names of which no two have the same key: by default, that do not start alike."""
    names: dict[object, str] = {}
    while len(names) < number:
        name = random_name(rng)
        names.setdefault(key(name), name)
    return list(names.values())
