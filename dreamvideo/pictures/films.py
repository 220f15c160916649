"""Make the GIFs and strips that show films and zooms."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from dreamvideo.dream.gradient_ascent import Image
from dreamvideo.gallery.contact_sheet import Pixels
from dreamvideo.imaging import shrink_to_width
from dreamvideo.media.pixels import to_bytes, to_float
from dreamvideo.media.read import open_source
from dreamvideo.pictures.clone import Clone
from dreamvideo.render.frames.planner import FilmSpan, freeze_look, make_planner
from dreamvideo.render.image import dream_still
from dreamvideo.settings import make_look

LOOPS = ("cups", "cats", "rings")
# Frames of the sample clip: the bunny crouches, rises, stands.
STRIP = (4, 60, 110)
STRIP_WIDTH = 320
# Consecutive frames while he rises; earlier ones are dreamt too, so that there is a dream to carry.
FIRST, LAST = 34, 46
SHOWN = (36, 39, 42, 45)
COHERENCE_WIDTH = 320
BLENDED = 0.5


def make_bunny_strip(clone: Clone) -> None:
    """Make three frames of the sample clip above their dreams."""
    rows = [
        np.hstack([shrink_to_width(frames[index], STRIP_WIDTH) for index in STRIP])
        for frames in (_frames(clone.sample("bunny.mp4")), _frames(clone.bunny()))
    ]
    clone.save("samples/showcase/bunny-strip.jpg", np.vstack(rows))


def make_bunny_gif(clone: Clone) -> None:
    """Make the GIF of the dreamt clip."""
    clone.dream_as_promised("samples/showcase/bunny.gif")


def make_zoom_gif(clone: Clone) -> None:
    """Make the GIF of a zoom."""
    clone.dream_as_promised("samples/showcase/zoom.gif")


def make_loops(clone: Clone) -> None:
    """Make the zooms that loop."""
    for name in LOOPS:
        clone.dream_as_promised(f"samples/loops/{name}.gif")


def make_coherence(clone: Clone) -> None:
    """Make four frames of a clip: the source, and its dream made in three ways."""
    part = ("--start", f"{FIRST}f", "--end", f"{LAST}f", "--size", str(COHERENCE_WIDTH))
    source = _read_sized_frames(clone.sample("bunny.mp4"))[FIRST:LAST]
    alone = clone.film("alone.mp4", "video", "samples/bunny.mp4", *part, "--coherence", "0")
    ours = clone.film("coherent.mp4", "video", "samples/bunny.mp4", *part)
    rows = (
        ("source", source),
        ("each frame alone", _frames(alone)),
        ("blended with the last, no flow", list(_dream_blended(source))),
        ("dreamvideo video", _frames(ours)),
    )
    tiles = [
        (words if index == SHOWN[0] else "", frames[index - FIRST])
        for words, frames in rows
        for index in SHOWN
    ]
    clone.save_sheet("samples/showcase/coherence.jpg", tiles, len(SHOWN))


def _dream_blended(frames: list[Pixels]) -> Iterator[Pixels]:
    """Yield the naive way: each frame is dreamt over a mixture of itself and the last dream."""
    look = freeze_look(make_look())
    last: Image | None = None
    for pixels in frames:
        image = to_float(pixels)
        height, width = image.shape[:2]
        start = image if last is None else (1 - BLENDED) * image + BLENDED * last
        planner = make_planner(look, FilmSpan((width, height)))
        last = dream_still(planner, np.asarray(start, np.float32)).image
        yield to_bytes(last)


def _read_sized_frames(path: Path) -> list[Pixels]:
    return [shrink_to_width(frame, COHERENCE_WIDTH) for frame in _frames(path)]


def _frames(path: Path) -> list[Pixels]:
    with open_source(path) as source:
        return [frame.pixels for frame in source]
