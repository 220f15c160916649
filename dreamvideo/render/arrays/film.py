"""A film as one call: frames in, frames out, one after another."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Generator, Iterable, Iterator, Sized
from contextlib import closing
from fractions import Fraction
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dreamvideo.arguments import check_arguments
from dreamvideo.dream.dream_objective import DreamObjective, Value
from dreamvideo.errors import UsageError
from dreamvideo.media.read import Frame
from dreamvideo.media.stills import to_depth
from dreamvideo.parsing import parse_rate, parse_size
from dreamvideo.render.arrays.dreamers import reuse_dreamers
from dreamvideo.render.arrays.masks import FrameMasks, Masks
from dreamvideo.render.arrays.pixels import ArrayPicture, read_array, resize_picture
from dreamvideo.render.dream_size import choose_dream_size
from dreamvideo.render.encode import deepen
from dreamvideo.render.frames.pipeline import (
    AHEAD,
    DreamedFrame,
    check_schedules,
    dream_film,
    make_span_camera,
    match_first,
)
from dreamvideo.render.frames.planner import FilmSpan, MakeDreamer, make_planner
from dreamvideo.render.planning.worker_count import count_cores
from dreamvideo.render.precision import settle_precision
from dreamvideo.render.progress import OnProgress, Progress, silent
from dreamvideo.settings import Look, MachineSettings
from dreamvideo.settings.keywords import Presets, make_keyword_look, take_settings

GROUPS = ("dream", "coherence", "mask", "colour", "camera")


@take_settings(*GROUPS)
def dream_frames(  # noqa: PLR0913  (public: one keyword per choice)
    frames: Iterable[NDArray[Any]],
    preset: Presets | None = None,
    *,
    look: Look | None = None,
    fps: str | float | Fraction = 25,
    count: int | None = None,
    size: str | None = None,
    masks: Masks | None = None,
    objective: DreamObjective | Value | None = None,
    on_frame: OnProgress | None = None,
    **settings: Any,
) -> Generator[NDArray[Any], None, None]:
    """Dream the frames of a film as they come, each carried along from the one before.

    They are what ``dream_video`` makes of the same pixels. Frames are taken one ahead of the dream,
    in a thread of their own, and none is kept longer than the next ones need it. If you stop before
    the last one, close the result (``contextlib.closing``) or drop it.

    Args:
        frames: Arrays of one size, H x W, or H x W x 1 to 4 (RGB, not OpenCV's BGR), of uint8,
            uint16, or floats from 0 to 1: a list, a generator, ``imageio.v3.imiter``.
        preset: Name of a preset or a TOML file, or a list of them: later ones override earlier
            ones.
        look: A look to start from, in place of a preset.
        fps: Frames per second, which schedules, cameras and masks of motion go by.
        count: Number of frames, needed only where settings refer to the end of the film; None:
            ``len(frames)``, if it has one.
        size: Size of the result, ``640x360``, ``640``, ``x360`` or ``50%``; None: the frames' own.
        masks: Where to dream: one H x W array for all frames, or an iterable of one for each, of
            bool, uint8, uint16, or floats from 0 to 1.
        objective: What to dream in place of layers, classes and guide: a ``DreamObjective``, or a
            function from activations to a scalar tensor.
        on_frame: Called with the progress after each frame.
        settings: Changes to the look, by the names of the options of ``dreamvideo video``.

    Yields:
        Every frame, dreamt, with the channels and the type of the frame that came.

    Raises:
        UsageError: The arguments make no sense, at once; or a frame does, when it is its turn.
        MediaError: A file cannot be read.
        WeightsError: The weights cannot be loaded.

    Example:
        >>> import numpy as np
        >>> from dreamvideo import dream_frames
        >>> moving = (np.roll(np.eye(48, 64, dtype=np.float32), n, axis=1) for n in range(3))
        >>> film = dream_frames(moving, preset="towers", steps=1, octaves=1, fps=10)
        >>> [(frame.shape, frame.dtype.name) for frame in film]
        [((48, 64), 'float32'), ((48, 64), 'float32'), ((48, 64), 'float32')]
    """
    check_arguments(dream_frames, locals())
    asked = make_keyword_look("dream_frames", GROUPS, preset, look, settings)
    wanted, machine, _ = settle_precision(*asked, "film")
    if wanted.coherence.passes > 1:
        raise UsageError(
            "dream_frames: a second pass runs backwards from the last frame: dream a file with "
            "dream_video, or leave out passes"
        )
    if wanted.sounds:
        raise UsageError(
            "dream_frames: frames have no sound for audio:, beat and bar to follow; dream_video "
            "has the clip's, or --sound's"
        )
    if masks is not None and wanted.mask.mask is not None:
        raise UsageError("dream_frames: give masks or mask, not both")
    if count is not None and count < 1:
        raise UsageError(f"dream_frames: count must be 1 or more, not {count}")
    if count is None and isinstance(frames, Sized):
        count = len(frames)
    rate = read_rate(fps)
    _check_length(wanted, count)
    make = reuse_dreamers(objective)
    film = _Film(
        wanted,
        machine,
        rate,
        math.inf if count is None else float(count / rate),
        size,
        None if masks is None else FrameMasks(masks),
        make,
    )
    return film.dream(iter(frames), silent if on_frame is None else on_frame, count)


def read_rate(fps: str | float | Fraction) -> Fraction:
    """Return frames per second as an exact number; 29.97 means 30000/1001. Raises UsageError."""
    if isinstance(fps, Fraction):
        return parse_rate(str(fps))
    return parse_rate(fps if isinstance(fps, str) else f"{fps:.6f}".rstrip("0").rstrip("."))


class _Film:
    """Everything about a film that is known before its first frame."""

    def __init__(
        self,
        look: Look,
        machine: MachineSettings,
        rate: Fraction,
        length: float,
        size: str | None,
        masks: FrameMasks | None,
        make: MakeDreamer,
    ) -> None:
        self._look, self._machine = look, machine
        self._rate, self._length = rate, length
        self._size, self._masks, self._make = size, masks, make
        self._waiting: deque[ArrayPicture] = deque()
        # (width, height) of the frames that come, and of those that leave.
        self._sizes: tuple[tuple[int, int], tuple[int, int]] | None = None

    def dream(
        self, given: Iterator[NDArray[Any]], on_frame: OnProgress, count: int | None
    ) -> Generator[NDArray[Any], None, None]:
        frames = self._read(given)
        if self._masks is not None:
            frames = self._masks.attach(frames)
        first = next(frames, None)
        if first is None:
            return
        height, width = first.pixels.shape[:2]
        size = choose_dream_size(self._look.dream.dream_size, (width, height))
        span = FilmSpan(size, self._rate, Fraction(0), self._length, (width, height))
        camera = make_span_camera(self._look, span)
        planner = make_planner(
            self._look,
            span,
            machine=self._machine,
            mask=None if self._masks is None else self._masks.open,
            make=self._make,
        )
        try:
            check_schedules(planner)
            if planner.needs_first:
                planner = match_first(planner, first, camera)
            ahead = AHEAD if count_cores(self._machine) > 1 else 0
            film = dream_film(chain([first], frames), planner, camera, ahead=ahead)
            # What is held here would keep the caller's frames open after this is closed.
            del frames, first, given
            with closing(film):
                for dreamt in film:
                    made = self._finish(dreamt)
                    on_frame(Progress("dreaming", "frame", dreamt.index + 1, count, dreamt.loss))
                    yield made
        finally:
            planner.close()

    def _read(self, given: Iterator[NDArray[Any]]) -> Iterator[Frame]:
        for index, array in enumerate(given):
            # A copy, since many readers reuse one buffer and this is one frame ahead of the dream.
            own = np.array(array) if hasattr(array, "__array__") else array
            picture = self._fit(read_array(own, f"frame {index}"), index)
            self._waiting.append(picture)
            yield Frame(
                index,
                index / self._rate,
                1 / self._rate,
                np.asarray(to_depth(picture.pixels, 8), np.uint8),
                deep=picture.pixels if picture.is_deep else None,
                alpha=picture.alpha,
            )

    def _fit(self, picture: ArrayPicture, index: int) -> ArrayPicture:
        """Return a frame at the size of the film; all must come in one size."""
        if self._sizes is None:
            size = picture.size if self._size is None else parse_size(self._size, *picture.size)
            self._sizes = picture.size, size
        came, leaves = self._sizes
        if picture.size != came:
            raise UsageError(
                f"frame {index} has {picture.size[0]} x {picture.size[1]} pixels, the first one "
                f"{came[0]} x {came[1]}: pass frames of one size"
            )
        return resize_picture(picture, leaves)

    def _finish(self, dreamt: DreamedFrame) -> NDArray[Any]:
        frame, picture = dreamt.frame, self._waiting.popleft()
        assert frame is not None
        pixels: NDArray[Any] = dreamt.pixels
        if frame.deep is not None:
            pixels = deepen(dreamt.pixels, frame.pixels, frame.deep)
        # A camera shows other pixels than those that came.
        stays = (
            self._look.camera.is_still
            and self._sizes is not None
            and self._sizes[0] == self._sizes[1]
        )
        return picture.restore(pixels, frame.alpha, picture.pixels if stays else None)


def _check_length(look: Look, count: int | None) -> None:
    """Refuse settings that depend on the film's length if that is not known."""
    if count is None and look.length_terms:
        name, text = next(iter(look.length_terms.items()))
        raise UsageError(
            f"dream_frames: {name} {text!r} refers to the end of the film: pass count, the "
            "number of frames"
        )
