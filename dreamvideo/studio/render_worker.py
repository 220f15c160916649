"""The render process: runs one order with the same functions as the command line."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from dreamvideo import cancel
from dreamvideo.errors import DreamVideoError, left
from dreamvideo.formatting import format_seconds
from dreamvideo.media.pixels import to_bytes
from dreamvideo.render.child_process import set_up_child
from dreamvideo.render.image import OnStep, StillProgress, dream_image
from dreamvideo.render.progress import OnProgress, Progress
from dreamvideo.render.result import RenderResult
from dreamvideo.render.video import dream_video
from dreamvideo.render.zoom.render import ZOOM_FPS, zoom
from dreamvideo.settings import look_from_values, make_output
from dreamvideo.studio.form_state import Choice
from dreamvideo.studio.messages import encode_picture

# Seconds between pictures of a still that grows.
BETWEEN = 1.0


@dataclass(frozen=True)
class Order:
    """A render to run.

    Attributes:
        choice: What is rendered.
        source: The clip or picture.
        output: The film or picture to make.
        values: The look's.
        wanted: Output settings that the page does not offer, of a render begun elsewhere.
        request: Its request, as in a manifest.
    """

    choice: Choice
    source: Path
    output: Path
    values: Mapping[str, Any]
    wanted: Mapping[str, Any] = field(default_factory=dict)
    request: Mapping[str, str | None] = field(default_factory=dict)


@dataclass(frozen=True)
class Done:
    """The file is complete."""

    frames: int
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Broken:
    """The render failed: why, and what it has left to resume from."""

    line: str
    kept: str


@dataclass(frozen=True)
class Grown:
    """A still picture so far, small, as JPEG."""

    picture: bytes


@dataclass(frozen=True)
class Left:
    """The render was asked to end; ``kept`` says what it has left to resume from."""

    kept: str


Message = Progress | Grown | Done | Broken | Left


def run_render_worker(pipe: Connection, order: Order) -> None:
    """Run an order and report its progress."""
    set_up_child()
    last = 0.0

    def grow(step: StillProgress) -> None:
        nonlocal last
        if time.monotonic() - last > BETWEEN:
            pipe.send(Grown(encode_picture(to_bytes(step.image()))))
            last = time.monotonic()

    try:
        made = run_order(order, pipe.send, grow)
        pipe.send(Done(made.frames, made.notes))
    except cancel.Interrupted as stop:
        _send(pipe, Left(left(stop)))
    except BrokenPipeError:
        return
    except DreamVideoError as error:
        _send(pipe, Broken(str(error), left(error)))
    except MemoryError as error:
        _send(pipe, Broken("out of memory: choose a smaller size", left(error)))
    except Exception as error:
        words = " ".join(str(error).split())[:300]
        _send(pipe, Broken(f"unexpected {type(error).__name__}: {words}", left(error)))


def run_order(order: Order, on_progress: OnProgress, on_step: OnStep | None = None) -> RenderResult:
    """Render an order. Raises DreamVideoError."""
    choice, look = order.choice, look_from_values(order.values)
    wanted, begun = make_output(**{**order.wanted, **choice.sound}), order.request
    files, size = (order.source, order.output, look), choice.size
    if choice.kind == "image":
        return dream_image(*files, size=size, on_progress=on_progress, on_step=on_step)

    def time_of(name: str, seconds: float | None) -> str | None:
        return begun.get(name) or (None if seconds is None else format_seconds(seconds))

    if choice.kind == "zoom":
        return zoom(
            *(*files, wanted),
            size=size,
            to=begun.get("to") or (None if choice.loop else choice.to),
            loop=bool(begun.get("loop")) or choice.loop,
            at=time_of("at", choice.at),
            fps=choice.fps or ZOOM_FPS,
            on_progress=on_progress,
        )
    return dream_video(
        *(*files, wanted),
        size=size,
        start=time_of("start", choice.start),
        end=time_of("end", choice.end),
        fps=choice.fps,
        hold_gaps=bool(begun.get("hold_gaps")),
        fit=begun.get("fit"),
        on_progress=on_progress,
    )


def _send(pipe: Connection, message: Message) -> None:
    try:
        pipe.send(message)
    except OSError:
        return
