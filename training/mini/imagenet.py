"""The thousand classes of ImageNet in the model's own nouns, so that what the tower's origin knows can be said.

Animals by spans of classes, then one word a class, every line after the number of its first class ("-": nothing that a
person would introduce).
"""

_ANIMALS = """
0-6 fish, 7-8 chicken, 9 ostrich, 10-20 bird, 21-24 eagle, 25-29 lizard, 30-32 frog, 33-37 turtle, 38-48 lizard,
49-50 crocodile, 51 dinosaur, 52-68 snake, 69 insect, 70-77 spider, 78 insect, 79 insect, 80-83 chicken, 84 peacock,
85-86 bird, 87-90 parrot, 91-96 bird, 97 duck, 98 duck, 99 goose, 100 swan, 101 elephant, 102 hedgehog, 103 beaver,
104 kangaroo, 105 koala, 106 animal, 107-108 jellyfish, 109 coral, 110-112 worm, 113-114 snail, 115-117 shell,
118-121 crab, 122-124 lobster, 125 crab, 126 insect, 127-129 heron, 130 flamingo, 131-135 heron, 136-144 bird, 145
penguin, 146 bird, 147-148 whale, 149-150 seal, 151-268 dog, 269-272 wolf, 273-275 dog, 276 animal, 277-280 fox,
281-285 cat, 286-287 cougar, 288-290 leopard, 291 lion, 292 tiger, 293 leopard, 294-297 bear, 298-299 animal,
300-307 beetle, 308 insect, 309 bee, 310 ant, 311-318 insect, 319-320 dragonfly, 321-326 butterfly, 327 starfish,
328-329 animal, 330-332 rabbit, 333 hamster, 334 hedgehog, 335 squirrel, 336-337 squirrel, 338 hamster, 339 horse,
340 zebra, 341-343 pig, 344 hippo, 345-347 cow, 348-350 sheep, 351-353 antelope, 354 camel, 355 llama, 356-359
weasel, 360 otter, 361 skunk, 362 badger, 363 animal, 364 sloth, 365-382 monkey, 383-384 monkey, 385-386 elephant,
387 panda, 388 panda, 389-397 fish
"""
_THINGS = """
398 abacus dress dress accordion guitar ship plane balloon - car vehicle clock - apron bin gun backpack - - balloon
418 pen tape banjo - dumbbell chair - barn clock barrel cart ball ball cradle horn hat cloth tub car tower glass hat
440 bottle glass tower bib bicycle clothes folder binoculars birdhouse house sled tie hat shelf - lid bow tie -
459 clothes - armour broom bucket buckle clothes train - car pot candle gun boat opener jacket mirror carousel toolbox
478 carton wheel machine cassette radio castle boat radio cello phone chain fence armour saw chest cupboard chime
495 cupboard sock church - knife - coat shoe shaker cup pot coil lock keyboard - ship car corkscrew horn boot hat
516 cradle crane helmet box bed pot ball crutch armour - desk computer phone nappy clock watch table cloth dishwasher
535 wheel - sled building mat tower drum stick dumbbell pot fan guitar train cupboard envelope machine powder scarf
553 folder ship truck screen pole flute chair helmet forklift fountain pen bed train horn pan coat truck mask pump
572 glass kart ball cart boat gong dress piano house grille - - clip bottle vehicle hammer basket dryer computer cloth
592 disc harmonica harp tractor axe holster - honeycomb hook dress - cart hourglass player iron pumpkin trousers car
610 shirt puzzle cart joystick dress pad knot coat spoon lamp laptop mower lid knife - boat lighter car ship lipstick
630 shoe bottle speaker magnifier - compass bag mailbox clothes clothes lid maraca xylophone mask match - - cup chest
649 stone microphone microwave clothes can bus skirt car rocket glove bowl house car device building monitor scooter
666 mortar hat mosque net scooter bicycle tent mouse trap truck muzzle nail collar necklace dummy laptop monument
683 flute flute meter filter organ device dress cart mask pack paddle wheel lock brush clothes palace flute paper
701 parachute - bench meter train - phone pedestal box sharpener perfume dish printer pick helmet fence truck pier
719 bank bottle pillow ball pinwheel ship jug tool building bag rack tractor plunger camera pole car coat table bottle
738 pot - drill rug printer - rocket projector puck bag bag feather blanket car racket radiator radio antenna barrel
757 van reel camera fridge remote - gun gun chair oven eraser ball ruler shoe safe pin shaker sandal skirt horn case
778 scale bus boat board monitor screw screwdriver belt machine shield - screen basket cart shovel hat curtain ski
796 mask bag ruler door machine snorkel sled truck bottle ball sock antenna hat bowl keyboard heater rocket spatula
814 boat web spindle car lamp - train bridge drum stethoscope scarf wall watch oven sieve train stretcher couch tower
833 submarine suit sundial glasses glasses bottle bridge mop shirt trousers swing switch syringe lamp tank player
849 teapot toy tv ball roof curtain thimble tractor chair roof toaster - toilet torch pole truck - tractor truck tray
869 coat tricycle boat tripod arch bus horn tub gate keyboard umbrella unicycle piano vacuum vase - cloth machine
887 clothes bridge violin ball iron clock wallet cupboard plane sink washer bottle jug tower jug whistle wig screen
905 curtain tie bottle plane pan spoon wool fence ship boat tent - book puzzle sign light book menu plate dip soup
926 soup cake icecream icecream bread bagel pretzel burger hotdog potato cabbage broccoli cauliflower cucumber pumpkin
941 pumpkin pumpkin cucumber artichoke pepper vegetable mushroom apple strawberry orange lemon fruit pineapple banana
955 fruit fruit fruit hay pasta sauce dough meat pizza pie burrito wine coffee cup drink mountain bubble rock coral -
975 - - - - - mountain person person person flower flower flower corn nut fruit nut mushroom mushroom mushroom
994 mushroom mushroom mushroom mushroom corn paper
"""


def _spans(text: str) -> dict[int, str]:
    told: dict[int, str] = {}
    for item in text.split(","):
        span, noun = item.split()
        first, _, last = span.partition("-")
        told |= dict.fromkeys(range(int(first), int(last or first) + 1), noun)
    return told


def _words(lines: str) -> dict[int, str]:
    told: dict[int, str] = {}
    for line in lines.strip().split("\n"):
        first, *nouns = line.split()
        told |= {index: noun for index, noun in enumerate(nouns, int(first)) if noun != "-"}
    return told


# Class -> noun; classes that no single word fits are left out.
IMAGENET_NOUNS: dict[int, str] = _spans(_ANIMALS) | _words(_THINGS)
