"""The clip as one call: dream its frames in a resumable job, then encode the film."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from dreamvideo.arguments import check_arguments
from dreamvideo.dream.dreamer import make_octave_schedule
from dreamvideo.media.probe import MediaInfo
from dreamvideo.media.proxy import proxy_path
from dreamvideo.media.stills import load_deep, stored_bytes
from dreamvideo.media.write import StoredFrame, check_frames, check_max_size, check_output
from dreamvideo.render import output_paths
from dreamvideo.render.dream_size import choose_dream_size
from dreamvideo.render.encode import StoredFilm, make_encode_options, settle_output
from dreamvideo.render.frames.backward_pass import run_backward_pass
from dreamvideo.render.job import disk_space
from dreamvideo.render.job.job import Job
from dreamvideo.render.job.manifest import Manifest, make_manifest
from dreamvideo.render.job.segment_store import write_atomically
from dreamvideo.render.job.segments import WHOLE
from dreamvideo.render.look_notes import collect_look_notes
from dreamvideo.render.music import check_sound_files, collect_music_notes
from dreamvideo.render.options import DEFAULT_OPTIONS, RenderOptions
from dreamvideo.render.parallel.crossfade import join_segments
from dreamvideo.render.parallel.executor import SegmentExecutor
from dreamvideo.render.parallel.pool import LocalPool, use_threads
from dreamvideo.render.parallel.renderer import Renderer, open_job_source
from dreamvideo.render.parallel.shots import plan_segments
from dreamvideo.render.planning.budget import NO_BUDGET, Budget, plan_budget
from dreamvideo.render.planning.worker_count import (
    choose_worker_count,
    count_cores,
    find_max_workers,
)
from dreamvideo.render.precision import settle_precision
from dreamvideo.render.progress import OnProgress, Progress, say, silent
from dreamvideo.render.result import DEFAULT_LOOK, DEFAULT_MACHINE, DEFAULT_OUTPUT, RenderResult
from dreamvideo.render.run import JobRequest, encode_partial, run_job
from dreamvideo.render.source import ClipRange, ClipRequest, open_clip_range
from dreamvideo.settings import Look, OutputSettings
from dreamvideo.settings.machine import MachineSettings


def dream_video(  # noqa: PLR0913  (public: one keyword per choice)
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
    budget: Budget = NO_BUDGET,
    machine: MachineSettings = DEFAULT_MACHINE,
    options: RenderOptions = DEFAULT_OPTIONS,
    executor: SegmentExecutor | None = None,
    on_progress: OnProgress = silent,
) -> RenderResult:
    """Dream a clip, an animation or a sequence of pictures, with its sound and timing.

    The film gets the output's name only when it is complete. Until then its frames are in
    ``OUTPUT.dreamjob``, and the same call resumes an interrupted one with the same result. Whatever
    can be decoded of a damaged clip is dreamt; ``missing`` in the result counts the rest.

    Args:
        clip: A film, an animation, or a folder (or pattern) of pictures.
        output: The film, or a folder of frames; None: named after ``clip``.
        look: The look.
        wanted: Output settings.
        start: Time of the first frame: ``12.5``, ``1:02`` or ``48f``.
        end: Time at which the film ends, likewise.
        size: As in ``parse_size``; None: the clip's own.
        fps: Frames per second to resample to; None: the clip's own.
        hold_gaps: Whether numbers missing from a folder of pictures are filled.
        fit: How pictures of mixed sizes are made one size: crop, pad or stretch.
        overwrite: Whether to replace an existing output.
        budget: Time limit; size and look are reduced to fit it.
        machine: Device, threads, processes and limits.
        options: How the render is resumed and divided.
        executor: Dreams the segments elsewhere, e.g. ``dreamvideo.cluster.DaskExecutor``;
            None: this machine.
        on_progress: Called with each step of progress.

    Returns:
        The film, its objectives, notes and missing frames.

    Raises:
        UsageError: The arguments make no sense, or the job was started with other settings.
        MediaError: A file cannot be read or written.
        WeightsError: The weights cannot be loaded.
        DreamVideoError: The job is damaged, or its segments failed repeatedly.

    Example:
        >>> from dreamvideo import dream_video, make_look
        >>> look = make_look(["towers"], {"coherence": {"cadence": 2}})
        >>> clip, film = "samples/bunny.mp4", "bunny-dream.mp4"
        >>> dream_video(clip, film, look, end="4f", size="160").frames
        4
    """
    check_arguments(dream_video, locals())
    clip, output = _resolve_names(clip, output)
    check_output(output, make_encode_options(wanted, overwrite=overwrite))
    output_paths.check_apart(proxy_path(output), clip)
    for path in (output, proxy_path(output)):
        output_paths.check_apart(path, wanted.sound, *wanted.stems.values())
    look, machine, line = settle_precision(look, machine, "film")
    say(on_progress, line)
    request = ClipRequest(clip, start, end, size, fps, hold_gaps, fit)
    wanted, own_light = settle_output(output, wanted, open_clip_range(request, wanted).info)
    request = replace(request, own_light=own_light)
    read = _open_checked(request, wanted, look)
    check_sound_files(look, wanted, read.info)
    if wanted.max_size is not None:
        check_max_size(
            output, read.read_first().pixels, make_encode_options(wanted, overwrite=True)
        )
    if executor is None:
        most = find_max_workers(machine, look, read)
    else:
        most = executor.find_capacity(machine, on_progress).workers
    fitting = plan_budget(budget, output, read, look, size, most)
    if fitting.line:
        on_progress(Progress("dreaming", "frame", 0, read.expected, note=fitting.line))
    look, size = fitting.look, fitting.size
    if budget:
        request = replace(request, size=size)
        read = _open_checked(request, wanted, look)
    encoding = make_encode_options(wanted, look, overwrite=overwrite)
    check_frames(output, encoding, read.size, None if read.varies else read.rate)
    asked_for = request.to_json()
    asked = make_manifest(
        "video",
        look,
        wanted,
        asked_for,
        {"the input": clip},
        machine,
        **{name: value for name, value in asked_for.items() if name not in ("clip", "own_light")},
        # Named as users know it, and only where it changes the frames.
        **({"tone_map": False} if own_light else {}),
        segment_length=options.segment_length,
        warm_up=options.warm_up if options.segment_length else None,
        budget=fitting.mark,
    )
    asked = asked.model_copy(update={"frames": read.expected})

    def dream(job: Job) -> StoredFilm:
        at_work = _settle_segments(job, read, machine, options, executor, most, on_progress)
        job.report_resumed(output, on_progress)
        roomy = _check_room(job, read)
        if at_work is None:
            _render_here(job, on_progress)
        else:
            at_work.render(job, on_progress)
        frames = join_segments(
            job.folder, job.manifest.segments, job.frames, count_cores(machine), on_progress
        )
        if look.coherence.passes > 1:
            frames = _run_second_pass(job, frames, on_progress)
        collected, missing = _collect_notes(job)
        further = (*collect_look_notes(look), *collect_music_notes(look, wanted, read.info))
        notes = (*roomy, *collected, *further, *_note_depth(read.info, wanted), *_note_light(read))
        return StoredFilm(frames, job.records, read.rate, read, notes, missing)

    return run_job(JobRequest(output, asked, encoding, options), dream, on_progress)


def partial_film(
    clip: Path | str, output: Path | str | None = None, on_progress: OnProgress = silent
) -> RenderResult:
    """Make a film of the frames that a render has finished so far.

    It is written next to the output, as ``film.partial.mp4``. The job is not changed, and another
    process may be working on it.

    Args:
        clip: The clip that is being rendered.
        output: The output of that render; None: named after ``clip``.
        on_progress: Called after each encoded frame.

    Raises:
        UsageError: There is no job, or no frame of it is finished.
        MediaError: A file cannot be read or written.
    """
    _, output = _resolve_names(clip, output)

    def collect(job: Job) -> StoredFilm:
        read = open_job_source(job)
        frames, records = job.frames_and_records()
        return StoredFilm(frames, records, read.rate, read)

    return encode_partial(output, collect, on_progress)


def _resolve_names(clip: Path | str, output: Path | str | None) -> tuple[Path, Path]:
    clip = Path(clip)
    output = (
        Path(output)
        if output
        else output_paths.default_output(clip, "dream", output_paths.default_film_suffix(clip))
    )
    output_paths.check_apart(output, clip, clip.parent if "%" in clip.name else None)
    return clip, output


def _open_checked(request: ClipRequest, wanted: OutputSettings, look: Look) -> ClipRange:
    """Open the clip; refuses, before any work, what cannot be dreamt."""
    read = open_clip_range(request, wanted)
    with read.open():
        make_octave_schedule(look.dream, read.size[1], read.size[0])
    return read


def _settle_segments(
    job: Job,
    read: ClipRange,
    machine: MachineSettings,
    options: RenderOptions,
    executor: SegmentExecutor | None,
    most: int,
    on_progress: OnProgress,
) -> SegmentExecutor | None:
    """Fix the job's segments and threads if it is new, and choose its executor.

    Args:
        job: The job.
        read: The clip and its range.
        machine: Processes and threads.
        options: How the render is divided.
        executor: The caller's executor, if any.
        most: Most segments at a time.
        on_progress: Called during the scan of the clip.

    Returns:
        The executor; None: this process.
    """
    begins = not job.done
    apart = most > 1 or executor is not None or options.segment_length
    if begins and job.manifest.segments == WHOLE and apart:
        job.save_manifest(divide_job(job.manifest, read, options, most, on_progress))
    parts = zip(job.manifest.segments, job.segment_stores(), strict=True)
    left = [segment.count or 0 for segment, part in parts if part.ending is None]
    if executor is None:
        count = choose_worker_count(most, machine, left)
        executor = LocalPool(count) if count > 1 else None
    if begins:
        # With several threads the last bits depend on their number, so it is recorded and kept.
        threads = (
            count_cores(machine)
            if executor is None
            else executor.find_capacity(machine, silent).threads
        )
        job.save_manifest(job.manifest.model_copy(update={"threads": threads}))
    return executor


def divide_job(
    manifest: Manifest,
    read: ClipRange,
    options: RenderOptions,
    most: int,
    on_progress: OnProgress = silent,
) -> Manifest:
    """Return the manifest with segments that can be dreamt in parallel.

    Args:
        manifest: The job's manifest.
        read: The clip and its range.
        options: How the render is divided.
        most: Largest number of processes.
        on_progress: Called during the scan of the clip.
    """
    segments, found = plan_segments(
        read, manifest.decoded_look, options, most, count_cores(manifest.machine), on_progress
    )
    return manifest.model_copy(
        update={
            "segments": segments,
            "frames": len(found.frames),
            "missing": found.missing,
            "notes": found.notes,
        }
    )


def _check_room(job: Job, read: ClipRange) -> tuple[str, ...]:
    """Check that the remaining frames fit in memory and on disk: notes, or a MediaError."""
    width, height = read.size
    dreamt = choose_dream_size(job.manifest.decoded_look.dream.dream_size, read.size)
    disk_space.check_memory(read.size, dreamt)
    passes = job.manifest.decoded_look.coherence.passes
    left = max(0, (job.manifest.frames or 0) - job.done)
    # A warm-up frame is stored with its source, and once more as joined.
    left += 3 * sum(segment.warm_up for segment in job.manifest.segments)
    depth, alpha = read.stored_bits, read.info.has_alpha
    need = disk_space.estimate_disk_bytes(left, width, height, passes, depth=depth, alpha=alpha)
    return disk_space.check_room(job.folder, need)


def _render_here(job: Job, on_progress: OnProgress) -> None:
    if job.manifest.threads != count_cores():
        use_threads(job.manifest.threads)
    before = last = 0

    def tile(done: int, tiles: int) -> None:
        detail = f"tile {done}/{tiles}"
        on_progress(Progress("dreaming", "frame", last, job.manifest.frames, detail=detail))

    def on_frame(done: int, loss: float) -> None:
        nonlocal last
        last = before + done
        on_progress(Progress("dreaming", "frame", last, job.manifest.frames, loss))

    renderer = Renderer(job, tile)

    for segment in job.manifest.segments:
        renderer.render(segment, on_frame)
        before += len(job.segment_store(segment).records)


def _run_second_pass(
    job: Job, dreamt: Sequence[StoredFrame], on_progress: OnProgress
) -> list[StoredFrame]:
    """Run the backward pass, resuming after the frames of an earlier run."""
    sources = [replace(frame, path=job.source_path(n)) for n, frame in enumerate(dreamt)]
    made = [replace(frame, path=job.second_path(n)) for n, frame in enumerate(dreamt)]
    left = len(made)
    while left and made[left - 1].path.exists():
        left -= 1
    # The pass resumes from the frames that are done already.
    films = [*dreamt[:left], *made[left : left + 1]]
    starts = [record.starts for record in job.records]
    coherence = job.manifest.decoded_look.coherence
    passed = run_backward_pass(films, sources[: len(films)], starts[: len(films)], coherence)
    for index, pixels in passed:
        if index < left:
            _, alpha = load_deep(dreamt[index].path)
            write_atomically(made[index].path, stored_bytes(pixels, alpha))
            done = len(made) - index
            on_progress(Progress("second pass", "frame", done, len(made)))
    return made


def _collect_notes(job: Job) -> tuple[list[str], int]:
    """Return the notes about the source and the number of frames it lacks, of all segments."""
    if len(job.manifest.segments) > 1:
        return list(job.manifest.notes), job.manifest.missing
    ending = job.segment_stores()[0].ending
    return (list(ending.notes), ending.missing) if ending else ([], 0)


def _note_light(read: ClipRange) -> list[str]:
    """Say what would keep light that the output cannot hold, unless that is what was asked for."""
    light = read.info.own_light
    if light is None or read.own_light is not None or read.wanted.tone_map:
        return []
    if light.is_hdr:
        return ["a film in x265, av1, prores, dnxhr-hqx or ffv1 keeps the HDR; --tone-map does not"]
    return ["a folder of EXR pictures (--codec exr) keeps the light; --tone-map does not"]


def _note_depth(info: MediaInfo, wanted: OutputSettings) -> list[str]:
    if info.depth <= wanted.bits:
        return []
    more = "--depth 10" if info.depth == 10 else "--depth 16, into a folder,"
    return [f"written with {wanted.bits} bits a channel; {more} keeps the source's {info.depth}"]
