"""Small renders for the tests: a look that takes a moment, what a command said and left."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dreamvideo.dream.dreamer import Dreamer
from dreamvideo.media.pixels import to_bytes
from dreamvideo.media.read import Frame, open_source
from dreamvideo.render.frames.pipeline import DreamedFrame, dream_clip
from dreamvideo.settings import CoherenceSettings, DreamSettings

# One step of a shallow layer: enough to change every pixel.
QUICK = ("--layers", "block1", "--steps", "1", "--octaves", "1")
RATE = Fraction(25)
Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def notes(self) -> list[str]:
        """What it said of changes on the way."""
        lines = self.err.splitlines()
        return [line.removeprefix("note: ") for line in lines if line.startswith("note: ")]


Cli = Callable[..., Ended]


def quick_dream(layers: str = "block1", steps: int = 2) -> DreamSettings:
    return DreamSettings(layers=layers, steps=steps, octaves=1, jitter=8)


def frames_of(pictures: list[NDArray[np.float32]]) -> list[Frame]:
    """Pictures in [-1, 1] as a source delivers them."""
    return [Frame(n, n / RATE, 1 / RATE, to_bytes(p)) for n, p in enumerate(pictures)]


def dreamt(
    pictures: list[NDArray[np.float32]], dreamer: Dreamer, **coherence: float
) -> list[DreamedFrame]:
    settings = CoherenceSettings.model_validate(coherence)
    return list(dream_clip(frames_of(pictures), dreamer, settings))


def pixels_of(film: Path) -> list[Pixels]:
    """All decoded frames of a film, a GIF or a folder."""
    with open_source(film) as source:
        return [frame.pixels for frame in source]


def contents(folder: Path) -> dict[str, bytes]:
    """Every file below a folder, hidden ones too, with its bytes; folders end in a slash."""
    found = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        found[name if path.is_file() else name + "/"] = path.read_bytes() if path.is_file() else b""
    return found
