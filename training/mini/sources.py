"""Read the licence-clean pictures of the data folder into one list of assets, and pack that list into one small file.

An asset is a picture with a mask: sprites carry their own alpha, photos the alpha of their subject (zero everywhere
for a mere background). Where nobody has cut the subject out, GrabCut tries to (`outlines.py`), once, before the
assets are packed; where it cannot, an ellipse in the middle stands for it.
Several assets with one identity are different pictures of the same thing: the true positives of the contrastive stage.
"""

import io
import json
import tarfile
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from itertools import pairwise
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from nouns import photo_noun, sprite_noun
from numpy.typing import NDArray
from outlines import boxed, ellipse, salient
from PIL import Image, ImageOps
from pycocotools import mask as coco_mask
from splits import (
    COCO_FREE_LICENSES,
    DAVIS_TEST,
    DREAMBOOTH_TRAIN,
    FREE_CLIPS,
    Part,
    instance_part,
    photo_part,
    sprite_part,
)

OTHER_FREE_LICENSES = frozenset({101, 103})  # Oxford pets, balloons
DAVIS_LICENSE = 102
PHOTO_SIDE = 288
MINIMUM_SUBJECT_SHARE = 0.008
Pixels = NDArray[np.uint8]


MASKLESS_EXTENT = {"photo": 0.8, "portrait": 0.95}  # of the picture, that a subject without a mask is sought in
# Photos in tar files of which the surroundings serve as backdrops; those of the others are filled by their subject.
SCENIC = frozenset({"arc2017", "core50", "flower_photos", "grocery", "oxford_pets_a", "oxford_pets_b"})


@dataclass(frozen=True)
class Asset:
    """One picture: RGBA pixels (or a file that holds them), whose it is, what it is, and what it may be used for.

    Kinds: sprite; photo, of a subject in its surroundings; portrait, a photo that its subject fills; cutout, a photo
    of which only the subject may be shown; background, of nothing in particular.
    """

    picture: Pixels | bytes
    identity: str
    family: str  # what look-alikes share: the sprite's name, the photo's class
    noun: str
    kind: str
    part: Part
    outline: bytes | None = None  # a file of the small mask that was found; empty: none was; None: not sought yet

    def read(self) -> tuple[Pixels, bool]:
        """Decode the picture, and tell whether the outline of its subject is known."""
        if not isinstance(self.picture, bytes):
            return self.picture, True
        image = Image.open(io.BytesIO(self.picture))
        pixels = np.array(image.convert("RGBA"))
        if "A" in image.getbands() or self.kind not in MASKLESS_EXTENT:
            return pixels, True
        outline = self.sought().outline
        if outline:
            small = np.asarray(Image.open(io.BytesIO(outline)))
            pixels[..., 3] = cv2.resize(small, pixels.shape[1::-1], interpolation=cv2.INTER_LINEAR)
        else:
            pixels[..., 3] = ellipse(*pixels.shape[:2], MASKLESS_EXTENT[self.kind])
        return pixels, bool(outline)

    @property
    def is_unsought(self) -> bool:
        """Tell whether nobody has looked for an outline that may be missing."""
        return self.outline is None and isinstance(self.picture, bytes) and self.kind in MASKLESS_EXTENT

    def sought(self) -> "Asset":
        """Seek the outline of a subject that nobody has cut out, if that was not done yet."""
        if not self.is_unsought:
            return self
        image = Image.open(io.BytesIO(self.picture))
        cut_out = "A" in image.getbands()
        found = None if cut_out else salient(np.asarray(image.convert("RGB")), MASKLESS_EXTENT[self.kind])
        return replace(self, outline=b"" if found is None else _file(found, "PNG"))

    @property
    def pixels(self) -> Pixels:
        """Decode the picture."""
        return self.read()[0]

    @property
    def rgb(self) -> Pixels:
        """Decode the picture as it is, whatever its subject."""
        whole = self.picture
        return np.asarray(Image.open(io.BytesIO(whole)).convert("RGB")) if isinstance(whole, bytes) else whole[..., :3]


def sprites(data: Path) -> Iterator[Asset]:
    """Yield every sprite in its four drawing styles."""
    for entry in json.loads((data / "sprites/sprites.json").read_text())["sprites"]:
        noun = sprite_noun(entry["name"], entry["category"])
        for style, file in entry["files"].items():
            pixels = np.asarray(Image.open(data / file).convert("RGBA"))
            yield Asset(pixels, f"{entry['slug']}/{style}", entry["slug"], noun, "sprite", sprite_part(entry["slug"]))


def _photo(path: Path, mask: NDArray[np.bool_] | None) -> Pixels:
    """Load a photo, shrink it and put the subject's mask into the alpha channel."""
    image = ImageOps.exif_transpose(Image.open(path)).convert("RGB")
    alpha = Image.fromarray(
        np.zeros((image.height, image.width), np.uint8) if mask is None else mask.astype(np.uint8) * 255
    )
    scale = min(1.0, PHOTO_SIDE / min(image.size))
    size = (round(image.width * scale), round(image.height * scale))
    return np.dstack(
        [
            np.asarray(image.resize(size, Image.Resampling.LANCZOS)),
            np.asarray(alpha.resize(size, Image.Resampling.BILINEAR)),
        ]
    )


def coco_photos(data: Path, free: bool) -> Iterator[Asset]:
    """Yield COCO, pet and balloon photos with the mask of their target; `free`: freely licensed ones or the others."""
    for image, annotation, category in coco_targets(data):
        if is_free(image) != free:
            continue
        noun = photo_noun(str((image.get("breed") and _pet(image["breed"])) or category["name"]))
        pixels = _photo(data / "coco_seg/images" / image["file_name"], _decode(annotation, image))
        yield Asset(pixels, f"coco/{image['id']}", f"photo {noun}", noun, "photo", coco_part(image))


def coco_targets(data: Path) -> Iterator[tuple[dict[str, Any], dict[str, Any], dict[str, Any]]]:
    """Yield the entries of every image, its one target and that one's category; DAVIS comes with its sequences."""
    for name in ("instances_coco.json", "instances_extra.json"):
        table = json.loads((data / "coco_seg/annotations" / name).read_text())
        categories = {category["id"]: category for category in table["categories"]}
        annotations = {annotation["id"]: annotation for annotation in table["annotations"]}
        for image in table["images"]:
            if image["license"] != DAVIS_LICENSE:
                annotation = annotations[image["target_annotation_id"]]
                yield image, annotation, categories[annotation["category_id"]]


def is_free(image: dict[str, Any]) -> bool:
    """Tell whether the licence of an image allows a freely usable model."""
    return image["license"] in COCO_FREE_LICENSES or image["license"] in OTHER_FREE_LICENSES


def coco_part(image: dict[str, Any]) -> Part:
    """Put a freely licensed image where its name says, every other one in the test part."""
    return photo_part(image["file_name"]) if is_free(image) else "test"


def _pet(breed: str) -> str:
    """Oxford pets capitalise the breeds of cats and only those."""
    return "cat" if breed[0].isupper() else "dog"


def _decode(annotation: dict[str, object], image: dict[str, int]) -> NDArray[np.bool_]:
    segmentation = annotation["segmentation"]
    height, width = image["height"], image["width"]
    if isinstance(segmentation, dict):
        runs = (
            coco_mask.frPyObjects(segmentation, height, width)
            if isinstance(segmentation["counts"], list)
            else segmentation
        )
        return coco_mask.decode(runs).astype(bool)
    return coco_mask.decode(coco_mask.merge(coco_mask.frPyObjects(segmentation, height, width))).astype(bool)


def concept_photos(data: Path) -> Iterator[Asset]:
    """Yield the photos of the training half of DreamBooth, with a subject mask found by GrabCut from a centred box."""
    for concept in json.loads((data / "concepts/concepts.json").read_text())["concepts"]:
        if concept["dataset"] == "dreambooth" and concept["name"] in DREAMBOOTH_TRAIN:
            noun = photo_noun(concept["class"])
            for file in concept["refs"] + concept["tests"]:
                pixels = _photo(data / file, None)
                pixels[..., 3] = boxed(pixels[..., :3])
                yield Asset(pixels, concept["id"], f"photo {noun}", noun, "photo", "train")


def video_frames(data: Path) -> Iterator[Asset]:
    """Yield every third masked DAVIS frame (one identity per sequence), and frames of free clips as backgrounds."""
    for video in json.loads((data / "video/videos.json").read_text())["videos"]:
        if video.get("masks"):
            part: Part = "test" if video["id"] in DAVIS_TEST else "train"
            noun = photo_noun(video["category"])
            for frame, mask in list(zip(video["frames"], video["masks"], strict=True))[::3]:
                subject = np.asarray(Image.open(data / mask).convert("L")) > 0
                yield Asset(_photo(data / frame, subject), f"davis/{video['id']}", f"photo {noun}", noun, "photo", part)
        elif video["id"] in FREE_CLIPS:
            for frame in video["frames"][::6]:
                yield Asset(
                    _photo(data / frame, None), f"clip/{video['id']}", "background", "object", "background", "train"
                )


def packed_photos(data: Path) -> Iterator[Asset]:
    """Yield the photos that come in a tar file per source: things seen in several photos, and single photos."""
    rows = [json.loads(line) for line in (data / "photos/photos.jsonl").read_text().splitlines()]
    for source in sorted({row["source"] for row in rows}):
        with tarfile.open(data / f"photos/{source}.tar") as tar:
            for row in rows:
                if row["source"] == source:
                    yield _packed_photo(row, tar.extractfile(row["file"]).read())


def _packed_photo(row: dict[str, Any], picture: bytes) -> Asset:
    noun = photo_noun(row["category"])
    whole = "photo" if row["source"] in SCENIC else "portrait"
    # the same kind of fruit is not the same piece
    identity = f"{row['instance']}/{row['file']}" if row.get("level") == "variety" else row["instance"]
    kind = "cutout" if row.get("mask") == "alpha" else whole
    return Asset(picture, identity, _family(row, noun), noun, kind, instance_part(row["instance"]))


def _family(row: dict[str, Any], noun: str) -> str:
    """Name what look-alikes share: the class, or where it says too little, the department or the source."""
    if row["source"] == "grocery":
        return f"photo {row['category'].split('/')[0]}"
    return f"photo {noun}" if noun != "object" else f"photo {row['source']}"


def read_training_world(data: Path) -> list[Asset]:
    """Read everything that may enter training (and the sprites of all parts)."""
    own = [*sprites(data), *coco_photos(data, free=True), *concept_photos(data), *video_frames(data)]
    return [*own, *packed_photos(data)]


def with_outlines(assets: list[Asset]) -> list[Asset]:
    """Seek all outlines that nobody has looked for, on all cores: some 50 ms each."""
    if not any(asset.is_unsought for asset in assets):
        return assets
    with ProcessPoolExecutor(mp_context=get_context("spawn")) as pool:
        return list(pool.map(Asset.sought, assets, chunksize=64))


def write_pack(assets: list[Asset], path: Path) -> None:
    """Store the assets as compressed pictures in one file."""
    columns = {
        field: np.array([getattr(asset, field) for asset in assets])
        for field in ("identity", "family", "noun", "kind", "part")
    }
    pictures = [_encode(asset) for asset in assets]
    outlines = [asset.outline or b"" for asset in with_outlines(assets)]
    for name, blobs in (("data", pictures), ("outline", outlines)):
        columns[f"{name}_ends"] = np.cumsum([len(blob) for blob in blobs])
        columns[name] = np.frombuffer(b"".join(blobs), np.uint8)
    partial = path.with_suffix(".partial.npz")
    np.savez(partial, **columns)
    partial.replace(path)


def _encode(asset: Asset) -> bytes:
    if isinstance(asset.picture, bytes):
        return asset.picture
    lossless = asset.kind == "sprite"
    return _file(asset.pixels, "WEBP", lossless=lossless, quality=80 if lossless else 88, exact=True)


def _file(pixels: Pixels, form: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, form, **options)
    return buffer.getvalue()


def read_pack(path: Path) -> list[Asset]:
    """Read what `write_pack` wrote.

    Raises:
        ValueError: If an older recipe packed it.
    """
    with np.load(path) as table:
        stored = {name: table[name] for name in table.files}
    if "outline" not in stored:
        raise ValueError(f"{path} was packed without outlines, by an older recipe; pack it again (pack.py)")
    columns = [_blobs(stored, "data")]
    columns += [stored[field].tolist() for field in ("identity", "family", "noun", "kind", "part")]
    return [Asset(*row) for row in zip(*columns, _blobs(stored, "outline"), strict=True)]


def _blobs(stored: dict[str, NDArray[Any]], name: str) -> list[bytes]:
    data = stored[name].tobytes()
    return [data[start:end] for start, end in pairwise([0, *stored[f"{name}_ends"].tolist()])]
