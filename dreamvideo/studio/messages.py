"""What the page's process and the one that dreams previews say to each other: plain values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dreamvideo.render.progress import Progress


@dataclass(frozen=True)
class PictureWanted:
    """One frame of ``path`` at ``at`` seconds, dreamt; ``values`` are a look's (``look_values``).

    ``length`` is the film's, seconds. It supersedes every wish before it.
    """

    ticket: int
    path: Path
    values: Mapping[str, Any]
    at: float
    length: float


@dataclass(frozen=True)
class FilmWanted:
    """A few seconds of ``path`` from ``at`` on, dreamt small, as a film below ``folder``.

    With ``zooms`` a zoom into the picture. It supersedes every wish before it.
    """

    ticket: int
    path: Path
    values: Mapping[str, Any]
    at: float
    seconds: float
    zooms: bool
    folder: Path


Wanted = PictureWanted | FilmWanted


def moving_path(folder: Path, ticket: int) -> Path:
    """Where the film of a wish is."""
    return folder / f"preview-{ticket}.mp4"


@dataclass(frozen=True)
class Starting:
    """A process begins to load the network."""


@dataclass(frozen=True)
class Ready:
    """The network is loaded."""


@dataclass(frozen=True)
class SourceSeen:
    """The frame as it is, JPEG."""

    ticket: int
    picture: bytes


@dataclass(frozen=True)
class PictureGrown:
    """A frame's dream so far, JPEG: ``done`` of ``total`` steps; the last one is finished."""

    ticket: int
    picture: bytes
    done: int
    total: int


@dataclass(frozen=True)
class FilmGrown:
    """How far a short film is."""

    ticket: int
    progress: Progress


@dataclass(frozen=True)
class FilmMade:
    """A short film is finished (``moving_path``)."""

    ticket: int


@dataclass(frozen=True)
class Failed:
    """A wish came to nothing; ``line`` says why."""

    ticket: int
    line: str


Answer = Starting | Ready | SourceSeen | PictureGrown | FilmGrown | FilmMade | Failed
