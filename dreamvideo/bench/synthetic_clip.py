"""A synthetic clip: a textured scene that pans, and a disc that flies in front of it."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from tempfile import TemporaryDirectory

import cv2
import numpy as np
from numpy.typing import NDArray

from dreamvideo.media.stills import store_frame
from dreamvideo.media.write import EncodeOptions, StoredFrame, encode

RATE = Fraction(25)
# Pixels per frame that the scene and the disc move, in a frame 640 wide.
PAN, DISC = 2.2, -3.1


def make_clip(path: Path, width: int, height: int, frames: int, shots: int = 1) -> None:
    """Write the clip.

    Args:
        path: Where to write it.
        width: Width in pixels.
        height: Height in pixels.
        frames: Number of frames.
        shots: Number of shots of equal length, each with its own scene.
    """
    scale = width / 640
    length = -(-frames // shots)
    travel = round(abs(PAN) * scale * length) + 2
    scenes = [make_texture(height, width + travel, 2 * shot) for shot in range(shots)]
    disc = make_texture(height, width, 1)
    rows, columns = np.mgrid[:height, :width].astype(np.float32)
    with TemporaryDirectory(prefix="dreamvideo-bench-") as folder:
        stored = []
        for number in range(frames):
            shot, index = divmod(number, length)
            shift = np.float32(PAN * scale * index)
            frame = cv2.remap(scenes[shot], columns + shift, rows, cv2.INTER_CUBIC)
            x = (width * 0.8 + DISC * scale * index) % width
            inside = np.hypot(columns - x, rows - height * 0.55) < height * 0.18
            moved = cv2.remap(
                disc, columns - np.float32(x), rows, cv2.INTER_LINEAR, None, cv2.BORDER_WRAP
            )
            stored.append(StoredFrame(Path(folder, f"{number:06d}.png"), number / RATE))
            store_frame(stored[-1].path, np.where(inside[..., None], moved, frame))
        options = EncodeOptions(overwrite=True)
        encode(stored, path, duration_of_last=1 / RATE, source=None, rate=RATE, options=options)


def make_texture(height: int, width: int, seed: int) -> NDArray[np.uint8]:
    """Return coloured noise of many scales, H x W x 3, with the coarse ones strongest."""
    random = np.random.default_rng(seed)
    total = np.zeros((height, width, 3), np.float32)
    for side in (4, 8, 16, 32, 64, 128):
        coarse = random.normal(0, side**0.5, (height // side + 2, width // side + 2, 3))
        total += cv2.resize(
            coarse.astype(np.float32), (width, height), interpolation=cv2.INTER_CUBIC
        )
    total = (total - total.mean()) / total.std()
    return np.asarray(np.clip(128 + 48 * total, 0, 255), np.uint8)
