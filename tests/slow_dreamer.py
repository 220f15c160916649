"""Render a clip with a dreamer that needs no network: ``slow_dreamer.py CLIP OUTPUT``.

Its dream depends on every bit that it is given and on nothing else, as a real one's does, and it
starts at once, so that it can be killed often.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from dreamvideo.dream.octaves import Dream
from dreamvideo.render import work
from dreamvideo.render.progress import Progress
from dreamvideo.render.video import dream_video
from dreamvideo.settings import DreamSettings, make_look


class Swirler:
    """A dreamer that folds the picture's fine detail over and over."""

    def __init__(self, settings: DreamSettings, **_: Any) -> None:
        self.settings = settings

    def dream(
        self, image: Any, *, steps: int | None = None, step_scale: Any = None, **_: Any
    ) -> Dream:
        scale = 1 if step_scale is None else np.broadcast_to(step_scale, image.shape[:2])[..., None]
        for _step in range(steps or 4):
            fine = image - cv2.GaussianBlur(image, (0, 0), 2)
            image = np.clip(image + scale * 0.2 * np.sin(20 * fine), -1, 1).astype(np.float32)
        return Dream(image, (float(image.std()),))


def listen(progress: Progress) -> None:
    """Say when it goes on."""
    if progress.note:
        print(progress.note, file=sys.stderr, flush=True)


if __name__ == "__main__":
    vars(work)["Dreamer"] = Swirler
    dream_video(Path(sys.argv[1]), Path(sys.argv[2]), make_look(), on_progress=listen)
