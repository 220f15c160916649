from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from media_clips import make
from numpy.typing import NDArray
from synthetic import texture

from dreamvideo.errors import MediaError, UsageError
from dreamvideo.media.stills import store_frame
from dreamvideo.paint.masks import Masker, feather_mask, settle_mask
from dreamvideo.paint.regions import RegionMasks, layer_masks
from dreamvideo.settings import Look, MaskSettings, look_from_toml, look_to_toml, make_look
from dreamvideo.settings.shapes import parse_range, parse_shapes

SIZE = (96, 64)
FLAT = np.zeros((64, 96, 3), np.float32)
START = Fraction(0)
Map = NDArray[np.float32]


def share(source: NDArray[np.float32] = FLAT, time: Fraction = START, **mask: Any) -> Map:
    settings = MaskSettings.model_validate({"feather": 0.0, **mask})
    return Masker.of(settings, SIZE).share(time, source)


def painted(path: Path, pixels: NDArray[np.uint8], alpha: NDArray[np.uint8] | None = None) -> str:
    store_frame(path, np.repeat(pixels[..., None], 3, 2), alpha)
    return str(path)


def halves(black: int = 0, white: int = 255) -> NDArray[np.uint8]:
    """Black on the left, white on the right."""
    return np.repeat(np.array([[black] * 48 + [white] * 48], np.uint8), 64, 0)


@pytest.mark.parametrize(
    ("text", "area"),
    [
        ("circle 0.5x0.5 0.25", np.pi * 16**2),
        ("ellipse 0.5x0.5 0.25x0.25", np.pi * 24 * 16),
        ("rect 0.25x0.25 0.75x0.5", 48 * 16),
        ("rect 0.75x0.5 0.25x0.25", 48 * 16),
        ("polygon 0x0 1x0 0x1", 96 * 64 / 2),
        ("left 0.25", 24 * 64),
        ("right 0.25", 24 * 64),
        ("top 0.25", 96 * 16),
        ("bottom 0.25", 96 * 16),
        ("gradient left right", 96 * 64 / 2),
        ("gradient 0x0 1x1", 96 * 64 / 2),
        ("all", 96 * 64),
        ("all - left 0.5", 48 * 64),
        ("left 0.5 + right 0.25", 72 * 64),
        ("left 0.5 & top 0.5", 48 * 32),
        ("ALL - Rect 0x0 0.5x1 + Top 0.5", 96 * 64 * 0.75),
    ],
)
def test_a_shape_covers_its_area(text: str, area: float) -> None:
    assert abs(float(share(mask=text).sum()) - area) < 0.01 * area


@pytest.mark.parametrize(
    ("text", "inside", "outside"),
    [
        ("left 0.5", (32, 10), (32, 80)),
        ("right 0.5", (32, 80), (32, 10)),
        ("top 0.5", (10, 48), (50, 48)),
        ("bottom 0.5", (50, 48), (10, 48)),
        ("circle 0.25x0.5 0.2", (32, 24), (32, 72)),
        ("rect 0x0 0.5x0.5", (10, 10), (50, 80)),
        ("polygon 0x0 0.5x0 0x1", (5, 5), (60, 90)),
        ("gradient top bottom", (63, 48), (0, 48)),
    ],
)
def test_a_shape_lies_where_it_says(
    text: str, inside: tuple[int, int], outside: tuple[int, int]
) -> None:
    found = share(mask=text)
    assert found[inside] > 0.98
    assert found[outside] < 0.02


def test_a_circle_is_round_in_any_frame() -> None:
    found = share(mask="circle 0.5x0.5 0.25")
    assert abs(int((found[32] > 0.5).sum()) - int((found[:, 48] > 0.5).sum())) <= 1


@pytest.mark.parametrize(
    "text",
    [
        "circle 0.5x0.5",
        "circle 0.5 0.5 0.3",
        "circle 0.5x0.5 -",
        "circle 0.5x0.5 0.3 +",
        "circle 0.5x0.5 0.3 rect 0x0 1x1",
        "rect 0x0",
        "polygon 0x0 1x1",
        "gradient top left",
        "gradient 0x0 0x0",
        "left half",
        "left nan",
        "all 1",
        "left 0.5 + blob 1",
    ],
)
def test_a_shape_that_is_none_is_told_in_one_line(text: str) -> None:
    with pytest.raises(UsageError, match=r"^--mask: .*(write|choose)") as caught:
        make_look((), {"mask": {"mask": text}})
    assert "\n" not in str(caught.value)


@given(st.text("0123456789.x+-& circletopgn", max_size=30))
def test_any_text_is_a_shape_a_file_or_an_error(text: str) -> None:
    try:
        parse_shapes(text)
    except ValueError as error:
        assert str(error)


@pytest.mark.parametrize(
    "text", ["", "0.5", "1-2-3", "-1-1", "0.2-1.2", "a-b", "0.2 to 1", "0.9-0.1"]
)
def test_what_is_no_range(text: str) -> None:
    with pytest.raises(ValueError, match="write a range within 0-1"):
        parse_range(text, 1)


def test_a_mask_is_moved_scaled_and_turned() -> None:
    spot = "circle 0.25x0.5 0.2"
    assert np.allclose(share(mask=spot, mask_x=0.5), share(mask="circle 0.75x0.5 0.2"), atol=1e-5)
    assert np.allclose(share(mask=spot, mask_y=0.25), share(mask="circle 0.25x0.75 0.2"), atol=1e-5)
    assert np.allclose(
        share(mask=spot, mask_turn=180), share(mask="circle 0.75x0.5 0.2"), atol=1e-5
    )
    large = share(mask="circle 0.5x0.5 0.2", mask_scale=2)
    assert np.allclose(large, share(mask="circle 0.5x0.5 0.4"), atol=1e-5)
    turned = share(mask="top 0.5", mask_turn=90)
    assert turned[32, 80] == 1 and turned[32, 10] == 0, "clockwise: what was above is on the right"


def test_a_picture_is_moved_like_a_shape(tmp_path: Path) -> None:
    drawn = np.asarray(255 * share(mask="rect 0.25x0.25 0.5x0.5"), np.uint8)
    picture = painted(tmp_path / "m.png", drawn)
    for pose in ({"mask_x": 0.25}, {"mask_y": 0.25}, {"mask_turn": 90}, {"mask_scale": 0.5}):
        expected = share(mask="rect 0.25x0.25 0.5x0.5", **pose)
        assert np.abs(share(mask=picture, **pose) - expected).mean() < 0.02


def test_a_soft_edge_lies_inside_and_rises_evenly() -> None:
    hard, soft = share(mask="left 0.5"), share(mask="left 0.5", feather=0.2)
    assert not soft[hard == 0].any()
    row = soft[32, :48]
    assert (np.diff(row) <= 0).all() and row[0] == 1
    wide = int((row < 1).sum())
    assert abs(wide - 0.2 * 96) <= 2


def test_a_soft_edge_does_not_swallow_thin_lines() -> None:
    thin = feather_mask(share(mask="rect 0.5x0 0.54x1"), 6)
    assert thin.max() > 0.2


def test_the_inverse_is_feathered_on_its_own_side() -> None:
    hard = share(mask="left 0.5")
    inverse = share(mask="left 0.5", invert=True, feather=0.2)
    assert not inverse[hard == 1].any()
    assert inverse[32, 95] == 1
    assert np.allclose(share(mask="left 0.5", invert=True), 1 - hard)


@pytest.mark.parametrize("black", [0, 6])
def test_a_picture_says_white_or_black(tmp_path: Path, black: int) -> None:
    found = share(mask=painted(tmp_path / "m.png", halves(black, 255 - black)))
    assert (found[:, :48] == 0).all(), "what compression leaves of black is black"
    assert (found[:, 48:] == 1).all()


def test_a_picture_takes_the_size_of_the_frame(tmp_path: Path) -> None:
    small = painted(tmp_path / "m.png", halves()[:32, 24:72])
    found = share(mask=small)
    assert found.shape == (64, 96)
    assert found[32, 10] == 0 and found[32, 90] == 1


def test_grey_is_a_part(tmp_path: Path) -> None:
    found = share(mask=painted(tmp_path / "m.png", np.full((64, 96), 128, np.uint8)))
    assert np.allclose(found, 0.5, atol=0.01)


def test_a_cut_out_masks_by_its_transparency(tmp_path: Path) -> None:
    dark = np.full((64, 96), 30, np.uint8)
    found = share(mask=painted(tmp_path / "m.png", dark, halves()))
    assert (found[:, :48] == 0).all() and (found[:, 48:] == 1).all()
    opaque = painted(tmp_path / "o.png", halves(), np.full((64, 96), 255, np.uint8))
    assert np.array_equal(share(mask=opaque), found), "without any, by its grey"


@pytest.mark.parametrize("value", [0, 255])
def test_all_black_and_all_white_are_exact(tmp_path: Path, value: int) -> None:
    picture = painted(tmp_path / "m.png", np.full((64, 96), value, np.uint8))
    for feather in (0.0, 0.1):
        assert (share(mask=picture, feather=feather) == (value == 255)).all()
        assert (share(mask=picture, feather=feather, invert=True) == (value == 0)).all()


def wiper(path: Path, *options: str) -> str:
    """Four frames at 4 a second, each with the next quarter white."""
    for number in range(4):
        pixels = np.zeros((64, 96), np.uint8)
        pixels[:, 24 * number : 24 * number + 24] = 255
        painted(path.with_name(f"wipe{number}.png"), pixels)
    pattern = str(path.with_name("wipe%d.png"))
    return str(make(path, "-framerate", "4", "-i", pattern, *options))


@pytest.mark.parametrize("name", ["m.mkv", "m.gif"])
def test_a_mask_film_shows_what_it_has_at_the_time(tmp_path: Path, name: str) -> None:
    options = ["-c:v", "ffv1"] if name == "m.mkv" else []
    settings = MaskSettings(mask=wiper(tmp_path / name, *options), feather=0)
    masker = Masker.of(settings, SIZE)

    def white(time: Fraction) -> int:
        """Which quarter is white."""
        found = masker.share(time, FLAT)
        (quarter,) = (q for q in range(4) if found[32, 24 * q + 12] > 0.5)
        return quarter

    quarter = Fraction(1, 4)
    order = [0, 1, 2, 3, 1, 0, 3]
    assert [white(n * quarter + Fraction(1, 10)) for n in order] == order
    assert white(Fraction(5)) == 3, "it stays on its last frame"
    masker.close()
    looped = Masker.of(settings.model_copy(update={"mask_end": "loop"}), SIZE)
    assert looped.share(Fraction(51, 10), FLAT)[32, 12] > 0.5
    assert looped.share(Fraction(56, 10), FLAT)[32, 60] > 0.5
    looped.close()


def test_a_folder_is_a_mask_film(tmp_path: Path) -> None:
    folder = tmp_path / "masks"
    folder.mkdir()
    for number, value in enumerate((0, 255)):
        painted(folder / f"{number}.png", np.full((64, 96), value, np.uint8))
    masker = Masker.of(MaskSettings(mask=str(folder)), SIZE)
    assert [masker.share(n / Fraction(25), FLAT).mean() for n in range(3)] == [0, 1, 1]
    masker.close()


def test_a_mask_that_is_not_there_is_told_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(MediaError, match=r"--mask .*no\.png: no such file; a drawn mask begins"):
        Masker.of(MaskSettings(mask=str(tmp_path / "no.png")), SIZE)
    text = tmp_path / "mask.txt"
    text.write_text("white")
    (tmp_path / "mask.png").write_text("white")
    for path in (text, text.with_suffix(".png")):
        with pytest.raises(MediaError, match=r"^--mask .*mask\.(txt|png): not a") as caught:
            Masker.of(MaskSettings(mask=str(path)), SIZE)
        assert "\n" not in str(caught.value)


def ramp() -> NDArray[np.float32]:
    """Black on the left to white on the right."""
    grey = np.linspace(-1, 1, 96, dtype=np.float32)
    return np.asarray(np.broadcast_to(grey[None, :, None], (64, 96, 3)))


def test_a_range_of_brightness() -> None:
    found = share(ramp(), bright="0.4-0.6")[32]
    assert (found[40:56] == 1).all()
    assert not found[:28].any() and not found[68:].any()
    assert (np.abs(np.diff(found)) < 0.3).all(), "its edges are soft"
    assert (share(ramp(), bright="0-1") == 1).all()


def rainbow() -> NDArray[np.float32]:
    """Every hue from 0 on the left to 360 on the right; the lower half is grey."""
    hsv = np.ones((64, 96, 3), np.float32)
    hsv[..., 0] = np.arange(96) * 360 / 96
    hsv[32:, :, 1] = 0.02
    return np.asarray(cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB) * 2 - 1, np.float32)


def test_a_range_of_hues_and_grey_has_none() -> None:
    found = share(rainbow(), hue="90-150")
    hues = np.arange(96) * 360 / 96
    assert (found[10, (hues > 92) & (hues < 148)] > 0.98).all()
    assert not found[10, (hues < 70) | (hues > 170)].any()
    assert not found[40:].any()


def test_a_range_of_hues_goes_through_zero() -> None:
    found = share(rainbow(), hue="330-30")[10]
    assert found[2] == 1 and found[93] == 1 and found[48] == 0
    assert share(rainbow(), hue="0-360")[10].min() == 1


def test_all_conditions_must_hold() -> None:
    both = share(ramp(), mask="top 0.5", bright="0.5-1")
    one, other = share(ramp(), mask="top 0.5"), share(ramp(), bright="0.5-1")
    assert np.allclose(both, one * other, atol=0.003)
    assert np.allclose(share(ramp(), mask="top 0.5", bright="0.5-1", invert=True), 1 - both)


def test_grain_does_not_speckle_a_range() -> None:
    random = np.random.default_rng(0)
    noisy = [FLAT + 0.04 * random.standard_normal(FLAT.shape).astype(np.float32) for _ in range(2)]
    one, other = (share(np.clip(n, -1, 1), bright="0.52-1") for n in noisy)
    assert np.abs(one - other).mean() < 0.25
    assert np.abs(one - other).max() < 0.9


def test_nothing_asked_for_is_everything() -> None:
    masker = Masker.of(MaskSettings(), SIZE)
    assert masker.covers_all and not masker.needs_motion
    assert (masker.share(START, texture(64, 96)) == 1).all()
    for some in ({"bright": "0-1"}, {"invert": True}, {"motion": "still"}, {"mask": "left 1"}):
        assert not Masker.of(MaskSettings.model_validate(some), SIZE).covers_all


def test_numbers_may_change_on_the_way() -> None:
    masker = Masker.of(MaskSettings(mask="left 0.5", feather=0), SIZE)
    later = MaskSettings(mask="left 0.5", feather=0, mask_x=0.25)
    assert masker.share(START, FLAT, now=later).mean() == pytest.approx(0.75, abs=0.01)
    assert masker.share(START, FLAT).mean() == pytest.approx(0.5, abs=0.01)


def test_nearly_nothing_is_nothing() -> None:
    found = settle_mask(np.array([[-0.1, 0.001, 0.5, 0.999, 1.1]], np.float32))
    assert np.array_equal(found, np.array([[0, 0, 0.5, 1, 1]], np.float32))


def areas(**look: Any) -> tuple[Map, ...]:
    made = Look.model_validate(look)
    return RegionMasks.of(made, SIZE).shares(START, FLAT, now=made)


HALF = {"mask": "left 0.5", "feather": 0.0, "layers": "block8"}
MIDDLE = {"mask": "rect 0.25x0 0.75x1", "feather": 0.0}


def test_regions_lie_over_one_another_and_the_rest_is_the_looks_own() -> None:
    rest, first, second = areas(regions=[HALF, MIDDLE])
    assert first[32, 30] == 1 and second[32, 30] == 0, "the first is on top"
    assert second[32, 60] == 1 and rest[32, 90] == 1
    assert np.allclose(rest + first + second, 1, atol=0.005)


def test_the_rest_may_stay_as_it_is() -> None:
    rest, first, _ = areas(regions=[HALF, MIDDLE], mask={"rest": "source"})
    assert not rest.any() and first.any()


def test_the_mask_bounds_the_regions() -> None:
    rest, first = areas(regions=[HALF], mask={"mask": "top 0.5", "feather": 0.0})
    assert not rest[33:].any() and not first[33:].any()
    assert first[10, 10] == 1 and rest[10, 90] == 1


def test_a_region_without_conditions_is_all_that_is_left() -> None:
    rest, _, other = areas(regions=[HALF, {"layers": "block5"}])
    assert not rest.any()
    assert (other[:, 49:] == 1).all()


def test_soft_regions_share_what_they_overlap() -> None:
    soft = {"mask": "gradient left right", "feather": 0.0}
    rest, one, other = areas(regions=[soft, soft])
    assert np.allclose(rest + one + other, 1, atol=0.005)
    assert 0 < other[32, 48] < one[32, 48]


def test_areas_know_what_they_need() -> None:
    plain, moving = Look(), Look.model_validate({"regions": [{"motion": "moving"}]})
    assert RegionMasks.of(plain, SIZE).covers_all
    assert not RegionMasks.of(moving, SIZE).covers_all
    assert (
        RegionMasks.of(moving, SIZE).needs_motion and not RegionMasks.of(plain, SIZE).needs_motion
    )


def test_layers_of_one_share() -> None:
    (own, rest) = layer_masks([np.full((2, 2), 0.25, np.float32)])
    assert (own == 0.25).all() and (rest == 0.75).all()


def test_regions_are_tables_of_a_preset() -> None:
    text = '[[regions]]\nmask = "left 0.5"\nlayers = "block8"\n[[regions]]\nhue = "90-150"\n'
    look = look_from_toml(text, "own")
    assert [region.layers for region in look.regions] == ["block8", None]
    assert look_from_toml(look_to_toml(look), "own") == look
