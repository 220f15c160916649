"""Run a film as a resumable job: dream its frames, encode them, remove the job."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from dreamvideo.errors import UsageError
from dreamvideo.media.write import EncodeOptions, check_output
from dreamvideo.memory import release_memory
from dreamvideo.render import output_paths
from dreamvideo.render.encode import StoredFilm, encode_film, make_encode_options
from dreamvideo.render.job.job import Job, open_job, read_job
from dreamvideo.render.job.manifest import Manifest
from dreamvideo.render.options import DEFAULT_OPTIONS, RenderOptions
from dreamvideo.render.progress import OnProgress
from dreamvideo.render.result import RenderResult
from dreamvideo.settings import make_output


@dataclass(frozen=True)
class JobRequest:
    """A film to make.

    Attributes:
        output: The film, or a folder of frames.
        manifest: What is asked for; an interrupted job is resumed only for the same.
        encoding: How the film is written.
        options: Whether to restart, and whether to keep the job.
        resumable: Whether frames of a failed run are kept.
    """

    output: Path
    manifest: Manifest
    encoding: EncodeOptions
    options: RenderOptions = DEFAULT_OPTIONS
    resumable: bool = True


def run_job(
    request: JobRequest, dream: Callable[[Job], StoredFilm], on_progress: OnProgress
) -> RenderResult:
    """Make a film. It gets its name only when it is complete.

    Args:
        request: What is asked for.
        dream: Stores all frames in the job's folder that are not there yet.
        on_progress: Called after each encoded frame.

    Raises:
        UsageError: The job was started with other settings, or another process works on it.
        MediaError: A file cannot be read or written.
        DreamVideoError: The job is damaged.
        Interrupted: This process was asked to stop; the error says what is kept.
    """
    with open_job(
        request.output,
        request.manifest,
        restart=request.options.restart,
        keep=request.options.keep_job,
        resumable=request.resumable,
    ) as job:
        film = dream(job)
        # The encoder needs some too.
        release_memory()
        return encode_film(film, request.output, request.encoding, on_progress)


def encode_partial(
    output: Path, collect: Callable[[Job], StoredFilm], on_progress: OnProgress
) -> RenderResult:
    """Make a film, next to its output, of the frames that a job has so far.

    The job is not changed, and another process may be working on it.

    Args:
        output: The output of the job.
        collect: Finds its stored frames.
        on_progress: Called after each encoded frame.

    Raises:
        UsageError: There is no job, or no frame of it is finished.
        MediaError: A file cannot be read or written.
    """
    job = read_job(output)
    if not job.done:
        raise UsageError(f"{output}: no frame of it is finished yet")
    so_far = output_paths.partial_output(output)
    wanted = make_output(**job.manifest.wanted)
    options = make_encode_options(wanted, job.manifest.decoded_look, overwrite=True)
    check_output(so_far, options)
    return encode_film(collect(job), so_far, options, on_progress)
