"""A zoom as one call: picture in, frames out."""

from __future__ import annotations

from collections.abc import Generator
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dreamvideo.arguments import check_arguments
from dreamvideo.dream.dream_objective import DreamObjective, Value
from dreamvideo.errors import UsageError
from dreamvideo.media.stills import flatten, to_depth
from dreamvideo.render.arrays.dreamers import reuse_dreamers
from dreamvideo.render.arrays.film import read_rate
from dreamvideo.render.arrays.pixels import Picture, convert_bytes, read_picture
from dreamvideo.render.precision import settle_precision
from dreamvideo.render.progress import OnProgress, Progress, silent
from dreamvideo.render.zoom.loop_rate import is_zooming_out
from dreamvideo.render.zoom.prepare import prepare_zoom
from dreamvideo.render.zoom.render import choose_loop_rate, dream_zoom
from dreamvideo.render.zoom.stages import make_stage_dreamers
from dreamvideo.render.zoom.start_image import fit_to_size, make_start_image
from dreamvideo.settings import Look
from dreamvideo.settings.keywords import Presets, make_keyword_look, take_settings

GROUPS = ("dream", "zoom")


@take_settings(*GROUPS)
def zoom_frames(  # noqa: PLR0913  (public: one keyword per choice)
    image: Picture | None,
    preset: Presets | None = None,
    *,
    look: Look | None = None,
    fps: str | float | Fraction = 25,
    size: str | None = None,
    to: Picture | None = None,
    loop: bool = False,
    objective: DreamObjective | Value | None = None,
    on_frame: OnProgress | None = None,
    **settings: Any,
) -> Generator[NDArray[Any], None, None]:
    """Zoom into the dream of a picture or of noise, frame after frame.

    The frames are those of ``zoom``. Only the last one is kept, except in a loop that zooms out:
    it is dreamt from its end to its beginning, and given when it is complete.

    Args:
        image: A picture as ``dream`` takes it; what is transparent becomes black. None: noise.
        preset: Name of a preset or a TOML file, or a list of them: later ones override earlier
            ones.
        look: A look to start from, in place of a preset.
        fps: Frames per second.
        size: Size of the frames, ``640x360``, ``640``, ``x360`` or ``50%``, made even; None: the
            picture's shape, at most 640 pixels wide or high.
        to: A picture that the zoom arrives at in its last frame.
        loop: Whether the last frame leads back into the first one.
        objective: What to dream in place of layers, classes and guide: a ``DreamObjective``, or a
            function from activations to a scalar tensor.
        on_frame: Called with the progress after each frame.
        settings: Changes to the look, by the names of the options of ``dreamvideo zoom``.

    Yields:
        Every frame, H x W x 3 RGB, of the type of ``image``; uint8 from noise.

    Raises:
        UsageError: The arguments make no sense.
        MediaError: A file cannot be read.
        WeightsError: The weights cannot be loaded.

    Example:
        >>> from dreamvideo import zoom_frames
        >>> film = zoom_frames(None, "towers", size="64x48", seconds=0.2, fps=10, steps=1)
        >>> [frame.shape for frame in film]
        [(48, 64, 3), (48, 64, 3)]
    """
    check_arguments(zoom_frames, locals())
    if loop and to is not None:
        raise UsageError("a loop returns to its own beginning: give loop or to, not both")
    asked = make_keyword_look("zoom_frames", GROUPS, preset, look, settings)
    wanted, machine, _ = settle_precision(*asked, "zoom")
    rate = read_rate(fps)
    make = reuse_dreamers(objective)
    picture, dtype = None, np.dtype(np.uint8)
    if image is not None:
        picture, dtype = _read_opaque(image, "image")
    goal = None if to is None else _read_opaque(to, "to")[0]
    start = make_start_image(picture, size, wanted.dream.seed)
    if loop:
        wanted = choose_loop_rate(wanted, rate, start)
    height, width = start.shape[:2]

    listen = silent if on_frame is None else on_frame

    def run() -> Generator[NDArray[Any], None, None]:
        parts = make_stage_dreamers(wanted, height, width, machine, make)
        arrives = None if goal is None else fit_to_size(goal, width, height)
        plan = prepare_zoom(start, parts, wanted.zoom, rate, closed=loop, goal=arrives, look=wanted)
        made: list[NDArray[Any]] = []
        backwards = plan.closed and is_zooming_out(plan.settings, plan.rate)
        for dreamt in dream_zoom(plan):
            listen(Progress("dreaming", "frame", dreamt.index + 1, plan.count, dreamt.loss))
            frame = convert_bytes(dreamt.pixels, dtype)
            if backwards:
                made.append(frame)
            else:
                yield frame
        yield from reversed(made)

    return run()


def _read_opaque(picture: Picture, name: str) -> tuple[NDArray[np.uint8], np.dtype[Any]]:
    """Return a picture's 8-bit pixels, composited over black, and the type that it came in."""
    read = read_picture(picture, name)
    over = flatten(read.pixels, read.alpha, (0, 0, 0))
    return np.asarray(to_depth(over, 8), np.uint8), read.given.dtype
