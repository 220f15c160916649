"""The commands ``image`` and ``video``: they parse, call the renderer and print."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from dreamvideo.cli.batch import (
    NAME,
    SKIP,
    Batch,
    Outputs,
    SkipExisting,
    Task,
    is_batch,
    plan_tasks,
    run_batch,
)
from dreamvideo.cli.common import (
    Debug,
    KeepJob,
    Overwrite,
    Partial,
    Quiet,
    Restart,
    Size,
    machine_options,
    note,
    say,
)
from dreamvideo.cli.options import SOUND_OPTIONS, look_options, output_options
from dreamvideo.cli.pipes import (
    check_missing,
    is_piped,
    name_piped_output,
    refuse_with_pipes,
    run_piped,
)
from dreamvideo.cli.report_options import Report, page_after, page_before
from dreamvideo.errors import UsageError
from dreamvideo.formatting import format_count
from dreamvideo.render.options import WARM_UP
from dreamvideo.settings import Look, OutputSettings
from dreamvideo.settings.machine import MachineSettings

__all__ = ["Debug", "Overwrite", "Quiet", "Size", "app", "note", "say"]

app = typer.Typer(
    name="dreamvideo",
    help="DeepDream for video: dream clips, stills, zooms and GIFs. Start with `dreamvideo guide`.",
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(asked: bool) -> None:
    if asked:
        from dreamvideo.version import __version__

        print(f"dreamvideo {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool,
        typer.Option("--version", "-V", callback=_version, is_eager=True, help="Show the version."),
    ] = False,
    no_config: Annotated[
        bool,
        typer.Option(
            "--no-config", help="Ignore the file of your own defaults and DREAMVIDEO_* variables."
        ),
    ] = False,
) -> None:
    """DeepDream for video."""


def _name_picture(photo: Path) -> Path:
    from dreamvideo.render import output_paths

    return output_paths.default_output(photo, "dream", ".png")


def _name_film(clip: Path) -> Path:
    from dreamvideo.render import output_paths

    return output_paths.default_output(clip, "dream", output_paths.default_film_suffix(clip))


@app.command()
@look_options("dream", "mask", "colour")
@machine_options("device", "precision", "max_memory", "threads")
@output_options("no_audio", "audio_track", *SOUND_OPTIONS)
def image(
    photos: Annotated[list[Path], typer.Argument(help="The picture to dream, or several.")],
    *,
    output: Outputs = None,
    skip_existing: SkipExisting = False,
    size: Size = None,
    every: Annotated[
        int | None,
        typer.Option(
            "--every",
            help="Keep the picture at every Nth step: as files, or, if the output ends in .mp4, "
            ".webm, .mov or .gif, as a film of the dream growing.",
            show_default="only the last",
        ),
    ] = None,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
    debug: Debug = False,
    wanted: OutputSettings,
    machine: MachineSettings,
    look: Look,
) -> None:
    """Dream a picture, or several; the loss is shown as it rises."""
    from dreamvideo.cli.display import progress_display
    from dreamvideo.render import output_paths
    from dreamvideo.render.image import check_image_output, dream_image

    def check(task: Task) -> None:
        output_paths.check_apart(task.output, task.source)
        check_image_output(task.output, wanted, every, overwrite)

    def dream(task: Task) -> None:
        with progress_display(quiet) as listen:
            made = dream_image(
                task.source,
                task.output,
                look,
                wanted,
                size=size,
                every=every,
                overwrite=overwrite,
                machine=machine,
                on_progress=listen,
            )
        for path in made.kept:
            say(quiet, str(path))
        losses = made.losses
        climbed = f"loss {losses[0]:.4g} to {losses[-1]:.4g}" if losses else "no dream"
        say(quiet, f"{made.output}: {climbed}")
        note(quiet, made.notes)

    if output is not None and output.endswith("/"):
        output = f"{output}{NAME}-dream.png"
    tasks = plan_tasks(photos, output, _name_picture)
    run_batch(Batch(tasks, is_batch(photos, output), skip_existing, quiet), check, dream)


@app.command()
@look_options("dream", "coherence", "mask", "colour", "camera")
@machine_options()
@output_options()
def video(
    clips: Annotated[
        list[Path],
        typer.Argument(
            help="A video, an animated GIF, a folder of pictures, or a pattern: shots/%04d.png. "
            "Several may be given. -: standard input, YUV4MPEG2 or NUT.",
        ),
    ],
    *,
    output: Outputs = None,
    skip_existing: SkipExisting = False,
    start: Annotated[
        str | None,
        typer.Option(
            "--start", help="Where to start: 12.5, 1:02:03.5 or 48f.", show_default="first frame"
        ),
    ] = None,
    end: Annotated[
        str | None,
        typer.Option("--end", help="Where to end, in the same forms.", show_default="last frame"),
    ] = None,
    size: Size = None,
    fps: Annotated[
        str | None,
        typer.Option(
            "--fps",
            help="Frames a second to resample to, 12 or 30000/1001; for pictures, their rate.",
            show_default="the input's; 25 for pictures",
        ),
    ] = None,
    hold_gaps: Annotated[
        bool,
        typer.Option(
            "--hold-gaps",
            help="For pictures with gaps in their numbering: hold the one before a gap.",
        ),
    ] = False,
    fit: Annotated[
        Literal["crop", "pad", "stretch"] | None,
        typer.Option(
            "--fit",
            help="For pictures of different sizes: how to fit them to the size of the first.",
            show_default="they are refused",
        ),
    ] = None,
    time_budget: Annotated[
        str | None,
        typer.Option(
            "--time-budget",
            help="Time that the render may take: 10m, 1h30m. Chooses cadence, dream size, size, "
            "octaves and steps to meet it, and prints what it chose.",
            show_default="any",
        ),
    ] = None,
    fps_target: Annotated[
        float | None,
        typer.Option(
            "--fps-target",
            min=1e-6,
            help="Frames a second to reach; makes the same choices as --time-budget.",
            show_default="none",
        ),
    ] = None,
    raw: Annotated[
        str | None,
        typer.Option(
            "--raw",
            help="What comes in through standard input if it has no header: 640x360@25:rgb24.",
            show_default="YUV4MPEG2 or NUT",
            rich_help_panel="Pipes",
        ),
    ] = None,
    to: Annotated[
        Literal["y4m", "nut"] | None,
        typer.Option(
            "--to",
            help="What goes out through standard output (-o -): YUV4MPEG2, or NUT, which keeps "
            "every frame's time, alpha, and all colours.",
            show_default="y4m if that comes in, else nut",
            rich_help_panel="Pipes",
        ),
    ] = None,
    strict: Annotated[
        bool,
        typer.Option(
            "--strict", help="End with exit code 3 if frames of a damaged input are missing."
        ),
    ] = False,
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run",
            help="Dream nothing; show how the clip would be divided and how long it would take.",
            rich_help_panel="In parallel",
        ),
    ] = False,
    restart: Restart = False,
    keep_job: KeepJob = False,
    partial: Partial = False,
    report: Report = False,
    cluster: Annotated[
        str | None,
        typer.Option(
            "--cluster",
            help="Dream on the workers of a Dask cluster: the address of its scheduler, such as "
            "tcp://scheduler:8786, or its scheduler file. --workers limits how many are used.",
            show_default="this machine",
            rich_help_panel="In parallel",
        ),
    ] = None,
    segment_length: Annotated[
        int | None,
        typer.Option(
            "--segment-length",
            min=2,
            help="Divide longer shots into segments of N frames, to dream them in parallel.",
            show_default="shots stay whole",
            rich_help_panel="In parallel",
        ),
    ] = None,
    warm_up: Annotated[
        int,
        typer.Option(
            "--warm-up",
            min=0,
            help="Frames over which one segment of a divided shot cross-fades into the next.",
            rich_help_panel="In parallel",
        ),
    ] = WARM_UP,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
    debug: Debug = False,
    wanted: OutputSettings,
    machine: MachineSettings,
    look: Look,
) -> None:
    """Dream a clip into .mp4, .webm, .mov, .mkv, .gif or a folder of frames, keeping its sound."""
    from dreamvideo.cli.display import progress_display
    from dreamvideo.media.write import check_output
    from dreamvideo.render import output_paths
    from dreamvideo.render.dry_run import plan_render
    from dreamvideo.render.encode import make_encode_options
    from dreamvideo.render.options import RenderOptions
    from dreamvideo.render.planning.budget import Budget
    from dreamvideo.render.source import ClipRequest
    from dreamvideo.render.stream import PipeOptions, dream_stream
    from dreamvideo.render.video import dream_video, partial_film

    options = RenderOptions(restart, keep_job, segment_length, warm_up)
    if is_piped(clips, output):
        whole = {
            "--time-budget": time_budget,
            "--fps-target": fps_target,
            "--dry-run": dry_run,
            "--restart": restart,
            "--keep-job": keep_job,
            "--partial": partial,
            "--report": report,
            "--cluster": cluster,
            "--segment-length": segment_length,
            SKIP: skip_existing,
        }
        refuse_with_pipes(clips, whole)
        request = ClipRequest(clips[0], start, end, size, fps, hold_gaps, fit)
        run_piped(
            lambda listen: dream_stream(
                request,
                name_piped_output(output),
                look,
                wanted,
                pipes=PipeOptions(raw, to),
                overwrite=overwrite,
                machine=machine,
                on_progress=listen,
            ),
            clips[0],
            quiet=quiet,
            strict=strict,
        )
        return
    if raw is not None or to is not None:
        raise UsageError("--raw is for standard input (-), --to for standard output (-o -)")
    executor = None
    if cluster is not None:
        from dreamvideo.cluster import DaskExecutor

        executor = DaskExecutor(cluster)

    def show_plan(task: Task) -> None:
        request = ClipRequest(task.source, start, end, size, fps, hold_gaps, fit)
        with progress_display(quiet) as listen:
            seen = plan_render(request, look, wanted, machine, options, listen)
        print(*seen.lines, sep="\n")
        if cluster is not None:
            print(f"{cluster} was not contacted: it dreams as many at a time as its workers can")

    def check(task: Task) -> None:
        output_paths.check_apart(task.output, task.source)
        if not (dry_run or partial):
            check_output(task.output, make_encode_options(wanted, overwrite=overwrite))
            page_before(report, task.output, task.source, overwrite=overwrite, partial=partial)

    def dream(task: Task) -> None:
        clip, film = task.source, task.output
        page_before(report, film, clip, overwrite=overwrite, partial=partial)
        with progress_display(quiet) as listen:
            if partial:
                made = partial_film(clip, film, on_progress=listen)
            else:
                made = dream_video(
                    clip,
                    film,
                    look,
                    wanted,
                    start=start,
                    end=end,
                    size=size,
                    fps=fps,
                    hold_gaps=hold_gaps,
                    fit=fit,
                    overwrite=overwrite,
                    budget=Budget(time_budget, fps_target),
                    machine=machine,
                    options=options,
                    executor=executor,
                    on_progress=listen,
                )
            page = (
                page_after(made, clip, listen, start=start, end=end, fps=fps, fit=fit)
                if report
                else None
            )
        say(
            quiet,
            f"{made.output}: {format_count(made.frames, 'frame')}",
            *([str(page)] if page else []),
        )
        note(quiet, made.notes)
        check_missing(strict, clip, made)

    tasks = plan_tasks(clips, output, _name_film)
    batch = Batch(tasks, is_batch(clips, output), skip_existing, quiet, dry_run)
    run_batch(batch, check, show_plan if dry_run else dream)
