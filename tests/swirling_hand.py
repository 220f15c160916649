"""A dreaming process of a Dask worker whose dream is a swirl, and that can be watched.

Each frame takes ``SWIRLING_PAUSE`` seconds more, and its number is written to ``SWIRLING_LOG``. Of
a ``SWIRLING_BLIND`` folder it touches nothing.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import Any

from slow_dreamer import Swirler

from dreamvideo.cluster import hand
from dreamvideo.render.frames import planner
from dreamvideo.render.job import segment_store as parts
from dreamvideo.render.parallel.renderer import Renderer

_store = Renderer._store


def slowly(self: Renderer, part: Any, dreamt: Any) -> None:
    time.sleep(float(os.environ["SWIRLING_PAUSE"]))
    with Path(os.environ["SWIRLING_LOG"]).open("a") as log:
        log.write(f"{dreamt.index}\n")
    _store(self, part, dreamt)


def blind(event: str, arguments: tuple[Any, ...]) -> None:
    if event in ("open", "subprocess.Popen", "os.mkdir"):
        # Of a process its program and arguments: its environment has the name as well.
        assert os.environ["SWIRLING_BLIND"] not in str(arguments[:2]), arguments[:2]


if __name__ == "__main__":
    vars(planner)["Dreamer"] = Swirler
    # Each frame is followed by what the next one is made from.
    vars(parts)["SHARE"] = 1e6
    Renderer._store = slowly  # type: ignore[method-assign]
    if "SWIRLING_BLIND" in os.environ:
        sys.addaudithook(blind)
    hand.run()
