"""Two of the three renders: a still, a clip. The command line calls these and so may you."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from dreamvideo.dream.ascent import Image
from dreamvideo.dream.dreamer import Dreamer, ladder_for
from dreamvideo.dream.octaves import Climbing, resize
from dreamvideo.errors import MediaError, UsageError
from dreamvideo.media.pixels import to_bytes, to_float
from dreamvideo.media.probe import MediaInfo, probe
from dreamvideo.media.read import Frame, Source, open_source
from dreamvideo.media.stills import read_still, write_still
from dreamvideo.media.write import check_output, encode
from dreamvideo.parsing import parse_rate, parse_size, parse_time
from dreamvideo.render import naming
from dreamvideo.render.clip import Dreamt, dream_clip
from dreamvideo.render.job import Job, open_job
from dreamvideo.render.progress import OnProgress, Progress, silent
from dreamvideo.render.second import steadied
from dreamvideo.settings import Look, look_to_toml
from dreamvideo.version import __version__

DEFAULT_LOOK = Look()
PASSES = 2
# A film of a dream growing shows this many pictures a second.
GROWTH_RATE = Fraction(10)


@dataclass(frozen=True)
class Rendered:
    """What a render made: the file (or folder), its frames, and lines the user should hear.

    ``losses`` are the objective before each step of a still, or at each frame's last step.
    ``kept`` are the files of intermediate pictures.
    """

    output: Path
    frames: int
    losses: tuple[float, ...]
    notes: tuple[str, ...] = ()
    kept: tuple[Path, ...] = ()


def dream_image(
    photo: Path | str,
    output: Path | str | None = None,
    look: Look = DEFAULT_LOOK,
    *,
    size: str | None = None,
    every: int | None = None,
    overwrite: bool = False,
    on_progress: OnProgress = silent,
) -> Rendered:
    """Dream one picture.

    ``every`` keeps the picture at each so many steps: as files beside the output, or, where the
    output's ending is a film's, as a film of the dream growing. Raises UsageError for what makes
    no sense, MediaError for files that cannot be read or written, WeightsError.
    """
    photo = Path(photo)
    output = Path(output) if output else naming.beside(photo, "dream", ".png")
    is_film = not naming.is_picture(output)
    if is_film and not every:
        raise UsageError(
            f"{output}: a picture ends in {', '.join(naming.PICTURE_ENDINGS)}; "
            "for a film of the dream growing add --every N"
        )
    if every is not None and every < 1:
        raise UsageError(f"--every {every}: keep the picture at every 1 or more steps")
    check = check_output if is_film else naming.check_picture
    check(output, overwrite)
    still = _sized(to_float(read_still(photo)), size)
    total = ladder_for(look.dream, *still.shape[:2]).total
    between = range(every, total, every) if every else range(0)
    kept = [] if is_film else [output.with_stem(f"{output.stem}-{n:06d}") for n in between]
    for path in kept:
        naming.check_picture(path, overwrite)
    dreamer = Dreamer(look.dream)
    notes: list[str] = []
    with open_job(output) as job:

        def on_step(step: Climbing) -> None:
            on_progress(Progress("dreaming", "step", step.done, total, step.loss))
            if step.done not in between:
                return
            pixels = to_bytes(step.image())
            if is_film:
                job.add(pixels, len(job.frames) / GROWTH_RATE)
            else:
                write_still(kept[between.index(step.done)], pixels)

        if is_film:
            job.add(to_bytes(still), Fraction(0))
        dreamt = dreamer.dream(still, on_step=on_step)
        if is_film:
            job.add(to_bytes(dreamt.image), len(job.frames) / GROWTH_RATE)
            notes = _encode(job, output, GROWTH_RATE, look, quality=None, overwrite=overwrite)
        else:
            write_still(output, to_bytes(dreamt.image), _metadata(look))
        frames = max(1, len(job.frames))
    return Rendered(output, frames, dreamt.losses, tuple(notes), tuple(kept))


def dream_video(
    clip: Path | str,
    output: Path | str | None = None,
    look: Look = DEFAULT_LOOK,
    *,
    start: str | None = None,
    end: str | None = None,
    size: str | None = None,
    fps: str | None = None,
    quality: int | None = None,
    overwrite: bool = False,
    on_progress: OnProgress = silent,
) -> Rendered:
    """Dream a clip, an animation or a sequence of pictures, with its sound and timing.

    ``start`` and ``end`` are times (``12.5``, ``1:02``, ``48f``), ``size`` as in ``parse_size``,
    ``fps`` resamples. The film takes the output's name only when it is complete.
    """
    clip = Path(clip)
    output = Path(output) if output else naming.beside(clip, "dream", naming.film_ending(clip))
    check_output(output, overwrite)
    info = probe(clip)
    rate = parse_rate(fps) if fps else info.rate
    begin = parse_time(start, "--start", rate) if start else Fraction(0)
    finish = parse_time(end, "--end", rate) if end else None
    wanted = parse_size(size, info.width, info.height) if size else None
    source = open_source(clip, start=begin, end=finish, size=wanted, fps=rate if fps else None)
    ladder_for(look.dream, source.size[1], source.size[0])
    total = _expected_frames(source.info, rate, begin, finish)
    with source, open_job(output) as job:
        dreamer = Dreamer(look.dream)
        twice = look.coherence.passes == PASSES
        watch = _Watch(job if twice else None)
        dreamt = dream_clip(watch.passing(source), dreamer, look.coherence)
        losses = _store(watch.noting(dreamt), job, total, on_progress)
        if not losses:
            raise MediaError(f"{clip}: no frame could be decoded in that range")
        if twice:
            _steady(job, watch.starts, on_progress)
        on_progress(Progress("encoding", "frame", len(losses), len(losses)))
        notes = encode(
            job.frames,
            output,
            duration_of_last=watch.duration,
            source=clip,
            source_start=begin,
            source_end=finish,
            rate=rate,
            quality=quality,
            overwrite=overwrite,
            metadata=_metadata(look),
        )
    return Rendered(output, len(losses), losses, (*source.notes, *notes))


class _Watch:
    """Lets frames pass and remembers what is needed once they are gone.

    ``duration`` is how long the last one is shown, ``starts`` which ones begin a shot; the source
    frames are kept in ``job`` where a second pass will want them.
    """

    def __init__(self, job: Job | None) -> None:
        self.duration = Fraction(0)
        self.starts: list[bool] = []
        self._job = job

    def passing(self, source: Source) -> Iterator[Frame]:
        for frame in source:
            self.duration = frame.duration
            if self._job is not None:
                self._job.add_source(frame.pixels, frame.time)
            yield frame

    def noting(self, frames: Iterable[Dreamt]) -> Iterator[Dreamt]:
        for dreamt in frames:
            self.starts.append(dreamt.starts_shot)
            yield dreamt


def _steady(job: Job, starts: list[bool], on_progress: OnProgress) -> None:
    count = len(job.frames)
    for done, (index, pixels) in enumerate(steadied(job.frames, job.sources, starts), 1):
        job.replace(index, pixels)
        on_progress(Progress("second pass", "frame", done, count))


def _store(
    frames: Iterable[Dreamt], job: Job, total: int | None, on_progress: OnProgress
) -> tuple[float, ...]:
    losses: list[float] = []
    for dreamt in frames:
        job.add(dreamt.pixels, dreamt.time)
        losses.append(dreamt.loss)
        on_progress(Progress("dreaming", "frame", len(losses), total, dreamt.loss))
    return tuple(losses)


def _encode(
    job: Job, output: Path, rate: Fraction, look: Look, *, quality: int | None, overwrite: bool
) -> list[str]:
    return encode(
        job.frames,
        output,
        duration_of_last=1 / rate,
        source=None,
        rate=rate,
        quality=quality,
        overwrite=overwrite,
        metadata=_metadata(look),
    )


def _expected_frames(
    info: MediaInfo, rate: Fraction, begin: Fraction, finish: Fraction | None
) -> int | None:
    """How many frames the container promises for the range; progress shows it, nothing else."""
    if not info.duration:
        return None
    until = info.duration if finish is None else min(finish, info.duration)
    return max(1, round((until - begin) * rate))


def _sized(still: Image, size: str | None) -> Image:
    if size is None:
        return still
    width, height = parse_size(size, still.shape[1], still.shape[0])
    return resize(still, (height, width))


def _metadata(look: Look) -> dict[str, str]:
    return {"synopsis": f"dreamvideo {__version__}\n{look_to_toml(look)}"}
