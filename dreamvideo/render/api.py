"""Two of the three renders: a still, a clip. The command line calls these and so may you."""

from __future__ import annotations

from dreamvideo.render.budgeted import Budget
from dreamvideo.render.going import Going
from dreamvideo.render.image import dream_image
from dreamvideo.render.made import DEFAULT_LOOK, DEFAULT_MACHINE, DEFAULT_OUTPUT, Rendered
from dreamvideo.render.video import dream_video, partial_film

__all__ = [
    "DEFAULT_LOOK",
    "DEFAULT_MACHINE",
    "DEFAULT_OUTPUT",
    "Budget",
    "Going",
    "Rendered",
    "dream_image",
    "dream_video",
    "partial_film",
]
