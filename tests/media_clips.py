"""Small clips for the media tests, made by the bundled ffmpeg."""

from __future__ import annotations

import subprocess
from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dreamvideo.media import ffmpeg
from dreamvideo.media.read import open_source
from dreamvideo.media.stills import store_frame
from dreamvideo.media.write import StoredFrame

Pixels = NDArray[np.uint8]


def make(path: Path, *arguments: str) -> Path:
    """Run the bundled ffmpeg with these arguments; the file that it wrote."""
    command = [ffmpeg.executable(), "-nostdin", "-loglevel", "error", "-y", *arguments, str(path)]
    subprocess.run(command, check=True, capture_output=True)
    return path


def picture(seconds: float = 1, rate: str = "25", size: str = "64x48") -> list[str]:
    """Arguments for a moving test picture."""
    return ["-f", "lavfi", "-i", f"testsrc2=duration={seconds}:rate={rate}:size={size}"]


def tone(seconds: float = 1, pitch: int = 440) -> list[str]:
    """Arguments for a sine tone."""
    return ["-f", "lavfi", "-i", f"sine=frequency={pitch}:duration={seconds}"]


def film(
    folder: Path, times: list[Fraction], size: tuple[int, int] = (48, 32)
) -> list[StoredFrame]:
    """Stored frames with these times, each of another grey."""
    folder.mkdir(exist_ok=True)
    frames = []
    for number, time in enumerate(times):
        path = folder / f"{number:06d}.png"
        store_frame(path, np.full((size[1], size[0], 3), number * 97 % 256, np.uint8))
        frames.append(StoredFrame(path, time))
    return frames


def times_of(path: Path) -> list[Fraction]:
    """Presentation times of all frames that come out of a film."""
    with open_source(path) as source:
        return [frame.time for frame in source]
