"""Masks as tools write them, masks and boxes on turned and very large photos."""

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from ego.concept import Region
from ego.errors import ImageError, InputError
from ego.media import read_image
from ego.media.masks import read_mask
from ego.media.orientation import TURNS, as_shown, shown_size
from ego.regions import region_mask

SIDE = 32
ROWS, COLUMNS = np.mgrid[:SIDE, :SIDE]
DISC = (ROWS - 10) ** 2 + (COLUMNS - 20) ** 2 < 49


def encoded(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def with_alpha(colours: tuple[int, ...], around: tuple[int, ...]) -> Image.Image:
    """`colours` opaque on the disc, `around` transparent elsewhere."""
    picture = Image.new("RGBA", (SIDE, SIDE), (*around, 0))
    picture.paste((*colours, 255), (0, 0, SIDE, SIDE), Image.fromarray(DISC))
    return picture


def with_opacity(inside: int, outside: int) -> Image.Image:
    """A photo that is more opaque on the disc."""
    photo = Image.fromarray(np.random.default_rng(0).integers(0, 255, (SIDE, SIDE, 3), np.uint8))
    photo.putalpha(Image.fromarray(np.where(DISC, inside, outside).astype(np.uint8)))
    return photo


def labels(label: int, palette: list[int]) -> Image.Image:
    image = Image.fromarray((DISC * label).astype(np.uint8))
    image.putpalette(palette)
    return image


VOC = [0, 0, 0, 128, 0, 0, 0, 128, 0]
GREYS_ALL_BLACK = [0] * 768
COLOURED_BACKGROUND = [10, 200, 10, 200, 10, 10]
WHITE_FIRST = Image.fromarray((~DISC).astype(np.uint8))
WHITE_FIRST.putpalette([255, 255, 255, 0, 0, 0])

AS_WRITTEN = {
    "0 and 255": Image.fromarray((DISC * 255).astype(np.uint8)),
    "0 and 1": Image.fromarray(DISC.astype(np.uint8)),
    "label 7": Image.fromarray((DISC * 7).astype(np.uint8)),
    "1 bit": Image.fromarray(DISC),
    "16 bit": Image.fromarray((DISC * 65535).astype(np.uint16)),
    "16 bit, label 1": Image.fromarray(DISC.astype(np.uint16)),
    "float": Image.fromarray(DISC.astype(np.float32)),
    "32 bit": Image.fromarray((DISC * 70_000).astype(np.int32)),
    "dark colour": Image.fromarray((DISC[..., None] * np.array([0, 0, 3])).astype(np.uint8)),
    "palette": labels(1, VOC),
    "palette without colours": labels(1, GREYS_ALL_BLACK),
    "palette with a coloured background": labels(1, COLOURED_BACKGROUND),
    "palette of a paint program, white first": WHITE_FIRST,
    "cut-out": with_alpha((60, 140, 60), (255, 255, 255)),
    "black on nothing": with_alpha((0, 0, 0), (0, 0, 0)),
    "white on nothing": with_alpha((255, 255, 255), (255, 255, 255)),
    "opaque RGBA": Image.fromarray((DISC * 255).astype(np.uint8)).convert("RGBA"),
    "grey with transparency": with_alpha((9, 9, 9), (0, 0, 0)).convert("LA"),
    "faint overlay": with_opacity(90, 0),
    "dimmed surroundings": with_opacity(255, 190),
}


@pytest.mark.parametrize("name", AS_WRITTEN)
def test_every_way_to_write_a_mask_is_read(name: str) -> None:
    image = AS_WRITTEN[name]
    assert (read_mask(image) == DISC).all()
    kind = "TIFF" if image.mode in {"F", "I"} else "PNG"
    assert (read_mask(encoded(image, kind)) == DISC).all()


@pytest.mark.parametrize("options", [{}, {"icc_profile": b"a profile, so that the file is of the extended kind"}])
@pytest.mark.parametrize("kind", ["JPEG", "AVIF", "WEBP"])
def test_formats_that_blur_count_from_the_middle_on(kind: str, options: dict[str, bytes]) -> None:
    written = encoded(Image.fromarray((DISC * 255).astype(np.uint8)), kind, quality=60, **options)
    assert (read_mask(written) ^ DISC).mean() < 0.02
    with Image.open(io.BytesIO(written)) as image:
        assert (read_mask(image) ^ DISC).mean() < 0.02


def test_a_webp_that_keeps_values_may_hold_labels() -> None:
    label = Image.fromarray(DISC.astype(np.uint8)).convert("RGB")
    assert (read_mask(encoded(label, "WEBP", lossless=True)) == DISC).all()


def test_a_mask_file_is_turned_as_it_says() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    stored = Image.fromarray((DISC * 255).astype(np.uint8)).transpose(Image.Transpose.ROTATE_90)
    assert (read_mask(encoded(stored, exif=exif)) == DISC).all()


@pytest.mark.parametrize(
    "image",
    [Image.new("L", (SIDE, SIDE), 0), Image.new("L", (SIDE, SIDE), 255), Image.new("RGBA", (SIDE, SIDE), (0, 0, 0, 0))],
)
def test_a_mask_that_says_nothing_is_refused(image: Image.Image) -> None:
    with pytest.raises(ImageError, match="marks the whole picture or nothing of it; save the mask as a PNG"):
        read_mask(image)


@settings(deadline=None, max_examples=60)
@given(
    bits=st.integers(1, 2**16 - 1),
    way=st.sampled_from(["L", "1", "P", "I;16", "RGB", "RGBA", "alpha", "TIFF L", "LA"]),
    label=st.integers(1, 255),
)
def test_no_encoding_changes_or_inverts_a_mask(bits: int, way: str, label: int) -> None:
    """Any pattern but all and nothing, any label, any way of writing: the same mask comes back."""
    pattern = np.array([bits >> shift & 1 for shift in range(16)], dtype=bool).reshape(4, 4)
    mask = np.kron(pattern, np.ones((4, 4), dtype=bool))
    grey = Image.fromarray((mask * label).astype(np.uint8))
    written = {
        "L": grey,
        "1": Image.fromarray(mask),
        "P": grey.convert("P") if label < 255 else grey,
        "I;16": Image.fromarray((mask * label).astype(np.uint16)),
        "RGB": grey.convert("RGB"),
        "RGBA": grey.convert("RGBA"),
        "alpha": Image.merge("LA", (grey, Image.fromarray((mask * 255).astype(np.uint8)))).convert("RGBA"),
        "TIFF L": grey,
        "LA": Image.merge("LA", (Image.new("L", grey.size, label), Image.fromarray((mask * 255).astype(np.uint8)))),
    }[way]
    if mask.all():
        with pytest.raises(ImageError, match="whole picture"):
            read_mask(encoded(written))
    else:
        assert (read_mask(encoded(written, "TIFF" if way == "TIFF L" else "PNG")) == mask).all()


# -- whose pixels


@pytest.mark.parametrize("orientation", range(1, 9))
def test_as_shown_turns_a_mask_as_pillow_turns_the_picture(orientation: int) -> None:
    stored = np.arange(12, dtype=np.uint8).reshape(3, 4)
    expected = Image.fromarray(stored)
    if orientation in TURNS:
        expected = expected.transpose(TURNS[orientation])
    assert (as_shown(stored, orientation) == np.asarray(expected)).all()
    assert shown_size((4, 3), orientation) == expected.size


def stored_and_shown(orientation: int) -> tuple[np.ndarray, np.ndarray]:
    stored = np.zeros((6, 9), dtype=bool)
    stored[:2, :3] = True
    return stored, as_shown(stored, orientation)


@pytest.mark.parametrize("orientation", [5, 6, 7, 8])
def test_a_mask_of_stored_pixels_is_known_by_its_shape(orientation: int) -> None:
    stored, shown = stored_and_shown(orientation)
    for given_mask in (stored, shown):
        mask = region_mask(Region(mask=given_mask), (6, 9), orientation=orientation)
        assert (mask == shown).all()


@pytest.mark.parametrize("orientation", [2, 3, 4])
def test_where_both_fit_the_user_is_asked(orientation: int) -> None:
    stored, shown = stored_and_shown(orientation)
    with pytest.raises(InputError, match="fits both the picture as displayed and the stored pixels; say which it is"):
        region_mask(Region(mask=stored), (9, 6), orientation=orientation)
    as_stored = region_mask(Region(mask=stored, space="stored"), (9, 6), orientation=orientation)
    as_displayed = region_mask(Region(mask=shown, space="displayed"), (9, 6), orientation=orientation)
    assert (as_stored == shown).all()
    assert (as_displayed == shown).all()


def test_the_orientation_of_a_photo_travels_with_it() -> None:
    exif = Image.Exif()
    exif[0x0112] = 3
    assert read_image(encoded(Image.new("RGB", (16, 16)), "JPEG", exif=exif)).orientation == 3
    assert read_image(encoded(Image.new("RGB", (16, 16)), "JPEG")).orientation == 1


def test_a_region_of_a_photo_that_was_made_smaller() -> None:
    full = np.zeros((400, 600), dtype=bool)
    full[100:200, 300:600] = True
    mask = region_mask(Region(mask=full), (600, 400), kept=(60, 40))
    box = region_mask(Region(box=(300, 100, 600, 200)), (600, 400), kept=(60, 40))
    assert mask.shape == (40, 60)
    assert (mask == box).all()
    assert mask[10:20, 30:60].all()
    assert mask.sum() == 300
