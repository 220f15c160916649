"""Known-truth clips made of photographs: exact flow and visibility, grain as a camera's."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from synthetic import Clip, flight, glide, noisy, scene, still

from dreamvideo.media.pixels import to_float
from dreamvideo.media.stills import read_still

SAMPLES = Path(__file__).parent.parent / "samples"
PHOTOS = ("chelsea.jpg", "coffee.jpg")
HEIGHT, WIDTH = 180, 320
# With this much grain (2.5 levels) the source's own warping error is to independent dreaming's
# as in filmed clips, about 1 to 25; without any it would be 1 to 1,000.
GRAIN = 5 / 255


def photo(height: int, width: int, seed: int) -> NDArray[np.float32]:
    """A photograph that covers height x width, as the ground or skin of a ``scene``."""
    picture = to_float(read_still(SAMPLES / PHOTOS[seed % len(PHOTOS)]))
    scale = max(height / picture.shape[0], width / picture.shape[1])
    size = (round(picture.shape[1] * scale), round(picture.shape[0] * scale))
    grown = cv2.resize(picture, size, interpolation=cv2.INTER_CUBIC)
    return np.ascontiguousarray(np.clip(grown[:height, :width], -1, 1), np.float32)


def moving_camera(frames: int, seed: int = 1) -> Clip:
    """The camera pans, nears and turns a little; a disc crosses the picture another way."""
    ground = glide(frames, 1.3 + 0.4j, zoom=1.002, degrees=0.1)
    thing = flight(frames, 70 + 60j, (170 + 20j) / frames)
    return noisy(scene(HEIGHT, WIDTH, ground, thing, radius=36, seed=seed, paint=photo), GRAIN)


def still_camera(frames: int, seed: int = 0) -> Clip:
    """Nothing moves but one disc."""
    thing = flight(frames, 50 + 90j, (200 + 15j) / frames)
    clip = scene(HEIGHT, WIDTH, still(frames), thing, radius=40, seed=seed, paint=photo)
    return noisy(clip, GRAIN)
