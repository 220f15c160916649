"""Dream a film that comes or goes through a pipe: each frame once, in order, nothing kept."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, fields
from fractions import Fraction
from functools import cached_property
from pathlib import Path

from dreamvideo.dream.dreamer import make_octave_schedule
from dreamvideo.errors import MediaError, UsageError
from dreamvideo.media.paths import escape_text
from dreamvideo.media.pipe_input import PipedFilm, RawVideo, open_pipe
from dreamvideo.media.pipe_output import (
    NAME,
    Form,
    PipeFormat,
    PipeFrame,
    ReaderGoneError,
    standard_output,
    write_pipe,
)
from dreamvideo.media.probe import probe
from dreamvideo.media.read import Frame, SeekPoint, Source, open_probed
from dreamvideo.media.write import check_frames, check_max_size, check_output
from dreamvideo.paint.colour import needs_first
from dreamvideo.render import output_paths
from dreamvideo.render.dream_size import choose_dream_size
from dreamvideo.render.encode import StoredFilm, make_encode_options, settle_output
from dreamvideo.render.frames.pipeline import (
    AHEAD,
    DreamedFrame,
    dream_film,
    make_virtual_camera,
    open_planner,
)
from dreamvideo.render.frames.tracking import start_first
from dreamvideo.render.job import disk_space
from dreamvideo.render.job.job import Job
from dreamvideo.render.job.manifest import make_manifest
from dreamvideo.render.look_notes import collect_look_notes
from dreamvideo.render.music import check_sound_files
from dreamvideo.render.parallel.pool import use_threads
from dreamvideo.render.parallel.renderer import to_stored_pixels
from dreamvideo.render.photo import join_options
from dreamvideo.render.planning.worker_count import count_cores, parse_workers
from dreamvideo.render.precision import settle_precision
from dreamvideo.render.progress import OnProgress, Progress, say, silent
from dreamvideo.render.result import DEFAULT_LOOK, DEFAULT_MACHINE, DEFAULT_OUTPUT, RenderResult
from dreamvideo.render.run import JobRequest, run_job
from dreamvideo.render.source import ClipRange, ClipRequest, make_clip_range
from dreamvideo.settings import Look, MachineSettings, OutputSettings

PIPE = "-"
NOT_RESUMABLE = "a pipe cannot be resumed: nothing is kept of a render that is interrupted"
_OF_FILES = frozenset(
    {
        *("codec", "quality", "repeat", "max_size", "proxy", "audio_track", "strip_metadata"),
        *("click", "sound_fade"),
    }
)


@dataclass(frozen=True)
class PipedClip(ClipRange):
    """A clip on standard input, which can be read only once."""

    piped: PipedFilm | None = None

    @cached_property
    def _source(self) -> Source:
        assert self.piped is not None
        return open_probed(self.info, self.read_options, feed=self.piped.feed)

    def open(self, opening: SeekPoint | None = None) -> Source:
        """Open the only pass over its frames. Raises MediaError, UsageError."""
        return self._source

    @cached_property
    def _first(self) -> Frame | None:
        return self._source.peek()

    def read_first(self) -> Frame:
        """Return the first frame, which is still delivered. Raises MediaError.

        The first call must come before the frames are iterated over.
        """
        first = self._first
        if first is None:
            raise MediaError(f"{self.info.path}: no frame could be decoded in that range")
        return first


@dataclass(frozen=True)
class PipeOptions:
    """What comes and goes through pipes.

    Attributes:
        raw: Size, rate and pixel format of input without a header: ``640x360@25:rgb24``.
        form: What to write to standard output; None: YUV4MPEG2 if that came in, else NUT.
    """

    raw: str | None = None
    form: Form | None = None


DEFAULT_PIPES = PipeOptions()


def dream_stream(
    request: ClipRequest,
    output: Path | str,
    look: Look = DEFAULT_LOOK,
    wanted: OutputSettings = DEFAULT_OUTPUT,
    *,
    pipes: PipeOptions = DEFAULT_PIPES,
    overwrite: bool = False,
    machine: MachineSettings = DEFAULT_MACHINE,
    on_progress: OnProgress = silent,
) -> RenderResult:
    """Dream a clip from standard input, to standard output, or both.

    Its frames are those of ``dream_video``. Nothing is kept of a render that is interrupted.

    Args:
        request: What to read; the clip ``-`` is standard input.
        output: The film, a folder of frames, or ``-``: standard output.
        look: The look.
        wanted: Output settings.
        pipes: What comes and goes through them.
        overwrite: Whether to replace an existing output.
        machine: Device, threads and limits.
        on_progress: Called after each frame.

    Returns:
        The film, its objectives, notes and missing frames.

    Raises:
        UsageError: The arguments make no sense, or need a second look at the clip.
        MediaError: The clip cannot be read or the film written, or nobody reads it any more.
        WeightsError: The weights cannot be loaded.
    """
    to_pipe = str(output) == PIPE
    if to_pipe and (given := wanted.model_fields_set & _OF_FILES):
        raise UsageError(
            f"{join_options(given)}: for files only; standard output has --to and --depth"
        )
    look, machine, line = settle_precision(look, machine, "film")
    _refuse_second_look(look, machine, piped=str(request.clip) == PIPE)
    if not to_pipe:
        output_paths.check_apart(Path(output), wanted.sound, *wanted.stems.values())
        check_output(Path(output), make_encode_options(wanted, overwrite=overwrite))
    piped = None
    if str(request.clip) == PIPE:
        # Its own sound is not listened to, so this needs not wait for what comes.
        check_sound_files(look, wanted, None)
        piped = open_pipe(None if pipes.raw is None else RawVideo.parse(pipes.raw))
        info = piped.info
    else:
        info = probe(request.clip, request.series)
        check_sound_files(look, wanted, info)
    if not to_pipe:
        # What passes only once is dreamt as a screen shows it.
        seen = wanted.model_copy(update={"tone_map": True})
        wanted, _ = settle_output(Path(output), seen, info)
    clip = make_clip_range(info, request, wanted)
    if piped is not None:
        clip = PipedClip(**{f.name: getattr(clip, f.name) for f in fields(clip)}, piped=piped)
    make_octave_schedule(look.dream, clip.size[1], clip.size[0])
    disk_space.check_memory(clip.size, choose_dream_size(look.dream.dream_size, clip.size))
    encoding = make_encode_options(wanted, look, overwrite=overwrite)
    if not to_pipe:
        check_frames(Path(output), encoding, clip.size, None if clip.varies else clip.rate)
        if wanted.max_size is not None:
            check_max_size(Path(output), clip.read_first().pixels, encoding)
    threads = count_cores(machine)
    if threads != count_cores():
        use_threads(threads)
    say(on_progress, line)
    say(on_progress, NOT_RESUMABLE)
    stream = _Stream(look, clip, machine, on_progress)
    if to_pipe:
        return _to_pipe(stream, pipes.form, threads)
    files = {} if isinstance(clip, PipedClip) else {"the input": request.clip}
    manifest = make_manifest("video", look, wanted, request.to_json(), files, machine)
    job = JobRequest(Path(output), manifest, encoding, resumable=False)
    return run_job(job, lambda job: _to_job(stream, job, threads), on_progress)


def _refuse_second_look(look: Look, machine: MachineSettings, *, piped: bool) -> None:
    """Refuse what needs more than one look at each frame. Raises UsageError."""
    if look.coherence.passes > 1:
        raise UsageError("--passes 2 goes back over the whole film: a pipe passes only once")
    if (parse_workers(machine) or 1) > 1:
        raise UsageError("--workers: several processes need the whole clip: name files, not -")
    if not piped:
        return
    if look.length_terms:
        raise UsageError(
            f"{next(iter(look.length_terms))}: %, end and p need the clip's length, which a pipe "
            "does not tell: write times in seconds"
        )


@dataclass
class _Stream:
    """A clip on its way through a dream; complete when its last frame has been yielded."""

    look: Look
    clip: ClipRange
    machine: MachineSettings
    on_progress: OnProgress
    losses: list[float] = field(default_factory=list)
    notes: tuple[str, ...] = ()
    missing: int = 0

    @contextmanager
    def dreaming(self, threads: int) -> Iterator[Iterator[DreamedFrame]]:
        """Give all frames, dreamt, for the duration of the block."""
        total, losses = self.clip.expected, self.losses

        def tile(done: int, tiles: int) -> None:
            detail = f"tile {done}/{tiles}"
            self.on_progress(Progress("dreaming", "frame", len(losses), total, detail=detail))

        def each(film: Generator[DreamedFrame, None, None]) -> Iterator[DreamedFrame]:
            for dreamt in film:
                yield dreamt
                losses.append(dreamt.loss)
                self.on_progress(Progress("dreaming", "frame", len(losses), total, dreamt.loss))

        if needs_first(self.look.colour) and isinstance(self.clip, PipedClip):
            self.clip.read_first()
        # The first frame is decoded while the network is loaded.
        with self.clip.open() as source, start_first(iter(source)) as frames:
            with closing(self._dream(frames, threads, tile)) as film:
                yield each(film)
            self.notes, self.missing = tuple(source.notes), source.missing
        if not losses:
            path = escape_text(self.clip.info.path)
            raise MediaError(f"{path}: no frame could be decoded in that range")

    def _dream(
        self, frames: Iterator[Frame], threads: int, on_tile: Callable[[int, int], None]
    ) -> Generator[DreamedFrame, None, None]:
        camera = make_virtual_camera(self.look, self.clip)
        planner = open_planner(self.look, self.clip, camera, self.machine, on_tile)
        try:
            yield from dream_film(frames, planner, camera, ahead=AHEAD if threads > 1 else 0)
        finally:
            planner.close()

    def further_notes(self) -> tuple[str, ...]:
        """Lines for the user about everything that was read."""
        return (*self.notes, *collect_look_notes(self.look))


def _to_pipe(stream: _Stream, form: Form | None, threads: int) -> RenderResult:
    clip = stream.clip
    came = clip.piped.form if isinstance(clip, PipedClip) and clip.piped else clip.info.container
    form = form or ("y4m" if came == "y4m" else "nut")
    clock = clip.info.tick if clip.varies and clip.info.tick else 1 / clip.rate
    how = PipeFormat(
        form,
        clip.size,
        clip.rate,
        clock,
        clip.wanted.bits,
        clip.info.has_alpha,
        clip.wanted.background_color,
        clip.info.pixel_format,
    )
    off_the_rate = False

    def frames(film: Iterator[DreamedFrame]) -> Iterator[PipeFrame]:
        nonlocal off_the_rate
        first: Fraction | None = None
        for number, dreamt in enumerate(film):
            first = dreamt.time if first is None else first
            time = dreamt.time - first
            off_the_rate |= abs(time * clip.rate - number) > Fraction(1, 2)
            alpha = None if dreamt.frame is None else dreamt.frame.alpha
            yield PipeFrame(time, to_stored_pixels(dreamt, None)[0], alpha)

    with standard_output() as descriptor, stream.dreaming(threads) as film:
        try:
            write_pipe(frames(film), how, descriptor)
        except ReaderGoneError as error:
            raise ReaderGoneError(f"{error}, after {len(stream.losses)} frames") from None
    notes = [f"only the picture goes to {NAME}: the sound is left out"] if clip.info.audio else []
    if off_the_rate and form == "y4m":
        notes.append(
            f"frames come at varying times, but YUV4MPEG2 has one rate ({clip.rate}): --to nut "
            "keeps their times, --fps N resamples them"
        )
    notes += stream.further_notes()
    losses = tuple(stream.losses)
    return RenderResult(Path(PIPE), len(losses), losses, tuple(notes), missing=stream.missing)


def _to_job(stream: _Stream, job: Job, threads: int) -> StoredFilm:
    (part,) = job.segment_stores()
    with stream.dreaming(threads) as film:
        for dreamt in film:
            frame = dreamt.frame
            assert frame is not None
            part.add(
                to_stored_pixels(dreamt, None)[0],
                dreamt.time,
                frame.duration,
                alpha=frame.alpha,
                loss=dreamt.loss,
                starts=dreamt.starts_shot,
            )
    clip = stream.clip
    notes = ["a pipe's sound is left out"] if clip.info.audio else []
    notes += stream.further_notes()
    return StoredFilm(part.frames, part.records, clip.rate, None, notes, stream.missing)
