"""Encode stored frames to the requested film, with the look that made it in its tags."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dreamvideo.media.probe import MediaInfo
from dreamvideo.media.write import EncodeOptions, StoredFrame, choose_storage, encode
from dreamvideo.render.job.segment_store import FrameRecord
from dreamvideo.render.music import make_soundtrack
from dreamvideo.render.progress import OnProgress, Progress
from dreamvideo.render.result import RenderResult
from dreamvideo.render.source import ClipRange
from dreamvideo.settings import Look, OutputSettings, look_to_toml
from dreamvideo.settings.output import USUAL_DEPTH
from dreamvideo.version import __version__


def make_encode_options(
    wanted: OutputSettings, look: Look | None = None, *, overwrite: bool, alone: bool = False
) -> EncodeOptions:
    """Return the options by which a film is encoded.

    Args:
        wanted: Output settings.
        look: The look, recorded in the film's tags.
        overwrite: Whether to replace an existing output.
        alone: Whether to code each frame without reference to its neighbours, as for a loop.
    """
    return EncodeOptions(
        codec=wanted.codec,
        depth=wanted.depth,
        quality=wanted.quality,
        loop=wanted.repeat,
        background=wanted.background_color,
        max_size=wanted.most_bytes,
        metadata={} if look is None or wanted.strip_metadata else format_recipe(look),
        alone=alone,
        strip_metadata=wanted.strip_metadata,
        no_audio=wanted.no_audio,
        audio_track=wanted.audio_track,
        soundtrack=make_soundtrack(wanted, loops=alone),
        overwrite=overwrite,
        proxy=wanted.proxy,
    )


@dataclass(frozen=True)
class StoredFilm:
    """All that a film is encoded from, besides how.

    Attributes:
        frames: Stored frames in the order they are shown.
        records: Their records in the order they were dreamt.
        rate: Frames per second.
        source: The clip that sound and metadata are copied from, and the range of it that the
            frames show.
        notes: Lines for the user.
        missing: Further frames that a damaged source should have had.
    """

    frames: Sequence[StoredFrame]
    records: Sequence[FrameRecord]
    rate: Fraction
    source: ClipRange | None = None
    notes: Sequence[str] = ()
    missing: int = 0


def settle_output(
    output: Path, wanted: OutputSettings, source: MediaInfo
) -> tuple[OutputSettings, bool]:
    """Choose what the output settings leave open for a source.

    Args:
        output: The film or folder.
        wanted: Output settings.
        source: The clip.

    Returns:
        The settings with a codec, where one matters, and a depth, and whether frames are to be
        stored in the source's own light.

    Raises:
        UsageError: The codec does not go into the output.
    """
    chosen = choose_storage(output, wanted.codec, wanted.depth, source, tone_map=wanted.tone_map)
    settled = {"codec": chosen.codec, "depth": chosen.depth}
    changes = {name: value for name, value in settled.items() if value != getattr(wanted, name)}
    if changes == {"depth": USUAL_DEPTH}:
        changes = {}
    return wanted.model_copy(update=changes) if changes else wanted, chosen.own_light


def encode_film(
    film: StoredFilm, output: Path, options: EncodeOptions, on_progress: OnProgress
) -> RenderResult:
    """Encode a film, with everything but the picture from its source.

    Args:
        film: The frames and where they come from.
        output: The film's file, or a folder.
        options: How it is written.
        on_progress: Called after each frame.

    Returns:
        The result of its render; notes on the encoding come last.

    Raises:
        MediaError: The film cannot be written.
        Interrupted: This process was asked to stop.
    """
    total = len(film.frames)
    last_reported = 0

    def on_encoded(done: int) -> None:
        nonlocal last_reported
        last_reported = done
        on_progress(Progress("encoding", "frame", done, total))

    source = film.source
    own_light = None if source is None else source.own_light
    if source is not None and source.info.kind == "sequence":
        source = None
    notes = encode(
        film.frames,
        output,
        duration_of_last=film.records[-1].duration,
        rate=film.rate,
        source=source.info.path if source else None,
        source_start=source.begin if source else Fraction(0),
        source_end=source.end if source else None,
        options=replace(options, on_frame=on_encoded, own_light=own_light),
    )
    if last_reported != total:
        # An animation that had to be made smaller or slower has fewer frames.
        on_encoded(total)
    losses = tuple(record.loss for record in film.records)
    shown = sorted(film.records, key=lambda record: record.time)
    return RenderResult(
        output,
        len(losses),
        losses,
        (*film.notes, *notes),
        missing=film.missing,
        seconds=tuple(record.seconds for record in shown),
    )


def format_recipe(look: Look) -> dict[str, str]:
    """Return the tag in which a film or picture records how it was dreamt."""
    return {"synopsis": f"dreamvideo {__version__}\n{look_to_toml(look)}"}


def deepen(
    dreamt: NDArray[np.uint8], source: NDArray[np.uint8], deep: NDArray[np.uint16]
) -> NDArray[np.uint16]:
    """Add what the dream added to an 8-bit source frame to the same frame in 16 bits.

    The source keeps its fine gradations; rounded to 8 bits, the result is ``dreamt`` itself, so
    that a stored frame is exactly what the next one was carried from, if the dream has its size.

    Args:
        dreamt: H x W x 3, the dreamt frame in 8 bits.
        source: H x W x 3, the source frame in 8 bits.
        deep: H x W x 3, the source frame in 16 bits.
    """
    added = (dreamt.astype(np.int32) - source) * 257
    return np.asarray(np.clip(deep + added, 0, 65535), np.uint16)
