"""The still as one call: dream a picture, or make a film of the dream growing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import numpy as np

from dreamvideo.arguments import check_arguments
from dreamvideo.dream.dreamer import make_octave_schedule
from dreamvideo.dream.gradient_ascent import Image
from dreamvideo.dream.octaves import StepProgress
from dreamvideo.errors import MediaError, UsageError
from dreamvideo.imaging import resize
from dreamvideo.media.endings import STILL_ENDINGS
from dreamvideo.media.pixels import to_bytes
from dreamvideo.media.probe import is_film as shows_film
from dreamvideo.media.read import Frame
from dreamvideo.media.still_encode import LIGHT_ENDINGS
from dreamvideo.media.write import check_frames, check_max_size, check_output
from dreamvideo.memory import release_memory
from dreamvideo.paint.headroom import make_headroom
from dreamvideo.render import output_paths
from dreamvideo.render.dream_size import (
    STILL_PIXELS,
    ShrunkFrame,
    choose_dream_size,
    enlarge_dream,
)
from dreamvideo.render.encode import StoredFilm, format_recipe, make_encode_options
from dreamvideo.render.frames.carry import make_headroom_map, store_pixels
from dreamvideo.render.frames.frame_plan import WeightedDream, make_target_map
from dreamvideo.render.frames.planner import (
    FilmSpan,
    FramePlanner,
    MakeDreamer,
    OpenMask,
    freeze_look,
    make_dreamer,
    make_planner,
)
from dreamvideo.render.job.job import Job
from dreamvideo.render.job.manifest import make_manifest
from dreamvideo.render.look_notes import collect_look_notes
from dreamvideo.render.photo import Photo, check_still, read_photo
from dreamvideo.render.precision import settle_precision
from dreamvideo.render.progress import OnProgress, Progress, say, silent
from dreamvideo.render.result import DEFAULT_LOOK, DEFAULT_MACHINE, DEFAULT_OUTPUT, RenderResult
from dreamvideo.render.run import JobRequest, run_job
from dreamvideo.settings import Look, MachineSettings, OutputSettings


@dataclass(frozen=True)
class StillProgress:
    """One step of a picture's dream: ``done`` of ``total``, the objective, the picture so far."""

    done: int
    total: int
    loss: float
    image: Callable[[], Image]


@dataclass(frozen=True)
class DreamedStill:
    """A finished picture (H x W x 3 in [-1, 1]) and the objective before each step.

    If no step was taken, for example at strength 0, there is no objective.
    """

    image: Image
    losses: tuple[float, ...]


def dream_still(
    planner: FramePlanner,
    image: Image,
    on_step: Callable[[StillProgress], None] | None = None,
    *,
    deep: bool = False,
    full: Image | None = None,
) -> DreamedStill:
    """Dream a picture as the planner's first frame.

    Args:
        planner: Plans the dream.
        image: H x W x 3 in [-1, 1].
        on_step: Called after each step.
        deep: Whether to skip rounding to 8-bit levels, for a file of more depth.
        full: H x W x 3, the picture at full size that ``image`` was made from: the dream is
            brought to its size.
    """
    plan = planner(_make_frame(image, full), image)
    target = make_target_map(plan, image.shape)
    parts = [part for part in plan.parts if np.any(target * part.share)]
    total, done = _count_total(parts, image), 0
    finish = plan.finish

    def finish_still(picture: Image) -> Image:
        kept = store_pixels(picture, image, target)
        if deep or full is not None:
            kept = np.where(target[..., None] > 0, picture, image)
        if full is not None:
            # The largest arrays are still to come.
            release_memory()
            kept = enlarge_dream(kept, image, full, plan.undreamt)
        return kept if finish is None else finish(kept, image if full is None else full)

    current = make_headroom(image, make_headroom_map(parts, target))
    losses: list[float] = []
    for part in parts:
        scale = np.asarray(target * part.share, np.float32)

        def report(step: StepProgress, before: int = done) -> None:
            if on_step is not None:
                grown = step.image
                on_step(
                    StillProgress(
                        before + step.done, total, step.loss, lambda: finish_still(grown())
                    )
                )

        plain = bool((scale == 1).all())
        dreamt = part.dreamer.dream(
            current, step_scale=None if plain else scale, on_step=report if on_step else None
        )
        current, done = dreamt.image, done + len(dreamt.losses)
        losses += dreamt.losses
    return DreamedStill(finish_still(current), tuple(losses))


@dataclass(frozen=True)
class StillRender:
    """A picture that is ready to be dreamt.

    Attributes:
        planner: Plans its dream.
        full: H x W x 3 in [-1, 1], the picture.
        small: The picture at the size that it is dreamt at; ``full`` itself if that is the same.
        deep: Whether to skip rounding to 8-bit levels, for a result of more depth.
    """

    planner: FramePlanner
    full: Image
    small: Image
    deep: bool

    @property
    def total(self) -> int:
        """Number of steps."""
        return count_steps(self.planner, self.small)

    def dream(
        self,
        on_progress: OnProgress = silent,
        on_step: Callable[[StillProgress], None] | None = None,
    ) -> DreamedStill:
        """Dream the picture.

        Args:
            on_progress: Called after each step, and after each tile of a large picture.
            on_step: Called after each step.
        """
        done, total = 0, self.total

        def tile(number: int, tiles: int) -> None:
            detail = f"tile {number}/{tiles}"
            on_progress(Progress("dreaming", "step", done, total, detail=detail))

        def report_step(step: StillProgress) -> None:
            nonlocal done
            done = step.done
            on_progress(Progress("dreaming", "step", step.done, step.total, step.loss))
            if on_step is not None:
                on_step(step)

        planner = self.planner.with_progress(tile)
        full = None if self.small is self.full else self.full
        return dream_still(planner, self.small, on_step=report_step, deep=self.deep, full=full)


def prepare_still(
    image: Image,
    look: Look,
    machine: MachineSettings,
    *,
    deep: bool = False,
    mask: OpenMask | None = None,
    make: MakeDreamer = make_dreamer,
) -> StillRender:
    """Prepare the dream of a picture: choose its size, read the look's files, load its networks.

    Args:
        image: H x W x 3 in [-1, 1].
        look: The look; of what changes over time, the beginning.
        machine: Device, threads and limits.
        deep: Whether to skip rounding to 8-bit levels.
        mask: Opens a picture that takes the place of the look's own mask.
        make: Makes the dreamers.

    Raises:
        UsageError: The settings make no sense for a picture of that size.
        MediaError: A mask, guide or palette cannot be read.
        WeightsError: The weights cannot be loaded.
    """
    frozen = freeze_look(look)
    whole = (image.shape[1], image.shape[0])
    size = choose_dream_size(frozen.dream.dream_size, whole, STILL_PIXELS)
    small = resize(image, size[::-1], "area")
    planner = make_planner(
        frozen, FilmSpan(size, full_size=whole), machine=machine, mask=mask, make=make
    )
    return StillRender(planner, image, small, deep)


def count_steps(planner: FramePlanner, image: Image) -> int:
    """Return how many steps ``dream_still`` takes."""
    plan = planner(_make_frame(image), image)
    target = make_target_map(plan, image.shape)
    return _count_total([part for part in plan.parts if np.any(target * part.share)], image)


def _count_total(parts: Sequence[WeightedDream], image: Image) -> int:
    return sum(
        make_octave_schedule(part.dreamer.settings, *image.shape[:2]).total for part in parts
    )


def _make_frame(image: Image, full: Image | None = None) -> Frame:
    frame = Frame(0, Fraction(0), Fraction(1, 25), to_bytes(image))
    if full is None:
        return frame
    whole = replace(frame, pixels=to_bytes(full))
    return ShrunkFrame(frame.index, frame.time, frame.duration, frame.pixels, full=whole)


# Pictures per second in a film of a dream growing.
GROWTH_RATE = Fraction(10)

OnStep = Callable[[StillProgress], None]


def dream_image(  # noqa: PLR0913  (public: one keyword per choice)
    photo: Path | str,
    output: Path | str | None = None,
    look: Look = DEFAULT_LOOK,
    wanted: OutputSettings = DEFAULT_OUTPUT,
    *,
    size: str | None = None,
    every: int | None = None,
    overwrite: bool = False,
    machine: MachineSettings = DEFAULT_MACHINE,
    on_progress: OnProgress = silent,
    on_step: OnStep | None = None,
) -> RenderResult:
    """Dream one picture.

    Alpha, 16 bits per channel and the camera's metadata are kept where the output can hold them.

    Args:
        photo: The picture.
        output: The output; None: named after ``photo``.
        look: The look.
        wanted: Output settings.
        size: As in ``parse_size``; None: the picture's own.
        every: Keep the picture at every Nth step: as files next to the output, or, if the output's
            extension is a film's, as a film of the dream growing.
        overwrite: Whether to replace existing outputs.
        machine: Device, threads and limits.
        on_progress: Called after each step.
        on_step: Called after each step with the picture so far.

    Returns:
        The output, its objectives, notes and kept pictures.

    Raises:
        UsageError: The arguments make no sense.
        MediaError: A file cannot be read or written.
        WeightsError: The weights cannot be loaded.

    Example:
        >>> import imageio.v3 as iio
        >>> from dreamvideo import dream_image, make_look
        >>> look = make_look(["towers"], {"dream": {"steps": 4}})
        >>> made = dream_image("samples/coffee.jpg", "coffee-dream.png", look, size="150")
        >>> iio.imread(made.output).shape
        (100, 150, 3)
    """
    check_arguments(dream_image, locals())
    photo = Path(photo)
    output = Path(output) if output else output_paths.default_output(photo, "dream", ".png")
    output_paths.check_apart(output, photo)
    is_film = not output_paths.is_picture(output)
    check_image_output(output, wanted, every, overwrite)
    look, machine, line = settle_precision(look, machine, "picture")
    say(on_progress, line)
    read = _read_photo(photo, output, wanted, size, machine)
    if is_film and wanted.max_size is not None:
        check_max_size(output, to_bytes(read.image), make_encode_options(wanted, overwrite=True))
    encoding = make_encode_options(wanted, look, overwrite=overwrite)
    if is_film:
        check_frames(output, encoding, (read.image.shape[1], read.image.shape[0]), GROWTH_RATE)
    ready = prepare_still(read.image, look, machine, deep=read.depth > 8)
    total = ready.total
    between = range(every, total, every) if every else range(0)

    def climb(keep: OnStep) -> tuple[Image, tuple[float, ...]]:
        def report_step(step: StillProgress) -> None:
            if step.done in between:
                keep(step)
            if on_step is not None:
                on_step(step)

        dreamt = ready.dream(on_progress, report_step)
        return dreamt.image, dreamt.losses

    if is_film:
        request = JobRequest(
            output,
            make_manifest("image", look, wanted, {}, {"the picture": photo}, machine),
            encoding,
            resumable=False,
        )
        return _render_growth(request, read, climb, on_progress)
    kept = [output.with_stem(f"{output.stem}-{n:06d}") for n in between]
    for path in kept:
        output_paths.check_picture(path, overwrite)

    def keep(step: StillProgress) -> None:
        read.save(kept[between.index(step.done)], step.image(), {}, wanted.quality)

    image, losses = climb(keep)
    read.save(output, image, {} if wanted.strip_metadata else format_recipe(look), wanted.quality)
    notes = (*read.notes, *collect_look_notes(look))
    if output.suffix.lower() in LIGHT_ENDINGS and not wanted.strip_metadata:
        notes += ("the look is not recorded in the picture: EXR has no place for it",)
    return RenderResult(output, 1, losses, notes, kept=tuple(kept))


def check_image_output(
    output: Path, wanted: OutputSettings, every: int | None, overwrite: bool
) -> None:
    """Refuse, before any work, an output that cannot or must not be written.

    Args:
        output: The picture, or a film of the dream growing.
        wanted: Output settings.
        every: As for ``dream_image``.
        overwrite: Whether to replace an existing output.

    Raises:
        UsageError: It cannot or must not be written.
    """
    if output.is_dir():
        raise UsageError(
            f"{output}: is a folder; choose another name, or {output}/ to write into it"
        )
    is_film = not output_paths.is_picture(output)
    if is_film and not every:
        raise UsageError(
            f"{output}: a picture ends in {', '.join(STILL_ENDINGS)}; "
            "for a film of the dream growing add --every N"
        )
    if every is not None and every < 1:
        raise UsageError(f"--every {every}: keep the picture at every 1 or more steps")
    if is_film:
        check_output(output, make_encode_options(wanted, overwrite=overwrite))
    else:
        check_still(output, wanted)
        output_paths.check_picture(output, overwrite)


def _read_photo(
    photo: Path, output: Path, wanted: OutputSettings, size: str | None, machine: MachineSettings
) -> Photo:
    try:
        return read_photo(photo, output, wanted, size, machine.most_bytes)
    except MediaError:
        if shows_film(photo):
            line = f"{photo}: not an image but a film; dream it with 'dreamvideo video'"
            raise MediaError(line) from None
        raise


def _render_growth(
    request: JobRequest,
    read: Photo,
    climb: Callable[[OnStep], tuple[Image, tuple[float, ...]]],
    on_progress: OnProgress,
) -> RenderResult:
    """Make the film of a dream growing, from the picture itself to the last step."""
    losses: tuple[float, ...] = ()

    def dream(job: Job) -> StoredFilm:
        nonlocal losses
        (part,) = job.segment_stores()

        def add(image: Image) -> None:
            time = part.count / GROWTH_RATE
            part.add(to_bytes(image), time, 1 / GROWTH_RATE, alpha=read.alpha_bytes)

        add(read.image)
        image, losses = climb(lambda step: add(step.image()))
        add(image)
        further = collect_look_notes(job.manifest.decoded_look)
        return StoredFilm(part.frames, part.records, GROWTH_RATE, notes=(*read.notes, *further))

    made = run_job(request, dream, on_progress)
    return replace(made, losses=losses, seconds=())
