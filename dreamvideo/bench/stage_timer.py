"""Where a render's time goes: its functions watched from outside, so that it stays as it is.

Each stage is some functions of the package, found where they are defined and replaced, for as long
as a render is watched, in every module that imported them. A stage's time is its own: what another
stage inside it takes is that one's. Stages that run on other threads count as well, so that the
shares of a render that overlaps them may add up to more than 1.
"""

from __future__ import annotations

import functools
import inspect
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any

# stage -> functions that are it: module:function or module:Class.method
STAGES = {
    "decode": ("media.read:Source.__iter__",),
    "flow": ("motion.flow:motion_between", "motion.flow:motions_between", "motion.cuts:is_cut"),
    "dream": ("dream.octaves:dream",),
    "warp and carry": (
        "render.frames.carry:start_shot",
        "render.frames.carry:propagate",
        "render.frames.interpolate:interpolate",
    ),
    "store": (
        "render.job.segment_store:SegmentSink.add",
        "render.job.segment_store:write_atomically",
    ),
    "encode": ("media.write:encode",),
}


CLIMB = "dream.gradient_ascent:GradientAscent.climb"


class Clock:
    """Seconds of every stage, on whatever thread, each without the stages inside it.

    ``pixels`` counts those of every gradient step.
    """

    def __init__(self) -> None:
        self.seconds = dict.fromkeys(STAGES, 0.0)
        self.pixels = 0
        self._lock = threading.Lock()
        self._inner = threading.local()

    @contextmanager
    def during(self, stage: str) -> Iterator[None]:
        """Count the block towards a stage."""
        outer = getattr(self._inner, "seconds", 0.0)
        self._inner.seconds = 0.0
        began = time.perf_counter()
        try:
            yield
        finally:
            whole = time.perf_counter() - began
            with self._lock:
                self.seconds[stage] += whole - self._inner.seconds
            self._inner.seconds = outer + whole

    def watching(self, stage: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function, its calls counted; where it gives an iterator, each of its turns too."""

        @functools.wraps(function)
        def watched(*given: Any, **named: Any) -> Any:
            with self.during(stage):
                result = function(*given, **named)
            return self._turns(stage, result) if hasattr(result, "__next__") else result

        return watched

    def counting(self, climb: Callable[..., Any]) -> Callable[..., Any]:
        """``GradientAscent.climb``, its steps counted."""
        shape = inspect.signature(climb)

        @functools.wraps(climb)
        def counted(*given: Any, **named: Any) -> Any:
            asked = shape.bind(*given, **named).arguments
            height, width = asked["image"].shape[:2]
            with self._lock:
                self.pixels += len(asked["shifts"]) * height * width
            return climb(*given, **named)

        return counted

    def _turns(self, stage: str, turns: Iterator[Any]) -> Iterator[Any]:
        end = object()
        while True:
            with self.during(stage):
                item = next(turns, end)
            if item is end:
                return
            yield item


@contextmanager
def watched() -> Iterator[Clock]:
    """Watch every stage for as long as the block runs."""
    clock = Clock()
    changes: list[tuple[str, Callable[[Any], Any]]] = [
        (name, functools.partial(clock.watching, stage))
        for stage, names in STAGES.items()
        for name in names
    ]
    undo: list[Callable[[], None]] = []
    for name, changed in (*changes, (CLIMB, clock.counting)):
        holder, original = _find(name)
        for place, attribute in _places(holder, original):
            undo.append(functools.partial(setattr, place, attribute, original))
            setattr(place, attribute, changed(original))
    try:
        yield clock
    finally:
        for each in undo:
            each()


def _find(name: str) -> tuple[Any, Any]:
    """What holds the function, and the function."""
    module, _, path = name.partition(":")
    holder: Any = import_module(f"dreamvideo.{module}")
    *classes, attribute = path.split(".")
    for each in classes:
        holder = getattr(holder, each)
    return holder, getattr(holder, attribute)


def _places(holder: Any, original: Any) -> list[tuple[Any, str]]:
    """Everything of this package that holds the function, under whatever name."""
    modules = [module for name, module in sys.modules.items() if name.startswith("dreamvideo")]
    return [
        (place, name)
        for place in (holder, *(module for module in modules if module is not holder))
        for name, value in list(vars(place).items())
        if value is original
    ]
