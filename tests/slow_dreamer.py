"""Render a clip with a dreamer that needs no network: ``slow_dreamer.py CLIP OUTPUT WORKERS``.

Its dream depends on every bit that it is given and on nothing else, as a real one's does, and it
starts at once, so that it can be killed often.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any

import cv2
import numpy as np

from dreamvideo.cli.entry import main
from dreamvideo.dream.octaves import Dream
from dreamvideo.render.frames.planner import set_dreamer_factory
from dreamvideo.settings import DreamSettings


class Swirler:
    """A dreamer that folds the picture's fine detail over and over."""

    closes = False

    def __init__(self, settings: DreamSettings, **_: Any) -> None:
        self.settings = settings

    def at(self, settings: DreamSettings | None = None, *_: Any, **__: Any) -> Swirler:
        """The same with other settings."""
        return Swirler(settings or self.settings)

    def with_progress(self, *_: Any) -> Swirler:
        """The same: it has no tiles."""
        return self

    def dream(
        self, image: Any, *, steps: int | None = None, step_scale: Any = None, **_: Any
    ) -> Dream:
        scale = 1 if step_scale is None else np.broadcast_to(step_scale, image.shape[:2])[..., None]
        for _step in range(steps or 4):
            fine = image - cv2.GaussianBlur(image, (0, 0), 2)
            image = np.clip(image + scale * 0.2 * np.sin(20 * fine), -1, 1).astype(np.float32)
        return Dream(image, (float(image.std()),))


@contextmanager
def without_network() -> Iterator[None]:
    """Let renders of this process dream so in the block, and their workers too."""
    before = set_dreamer_factory(Swirler)
    try:
        yield
    finally:
        set_dreamer_factory(before)


if __name__ == "__main__":
    # Workers import the class by this name, not from the main program.
    set_dreamer_factory(import_module("slow_dreamer").Swirler)
    clip, output, count = sys.argv[1:]
    sys.argv[1:] = ["video", clip, "-o", output, "--workers", count]
    main()
