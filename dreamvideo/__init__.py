"""DeepDream for video.

``dream``, ``dream_frames`` and ``zoom_frames`` take and give NumPy arrays; settings are keyword
arguments by the names of the command line's options. ``dream_image``, ``dream_video`` and ``zoom``
are the functions behind the command line, from file to file: they take a ``Look``, made by
``make_look`` from presets and changes, and ``OutputSettings``, made by ``make_output``.
``show_progress`` shows how far any of them is, in a notebook too. Everything is loaded on first
use, so importing the package is cheap.
"""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dreamvideo.dream.dream_objective import DreamObjective as DreamObjective
    from dreamvideo.errors import DreamVideoError as DreamVideoError
    from dreamvideo.notebook import show_progress as show_progress
    from dreamvideo.render.arrays.film import dream_frames as dream_frames
    from dreamvideo.render.arrays.still import dream as dream
    from dreamvideo.render.arrays.zoom import zoom_frames as zoom_frames
    from dreamvideo.render.image import dream_image as dream_image
    from dreamvideo.render.progress import Progress as Progress
    from dreamvideo.render.result import RenderResult as RenderResult
    from dreamvideo.render.video import dream_video as dream_video
    from dreamvideo.render.zoom.render import zoom as zoom
    from dreamvideo.settings import Look as Look
    from dreamvideo.settings import OutputSettings as OutputSettings
    from dreamvideo.settings import make_look as make_look
    from dreamvideo.settings import make_output as make_output
    from dreamvideo.version import __version__ as __version__

_HOMES = {
    "DreamObjective": "dream.dream_objective",
    "DreamVideoError": "errors",
    "Look": "settings",
    "OutputSettings": "settings",
    "Progress": "render.progress",
    "RenderResult": "render.result",
    "__version__": "version",
    "dream": "render.arrays.still",
    "dream_frames": "render.arrays.film",
    "dream_image": "render.image",
    "dream_video": "render.video",
    "make_look": "settings",
    "make_output": "settings",
    "show_progress": "notebook",
    "zoom": "render.zoom.render",
    "zoom_frames": "render.arrays.zoom",
}
__all__ = [
    "DreamObjective",
    "DreamVideoError",
    "Look",
    "OutputSettings",
    "Progress",
    "RenderResult",
    "__version__",
    "dream",
    "dream_frames",
    "dream_image",
    "dream_video",
    "make_look",
    "make_output",
    "show_progress",
    "zoom",
    "zoom_frames",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'dreamvideo' has no attribute {name!r}")
    return getattr(import_module(f"dreamvideo.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


class _Package(ModuleType):
    """This package, whose ``dream`` is the function.

    The subpackage of that name is imported as usual (``from dreamvideo.dream.models import ...``),
    but the import system would also put it here, over the function.
    """

    @property
    def dream(self) -> Any:
        return __getattr__("dream")

    @dream.setter
    def dream(self, _subpackage: ModuleType) -> None:
        pass


sys.modules[__name__].__class__ = _Package
