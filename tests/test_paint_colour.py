from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray
from synthetic import grain, texture

from dreamvideo.errors import MediaError
from dreamvideo.media.pixels import to_bytes, to_float
from dreamvideo.media.stills import store_frame
from dreamvideo.paint.colour import extract_palette, finish, is_identity, needs_first, read_palette
from dreamvideo.paint.oklab import chroma, from_oklab, to_oklab
from dreamvideo.paint.palette import Palette
from dreamvideo.settings import ColourSettings

Frame = NDArray[np.float32]
SOURCE = texture(72, 96, seed=1)
DREAMT = np.clip(SOURCE + 0.25 * grain(72, 96, seed=2), -1, 1)
OTHER = np.clip(texture(50, 60, seed=3) * 0.5 + np.array([0.4, -0.1, -0.5], np.float32), -1, 1)


def finished(
    dreamt: Frame = DREAMT,
    source: Frame = SOURCE,
    palette: Palette | None = None,
    share: Frame | None = None,
    **colour: Any,
) -> Frame:
    return finish(dreamt, source, ColourSettings.model_validate(colour), palette, share)


def light_of(image: Frame) -> Frame:
    return to_oklab(image)[..., 0]


def colourfulness(image: Frame) -> float:
    return float(chroma(to_oklab(image)).mean())


@pytest.mark.parametrize(
    ("rgb", "lab"),
    [
        ((1, 1, 1), (1, 0, 0)),
        ((-1, -1, -1), (0, 0, 0)),
        ((1, -1, -1), (0.62796, 0.22486, 0.12585)),
        ((-1, 1, -1), (0.86644, -0.23389, 0.17950)),
        ((-1, -1, 1), (0.45201, -0.03246, -0.31153)),
    ],
)
def test_the_space_is_the_published_one(
    rgb: tuple[float, float, float], lab: tuple[float, float, float]
) -> None:
    found = to_oklab(np.array([[rgb]], np.float32))
    assert np.allclose(found[0, 0], lab, atol=1e-4)


def test_every_colour_comes_back_to_the_byte() -> None:
    levels = np.arange(0, 256, 5, dtype=np.uint8)
    cube = np.stack(np.meshgrid(levels, levels, levels), -1).reshape(52, -1, 3)
    assert np.array_equal(to_bytes(from_oklab(to_oklab(to_float(cube)))), cube)


@given(
    hnp.arrays(np.float32, (4, 5, 3), elements=st.floats(-0.5, 0.5, width=32)),
    st.floats(0.05, 0.95),
)
def test_colours_that_no_screen_has_keep_lightness_and_hue(lab: Frame, light: float) -> None:
    lab[..., 0] = light
    image = from_oklab(lab)
    assert np.abs(image).max() <= 1
    back = to_oklab(image)
    assert np.abs(back[..., 0] - light).max() < 0.003
    assert (chroma(back) <= chroma(lab) + 0.003).all()
    cross = back[..., 1] * lab[..., 2] - back[..., 2] * lab[..., 1]
    assert (np.abs(cross) <= 0.003 * (chroma(lab) + 0.01)).all(), "the hue is the same"


@pytest.mark.parametrize("light", [-0.5, 0, 1, 1.7])
def test_what_is_brighter_than_white_is_white(light: float) -> None:
    image = from_oklab(np.array([[[light, 0.2, -0.2]]], np.float32))
    assert np.allclose(image, -1 if light <= 0 else 1, atol=0.01)


def test_nothing_asked_for_is_the_dream_itself() -> None:
    assert finished() is DREAMT
    assert finished(match_colour="source", match_strength=0) is DREAMT
    assert is_identity(ColourSettings())


@pytest.mark.parametrize(
    "colour",
    [
        {"keep_colour": 0.1},
        {"match_colour": "source"},
        {"saturation": 1.1},
        {"contrast": 0.9},
        {"brightness": 1.1},
        {"max_saturation": 1.0},
        {"max_contrast": 0.8},
        {"max_change": 0.05},
    ],
)
def test_whatever_is_asked_for_is_done(colour: dict[str, Any]) -> None:
    made = finished(**colour)
    assert not is_identity(ColourSettings.model_validate(colour))
    assert (to_bytes(made) != to_bytes(DREAMT)).mean() > 0.1
    assert made.dtype == np.float32 and np.abs(made).max() <= 1


def test_kept_colours_are_the_sources_and_the_light_is_the_dreams() -> None:
    kept = to_oklab(finished(keep_colour=1))
    source = to_oklab(SOURCE)
    assert np.abs(kept[..., 0] - light_of(DREAMT)).max() < 0.005
    beyond = chroma(kept) - chroma(source)
    assert beyond.max() < 0.005, "nowhere more colourful than the source"
    assert np.quantile(np.abs(kept[..., 1:] - source[..., 1:]), 0.9) < 0.005
    dreamt = to_oklab(DREAMT)
    assert np.quantile(np.abs(dreamt[..., 1:] - source[..., 1:]), 0.9) > 0.05, "the dream's are not"


def test_colours_are_kept_by_halves_too() -> None:
    whole, half, none = (
        np.abs(to_oklab(finished(keep_colour=keep))[..., 1:] - to_oklab(SOURCE)[..., 1:]).mean()
        for keep in (1, 0.5, 0)
    )
    assert whole < 0.1 * none
    assert half == pytest.approx(none / 2, rel=0.15)


def tinted(image: Frame) -> Frame:
    return np.asarray(
        np.clip(0.6 * image + np.array([0.3, 0.0, -0.3], np.float32), -1, 1), np.float32
    )


def test_a_dream_takes_its_sources_palette() -> None:
    made, wanted = (
        extract_palette(finished(tinted(DREAMT), match_colour="source")),
        extract_palette(SOURCE),
    )
    before = extract_palette(tinted(DREAMT))
    assert np.allclose(made.mean, wanted.mean, atol=0.015)
    for new, old, aim in zip(made.spread, before.spread, wanted.spread, strict=True):
        assert abs(new - aim) < max(abs(old - aim), 0.1 * abs(aim) + 1e-3)


def test_half_a_match_is_half_way() -> None:
    before, aim = extract_palette(tinted(DREAMT)).mean, extract_palette(SOURCE).mean
    made = extract_palette(finished(tinted(DREAMT), match_colour="source", match_strength=0.5)).mean
    assert np.allclose(made, (np.array(before) + aim) / 2, atol=0.02)


def test_a_dream_takes_a_pictures_palette(tmp_path: Path) -> None:
    path = tmp_path / "palette.png"
    store_frame(path, to_bytes(OTHER))
    settings = ColourSettings(match_colour=str(path))
    palette = read_palette(settings)
    assert palette is not None
    made = extract_palette(finish(DREAMT, SOURCE, settings, palette))
    assert np.allclose(made.mean, palette.mean, atol=0.03)
    assert np.allclose(made.spread, palette.spread, atol=0.006)


def test_a_dream_takes_the_first_frames_palette() -> None:
    settings = ColourSettings(match_colour="first")
    assert needs_first(settings) and not needs_first(ColourSettings())
    first = extract_palette(OTHER)
    made = extract_palette(finish(DREAMT, SOURCE, settings, first))
    assert np.allclose(made.mean, first.mean, atol=0.03)
    same = finish(DREAMT, SOURCE, settings, extract_palette(DREAMT))
    assert np.abs(same - DREAMT).max() < 0.02, "the first frame itself stays as it is"


def test_a_foreign_palette_brings_its_hues_along(tmp_path: Path) -> None:
    """One picture varies from orange to blue, the other from magenta to green."""
    u, v = (grain(72, 96, seed=seed)[..., :1] for seed in (5, 6))
    orange, leaf = np.array([1, 0, -1], np.float32), np.array([-0.7, 1, -0.7], np.float32)
    warm = np.asarray(np.clip(0.2 * u * orange + 0.1 * v * leaf, -1, 1), np.float32)
    green = np.asarray(np.clip(0.1 * u * orange + 0.2 * v * leaf, -1, 1), np.float32)
    path = tmp_path / "green.png"
    store_frame(path, to_bytes(green))
    settings = ColourSettings(match_colour=str(path))
    wanted = read_palette(settings)
    assert wanted is not None
    assert abs(extract_palette(warm).spread[2]) < 0.1 * abs(wanted.spread[2])
    made = extract_palette(finish(warm, warm, settings, wanted))
    assert np.allclose(made.spread[1:], wanted.spread[1:], rtol=0.15)


def test_a_palette_survives_json() -> None:
    palette = extract_palette(SOURCE)
    assert Palette(**{k: tuple(v) for k, v in json.loads(json.dumps(asdict(palette))).items()}) == (
        palette
    )


def test_a_grey_picture_is_not_blown_up_to_a_colourful_one() -> None:
    grey = np.repeat(DREAMT.mean(-1, keepdims=True), 3, 2)
    made = finished(grey, palette=extract_palette(OTHER), match_colour="first")
    assert np.isfinite(made).all()
    assert np.allclose(extract_palette(made).mean[1:], extract_palette(OTHER).mean[1:], atol=0.03)


@pytest.mark.parametrize("name", ["none", "source", "first"])
def test_words_are_no_palette_files(name: str) -> None:
    assert read_palette(ColourSettings(match_colour=name)) is None


def test_a_palette_that_is_not_there_is_told_in_one_line(tmp_path: Path) -> None:
    settings = ColourSettings(match_colour=str(tmp_path / "no.png"))
    with pytest.raises(MediaError, match=r"^--match-colour .*no\.png: no such file; choose none,"):
        read_palette(settings)


def test_saturation_is_a_factor_and_leaves_the_light() -> None:
    muted = np.asarray(0.4 * DREAMT, np.float32)
    more, less, grey = (finished(muted, saturation=factor) for factor in (1.5, 0.5, 0))
    assert colourfulness(more) == pytest.approx(1.5 * colourfulness(muted), rel=0.02)
    assert colourfulness(less) == pytest.approx(0.5 * colourfulness(muted), rel=0.01)
    assert (grey.max(-1) - grey.min(-1)).max() < 0.01
    for made in (more, less, grey):
        assert np.abs(light_of(made) - light_of(muted)).max() < 0.005


def test_contrast_is_a_factor_about_the_sources_light() -> None:
    made = light_of(finished(contrast=0.5))
    assert made.std() == pytest.approx(0.5 * light_of(DREAMT).std(), rel=0.01)
    assert np.allclose(light_of(finished(contrast=0)), light_of(SOURCE).mean(), atol=0.005)


def test_brightness_is_a_factor() -> None:
    made = light_of(finished(brightness=0.5))
    assert np.abs(made - 0.5 * light_of(DREAMT)).max() < 0.005
    assert (finished(brightness=0) == -1).all()


@pytest.mark.parametrize("strength", [0.1, 0.2, 0.4, 0.8, 1.6])
def test_bounds_hold_however_strong_the_dream(strength: float) -> None:
    source = np.asarray(0.5 * SOURCE, np.float32)
    dreamt = np.clip(source + strength * grain(72, 96, seed=4), -1, 1)
    saturated = finished(dreamt, source, max_saturation=1.2)
    assert colourfulness(saturated) <= 1.21 * colourfulness(source)
    contrasted = finished(dreamt, source, max_contrast=1.1)
    assert light_of(contrasted).std() <= 1.11 * light_of(source).std()
    changed = to_oklab(finished(dreamt, source, max_change=0.05)) - to_oklab(source)
    assert np.sqrt((changed**2).sum(-1).mean()) <= 0.0505


def test_bounds_far_off_change_nothing_to_see() -> None:
    bounded = finished(max_saturation=100, max_contrast=100, max_change=1)
    assert np.array_equal(to_bytes(bounded), to_bytes(DREAMT))


def test_bounds_set_in_gently() -> None:
    source = np.asarray(0.5 * SOURCE, np.float32)
    strengths = np.linspace(0.05, 0.6, 24)
    detail = grain(72, 96, seed=4)
    found = [
        np.sqrt(
            (
                (
                    to_oklab(finished(np.clip(source + s * detail, -1, 1), source, max_change=0.1))
                    - to_oklab(source)
                )
                ** 2
            )
            .sum(-1)
            .mean()
        )
        for s in strengths.astype(np.float32)
    ]
    steps = np.diff(found)
    assert (steps > -1e-4).all(), "a stronger dream is never a weaker one"
    assert (np.abs(np.diff(steps)) < 0.004).all(), "and there is no kink"


def test_what_was_not_dreamt_stays_to_the_bit() -> None:
    share = np.zeros((72, 96), np.float32)
    share[:, 48:] = np.linspace(0, 1, 48, dtype=np.float32)
    dreamt = np.where(share[..., None] > 0, DREAMT, SOURCE)
    made = finished(dreamt, share=share, saturation=2, brightness=0.5, match_colour="source")
    assert np.array_equal(made[share == 0], SOURCE[share == 0])
    whole = finished(dreamt, saturation=2, brightness=0.5)
    assert not np.array_equal(whole[share == 0], SOURCE[share == 0])
    full = (
        made[:, -1] - finished(dreamt, saturation=2, brightness=0.5, match_colour="source")[:, -1]
    )
    assert np.abs(full).mean() < 0.2


def test_a_share_blends_the_finish_in() -> None:
    share = np.full((72, 96), 0.5, np.float32)
    half = finished(share=share, brightness=0.5)
    whole = finished(brightness=0.5)
    assert np.allclose(half, (DREAMT + whole) / 2, atol=1e-5)
    assert finished(share=np.zeros((72, 96), np.float32), brightness=0.5) is DREAMT


def test_only_what_was_dreamt_is_measured() -> None:
    share = np.zeros((72, 96), np.float32)
    share[:, 48:] = 1
    beside = SOURCE.copy()
    beside[:, :48] = 1
    made = finished(np.where(share[..., None] > 0, DREAMT, beside), beside, share=share, contrast=0)
    assert np.allclose(light_of(made)[:, 48:], light_of(SOURCE)[:, 48:].mean(), atol=0.005)


def test_only_what_was_dreamt_is_matched() -> None:
    share = np.zeros((72, 96), np.float32)
    share[:, 48:] = 1
    dreamt, beside = tinted(DREAMT), SOURCE.copy()
    dreamt[:, :48] = beside[:, :48] = np.array([-1, 1, 1], np.float32)
    made = finished(dreamt, beside, share=share, match_colour="source")
    found, wanted = extract_palette(made[:, 48:]).mean, extract_palette(SOURCE[:, 48:]).mean
    assert np.allclose(found, wanted, atol=0.02)


def test_a_slow_film_has_slow_colours() -> None:
    """Neighbouring frames that hardly differ are finished hardly differently."""
    near = np.clip(DREAMT + 0.004 * grain(72, 96, seed=9), -1, 1)
    look: dict[str, Any] = {
        "match_colour": "source",
        "max_saturation": 1.0,
        "max_contrast": 0.9,
        "contrast": 1.2,
    }
    one, other = finished(**look), finished(near, **look)
    assert np.abs(one - other).mean() < 2 * np.abs(near - DREAMT).mean()
