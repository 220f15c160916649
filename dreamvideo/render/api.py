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
from dreamvideo.parsing import parse_rate, parse_size, parse_time
from dreamvideo.render import naming
from dreamvideo.render.clip import Dreamt, dream_clip
from dreamvideo.render.deliver import check_still, check_wanted, deepened, deliver, recipe
from dreamvideo.render.job import Job, open_job
from dreamvideo.render.progress import OnProgress, Progress, silent
from dreamvideo.render.second import steadied
from dreamvideo.settings import Look, OutputSettings

DEFAULT_LOOK = Look()
DEFAULT_OUTPUT = OutputSettings()
PASSES = 2
# A film of a dream growing shows this many pictures a second.
GROWTH_RATE = Fraction(10)


@dataclass(frozen=True)
class Rendered:
    """What a render made: the file (or folder), its frames, and lines the user should hear.

    ``losses`` are the objective before each step of a still, or at each frame's last step.
    ``kept`` are the files of intermediate pictures, ``missing`` the frames that a damaged source
    should have had besides.
    """

    output: Path
    frames: int
    losses: tuple[float, ...]
    notes: tuple[str, ...] = ()
    kept: tuple[Path, ...] = ()
    missing: int = 0


def dream_image(
    photo: Path | str,
    output: Path | str | None = None,
    look: Look = DEFAULT_LOOK,
    wanted: OutputSettings = DEFAULT_OUTPUT,
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
    naming.check_apart(output, photo)
    is_film = not naming.is_picture(output)
    if is_film and not every:
        raise UsageError(
            f"{output}: a picture ends in {', '.join(naming.PICTURE_ENDINGS)}; "
            "for a film of the dream growing add --every N"
        )
    if every is not None and every < 1:
        raise UsageError(f"--every {every}: keep the picture at every 1 or more steps")
    if is_film:
        check_wanted(output, wanted, overwrite=overwrite)
    else:
        check_still(output, wanted)
        naming.check_picture(output, overwrite)
    still = _sized(to_float(read_still(photo, wanted.background_color)), size)
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
            notes = deliver(
                job.frames,
                output,
                look,
                wanted,
                rate=GROWTH_RATE,
                duration_of_last=1 / GROWTH_RATE,
                overwrite=overwrite,
                on_progress=on_progress,
            )
        else:
            quality = 95 if wanted.quality is None else wanted.quality
            write_still(output, to_bytes(dreamt.image), recipe(look), quality)
        frames = max(1, len(job.frames))
    return Rendered(output, frames, dreamt.losses, tuple(notes), tuple(kept))


def dream_video(
    clip: Path | str,
    output: Path | str | None = None,
    look: Look = DEFAULT_LOOK,
    wanted: OutputSettings = DEFAULT_OUTPUT,
    *,
    start: str | None = None,
    end: str | None = None,
    size: str | None = None,
    fps: str | None = None,
    overwrite: bool = False,
    on_progress: OnProgress = silent,
) -> Rendered:
    """Dream a clip, an animation or a sequence of pictures, with its sound and timing.

    ``start`` and ``end`` are times (``12.5``, ``1:02``, ``48f``), ``size`` as in ``parse_size``,
    ``fps`` resamples. The film takes the output's name only when it is complete. What a damaged
    clip still gives is dreamt; ``missing`` counts the rest.
    """
    clip = Path(clip)
    output = Path(output) if output else naming.beside(clip, "dream", naming.film_ending(clip))
    naming.check_apart(output, clip, _folder_of(clip))
    check_wanted(output, wanted, overwrite=overwrite)
    info = probe(clip)
    rate = parse_rate(fps) if fps else info.rate
    begin = parse_time(start, "--start", rate) if start else Fraction(0)
    finish = parse_time(end, "--end", rate) if end else None
    source = open_source(
        clip,
        start=begin,
        end=finish,
        size=parse_size(size, info.width, info.height) if size else None,
        fps=rate if fps else None,
        background=wanted.background_color,
        deep=wanted.depth > 8,
        keep_alpha=True,
    )
    ladder_for(look.dream, source.size[1], source.size[0])
    total = _expected_frames(source.info, rate, begin, finish)
    with source, open_job(output) as job:
        dreamer = Dreamer(look.dream)
        twice = look.coherence.passes == PASSES
        watch = _Watch(job if twice else None)
        dreamt = dream_clip(watch.passing(source), dreamer, look.coherence)
        losses = _store(dreamt, watch, job, total, on_progress)
        if not losses:
            raise MediaError(f"{clip}: no frame could be decoded in that range")
        if twice:
            _steady(job, watch.starts, on_progress)
        notes = deliver(
            job.frames,
            output,
            look,
            wanted,
            rate=rate,
            duration_of_last=watch.frame.duration,
            overwrite=overwrite,
            on_progress=on_progress,
            source=clip,
            source_range=(begin, finish),
        )
    said = (*source.notes, *_depth_notes(info, wanted), *notes)
    return Rendered(output, len(losses), losses, said, missing=source.missing)


def _folder_of(clip: Path) -> Path | None:
    """The folder that a pattern's pictures are in."""
    return clip.parent if "%" in clip.name else None


class _Watch:
    """Lets frames pass and remembers what is needed once they are gone.

    ``frame`` is the last one that passed, ``starts`` which ones begin a shot; the source frames
    are kept in ``job`` where a second pass will want them.
    """

    def __init__(self, job: Job | None) -> None:
        self.starts: list[bool] = []
        self.frame: Frame
        self._job = job

    def passing(self, source: Source) -> Iterator[Frame]:
        for frame in source:
            self.frame = frame
            if self._job is not None:
                self._job.add_source(frame.pixels if frame.deep is None else frame.deep, frame.time)
            yield frame


def _steady(job: Job, starts: list[bool], on_progress: OnProgress) -> None:
    count = len(job.frames)
    for done, (index, pixels) in enumerate(steadied(job.frames, job.sources, starts), 1):
        job.replace(index, pixels)
        on_progress(Progress("second pass", "frame", done, count))


def _store(
    frames: Iterable[Dreamt], watch: _Watch, job: Job, total: int | None, on_progress: OnProgress
) -> tuple[float, ...]:
    """Keep every dreamt frame, as deep and as transparent as the source frame it was made from."""
    losses: list[float] = []
    for dreamt in frames:
        source = watch.frame
        watch.starts.append(dreamt.starts_shot)
        if source.deep is None:
            job.add(dreamt.pixels, dreamt.time, source.alpha)
        else:
            deep = deepened(dreamt.pixels, source.pixels, source.deep)
            job.add(deep, dreamt.time, source.alpha)
        losses.append(dreamt.loss)
        on_progress(Progress("dreaming", "frame", len(losses), total, dreamt.loss))
    return tuple(losses)


def _depth_notes(info: MediaInfo, wanted: OutputSettings) -> list[str]:
    if info.depth <= wanted.depth:
        return []
    more = "--depth 10" if info.depth == 10 else "--depth 16, into a folder,"
    return [f"written with {wanted.depth} bits a channel; {more} keeps the source's {info.depth}"]


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
