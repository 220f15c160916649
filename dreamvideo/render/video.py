"""A clip as one call: its frames dreamt in a job that can be gone on with, then made a film."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from dreamvideo.dream.dreamer import ladder_for
from dreamvideo.errors import UsageError
from dreamvideo.media.probe import MediaInfo
from dreamvideo.media.stills import load_deep, png_bytes
from dreamvideo.media.write import StoredFrame
from dreamvideo.render import naming, resources
from dreamvideo.render.budgeted import UNBOUND, Budget, planned
from dreamvideo.render.crew import Crew
from dreamvideo.render.deliver import check_wanted, deliver
from dreamvideo.render.footage import Footage, Request, footage
from dreamvideo.render.going import GOING, Going
from dreamvideo.render.job import Job, open_job, read_job
from dreamvideo.render.joint import joined
from dreamvideo.render.made import DEFAULT_LOOK, DEFAULT_MACHINE, DEFAULT_OUTPUT, Rendered
from dreamvideo.render.manifest import Manifest, describe, look_files
from dreamvideo.render.part import Record, write_whole
from dreamvideo.render.photo import picture_notes
from dreamvideo.render.progress import OnProgress, Progress, silent
from dreamvideo.render.scan import segments_of
from dreamvideo.render.second import steadied
from dreamvideo.render.segments import WHOLE
from dreamvideo.render.work import Renderer, footage_of
from dreamvideo.render.workers import Processes, use_threads
from dreamvideo.render.worth import cores, most_workers, sensible_workers
from dreamvideo.settings import Look, OutputSettings, make_output
from dreamvideo.settings.machine import MachineSettings


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
    hold_gaps: bool = False,
    fit: str | None = None,
    overwrite: bool = False,
    budget: Budget = UNBOUND,
    machine: MachineSettings = DEFAULT_MACHINE,
    going: Going = GOING,
    crew: Crew | None = None,
    on_progress: OnProgress = silent,
) -> Rendered:
    """Dream a clip, an animation or a sequence of pictures, with its sound and timing.

    ``start`` and ``end`` are times (``12.5``, ``1:02``, ``48f``), ``size`` as in ``parse_size``,
    ``fps`` resamples. Of a folder of pictures, ``hold_gaps`` takes missing numbers and ``fit``
    (crop, pad, stretch) mixed sizes. The film takes the output's name only when it is complete;
    until then its frames are in ``OUTPUT.dreamjob``, and the same call goes on where an earlier
    one ended, with the same result. What a damaged clip still gives is dreamt; ``missing`` counts
    the rest. Within a ``budget`` of time, size and look are made to fit. ``machine`` says what it
    runs on, and in how many processes; a ``crew`` dreams it elsewhere
    (``dreamvideo.cluster.DaskExecutor``).
    """
    clip, output = _names(clip, output)
    check_wanted(output, wanted, overwrite=overwrite)
    request = {"clip": str(clip.absolute()), "start": start, "end": end, "size": size, "fps": fps}
    request |= {"hold_gaps": "yes" if hold_gaps else None, "fit": fit}
    read = _checked(clip, request, wanted, look)
    if crew is None:
        most = most_workers(machine, look, read)
    else:
        most = crew.offer(machine, on_progress).workers
    fitting = planned(budget, output, read, look, size, most)
    if fitting.line:
        on_progress(Progress("dreaming", "frame", 0, read.expected, note=fitting.line))
    look, size = fitting.look, fitting.size
    request["size"] = size
    read = _checked(clip, request, wanted, look) if budget else read
    asked = describe(
        "video",
        look,
        wanted,
        request,
        {"the input": clip},
        machine,
        start=start,
        end=end,
        size=size,
        fps=fps,
        hold_gaps=request["hold_gaps"],
        fit=fit,
        segment_length=going.segment_length,
        warm_up=going.warm_up if going.segment_length else None,
        budget=fitting.mark,
    )
    asked = asked.model_copy(update={"frames": read.expected})
    with open_job(output, asked, restart=going.restart, keep=going.keep_job) as job:
        at_work = _divide(job, read, machine, going, crew, most, on_progress)
        job.say_how_far(output, on_progress)
        roomy = _check_room(job, read)
        if at_work is None:
            _render_here(job, on_progress)
        else:
            at_work.render(job, on_progress)
        records = [record for part in job.parts() for record in part.records]
        frames = joined(job.folder, job.manifest.segments, job.frames, cores(machine), on_progress)
        if look.coherence.passes > 1:
            frames = _steadied(job, frames, records, on_progress)
        notes = _film(frames, records, job, output, wanted, overwrite, on_progress)
        said, missing = _said(job)
    further = picture_notes(*look_files(look).values())
    said = [*roomy, *said, *further, *_depth_notes(read.info, wanted), *notes]
    losses = tuple(record.loss for record in records)
    took = tuple(record.seconds for record in records)
    return Rendered(output, len(records), losses, tuple(said), missing=missing, seconds=took)


def partial_film(
    clip: Path | str, output: Path | str | None = None, on_progress: OnProgress = silent
) -> Rendered:
    """A film of the frames that a render of ``clip`` to ``output`` has finished so far.

    It is written beside the output, as ``film.partial.mp4``; the job stays as it is, also while
    another process is at it. Raises UsageError if there is no job, MediaError.
    """
    _, output = _names(clip, output)
    job = read_job(output)
    records = [record for part in job.parts() for record in part.records]
    if not records:
        raise UsageError(f"{output}: no frame of it is finished yet")
    so_far = naming.partial(output)
    wanted = make_output(**job.manifest.wanted)
    check_wanted(so_far, wanted, overwrite=True)
    notes = _film(job.frames, records, job, so_far, wanted, True, on_progress)
    return Rendered(so_far, len(records), tuple(r.loss for r in records), tuple(notes))


def _names(clip: Path | str, output: Path | str | None) -> tuple[Path, Path]:
    clip = Path(clip)
    output = Path(output) if output else naming.beside(clip, "dream", naming.film_ending(clip))
    naming.check_apart(output, clip, clip.parent if "%" in clip.name else None)
    return clip, output


def _checked(clip: Path, request: Request, wanted: OutputSettings, look: Look) -> Footage:
    """What is to be read, refused before any work if it cannot be dreamt."""
    read = footage(clip, request, wanted)
    with read.open():
        ladder_for(look.dream, read.size[1], read.size[0])
    return read


def _divide(
    job: Job,
    read: Footage,
    machine: MachineSettings,
    going: Going,
    crew: Crew | None,
    most: int,
    on_progress: OnProgress,
) -> Crew | None:
    """Settle the job's segments, if that is still open; who is to dream them. None: this process.

    ``most`` is how many may dream at a time.
    """
    begins = not job.done
    apart = most > 1 or crew is not None or going.segment_length
    if begins and job.manifest.segments == WHOLE and apart:
        job.settle(divided(job.manifest, read, going, most, on_progress))
    parts = zip(job.manifest.segments, job.parts(), strict=True)
    left = [segment.count or 0 for segment, part in parts if part.ending is None]
    if crew is None:
        count = sensible_workers(most, machine, left)
        crew = Processes(count) if count > 1 else None
    if begins:
        # Of many threads the last bits depend on their number, so that is kept to.
        threads = cores(machine) if crew is None else crew.offer(machine, silent).threads
        job.settle(job.manifest.model_copy(update={"threads": threads}))
    return crew


def divided(
    manifest: Manifest, read: Footage, going: Going, most: int, on_progress: OnProgress = silent
) -> Manifest:
    """The manifest with segments that ``most`` processes can dream apart."""
    segments, found = segments_of(
        read, manifest.decoded_look, going, most, cores(manifest.machine), on_progress
    )
    return manifest.model_copy(
        update={
            "segments": segments,
            "frames": len(found.frames),
            "missing": found.missing,
            "notes": found.notes,
        }
    )


def _check_room(job: Job, read: Footage) -> tuple[str, ...]:
    """Whether the frames to come fit, in memory and on disk: notes, or a MediaError."""
    width, height = read.size
    resources.check_memory(width, height)
    # A second pass needs the source's frames and has frames of its own.
    copies = 3 if job.manifest.decoded_look.coherence.passes > 1 else 1
    left = max(0, (job.manifest.frames or 0) - job.done)
    # A frame dreamt ahead lies beside its source, and is joined to the other one.
    left += 3 * sum(segment.warm_up for segment in job.manifest.segments)
    depth, alpha = read.wanted.depth, read.info.has_alpha
    need = resources.needed(left, width, height, copies, depth=depth, alpha=alpha)
    return resources.check_room(job.folder, need)


def _render_here(job: Job, on_progress: OnProgress) -> None:
    if job.manifest.threads != cores():
        use_threads(job.manifest.threads)
    before = last = 0

    def tile(done: int, tiles: int) -> None:
        said = f"tile {done}/{tiles}"
        on_progress(Progress("dreaming", "frame", last, job.manifest.frames, detail=said))

    def told(done: int, loss: float) -> None:
        nonlocal last
        last = before + done
        on_progress(Progress("dreaming", "frame", last, job.manifest.frames, loss))

    renderer = Renderer(job, tile)

    for segment in job.manifest.segments:
        renderer.render(segment, told)
        before += len(job.part(segment).records)


def _steadied(
    job: Job, dreamt: Sequence[StoredFrame], records: list[Record], on_progress: OnProgress
) -> list[StoredFrame]:
    """The frames after a second pass, last to first; those of an earlier run are gone on from."""
    sources = [replace(frame, path=job.source_path(n)) for n, frame in enumerate(dreamt)]
    made = [replace(frame, path=job.second_path(n)) for n, frame in enumerate(dreamt)]
    left = len(made)
    while left and made[left - 1].path.exists():
        left -= 1
    # What is done already is where the pass goes on from.
    films = [*dreamt[:left], *made[left : left + 1]]
    starts = [record.starts for record in records]
    for index, pixels in steadied(films, sources[: len(films)], starts[: len(films)]):
        if index < left:
            _, alpha = load_deep(dreamt[index].path)
            write_whole(made[index].path, png_bytes(pixels, alpha))
            done = len(made) - index
            on_progress(Progress("second pass", "frame", done, len(made)))
    return made


def _film(
    frames: Sequence[StoredFrame],
    records: Sequence[Record],
    job: Job,
    output: Path,
    wanted: OutputSettings,
    overwrite: bool,
    on_progress: OnProgress,
) -> list[str]:
    """Encode the frames, with everything else from the clip. Returns notes for the user."""
    read = footage_of(job)
    return deliver(
        frames,
        output,
        job.manifest.decoded_look,
        wanted,
        rate=read.rate,
        duration_of_last=records[-1].duration,
        overwrite=overwrite,
        on_progress=on_progress,
        source=None if read.info.kind == "sequence" else read.info.path,
        source_range=(read.begin, read.end),
    )


def _said(job: Job) -> tuple[list[str], int]:
    """What the source had to say, and how many frames it lacks: of all parts, or beforehand."""
    if len(job.manifest.segments) > 1:
        return list(job.manifest.notes), job.manifest.missing
    ending = job.parts()[0].ending
    return (list(ending.notes), ending.missing) if ending else ([], 0)


def _depth_notes(info: MediaInfo, wanted: OutputSettings) -> list[str]:
    if info.depth <= wanted.depth:
        return []
    more = "--depth 10" if info.depth == 10 else "--depth 16, into a folder,"
    return [f"written with {wanted.depth} bits a channel; {more} keeps the source's {info.depth}"]
