"""Render a few seconds of a clip small and coarse, and estimate the whole."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

from dreamvideo.media.probe import MediaInfo, probe
from dreamvideo.media.soundtrack import open_sound_file
from dreamvideo.parsing import parse_rate, parse_size, parse_time
from dreamvideo.render import output_paths
from dreamvideo.render.planning.estimate import Estimate, estimate_clip
from dreamvideo.render.progress import OnProgress, silent
from dreamvideo.render.result import DEFAULT_LOOK, DEFAULT_OUTPUT, RenderResult
from dreamvideo.render.video import dream_video
from dreamvideo.settings import Look, OutputSettings

WIDEST = 320
MOST_RATE = Fraction(12)


def preview(  # noqa: PLR0913  (public: one keyword per choice)
    clip: Path | str,
    output: Path | str | None = None,
    look: Look = DEFAULT_LOOK,
    wanted: OutputSettings = DEFAULT_OUTPUT,
    *,
    at: str | None = None,
    seconds: float = 3.0,
    size: str | None = None,
    fps: str | None = None,
    overwrite: bool = False,
    on_progress: OnProgress = silent,
) -> tuple[RenderResult, Estimate]:
    """Render a short, small excerpt of a clip and estimate the whole.

    Args:
        clip: The clip.
        output: The preview; None: named after ``clip``.
        look: The look.
        wanted: Output settings. A sound file is heard from where it would be in the whole film.
        at: Time at which the preview starts; None: a third into the clip.
        seconds: Length of the preview.
        size: Size of the whole film; the preview is at most 320 pixels wide.
        fps: Frame rate of the whole film; the preview has at most 12 frames per second.
        overwrite: Whether to replace an existing output.
        on_progress: Called with each step of progress.

    Returns:
        The preview, and the estimate for the whole film.

    Raises:
        UsageError: The arguments make no sense.
        MediaError: A file cannot be read or written.
        WeightsError: The weights cannot be loaded.
    """
    clip = Path(clip)
    info = probe(clip)
    rate = parse_rate(fps) if fps else info.rate
    width, height = parse_size(size, info.width, info.height) if size else (info.width, info.height)
    begin, end = extract_excerpt(
        info, parse_time(at, "--at", rate) if at else None, Fraction(seconds)
    )
    small = min(WIDEST, width)
    made = dream_excerpt(
        clip,
        output
        or output_paths.default_output(clip, "preview", output_paths.default_film_suffix(clip)),
        look,
        wanted,
        begin,
        end,
        size=f"{small}x{max(1, round(height * small / width))}",
        fps=str(min(MOST_RATE, rate)),
        overwrite=overwrite,
        on_progress=on_progress,
    )
    return made, estimate_clip(info, (width, height), look, rate)


def dream_excerpt(
    clip: Path,
    output: Path | str,
    look: Look,
    wanted: OutputSettings,
    begin: Fraction,
    end: Fraction,
    **how: Any,
) -> RenderResult:
    """Render a part of a clip with the sound that it has in the whole film.

    Args:
        clip: The clip.
        output: The file to make.
        look: The look.
        wanted: Output settings. A sound file is heard from where it would be in the whole film.
        begin: Start in seconds.
        end: End in seconds.
        how: Other arguments of ``dream_video``.

    Raises:
        DreamVideoError: As ``dream_video``.
    """
    if wanted.sound is not None:
        sound = open_sound_file(wanted.sound, wanted.sound_start)
        into = (Fraction(wanted.sound_start) + begin) % sound.length
        wanted = wanted.model_copy(update={"sound_start": float(into)})
    start, stop = f"{float(begin):.6f}", f"{float(end):.6f}"
    return dream_video(clip, output, look, wanted, start=start, end=stop, **how)


def extract_excerpt(
    info: MediaInfo, at: Fraction | None, seconds: Fraction
) -> tuple[Fraction, Fraction]:
    """Return the start and end of a preview in seconds.

    Args:
        info: The clip.
        at: Start in seconds; None: a third into the clip, as far as its length permits.
        seconds: Length of the preview.
    """
    latest = max(Fraction(0), info.duration - seconds)
    begin = min(info.duration / 3, latest) if at is None else at
    return begin, begin + seconds
