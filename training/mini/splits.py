"""Which pictures may teach the model, which tune it and which only test it.

Sprites are split by name, so that the four drawings of one thing never sit on two sides. Photos are split by concept.
Only licences that allow a freely usable model enter training; everything else is for evaluation.
"""

import hashlib
from typing import Literal

Part = Literal["train", "val", "test"]

# Half of the DreamBooth concepts: every group that has several members keeps unseen ones for the test.
DREAMBOOTH_TRAIN = frozenset(
    {
        "backpack",
        "bear_plushie",
        "berry_bowl",
        "candle",
        "dog",
        "dog2",
        "duck_toy",
        "fancy_boot",
        "pink_sunglasses",
        "robot_toy",
    }
)
# Thresholds and the choice between checkpoints may look at these real photos; the rest of MyVLM and DreamBooth is test.
MYVLM_VALIDATION = frozenset(
    {
        "asian_doll",
        "bull",
        "chicken_bean_bag",
        "elephant_sphere",
        "espresso_cup",
        "gengar_toy",
        "maeve_dog",
        "minion_toy",
        "red_chicken",
        "running_shoes",
    }
)
# Attribution, share-alike, no known restrictions, US government work. Never non-commercial (1, 2, 3) or
# no-derivatives (3, 6).
COCO_FREE_LICENSES = frozenset({4, 5, 7, 8})
DAVIS_TEST = frozenset({"blackswan", "dog"})
FREE_CLIPS = frozenset({"coffee_mug", "dog_tricks"})


def sprite_part(slug: str) -> Part:
    """Put a sprite name in train (75 %), val (10 %) or test (15 %), the same on every machine."""
    draw = int(hashlib.sha256(slug.encode()).hexdigest(), 16) % 100
    if draw < 75:
        return "train"
    return "val" if draw < 85 else "test"


def photo_part(file_name: str) -> Part:
    """Split freely licensed photos that are not concepts: four fifths teach, one fifth tests."""
    return "test" if int(hashlib.sha256(file_name.encode()).hexdigest(), 16) % 5 == 0 else "train"


def instance_part(instance: str) -> Part:
    """Split the things of the photos in tar files: seven eighths teach, one eighth tunes."""
    return "val" if int(hashlib.sha256(instance.encode()).hexdigest(), 16) % 8 == 0 else "train"
