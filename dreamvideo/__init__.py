"""DeepDream for video.

``dream_image``, ``dream_video`` and ``zoom`` are the functions behind the command line, with the
same settings: a ``Look``, made by ``make_look`` from presets and changes, and ``OutputSettings``,
made by ``make_output``. They are loaded on first use, so importing the package is cheap.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dreamvideo.errors import DreamVideoError as DreamVideoError
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
    "DreamVideoError": "errors",
    "Look": "settings",
    "OutputSettings": "settings",
    "Progress": "render.progress",
    "RenderResult": "render.result",
    "__version__": "version",
    "dream_image": "render.image",
    "dream_video": "render.video",
    "make_look": "settings",
    "make_output": "settings",
    "zoom": "render.zoom.render",
}
__all__ = [
    "DreamVideoError",
    "Look",
    "OutputSettings",
    "Progress",
    "RenderResult",
    "__version__",
    "dream_image",
    "dream_video",
    "make_look",
    "make_output",
    "zoom",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'dreamvideo' has no attribute {name!r}")
    return getattr(import_module(f"dreamvideo.{_HOMES[name]}"), name)
