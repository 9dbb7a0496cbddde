import cv2
import numpy as np
import pytest

outlines = pytest.importorskip("outlines")
sources = pytest.importorskip("sources")


def photographed(radius: int, *, noise: float = 6.0) -> np.ndarray:
    """A red ball on a lawn."""
    pixels = np.full((160, 200, 3), (70, 140, 60), np.uint8)
    cv2.circle(pixels, (104, 82), radius, (200, 40, 50), -1)
    grain = np.random.default_rng(0).normal(0, noise, pixels.shape)
    return np.clip(pixels + grain, 0, 255).astype(np.uint8)


def test_what_stands_in_the_middle_is_cut_out():
    found = outlines.salient(photographed(48), 0.8)
    assert max(found.shape) == outlines.SOUGHT_SIDE
    found = cv2.resize(found, (200, 160), interpolation=cv2.INTER_LINEAR)
    truth = np.zeros((160, 200), np.uint8)
    cv2.circle(truth, (104, 82), 48, 1, -1)
    seen = found > 127
    assert (seen & (truth > 0)).sum() / (seen | (truth > 0)).sum() > 0.9


@pytest.mark.parametrize("radius", [5, 300], ids=["a speck", "nothing else"])
def test_what_is_not_believable_is_not_given(radius):
    assert outlines.salient(photographed(radius), 0.8) is None


def test_a_picture_of_one_colour_has_no_outline():
    assert outlines.salient(np.full((90, 120, 3), 128, np.uint8), 0.95) is None


def test_a_box_is_taken_whole_where_nothing_is_found():
    assert outlines.boxed(np.full((90, 120, 3), 128, np.uint8)).min() == 255


def test_an_ellipse_stands_in_the_middle():
    mask = outlines.ellipse(100, 60, 0.8)
    assert mask[50, 30] == 255
    assert mask[0, 0] == mask[5, 30] == 0
    assert (mask > 127).mean() == pytest.approx(np.pi / 4 * 0.8**2, rel=0.05)


@pytest.mark.parametrize("radius", [48, 5], ids=["found", "not found"])
def test_a_pack_keeps_the_outline_that_was_sought(radius, tmp_path, monkeypatch):
    file = cv2.imencode(".png", photographed(radius)[..., ::-1])[1].tobytes()
    asset = sources.Asset(file, "ball-1", "photo ball", "ball", "photo", "train")
    sources.write_pack([asset], tmp_path / "world.npz")
    straight, outlined = asset.read()
    monkeypatch.setattr(sources, "salient", None)  # nobody seeks again
    (packed,) = sources.read_pack(tmp_path / "world.npz")
    pixels, known = packed.read()
    assert known == outlined == (radius == 48)
    assert np.array_equal(pixels, straight)
    assert np.array_equal(packed.rgb, pixels[..., :3])


def test_a_pack_of_an_older_recipe_is_refused(tmp_path):
    np.savez(tmp_path / "world.npz", ends=np.array([0]), data=np.zeros(0, np.uint8))
    with pytest.raises(ValueError, match=r"pack it again \(pack.py\)"):
        sources.read_pack(tmp_path / "world.npz")
