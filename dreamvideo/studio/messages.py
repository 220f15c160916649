"""Messages between the page's process and the preview process: plain values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dreamvideo.imaging import encode_jpeg, shrink_to_area
from dreamvideo.render.progress import Progress

# Dreaming this many pixels takes two or three seconds on two cores.
MOST_PIXELS = 576 * 384
_JPEG_QUALITY = 90


@dataclass(frozen=True)
class PictureWanted:
    """Request for a dreamt frame of ``path`` at ``at`` seconds; supersedes all requests before it.

    ``values`` are a look's (``look_values``); the film to be made is ``length`` seconds long, and
    the frame is the one at ``moment`` seconds of it, shrunk to ``pixels`` in all.
    """

    ticket: int
    path: Path
    values: Mapping[str, Any]
    at: float
    moment: float
    length: float
    pixels: int = MOST_PIXELS


@dataclass(frozen=True)
class FilmWanted:
    """Request for a short, small film of ``path``; supersedes all requests before it.

    It covers ``seconds`` from ``at`` on, or with ``zooms`` is a zoom into the picture, or into the
    clip's frame ``at`` a time (None: its last one), and is written to ``folder``. ``sound`` are the
    output settings of its sound.
    """

    ticket: int
    path: Path
    values: Mapping[str, Any]
    at: float | None
    seconds: float
    zooms: bool
    folder: Path
    sound: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Rest:
    """Supersedes all requests before it; nothing is wanted."""

    ticket: int = 0


Wanted = PictureWanted | FilmWanted | Rest


def encode_picture(pixels: NDArray[np.uint8]) -> bytes:
    """Encode a picture for the page: at most as large as a preview, as JPEG."""
    return encode_jpeg(shrink_to_area(pixels, MOST_PIXELS), _JPEG_QUALITY)


def moving_path(folder: Path, ticket: int, which: str = "dream") -> Path:
    """Return the path of the film for a request, or of its ``source``, which a zoom lacks."""
    return folder / f"preview-{ticket}-{which}.mp4"


@dataclass(frozen=True)
class Loaded:
    """The network is loaded; or not (any more), as a process starts again."""

    yes: bool = True


@dataclass(frozen=True)
class SourceSeen:
    """The source frame, as JPEG."""

    ticket: int
    picture: bytes


@dataclass(frozen=True)
class PictureGrown:
    """A frame's dream so far, as JPEG: ``done`` of ``total`` steps; the last one is finished."""

    ticket: int
    picture: bytes
    done: int
    total: int


@dataclass(frozen=True)
class FilmGrown:
    """Progress of a short film."""

    ticket: int
    progress: Progress


@dataclass(frozen=True)
class FilmMade:
    """A short film is finished (``moving_path``)."""

    ticket: int


@dataclass(frozen=True)
class Failed:
    """A request failed; ``line`` says why."""

    ticket: int
    line: str


Answer = Loaded | SourceSeen | PictureGrown | FilmGrown | FilmMade | Failed
