"""The preview process: receives requests and sends pictures; keeps the network loaded.

A newer request cancels the current one at its next step.
"""

from __future__ import annotations

import os
import shutil
import time
from collections import OrderedDict
from dataclasses import dataclass, field, replace
from fractions import Fraction
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dreamvideo import cancel
from dreamvideo.dream.gradient_ascent import Image
from dreamvideo.errors import DreamVideoError
from dreamvideo.formatting import format_seconds
from dreamvideo.imaging import shrink_to_area
from dreamvideo.media.pixels import to_bytes, to_float
from dreamvideo.media.preview_encoder import Proxy
from dreamvideo.media.probe import probe
from dreamvideo.media.read import ReadOptions, open_source, read_frame_at
from dreamvideo.media.soundtrack import open_sound_file
from dreamvideo.render.child_process import set_up_child
from dreamvideo.render.frames.planner import FilmSpan, FramePlanner, freeze_look, make_planner
from dreamvideo.render.image import StillProgress, dream_still
from dreamvideo.render.job.job import job_folder
from dreamvideo.render.preview import MOST_RATE
from dreamvideo.render.progress import OnProgress, Progress
from dreamvideo.render.video import dream_video
from dreamvideo.render.zoom.render import zoom
from dreamvideo.schedules import SOUNDS, TimePoint
from dreamvideo.settings import Look, MachineSettings, look_from_values, make_output
from dreamvideo.settings.derive import derive_look
from dreamvideo.settings.terms import ARROW, TIMELINES
from dreamvideo.studio.messages import (
    MOST_PIXELS,
    Answer,
    Failed,
    FilmGrown,
    FilmMade,
    FilmWanted,
    PictureGrown,
    PictureWanted,
    Ready,
    SourceSeen,
    Wanted,
    encode_picture,
    moving_path,
)

FILM_WIDTH = 256
_MOST_SOURCE = 5_000_000
# Seconds between pictures of a dream that grows; more often would cost more than it shows.
BETWEEN = 0.3
# Compiled planners, and source frames, that are kept for the next request.
KEPT = 6
# Numbers of a look that are not compiled: ``Dreamer.at`` takes them as they are.
_FREE = ("octaves", "octave_scale", "steps", "step_size", "jitter", "strength", "seed")
# A preview does not decode a clip's sound: a look that follows it is shown as if it were fairly
# loud.
HEARD = dict.fromkeys(SOUNDS, 0.5)


class _SupersededError(Exception):
    """A newer request has arrived."""


def run_preview_worker(pipe: Connection, background: bool = False) -> None:
    """Answer requests until the pipe is closed or this process is asked to end.

    In the ``background`` it leaves the processors to everything else.
    """
    set_up_child()
    if background and hasattr(os, "nice"):
        os.nice(19)
    try:
        studio = _Dreaming(pipe)
        studio.warm_up()
        while True:
            studio.serve(cancel.wait_for_message(pipe))
    except (cancel.Interrupted, EOFError, BrokenPipeError):
        return


@dataclass
class _Dreaming:
    pipe: Connection
    directors: OrderedDict[Any, FramePlanner] = field(default_factory=OrderedDict)
    kept: OrderedDict[Any, NDArray[np.uint8]] = field(default_factory=OrderedDict)

    def warm_up(self) -> None:
        """Load the network and compile the usual step before the first request."""
        planner = make_planner(freeze_look(Look()), FilmSpan((64, 64)))
        look = derive_look(Look(), {"dream": {"octaves": 1, "steps": 1}})
        dream_still(replace(planner, look=freeze_look(look)), np.zeros((96, 96, 3), np.float32))
        self.say(Ready())

    def say(self, answer: Answer) -> None:
        self.pipe.send(answer)

    def check(self) -> None:
        """Cancel the current request if a newer one has arrived."""
        if self.pipe.poll():
            raise _SupersededError

    def serve(self, wanted: Wanted) -> None:
        """Serve the newest request; any failure is reported in one line."""
        while self.pipe.poll():
            wanted = self.pipe.recv()
        try:
            if isinstance(wanted, PictureWanted):
                self.picture(wanted)
            elif isinstance(wanted, FilmWanted):
                self.film(wanted)
        except _SupersededError:
            pass
        except DreamVideoError as error:
            self.say(Failed(wanted.ticket, str(error)))
        except MemoryError:
            self.say(Failed(wanted.ticket, "out of memory: choose a smaller picture"))
        except Exception as error:
            words = " ".join(str(error).split())[:200]
            self.say(Failed(wanted.ticket, f"unexpected {type(error).__name__}: {words}"))

    def picture(self, wanted: PictureWanted) -> None:
        """Send one frame: the source, then its dream as it grows."""
        source = self.frame_at(wanted.path, wanted.at, wanted.pixels)
        self.say(SourceSeen(wanted.ticket, encode_picture(source)))
        self.check()
        moment = TimePoint(wanted.moment, max(wanted.length, 1e-3), 25.0, HEARD)
        look = freeze_look(_at_moment(look_from_values(wanted.values), moment))
        image = to_float(source)
        planner = self.planner(look, image)
        last_sent = time.monotonic()

        def on_step(step: StillProgress) -> None:
            nonlocal last_sent
            self.check()
            late = time.monotonic() - last_sent > BETWEEN
            if step.done < step.total and (late or step.done == 1):
                self.send_picture(wanted.ticket, step.image(), step.done, step.total)
                last_sent = time.monotonic()

        dreamt = dream_still(planner, image, on_step)
        total = max(1, len(dreamt.losses))
        self.send_picture(wanted.ticket, dreamt.image, total, total)

    def send_picture(self, ticket: int, image: Image, done: int, total: int) -> None:
        self.say(PictureGrown(ticket, encode_picture(to_bytes(image)), done, total))

    def film(self, wanted: FilmWanted) -> None:
        """Render a short film."""

        def on_progress(progress: Progress) -> None:
            self.check()
            self.say(FilmGrown(wanted.ticket, progress))

        output = moving_path(wanted.folder, wanted.ticket)
        try:
            self._render(wanted, output, on_progress)
        finally:
            # It will not be resumed.
            shutil.rmtree(job_folder(output), ignore_errors=True)
        self.say(FilmMade(wanted.ticket))

    def _render(self, wanted: FilmWanted, output: Path, on_progress: OnProgress) -> None:
        look = look_from_values(wanted.values)
        one = MachineSettings(workers="1")
        width, height = _small(*self.size_of(wanted.path))
        size = f"{width}x{height}"
        if wanted.zooms:
            short = derive_look(look, {"zoom": {"seconds": wanted.seconds}})
            zoom(
                wanted.path,
                output,
                short,
                make_output(**wanted.sound),
                at=None if wanted.at is None else format_seconds(wanted.at),
                fps=str(MOST_RATE),
                size=size,
                overwrite=True,
                machine=one,
                on_progress=on_progress,
            )
        else:
            info = probe(wanted.path)
            latest = max(Fraction(0), info.duration - Fraction(wanted.seconds))
            begin = min(Fraction(wanted.at or 0.0).limit_denominator(1000), latest)
            sound = dict(wanted.sound)
            if sound:
                # As in the whole film, which the song begins with.
                sound["sound_start"] = float(begin % open_sound_file(sound["sound"]).length)
            rate = min(MOST_RATE, info.rate)
            part = ReadOptions(begin, begin + Fraction(wanted.seconds), (width, height), rate)
            _store_source(wanted, part)
            dream_video(
                wanted.path,
                output,
                look,
                make_output(**sound),
                start=f"{float(begin):.6f}",
                end=f"{float(begin) + wanted.seconds:.6f}",
                size=size,
                fps=str(rate),
                overwrite=True,
                machine=one,
                on_progress=on_progress,
            )

    def planner(self, look: Look, image: Image) -> FramePlanner:
        """Return a planner for this look, without compiling again what is already compiled."""
        height, width = image.shape[:2]
        values = look.model_dump(mode="json", include={"dream", "mask", "regions"})
        fixed = {name: value for name, value in values["dream"].items() if name not in _FREE}
        fixed["smooth"] = fixed["smooth"] > 0
        palette = look.colour.match_colour
        mask = values["mask"] if values["regions"] else None
        key = repr((fixed, mask, values["regions"], palette, width, height))
        made = self.directors.pop(key, None)
        if made is None:
            made = make_planner(look, FilmSpan((width, height)))
        elif made.look.mask != look.mask:
            # Each stroke of a brush is another mask of the same dream.
            (dreamer,) = made.dreamers
            made = make_planner(look, FilmSpan((width, height)), make=lambda *_: dreamer)
        self.directors[key] = made
        while len(self.directors) > KEPT:
            self.directors.popitem(last=False)[1].close()
        return replace(made, look=look)

    def frame_at(self, path: Path, at: float, pixels: int = MOST_PIXELS) -> NDArray[np.uint8]:
        """Return a source frame at the size of a preview."""
        key = (path, round(at, 3), pixels)
        if key not in self.kept:
            self.kept[key] = shrink_to_area(read_frame_at(path, at), pixels)
        self.kept.move_to_end(key)
        while len(self.kept) > KEPT:
            self.kept.popitem(last=False)
        return self.kept[key]

    def size_of(self, path: Path) -> tuple[int, int]:
        """Return (width, height) of the source frame."""
        height, width = self.frame_at(path, 0.0).shape[:2]
        return width, height


def _at_moment(look: Look, moment: TimePoint) -> Look:
    """Return a look as it is at a time: its layers, classes and networks too."""
    for name, read in TIMELINES.items():
        text = getattr(look.dream, name) or ""
        if ARROW in text:
            weighted = read(text).at(moment)
            # A network whose layers are all silent must not dream its own.
            heard = [f"{term}:{w:.6g}" for term, w in weighted if w or "," in look.dream.model]
            at_once = ",".join(heard or [weighted[0][0]])
            look = derive_look(look, {"dream": {name: at_once}})
    return look.at(moment)


def _store_source(wanted: FilmWanted, part: ReadOptions) -> None:
    """Store the part of the clip that is dreamt; the dream is shown without it if that fails."""
    path = moving_path(wanted.folder, wanted.ticket, "source")
    first: Fraction | None = None
    try:
        with (
            open_source(wanted.path, part) as source,
            Proxy(path, seconds=wanted.seconds, most_bytes=_MOST_SOURCE) as film,
        ):
            for frame in source:
                first = frame.time if first is None else first
                film.add(frame.pixels, frame.time - first)
    except DreamVideoError:
        path.unlink(missing_ok=True)


def _small(width: int, height: int) -> tuple[int, int]:
    """Return (width, height) of a short film: even sides, none too short for the network."""
    scale = min(1.0, max(FILM_WIDTH / width, 100 / min(width, height)))
    return max(2, round(width * scale / 2) * 2), max(2, round(height * scale / 2) * 2)
