"""Encode stored frames to the requested film, with the look that made it in its tags."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dreamvideo.media.write import StoredFrame, check_output, encode
from dreamvideo.render.progress import OnProgress, Progress
from dreamvideo.settings import Look, OutputSettings, look_to_toml
from dreamvideo.version import __version__


def check_output_settings(output: Path, wanted: OutputSettings, *, overwrite: bool) -> None:
    """Refuse, before any work, an output that cannot or must not be written.

    Args:
        output: The output.
        wanted: Output settings.
        overwrite: Whether an existing output may be replaced.

    Raises:
        UsageError: The output cannot or must not be written.
    """
    check_output(
        output,
        overwrite,
        codec=wanted.codec,
        depth=wanted.depth,
        quality=wanted.quality,
        loop=wanted.repeat,
        max_size=wanted.most_bytes,
    )


def encode_film(
    frames: Sequence[StoredFrame],
    output: Path,
    look: Look,
    wanted: OutputSettings,
    *,
    rate: Fraction,
    duration_of_last: Fraction,
    overwrite: bool,
    on_progress: OnProgress,
    source: Path | None = None,
    source_range: tuple[Fraction, Fraction | None] = (Fraction(0), None),
    alone: bool = False,
) -> list[str]:
    """Encode the frames, with everything but the picture from ``source``.

    Args:
        frames: Stored frames in the order they are shown.
        output: The film.
        look: The look, recorded in the film's tags.
        wanted: Output settings.
        rate: Frames per second.
        duration_of_last: Duration of the last frame in seconds.
        overwrite: Whether to replace an existing output.
        on_progress: Called after each frame.
        source: The clip that sound and metadata are copied from.
        source_range: The part of the source that the frames show, in seconds.
        alone: Whether to code each frame without reference to its neighbours.

    Returns:
        Notes for the user.

    Raises:
        MediaError: The film cannot be written.
    """
    total = len(frames)
    last_told = 0

    def told(done: int) -> None:
        nonlocal last_told
        last_told = done
        on_progress(Progress("encoding", "frame", done, total))

    notes = encode(
        frames,
        output,
        duration_of_last=duration_of_last,
        source=source,
        source_start=source_range[0],
        source_end=source_range[1],
        rate=rate,
        quality=wanted.quality,
        loop=wanted.repeat,
        overwrite=overwrite,
        metadata={} if wanted.strip_metadata else format_recipe(look),
        strip_metadata=wanted.strip_metadata,
        codec=wanted.codec,
        depth=wanted.depth,
        background=wanted.background_color,
        max_size=wanted.most_bytes,
        on_frame=told,
        alone=alone,
        no_audio=wanted.no_audio,
        audio_track=wanted.audio_track,
    )
    if last_told != total:
        # An animation that had to be made smaller or slower has fewer frames.
        told(total)
    return notes


def format_recipe(look: Look) -> dict[str, str]:
    """Return the tag in which a film or picture records how it was dreamt."""
    return {"synopsis": f"dreamvideo {__version__}\n{look_to_toml(look)}"}


def deepen(
    dreamt: NDArray[np.uint8], source: NDArray[np.uint8], deep: NDArray[np.uint16]
) -> NDArray[np.uint16]:
    """Add what the dream added to an 8-bit source frame to the same frame in 16 bits.

    The source keeps its fine gradations; rounded to 8 bits, the result is ``dreamt`` itself, so
    that a stored frame is exactly what the next one was carried from.

    Args:
        dreamt: H x W x 3, the dreamt frame in 8 bits.
        source: H x W x 3, the source frame in 8 bits.
        deep: H x W x 3, the source frame in 16 bits.
    """
    added = (dreamt.astype(np.int32) - source) * 257
    return np.asarray(np.clip(deep + added, 0, 65535), np.uint16)
