"""How good a film is, in the figures of the curve of time against quality."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from dreamvideo.dream.gradient_ascent import Image
from dreamvideo.errors import DreamVideoError
from dreamvideo.imaging import measure_sharpness, to_grey
from dreamvideo.media.pixels import to_float
from dreamvideo.media.read import open_source
from dreamvideo.metrics.measure import make_alone_dreamer, measure_film
from dreamvideo.settings import DreamSettings

PIXEL_FORMAT = "yuv420p"
Alone = Callable[[int, Image], Image]


def keep_alone(settings: DreamSettings) -> Alone:
    """Return a function (index, source frame) -> that frame dreamt alone, made only once.

    Several films of the same clip and size can be compared with the same frames.
    """
    dream = make_alone_dreamer(settings, PIXEL_FORMAT)
    kept: dict[int, Image] = {}

    def find(index: int, frame: Image) -> Image:
        if index not in kept:
            kept[index] = dream(frame)
        return kept[index]

    return find


def measure_quality(film: Path, clip: Path, end: str, pairs: int, alone: Alone) -> dict[str, Any]:
    """Measure a film against its clip and against frames dreamt alone.

    Args:
        film: The film.
        clip: The clip.
        end: Where the film ends in it, as ``--end``.
        pairs: Pairs of neighbouring frames to compare with frames dreamt alone.
        alone: From ``keep_alone``.

    Returns:
        ``frames``; ``x``, the warping error beyond the source's own as a share of what dreaming
        alone adds, at equal contrast (None if that adds none); ``contrast``, and the dream's RMS in
        the four bands of ``luma`` and ``chroma``, relative to that of frames dreamt alone;
        ``sharpness``, the standard deviation of the Laplacian of luma at the film's full size.

    Raises:
        DreamVideoError: No two frames can be compared.
    """
    report = measure_film(film, clip, end=end, pairs=pairs, independent=alone)
    seen = report.independent
    if seen is None:
        raise DreamVideoError("no two neighbouring frames can be compared: give a longer clip")
    added = seen.error_independent - seen.error_source
    beyond = seen.error_film - seen.error_source
    with open_source(film) as source:
        deviations = [measure_sharpness(to_grey(to_float(frame.pixels))) ** 0.5 for frame in source]
    return {
        "frames": report.frames,
        "x": _round(beyond / added / seen.contrast**2) if added > 0 and seen.contrast else None,
        "contrast": _round(seen.contrast),
        "luma": [_round(ratio) for ratio in seen.luma],
        "chroma": [_round(ratio) for ratio in seen.chroma],
        "sharpness": float(np.mean(deviations)),
    }


def _round(value: float | None) -> float | None:
    return None if value is None else round(float(value), 4)
