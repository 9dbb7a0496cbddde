"""The words the model has for what a thing is: some three hundred plain nouns, each a single word.

Sprites are named by their own name or their category, photos by the category their source gives them. ImageNet's classes are
mapped to the same words, so that what the tower's origin knows of a thousand classes can be said.
"""

# A sprite's own name decides first, then its category.
BY_NAME: dict[str, str] = {
    name: noun
    for noun, names in {
        "dog": "dog face|dog|service dog|poodle",
        "cat": "cat face|cat|black cat",
        "monkey": "monkey face|monkey|gorilla|orangutan",
        "tiger": "tiger face|tiger",
        "horse": "horse face|horse",
        "cow": "cow face|cow|ox|water buffalo|bison",
        "pig": "pig face|pig|boar|pig nose",
        "sheep": "ram|ewe",
        "camel": "camel|two-hump camel",
        "elephant": "elephant|mammoth",
        "mouse": "mouse|rat",
        "rabbit": "rabbit face|rabbit",
        "squirrel": "chipmunk",
        "bear": "bear|polar bear",
        "chicken": "chicken|rooster|hatching chick|baby chick|turkey",
        "pigeon": "dove",
        "whale": "spouting whale|whale",
        "fish": "fish|blowfish",
        "shell": "spiral shell|oyster",
        "dinosaur": "dragon face|dragon|sauropod",
        "bee": "honeybee",
        "insect": "mosquito|fly|cricket|cockroach",
        "flower": "cherry blossom|lotus|rosette|rose|wilted flower|hibiscus|blossom|tulip",
        "plant": "seedling|potted plant|sheaf of rice|herb|four leaf clover",
        "tree": "deciduous tree|palm tree|Christmas tree|tanabata tree",
        "leaf": "maple leaf|fallen leaf|leafy green",
        "nest": "empty nest|nest with eggs",
        "apple": "red apple|green apple",
        "cherry": "cherries",
        "orange": "tangerine",
        "melon": "melon|watermelon",
        "kiwi": "kiwi fruit",
        "aubergine": "eggplant",
        "corn": "ear of corn",
        "pepper": "hot pepper|bell pepper",
        "nut": "peanuts|chestnut|coconut",
        "bread": "bread|baguette bread|flatbread",
        "cheese": "cheese wedge",
        "meat": "meat on bone|poultry leg|cut of meat|bacon",
        "burger": "hamburger",
        "rice": "cooked rice|curry rice|rice cracker|bento box",
        "soup": "pot of food|fondue|steaming bowl|oden",
        "cake": "shortcake|cupcake|pie|fish cake with swirl",
        "donut": "doughnut",
        "candy": "candy|lollipop|chocolate bar|dango",
        "bottle": "baby bottle|bottle with popping cork|sake|lotion bottle",
        "cup": "hot beverage|teacup without handle|cup with straw|bubble tea|mate",
        "glass": "glass of milk|cocktail glass|tropical drink|clinking beer mugs|clinking glasses|tumbler glass",
        "fork": "fork and knife with plate|fork and knife",
        "vase": "amphora|funeral urn",
        "house": "house|house with garden",
        "castle": "castle|Japanese castle",
        "tower": "Tokyo tower",
        "statue": "Statue of Liberty|moai",
        "train": "locomotive|railway car|metro|light rail|tram|monorail|mountain railway|suspension railway",
        "bus": "bus|trolleybus|minibus",
        "car": "taxi|oncoming taxi|automobile|sport utility vehicle|racing car|pickup truck|ambulance",
        "truck": "delivery truck|articulated lorry",
        "wheelchair": "manual wheelchair|motorized wheelchair",
        "scooter": "kick scooter|motor scooter",
        "boat": "sailboat|canoe|speedboat|motor boat",
        "ship": "passenger ship|ship",
        "plane": "small airplane",
        "umbrella": "umbrella|umbrella on ground",
        "pumpkin": "jack-o-lantern",
        "doll": "Japanese dolls|nesting dolls",
        "gift": "wrapped gift",
        "ball": "soccer ball|baseball|softball|basketball|volleyball|american football|rugby football|pool 8 ball|crystal ball",
        "frisbee": "flying disc",
        "toy": "teddy bear|piñata|yo-yo",
        "die": "game die",
        "picture": "framed picture",
        "glasses": "glasses|goggles|diving mask",
        "tie": "necktie",
        "shirt": "t-shirt",
        "trousers": "jeans",
        "dress": "dress|kimono|sari|one-piece swimsuit",
        "bag": "purse|clutch bag|money bag",
        "backpack": "backpack",
        "case": "briefcase",
        "sandal": "thong sandal",
        "shoe": "man's shoe|running shoe|flat shoe|high-heeled shoe|ballet shoes|ice skate",
        "boot": "hiking boot",
        "hat": "top hat|graduation cap|billed cap",
        "helmet": "military helmet|rescue worker's helmet",
        "piano": "musical keyboard",
        "drum": "drum|long drum",
        "phone": "telephone|telephone receiver",
        "computer": "desktop computer",
        "mouse ": "computer mouse|trackball",
        "disc": "computer disk|floppy disk|optical disk|dvd",
        "camera": "camera|camera with flash",
        "magnifier": "magnifying glass tilted left|magnifying glass tilted right",
        "bulb": "light bulb",
        "lamp": "diya lamp|flashlight",
        "lantern": "red paper lantern",
        "book": "notebook with decorative cover|closed book|open book|green book|blue book|orange book|notebook|ledger",
        "newspaper": "rolled-up newspaper",
        "card": "credit card|identification card|ticket|admission tickets",
        "pen": "pencil|fountain pen|pen",
        "brush": "paintbrush",
        "ruler": "straight ruler|triangular ruler",
        "bin": "wastebasket",
        "lock": "locked|unlocked|locked with pen|locked with key",
        "key": "key|old key",
        "sword": "dagger|crossed swords",
        "saw": "carpentry saw",
        "chain": "chains|link",
        "scale": "balance scale",
        "couch": "couch and lamp",
    }.items()
    for name in names.split("|")
}
BY_NAME = {name: noun.strip() for name, noun in BY_NAME.items()}
BY_CATEGORY: dict[str, str] = {
    "animal-mammal": "animal",
    "animal-bird": "bird",
    "animal-amphibian": "frog",
    "animal-reptile": "reptile",
    "animal-marine": "fish",
    "animal-bug": "insect",
    "plant-flower": "flower",
    "plant-other": "plant",
    "food-fruit": "fruit",
    "food-vegetable": "vegetable",
    "food-prepared": "food",
    "food-asian": "food",
    "food-marine": "food",
    "food-sweet": "cake",
    "drink": "drink",
    "dishware": "tool",
    "place-building": "building",
    "transport-ground": "vehicle",
    "transport-water": "boat",
    "transport-air": "plane",
    "event": "decoration",
    "award-medal": "medal",
    "sport": "gear",
    "game": "game",
    "clothing": "clothes",
    "sound": "instrument",
    "musical-instrument": "instrument",
    "phone": "phone",
    "computer": "device",
    "light & video": "device",
    "book-paper": "paper",
    "money": "money",
    "mail": "box",
    "writing": "pen",
    "lock": "lock",
    "tool": "tool",
}
# Photos: categories whose last word is not already the noun.
BY_PHOTO_CLASS: dict[str, str] = {
    name: noun
    for noun, names in {
        "toothbrush": "colgate toothbrush 4pk",
        "folder": "avery binder",
        "balloon": "balloons",
        "tape": "band aid tape|duct tape",
        "sponge": "bath sponge|scotch sponges|foam brick",
        "glove": "black fashion gloves|baseball glove",
        "pack": "burts bees baby wipes|epsom salts|reynolds wrap|tissue box",
        "book": "composition book|laugh out loud jokes|robots everywhere|robots dvd|hinged ruled index cards",
        "pen": "crayons|large marker|marker|ticonderoga pencils|glue sticks|expo eraser|speed stick",
        "scissors": "fiskars scissors",
        "lamp": "flashlight|ceiling_fan|chandelier|lamp",
        "dumbbell": "hand weight",
        "sock": "hanes socks",
        "tray": "ice cube tray",
        "soap": "irish spring soap",
        "spoon": "measuring spoons",
        "trap": "mouse traps",
        "plate": "pie plates|skillet lid",
        "cloth": "table cloth|white facecloth",
        "can": "tennis ball container|master chef can|tomato soup can|tuna fish can|potted meat can",
        "brush": "toilet brush",
        "bottle": "windex|windex bottle|poland spring water|mustard bottle|bleach cleanser|plastic bottle",
        "marble": "marbles",
        "cup": "mesh cup|cups|mug",
        "glass": "plastic wine glass|wine glass",
        "box": "product|cracker box|sugar box|pudding box|gelatin box",
        "leopard": "leopards",
        "motorcycle": "motorbikes",
        "plane": "airplanes|airplane|aircraft",
        "fish": "bass",
        "binoculars": "binocular",
        "tree": "bonsai|joshua_tree",
        "dinosaur": "brontosaurus|stegosaurus",
        "statue": "buddha",
        "car": "car_side",
        "phone": "cellphone|mobile phone|cell phone",
        "cougar": "cougar_body|cougar_face|wild_cat",
        "lobster": "crayfish",
        "crocodile": "crocodile_head",
        "dog": "dalmatian",
        "money": "dollar_bill",
        "guitar": "electric_guitar|mandolin",
        "ostrich": "emu",
        "horn": "euphonium|saxophone",
        "jug": "ewer|pitcher base",
        "ship": "ferry",
        "flamingo": "flamingo_head",
        "antelope": "gerenuk|okapi",
        "gramophone": "gramophone",
        "piano": "grand_piano",
        "turtle": "hawksbill",
        "headphones": "headphone",
        "heron": "ibis",
        "skate": "inline_skate",
        "boat": "ketch|schooner",
        "flower": "lotus|sunflower|water_lilly",
        "insect": "mayfly|tick",
        "candle": "menorah",
        "tower": "minaret|pagoda",
        "shell": "nautilus|trilobite",
        "pyramid": "pyramid",
        "gun": "revolver|cannon",
        "chicken": "rooster",
        "seahorse": "sea_horse",
        "ball": "soccer_ball|mini soccer ball|softball|baseball|tennis ball|racquetball|golf ball|sports ball",
        "sign": "stop_sign|stop sign|yin_yang",
        "chair": "windsor_chair",
        "wrench": "adjustable wrench",
        "plug": "plug adapter",
        "bulb": "light bulb",
        "remote": "remote control",
        "carton": "packages/juice|packages/milk|packages/soy-milk|packages/oatghurt|packages/oat-milk|packages/sour-milk",
        "tub": "packages/yoghurt|packages/soyghurt|packages/sour-cream",
        "pepper": "vegetables/pepper",
        "mushroom": "vegetables/brown-cap-mushroom",
        "carrot": "vegetables/carrots",
        "onion": "vegetables/leek",
        "fruit": "fruit/papaya|fruit/passion-fruit|fruit/plum|plum|fruit/pomegranate",
        "kiwi": "fruit/kiwi",
        "lemon": "fruit/lime",
        "peach": "fruit/nectarine",
        "orange": "fruit/red-grapefruit|fruit/satsumas",
        "vegetable": "vegetables/red-beet|vegetables/asparagus",
        "cucumber": "vegetables/zucchini",
        "pot": "flower pot",
        "toy": "lego duplo|toy airplane|stuffed animal|teddy bear|bean bag toy|cartoon|nine hole peg test",
        "block": "colored wood blocks|wood block",
        "drill": "power drill",
        "lock": "padlock",
        "screwdriver": "phillips screwdriver|flat screwdriver",
        "clamp": "medium clamp|large clamp|extra large clamp",
        "die": "dice",
        "cube": "rubiks cube",
        "light": "traffic light",
        "hydrant": "fire hydrant",
        "meter": "parking meter",
        "bag": "handbag",
        "case": "suitcase",
        "ski": "skis|snowboard",
        "bat": "baseball bat",
        "racket": "tennis racket",
        "hotdog": "hot dog",
        "donut": "doughnut",
        "plant": "potted plant",
        "table": "dining table",
        "keyboard": "computer keyboard",
        "fridge": "refrigerator",
        "dryer": "hair drier",
        "shoe": "sneaker|shoes",
        "bank": "piggy bank",
    }.items()
    for name in names.split("|")
}

# ImageNet's classes in their order: animals by spans, then one word a class after the first class of a line ("-": nothing a
# person would introduce).
_ANIMALS = (
    "0-6 fish,7-8 chicken,9 ostrich,10-20 bird,21-24 eagle,25-29 lizard,30-32 frog,33-37 turtle,38-48 lizard,49-50 crocodile,"
    "51 dinosaur,52-68 snake,69 insect,70-77 spider,78 insect,79 insect,80-83 chicken,84 peacock,85-86 bird,87-90 parrot,91-96 bird,"
    "97 duck,98 duck,99 goose,100 swan,101 elephant,102 hedgehog,103 beaver,104 kangaroo,105 koala,106 animal,107-108 jellyfish,"
    "109 coral,110-112 worm,113-114 snail,115-117 shell,118-121 crab,122-124 lobster,125 crab,126 insect,127-129 heron,130 flamingo,"
    "131-135 heron,136-144 bird,145 penguin,146 bird,147-148 whale,149-150 seal,151-268 dog,269-272 wolf,273-275 dog,276 animal,"
    "277-280 fox,281-285 cat,286-287 cougar,288-290 leopard,291 lion,292 tiger,293 leopard,294-297 bear,298-299 animal,300-307 beetle,"
    "308 insect,309 bee,310 ant,311-318 insect,319-320 dragonfly,321-326 butterfly,327 starfish,328-329 animal,330-332 rabbit,"
    "333 hamster,334 hedgehog,335 squirrel,336-337 squirrel,338 hamster,339 horse,340 zebra,341-343 pig,344 hippo,345-347 cow,"
    "348-350 sheep,351-353 antelope,354 camel,355 llama,356-359 weasel,360 otter,361 skunk,362 badger,363 animal,364 sloth,"
    "365-382 monkey,383-384 monkey,385-386 elephant,387 panda,388 panda,389-397 fish"
)
_THINGS = """
398 abacus dress dress accordion guitar ship plane balloon - car vehicle clock - apron bin gun backpack - - balloon pen tape banjo
421 - dumbbell chair - barn clock barrel cart ball ball cradle horn hat cloth tub car tower glass hat bottle glass tower bib
444 bicycle clothes folder binoculars birdhouse house sled tie hat shelf - lid bow tie - clothes - armour broom bucket buckle
465 clothes train - car pot candle gun boat opener jacket mirror carousel toolbox carton wheel machine cassette radio castle boat
485 radio cello phone chain fence armour saw chest cupboard chime cupboard sock church - knife - coat shoe shaker cup pot coil lock
508 keyboard - ship car corkscrew horn boot hat cradle crane helmet box bed pot ball crutch armour - desk computer phone nappy
530 clock watch table cloth dishwasher wheel - sled building mat tower drum stick dumbbell pot fan guitar train cupboard envelope
550 machine powder scarf folder ship truck screen pole flute chair helmet forklift fountain pen bed train horn pan coat truck mask
571 pump glass kart ball cart boat gong dress piano house grille - - clip bottle vehicle hammer basket dryer computer cloth disc
593 harmonica harp tractor axe holster - honeycomb hook dress - cart hourglass player iron pumpkin trousers car shirt puzzle cart
613 joystick dress pad knot coat spoon lamp laptop mower lid knife - boat lighter car ship lipstick shoe bottle speaker magnifier
634 - compass bag mailbox clothes clothes lid maraca xylophone mask match - - cup chest stone microphone microwave clothes can bus
655 skirt car rocket glove bowl house car device building monitor scooter mortar hat mosque net scooter bicycle tent mouse trap
675 truck muzzle nail collar necklace dummy laptop monument flute flute meter filter organ device dress cart mask pack paddle
694 wheel lock brush clothes palace flute paper parachute - bench meter train - phone pedestal box sharpener perfume dish printer
714 pick helmet fence truck pier bank bottle pillow ball pinwheel ship jug tool building bag rack tractor plunger camera pole car
735 coat table bottle pot - drill rug printer - rocket projector puck bag bag feather blanket car racket radiator radio antenna
756 barrel van reel camera fridge remote - gun gun chair oven eraser ball ruler shoe safe pin shaker sandal skirt horn case scale
779 bus boat board monitor screw screwdriver belt machine shield - screen basket cart shovel hat curtain ski mask bag ruler door
800 machine snorkel sled truck bottle ball sock antenna hat bowl keyboard heater rocket spatula boat web spindle car lamp - train
821 bridge drum stethoscope scarf wall watch oven sieve train stretcher couch tower submarine suit sundial glasses glasses bottle
839 bridge mop shirt trousers swing switch syringe lamp tank player teapot toy tv ball roof curtain thimble tractor chair roof
859 toaster - toilet torch pole truck - tractor truck tray coat tricycle boat tripod arch bus horn tub gate keyboard umbrella
880 unicycle piano vacuum vase - cloth machine clothes bridge violin ball iron clock wallet cupboard plane sink washer bottle jug
900 tower jug whistle wig screen curtain tie bottle plane pan spoon wool fence ship boat tent - book puzzle sign light book menu
923 plate dip soup soup cake icecream icecream bread bagel pretzel burger hotdog potato cabbage broccoli cauliflower cucumber
940 pumpkin pumpkin pumpkin cucumber artichoke pepper vegetable mushroom apple strawberry orange lemon fruit pineapple banana
955 fruit fruit fruit hay pasta sauce dough meat pizza pie burrito wine coffee cup drink mountain bubble rock coral - - - - - -
980 mountain person person person flower flower flower corn nut fruit nut mushroom mushroom mushroom mushroom mushroom mushroom
997 mushroom corn paper
"""


def _spans(text: str) -> dict[int, str]:
    told: dict[int, str] = {}
    for item in text.split(","):
        span, noun = item.split(" ")
        first, _, last = span.partition("-")
        told |= dict.fromkeys(range(int(first), int(last or first) + 1), noun)
    return told


def _words(lines: str) -> dict[int, str]:
    told: dict[int, str] = {}
    for line in lines.split("\n"):
        first, *nouns = line.split() or ["0"]
        told |= {index: noun for index, noun in enumerate(nouns, int(first)) if noun != "-"}
    return told


# Class of ImageNet -> noun; classes that no single word fits are left out.
IMAGENET_NOUNS: dict[int, str] = _spans(_ANIMALS) | _words(_THINGS)
_PLAIN = frozenset({*BY_NAME.values(), *BY_CATEGORY.values(), *BY_PHOTO_CLASS.values(), *IMAGENET_NOUNS.values()})
_MORE = frozenset(
    "person bicycle bird sheep cow giraffe zebra kite skateboard surfboard fork sandwich bed sink book scissors tomato avocado "
    "mango garlic ginger pear ornament figurine cat statue accordion anchor brain camera dolphin helicopter metronome octopus platypus "
    "rhino scorpion stapler wheelchair drum hammer".split()
)
NOUNS: tuple[str, ...] = tuple(sorted({*_PLAIN, *_MORE, "object"}))


def sprite_noun(name: str, category: str) -> str:
    """Say what a sprite shows, in one of the model's nouns."""
    return BY_NAME.get(name) or (name if name in NOUNS else BY_CATEGORY.get(category, "object"))


def photo_noun(class_name: str) -> str:
    """Say what a photographed thing is, in one of the model's nouns; `class_name` may have a group: `fruit/pear`."""
    name = class_name.lower()
    last = name.replace("_", " ").split("/")[-1]
    choices = (BY_PHOTO_CLASS.get(name), BY_PHOTO_CLASS.get(last), last, last.split(" ")[-1])
    return next((noun for noun in choices if noun and noun in NOUNS), "object")
