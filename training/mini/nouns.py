"""The words the model has for what a thing is: about fifty nouns, from sprite categories, sprite names and COCO classes."""

# A sprite's own name decides first, then its category.
BY_NAME: dict[str, str] = {
    **dict.fromkeys(("dog face", "dog", "service dog", "poodle"), "dog"),
    **dict.fromkeys(("cat face", "cat", "black cat"), "cat"),
    **dict.fromkeys(("teddy bear", "nesting dolls", "Japanese dolls", "piñata"), "toy"),
    **dict.fromkeys(("man's shoe", "running shoe", "hiking boot", "flat shoe", "high-heeled shoe", "ballet shoes", "thong sandal", "ice skate"), "shoe"),
    **dict.fromkeys(("glasses", "goggles", "diving mask"), "glasses"),
    **dict.fromkeys(("purse", "clutch bag", "backpack", "briefcase", "money bag"), "bag"),
    **dict.fromkeys(("crown", "top hat", "graduation cap", "billed cap", "military helmet", "rescue worker's helmet"), "hat"),
    **dict.fromkeys(("bus", "trolleybus", "minibus"), "bus"),
    **dict.fromkeys(("ambulance", "taxi", "oncoming taxi", "automobile", "sport utility vehicle", "racing car", "pickup truck"), "car"),
    **dict.fromkeys(("locomotive", "railway car", "metro", "light rail", "tram", "monorail", "mountain railway"), "train"),
    **dict.fromkeys(("delivery truck", "articulated lorry", "tractor"), "truck"),
    **dict.fromkeys(("motorcycle", "motor scooter"), "motorcycle"),
    **dict.fromkeys(("bicycle", "kick scooter"), "bicycle"),
    **dict.fromkeys(("soccer ball", "baseball", "softball", "basketball", "volleyball", "american football", "rugby football", "pool 8 ball"), "ball"),
    **dict.fromkeys(("hot beverage", "teacup without handle", "tumbler glass", "glass of milk", "mate", "bubble tea", "cup with straw"), "cup"),
    **dict.fromkeys(("bowl with spoon", "steaming bowl", "cooked rice", "pot of food"), "bowl"),
    **dict.fromkeys(("fish", "blowfish", "shark"), "fish"),
    **dict.fromkeys(("funeral urn", "amphora"), "vase"),
    **dict.fromkeys(("hammer", "axe", "wrench", "screwdriver", "pick"), "tool"),
    **dict.fromkeys(("chair", "bed", "couch and lamp", "seat"), "chair"),
}
BY_CATEGORY: dict[str, str] = {
    "animal-mammal": "animal", "animal-bird": "bird", "animal-amphibian": "reptile", "animal-reptile": "reptile",
    "animal-marine": "sea animal", "animal-bug": "bug", "plant-flower": "flower", "plant-other": "plant", "food-fruit": "fruit",
    "food-vegetable": "vegetable", "food-prepared": "food", "food-asian": "food", "food-marine": "sea animal", "food-sweet": "cake",
    "drink": "drink", "dishware": "tool", "place-building": "building", "transport-ground": "vehicle", "transport-water": "boat",
    "transport-air": "aircraft", "sky & weather": "object", "event": "decoration", "award-medal": "medal", "sport": "sports gear",
    "game": "game", "arts & crafts": "object", "clothing": "clothes", "sound": "instrument", "musical-instrument": "instrument",
    "phone": "device", "computer": "device", "light & video": "device", "book-paper": "book", "money": "money", "mail": "box",
    "writing": "pen", "office": "object", "lock": "lock", "tool": "tool", "science": "object", "medical": "object",
    "household": "object", "other-object": "object",
}  # fmt: skip
BY_PHOTO_CLASS: dict[str, str] = {
    "airplane": "aircraft", "apple": "fruit", "backpack": "bag", "balloon": "balloon", "banana": "fruit", "bear": "animal", "bed": "chair",
    "bench": "chair", "bicycle": "bicycle", "bird": "bird", "boat": "boat", "book": "book", "boot": "shoe", "bottle": "bottle", "bowl": "bowl",
    "broccoli": "vegetable", "bus": "bus", "cake": "cake", "camel": "animal", "candle": "candle", "car": "car", "carrot": "vegetable",
    "cat": "cat", "cell phone": "device", "chair": "chair", "clock": "clock", "couch": "chair", "cow": "animal", "cup": "cup", "dog": "dog",
    "donut": "cake", "elephant": "animal", "frisbee": "ball", "giraffe": "animal", "glasses": "glasses", "handbag": "bag", "horse": "animal",
    "keyboard": "device", "kite": "game", "knife": "tool", "laptop": "device", "motorcycle": "motorcycle", "mouse": "device",
    "orange": "fruit", "person": "person", "pizza": "food", "potted plant": "plant", "refrigerator": "device", "sandwich": "food",
    "scissors": "tool", "sheep": "animal", "sneaker": "shoe", "sports ball": "ball", "stop sign": "sign", "stuffed animal": "toy",
    "suitcase": "bag", "teapot": "vase", "teddy bear": "toy", "toy": "toy", "train": "train", "truck": "truck", "tv": "device",
    "umbrella": "umbrella", "vase": "vase", "wine glass": "cup", "zebra": "animal",
}  # fmt: skip


def sprite_noun(name: str, category: str) -> str:
    """Say what a sprite shows, in one of the model's nouns."""
    return BY_NAME.get(name) or BY_CATEGORY.get(category, "object")


def photo_noun(class_name: str) -> str:
    """Say what a photographed thing is, in one of the model's nouns."""
    return BY_PHOTO_CLASS.get(class_name, "object")


NOUNS: tuple[str, ...] = tuple(sorted({*BY_NAME.values(), *BY_CATEGORY.values(), *BY_PHOTO_CLASS.values(), "texture"}))
