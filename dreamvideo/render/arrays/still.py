"""A picture as one call: array in, array out."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from dreamvideo.arguments import check_arguments
from dreamvideo.dream.dream_objective import DreamObjective, Value
from dreamvideo.errors import UsageError
from dreamvideo.media.pixels import from_share, to_bytes, to_deep, to_float, to_share
from dreamvideo.parsing import parse_size
from dreamvideo.render.arrays.dreamers import reuse_dreamers
from dreamvideo.render.arrays.masks import FrameMasks
from dreamvideo.render.arrays.pixels import Picture, read_picture
from dreamvideo.render.image import prepare_still
from dreamvideo.render.photo import resize_both
from dreamvideo.render.precision import settle_precision
from dreamvideo.render.progress import OnProgress, silent
from dreamvideo.settings import Look
from dreamvideo.settings.keywords import Presets, make_keyword_look, take_settings

GROUPS = ("dream", "mask", "colour")


@take_settings(*GROUPS)
def dream(
    image: Picture,
    preset: Presets | None = None,
    *,
    look: Look | None = None,
    size: str | None = None,
    mask: NDArray[Any] | str | None = None,
    objective: DreamObjective | Value | None = None,
    on_progress: OnProgress = silent,
    **settings: Any,
) -> NDArray[Any]:
    """Dream one picture; nothing is read or written but what the arguments name.

    The network is loaded by the first call and kept for the next ones.

    Args:
        image: H x W, or H x W x 1, 2 (grey and alpha), 3 (RGB) or 4 (RGBA), of uint8, uint16, or
            floats from 0 to 1; a Pillow image; or the path of a picture.
        preset: Name of a preset or a TOML file, or a list of them: later ones override earlier
            ones.
        look: A look to start from, in place of a preset.
        size: Size of the result, ``640x360``, ``640``, ``x360`` or ``50%``; None: the picture's.
        mask: Where to dream: H x W, of bool, uint8, uint16, or floats from 0 to 1; or text as
            ``--mask`` takes it.
        objective: What to dream in place of layers, classes and guide: a ``DreamObjective``, or a
            function from activations to a scalar tensor.
        on_progress: Called after each step.
        settings: Changes to the look, by the names of the options of ``dreamvideo image``.

    Returns:
        The dream, with the channels and the type of ``image``. Alpha is kept; where nothing is
        dreamt so is every value.

    Raises:
        UsageError: The arguments make no sense.
        MediaError: A file cannot be read.
        WeightsError: The weights cannot be loaded.

    Example:
        >>> import numpy as np
        >>> from dreamvideo import dream
        >>> image = np.full((48, 64, 3), 128, np.uint8)
        >>> made = dream(image, preset="towers", steps=2, octaves=1)
        >>> made.shape, made.dtype.name, bool((made != image).any())
        ((48, 64, 3), 'uint8', True)
    """
    check_arguments(dream, locals())
    masks, text = split_mask(mask)
    asked = make_keyword_look("dream", GROUPS, preset, look, {**settings, "mask": text})
    wanted, machine, _ = settle_precision(*asked, "picture")
    picture = read_picture(image)
    pixels, source = to_float(picture.pixels), picture.pixels
    alpha = None if picture.alpha is None else to_share(picture.alpha)
    if size is not None:
        pixels, alpha = resize_both(pixels, alpha, parse_size(size, *picture.size))
    make = reuse_dreamers(objective)
    ready = prepare_still(
        pixels,
        wanted,
        machine,
        deep=picture.is_deep,
        mask=None if masks is None else masks.open,
        make=make,
    )
    made = ready.dream(on_progress).image
    dreamt = to_deep(made) if picture.is_deep else to_bytes(made)
    shown = None if alpha is None else from_share(alpha, source.dtype)
    return picture.restore(dreamt, shown, source if dreamt.shape == source.shape else None)


def split_mask(mask: NDArray[Any] | str | None) -> tuple[FrameMasks | None, str | None]:
    """Return a mask as pictures or as the text of the setting. Raises UsageError for neither."""
    if mask is None or isinstance(mask, str):
        return None, mask
    array = np.asarray(mask)
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[..., 0]
    if array.ndim != 2:
        shape = " x ".join(map(str, array.shape))
        raise UsageError(f"mask: an H x W array, or text as --mask takes it, not {shape}")
    return FrameMasks(array), None
