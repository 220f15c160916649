"""Grade a dreamt frame: (dreamt, source, colour settings) -> finished picture, without state.

Everything is done in OKLab, and each factor follows from statistics of the frame and its source,
which change slowly if the film does: grading adds no flicker of its own.
"""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dreamvideo.errors import MediaError
from dreamvideo.imaging import shrink_to_width
from dreamvideo.media.pixels import to_float
from dreamvideo.media.stills import read_still
from dreamvideo.paint.oklab import Lab, chroma, from_oklab, to_oklab
from dreamvideo.paint.palette import Palette, match_palette
from dreamvideo.settings import ColourSettings

Map = NDArray[np.float32]
Frame = NDArray[np.float32]

IDENTITY = ColourSettings()
# Values of ``match_colour`` that are not files.
OF_FRAMES = ("none", "source", "first")
# A palette is measured on a picture of at most this many pixels of width.
PALETTE_WIDTH = 256
# Bounds start to pull, gently, at this share of them.
GENTLE = 0.8
# Least chroma and contrast of the source that bounds are measured against.
LEAST_CHROMA, LEAST_CONTRAST = 0.01, 0.02


def is_identity(settings: ColourSettings) -> bool:
    """Return whether ``finish`` changes nothing."""
    matches = settings.match_colour != "none" and settings.match_strength > 0
    same = IDENTITY.model_copy(
        update={name: getattr(settings, name) for name in ("match_colour", "match_strength")}
    )
    return not matches and settings == same


def needs_first(settings: ColourSettings) -> bool:
    """Return whether ``finish`` needs the palette of the first dreamt frame."""
    return settings.match_colour == "first"


def extract_palette(image: Frame) -> Palette:
    """Return the palette of a picture, H x W x 3 in [-1, 1], such as the first dreamt frame."""
    return Palette.of(to_oklab(shrink_to_width(image, PALETTE_WIDTH)))


def read_palette(settings: ColourSettings) -> Palette | None:
    """Return the palette of the picture that ``match_colour`` names; None if it names none.

    Raises MediaError for a file that is not a picture.
    """
    if settings.match_colour in OF_FRAMES:
        return None
    try:
        return extract_palette(to_float(read_still(Path(settings.match_colour))))
    except MediaError as error:
        known = ", ".join(OF_FRAMES)
        raise MediaError(f"--match-colour {error}; choose {known} or a picture") from None


def finish(
    dreamt: Frame,
    source: Frame,
    settings: ColourSettings,
    palette: Palette | None = None,
    share: Map | None = None,
) -> Frame:
    """Grade a dreamt frame; all frames are H x W x 3 in [-1, 1].

    Args:
        dreamt: The dreamt frame.
        source: The source frame.
        settings: The colour settings.
        palette: Palette for ``match_colour``: a picture's (``read_palette``) or the first dreamt
            frame's (``extract_palette``); without one these match nothing.
        share: H x W, 0 to 1, how much of each pixel was dreamt; where it is 0 the pixel is
            unchanged to the bit.
    """
    if is_identity(settings) or (share is not None and not share.any()):
        return dreamt
    old = to_oklab(source)
    new = to_oklab(dreamt)
    if settings.match_colour != "none":
        wanted = Palette.of(old, share) if settings.match_colour == "source" else palette
        if wanted is not None:
            own, turns = Palette.of(new, share), settings.match_colour not in OF_FRAMES
            new = match_palette(new, own, wanted, settings.match_strength, turns=turns)
    new = _limit(
        _grade(_keep_lightness(new, old, settings), old, settings, share), old, settings, share
    )
    finished = from_oklab(new)
    if share is None:
        return finished
    mixed = dreamt + np.minimum(share, 1)[..., None] * (finished - dreamt)
    return np.asarray(mixed, np.float32)


def _keep_lightness(new: Lab, old: Lab, settings: ColourSettings) -> Lab:
    keep = np.float32(settings.keep_colour)
    return _as(new[..., 0], new[..., 1:] + keep * (old[..., 1:] - new[..., 1:]))


def _grade(new: Lab, old: Lab, settings: ColourSettings, share: Map | None) -> Lab:
    """Apply contrast, saturation and brightness.

    Contrast is applied about the source's mean lightness, so that it neither brightens nor darkens.
    Scaling all of OKLab by a factor keeps the colours and changes the amount of light.
    """
    middle = _mean(old[..., 0], share)
    light = middle + (new[..., 0] - middle) * np.float32(settings.contrast)
    graded = _as(light, new[..., 1:] * np.float32(settings.saturation))
    return np.asarray(graded * np.float32(settings.brightness), np.float32)


def _limit(new: Lab, old: Lab, settings: ColourSettings, share: Map | None) -> Lab:
    light, colours = new[..., 0], new[..., 1:]
    if settings.max_saturation is not None:
        reference = max(_mean(chroma(old), share), LEAST_CHROMA)
        ratio = _mean(chroma(new), share) / reference
        colours = colours * np.float32(_ease(ratio, settings.max_saturation))
    if settings.max_contrast is not None:
        reference = max(_deviation(old[..., 0], share), LEAST_CONTRAST)
        ratio = _deviation(light, share) / reference
        middle = _mean(light, share)
        light = middle + (light - middle) * np.float32(_ease(ratio, settings.max_contrast))
    new = _as(light, colours)
    if settings.max_change is None:
        return new
    distance = math.sqrt(_mean(((new - old) ** 2).sum(-1), share))
    eased = _ease(distance, settings.max_change)
    return np.asarray(old + (new - old) * np.float32(eased), np.float32)


def _ease(value: float, bound: float) -> float:
    """Return the factor that keeps ``value`` below ``bound``: 1 well below it, without a kink."""
    begin = GENTLE * bound
    if value <= begin:
        return 1.0
    room = bound - begin
    return float((bound - room * np.exp(-(value - begin) / room)) / value)


def _as(light: Map, colours: NDArray[np.float32]) -> Lab:
    return np.asarray(np.concatenate([light[..., None], colours], -1), np.float32)


def _mean(values: Map, share: Map | None) -> float:
    return float(np.average(values, weights=share))


def _deviation(values: Map, share: Map | None) -> float:
    return math.sqrt(_mean((values - np.float32(_mean(values, share))) ** 2, share))
