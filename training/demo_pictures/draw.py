"""Draw the demo pictures from an open colour font: `python training/demo_pictures/draw.py`.

In: the tables of `scenes.py` and the font Noto Color Emoji (SIL Open Font License; what is drawn with it is free to
use). Out: reference photos, scenes, a clip and `manifest.json` in `src/ego/demo/pictures`. The same font and the same
Pillow give the same pictures.
"""

import argparse
import json
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from random import Random

import numpy as np
from backgrounds import PLACES
from clips import CLIPS, Clip, scenes_of, write_clip
from PIL import Image, ImageDraw, ImageEnhance, ImageFilter, ImageFont
from scenes import CATEGORIES, REFERENCES, SCENES, Placed, Scene, Subject

SIDE = 320  # pixels
FONT_SIZE = 109  # the only size at which the bitmaps of the font exist
FONT = Path("/usr/share/fonts/truetype/noto/NotoColorEmoji.ttf")  # where Debian's fonts-noto-color-emoji puts it
FOLDER = Path(__file__).resolve().parents[2] / "src" / "ego" / "demo" / "pictures"
ORIGIN = "Drawn by training/demo_pictures/draw.py with Noto Color Emoji (SIL Open Font License 1.1)."


def main() -> None:
    """Draw everything and write the manifest."""
    arguments = _arguments()
    arguments.out.mkdir(parents=True, exist_ok=True)
    manifest = {
        "origin": ORIGIN,
        "concepts": [_draw_concept(name, photos, arguments) for name, photos in REFERENCES.items()],
        "scenes": [_draw_scene(number, scene, arguments) for number, scene in enumerate(SCENES, start=1)],
        "clips": [_draw_clip(number, clip, arguments) for number, clip in enumerate(CLIPS, start=1)],
    }
    text = json.dumps(manifest, indent=2, ensure_ascii=False)
    (arguments.out / "manifest.json").write_text(f"{text}\n", encoding="utf-8")


def compose(scene: Scene, font: Path, seed: int) -> Image.Image:
    """Paint the place, put the subjects in front of it, then set the light."""
    random = Random(seed)
    picture = PLACES[scene.place](SIDE, random)
    for placed in scene.placed:
        _put(picture, placed, font)
    return _grain(_lit(picture, scene.light, scene.warmth), seed)


@cache
def drawing(subject: Subject, font: Path) -> Image.Image:
    """Draw one emoji, cut to its outline, in its colours (RGBA)."""
    canvas = Image.new("RGBA", (160, 160), (0, 0, 0, 0))
    face = ImageFont.truetype(str(font), FONT_SIZE)
    ImageDraw.Draw(canvas).text((8, 8), subject.emoji, font=face, embedded_color=True)
    # Drawing on nothing leaves colours multiplied by their opacity; read as such ("RGBa"), the edges are not dark.
    clean = Image.frombytes("RGBa", canvas.size, canvas.tobytes()).convert("RGBA")
    return _recoloured(clean.crop(clean.getbbox()), subject)


def _recoloured(picture: Image.Image, subject: Subject) -> Image.Image:
    alpha = picture.getchannel("A")
    hue, saturation, value = picture.convert("RGB").convert("HSV").split()
    shift = round(subject.hue * 256 / 360)
    turned = hue.point([(level + shift) % 256 for level in range(256)])
    faded = saturation.point([round(level * subject.saturation) for level in range(256)])
    coloured = Image.merge("HSV", (turned, faded, value)).convert("RGB")
    coloured.putalpha(alpha)
    return coloured


def _put(picture: Image.Image, placed: Placed, font: Path) -> None:
    sprite = drawing(placed.subject, font)
    height = round(placed.height * SIDE)
    sprite = sprite.resize((round(sprite.width * height / sprite.height), height), Image.Resampling.LANCZOS)
    if placed.mirrored:
        sprite = sprite.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    sprite = sprite.rotate(placed.turn, Image.Resampling.BICUBIC, expand=True)
    left, top = round(placed.x * SIDE - sprite.width / 2), round(placed.y * SIDE - sprite.height / 2)
    _cast_shadow(picture, left, top + sprite.height, sprite.width)
    picture.paste(sprite, (left, top), sprite)


def _cast_shadow(picture: Image.Image, left: int, bottom: int, width: int) -> None:
    shadow = Image.new("L", picture.size, 0)
    thickness = max(4, width // 10)
    ImageDraw.Draw(shadow).ellipse(
        (left + width * 0.08, bottom - thickness, left + width * 0.92, bottom + thickness * 0.6), fill=90
    )
    picture.paste((20, 20, 24), (0, 0), shadow.filter(ImageFilter.GaussianBlur(4)))


def _lit(picture: Image.Image, light: float, warmth: float) -> Image.Image:
    red, green, blue = ImageEnhance.Brightness(picture).enhance(light).split()
    warmer = red.point([min(255, round(level * (1 + warmth))) for level in range(256)])
    cooler = blue.point([min(255, round(level * (1 - warmth))) for level in range(256)])
    return Image.merge("RGB", (warmer, green, cooler))


def _grain(picture: Image.Image, seed: int) -> Image.Image:
    noise = np.random.default_rng(seed).normal(0.0, 2.5, (SIDE, SIDE, 3))
    return Image.fromarray(np.clip(np.asarray(picture) + noise, 0, 255).astype(np.uint8))


def _draw_concept(name: str, photos: Sequence[Scene], arguments: argparse.Namespace) -> dict[str, object]:
    stem = name.lower().replace("'", "").replace(" ", "-")
    files = [f"{stem}-{number}.jpg" for number in range(1, len(photos) + 1)]
    for number, (file, photo) in enumerate(zip(files, photos, strict=True)):
        _save(compose(photo, arguments.font, seed=len(stem) * 100 + number), arguments.out / file)
    return {"name": name, "category": CATEGORIES[name], "references": files}


def _draw_scene(number: int, scene: Scene, arguments: argparse.Namespace) -> dict[str, object]:
    file = f"scene-{number:02}.jpg"
    _save(compose(scene, arguments.font, seed=number), arguments.out / file)
    questions = [{"question": question, "answer": answer} for question, answer in scene.questions]
    present = sorted(placed.subject.concept for placed in scene.placed if placed.subject.concept)
    return {"file": file, "note": scene.note, "present": present, "questions": questions}


def _draw_clip(number: int, clip: Clip, arguments: argparse.Namespace) -> dict[str, object]:
    """Draw a clip; its grain is that of one picture, as a camera that stands still would have it."""
    file = f"clip-{number:02}.mp4"
    write_clip(arguments.out / file, (compose(scene, arguments.font, seed=100) for scene in scenes_of(clip)), SIDE)
    present = {name: list(seconds) for name, seconds in clip.present.items()}
    return {"file": file, "note": clip.scene.note, "present": present}


def _save(picture: Image.Image, path: Path) -> None:
    picture.save(path, quality=88, optimize=True)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--font", type=Path, default=FONT)
    parser.add_argument("--out", type=Path, default=FOLDER)
    return parser.parse_args()


if __name__ == "__main__":
    main()
