"""A Dask worker's preload: its dreaming processes dream a swirl, and can be watched.

Each frame takes ``SWIRLING_PAUSE`` seconds more, and its number is written to ``SWIRLING_LOG``.
``SWIRLING_BLIND`` names a folder of which the worker sees nothing and its processes touch nothing,
``SWIRLING_NUMPY`` a version that NumPy says it has.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from slow_dreamer import Swirler

from dreamvideo.cluster.process import initialize_process
from dreamvideo.cluster.worker import DreamProcess
from dreamvideo.render.frames.planner import set_dreamer_factory
from dreamvideo.render.job.segment_store import SegmentSink

_add = SegmentSink.add
_TOUCHES = ("open", "os.listdir", "os.mkdir", "os.scandir", "subprocess.Popen")


def dask_setup(_: Any) -> None:
    """What Dask calls when the worker starts."""
    DreamProcess.initialize = staticmethod(initialize)
    if "SWIRLING_NUMPY" in os.environ:
        vars(np)["__version__"] = os.environ["SWIRLING_NUMPY"]
    if "SWIRLING_BLIND" in os.environ:
        sys.addaudithook(sees_nothing)


def initialize(*arguments: Any) -> None:
    """What a dreaming process of such a worker starts with."""
    with Path(os.environ["SWIRLING_LOG"]).with_suffix(".pids").open("a") as pids:
        pids.write(f"{os.getpid()}\n")
    set_dreamer_factory(Swirler)
    SegmentSink.add = add_slowly  # type: ignore[method-assign]
    if "SWIRLING_BLIND" in os.environ:
        sys.addaudithook(touches_nothing)
    initialize_process(*arguments)


def add_slowly(self: SegmentSink, *arguments: Any, **options: Any) -> None:
    time.sleep(float(os.environ["SWIRLING_PAUSE"]))
    with Path(os.environ["SWIRLING_LOG"]).open("a") as log:
        log.write(f"{self.first + self.count}\n")
    _add(self, *arguments, **options)


def touches(event: str, arguments: tuple[Any, ...]) -> bool:
    # Of a process its program and arguments: its environment has the name as well.
    return event in _TOUCHES and os.environ["SWIRLING_BLIND"] in str(arguments[:2])


def sees_nothing(event: str, arguments: tuple[Any, ...]) -> None:
    if touches(event, arguments):
        raise FileNotFoundError(arguments[0])


def touches_nothing(event: str, arguments: tuple[Any, ...]) -> None:
    assert not touches(event, arguments), arguments[:2]
