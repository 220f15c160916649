"""The preview process: receives requests and sends pictures; keeps the network loaded.

A newer request cancels the current one at its next step.
"""

from __future__ import annotations

import os
import shutil
import time
from collections import OrderedDict
from contextlib import suppress
from dataclasses import dataclass, field, replace
from fractions import Fraction
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np

from dreamvideo import cancel
from dreamvideo.dream.gradient_ascent import Image
from dreamvideo.errors import DreamVideoError
from dreamvideo.formatting import format_seconds
from dreamvideo.imaging import shrink_to_area
from dreamvideo.media.pixels import to_bytes, to_float
from dreamvideo.media.preview_encoder import store_excerpt
from dreamvideo.media.probe import probe
from dreamvideo.media.read import ReadOptions, read_frame_at
from dreamvideo.media.stills import Pixels
from dreamvideo.render.child_process import set_up_child
from dreamvideo.render.frames.kept_planners import KeptPlanners
from dreamvideo.render.frames.planner import FilmSpan, freeze_look, make_planner
from dreamvideo.render.image import StillProgress, dream_still
from dreamvideo.render.job.job import job_folder
from dreamvideo.render.preview import MOST_RATE, dream_excerpt
from dreamvideo.render.progress import OnProgress, Progress
from dreamvideo.render.zoom.render import zoom
from dreamvideo.schedules import SOUNDS, TimePoint
from dreamvideo.settings import Look, MachineSettings, look_from_values, make_output
from dreamvideo.settings.curves import freeze_at
from dreamvideo.settings.derive import derive_look
from dreamvideo.studio import messages

FILM_WIDTH = 256
_MOST_SOURCE = 5_000_000
# Seconds between pictures of a dream that grows; more often would cost more than it shows.
BETWEEN = 0.3
# Compiled planners, and source frames, that are kept for the next request.
KEPT = 6
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
    planners: KeptPlanners = field(default_factory=lambda: KeptPlanners(KEPT))
    kept: OrderedDict[Any, Pixels] = field(default_factory=OrderedDict)

    def warm_up(self) -> None:
        """Load TensorFlow and the network before the first request."""
        planner = make_planner(freeze_look(Look()), FilmSpan((64, 64)))
        look = derive_look(Look(), {"dream": {"octaves": 1, "steps": 1}})
        dream_still(replace(planner, look=freeze_look(look)), np.zeros((96, 96, 3), np.float32))
        self.say(messages.Loaded())

    def say(self, answer: messages.Answer) -> None:
        self.pipe.send(answer)

    def check(self) -> None:
        """Cancel the current request if a newer one has arrived."""
        if self.pipe.poll():
            raise _SupersededError

    def serve(self, wanted: messages.Wanted) -> None:
        """Serve the newest request; any failure is reported in one line."""
        while self.pipe.poll():
            wanted = self.pipe.recv()
        try:
            if isinstance(wanted, messages.PictureWanted):
                self.picture(wanted)
            elif isinstance(wanted, messages.FilmWanted):
                self.film(wanted)
        except _SupersededError:
            pass
        except DreamVideoError as error:
            self.say(messages.Failed(wanted.ticket, str(error)))
        except MemoryError:
            self.say(messages.Failed(wanted.ticket, "out of memory: choose a smaller picture"))
        except Exception as error:
            words = " ".join(str(error).split())[:200]
            self.say(messages.Failed(wanted.ticket, f"unexpected {type(error).__name__}: {words}"))

    def picture(self, wanted: messages.PictureWanted) -> None:
        """Send one frame: the source, then its dream as it grows."""
        source = self.frame_at(wanted.path, wanted.at, wanted.pixels)
        self.say(messages.SourceSeen(wanted.ticket, messages.encode_picture(source)))
        self.check()
        moment = TimePoint(wanted.moment, max(wanted.length, 1e-3), 25.0, HEARD)
        look = freeze_look(freeze_at(look_from_values(wanted.values), moment))
        image = to_float(source)
        planner = self.planners.get(look, (image.shape[1], image.shape[0]))
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
        picture = messages.encode_picture(to_bytes(image))
        self.say(messages.PictureGrown(ticket, picture, done, total))

    def film(self, wanted: messages.FilmWanted) -> None:
        """Render a short film."""

        def on_progress(progress: Progress) -> None:
            self.check()
            self.say(messages.FilmGrown(wanted.ticket, progress))

        output = messages.moving_path(wanted.folder, wanted.ticket)
        try:
            self._render(wanted, output, on_progress)
        finally:
            # It will not be resumed.
            shutil.rmtree(job_folder(output), ignore_errors=True)
        self.say(messages.FilmMade(wanted.ticket))

    def _render(self, wanted: messages.FilmWanted, output: Path, on_progress: OnProgress) -> None:
        look, sound = look_from_values(wanted.values), make_output(**wanted.sound)
        width, height = _small(*self.frame_at(wanted.path, 0.0).shape[1::-1])
        how: dict[str, Any] = {"size": f"{width}x{height}", "overwrite": True}
        how |= {"machine": MachineSettings(workers="1"), "on_progress": on_progress}
        if wanted.zooms:
            short = derive_look(look, {"zoom": {"seconds": wanted.seconds}})
            at = None if wanted.at is None else format_seconds(wanted.at)
            zoom(wanted.path, output, short, sound, at=at, fps=str(MOST_RATE), **how)
            return
        info, seconds = probe(wanted.path), Fraction(wanted.seconds)
        latest = max(Fraction(0), info.duration - seconds)
        begin = min(Fraction(wanted.at or 0.0).limit_denominator(1000), latest)
        end, rate = begin + seconds, min(MOST_RATE, info.rate)
        source = messages.moving_path(wanted.folder, wanted.ticket, "source")
        part = ReadOptions(begin, end, (width, height), rate)
        # The dream is shown without its source if that cannot be stored.
        with suppress(DreamVideoError):
            store_excerpt(source, wanted.path, part, most_bytes=_MOST_SOURCE)
        dream_excerpt(wanted.path, output, look, sound, begin, end, fps=str(rate), **how)

    def frame_at(self, path: Path, at: float, pixels: int = messages.MOST_PIXELS) -> Pixels:
        """Return a source frame at the size of a preview."""
        key = (path, round(at, 3), pixels)
        if key not in self.kept:
            self.kept[key] = shrink_to_area(read_frame_at(path, at), pixels)
        self.kept.move_to_end(key)
        while len(self.kept) > KEPT:
            self.kept.popitem(last=False)
        return self.kept[key]


def _small(width: int, height: int) -> tuple[int, int]:
    """Return (width, height) of a short film: even sides, none too short for the network."""
    scale = min(1.0, max(FILM_WIDTH / width, 100 / min(width, height)))
    return max(2, round(width * scale / 2) * 2), max(2, round(height * scale / 2) * 2)
