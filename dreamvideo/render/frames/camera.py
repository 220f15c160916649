"""A virtual camera over a clip: (frame, its time) -> the frame as the camera sees it."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from dreamvideo.dream.gradient_ascent import Image
from dreamvideo.media.read import Frame
from dreamvideo.motion.camera import Similarity
from dreamvideo.motion.camera_schedule import CameraTrack, schedule_camera
from dreamvideo.motion.warp import Border, warp
from dreamvideo.schedules import USUAL_RATE
from dreamvideo.settings import CameraSettings

# Below this magnification a picture is shrunk first; otherwise it would alias.
SHRUNK = 0.8


class VirtualCamera:
    """A moving camera over a clip; its view depends only on each frame and its time."""

    def __init__(
        self,
        settings: CameraSettings,
        width: int,
        height: int,
        begin: Fraction,
        length: float,
        rate: float = USUAL_RATE,
    ) -> None:
        """Compile the camera's schedules.

        Args:
            settings: The camera's settings.
            width: Width of the frames in pixels.
            height: Height of the frames in pixels.
            begin: Time of the clip's first frame in seconds.
            length: Length of the clip in seconds.
            rate: Frames per second, for schedules that count frames.
        """
        self._settings = settings
        self._begin = begin
        rates = (settings.zoom, settings.rotate, settings.pan, settings.centre)
        self._journey = CameraTrack(width, height, schedule_camera(*rates, length, rate))

    def apply(self, frame: Frame) -> Frame:
        """Return the frame and its alpha as the camera sees them; unchanged if it is still."""
        if self._settings.is_still:
            return frame
        move = self._journey.at(float(frame.time - self._begin))
        border = self._settings.border

        def warp_pixels(pixels: NDArray[Any]) -> NDArray[Any]:
            return apply_camera(pixels, move, border)

        return replace(
            frame,
            pixels=warp_pixels(frame.pixels),
            deep=None if frame.deep is None else warp_pixels(frame.deep),
            alpha=None if frame.alpha is None else warp_pixels(frame.alpha),
        )


def apply_camera(pixels: NDArray[Any], move: Similarity, border: Border) -> NDArray[Any]:
    """Transform a picture.

    Args:
        pixels: H x W or H x W x C, unsigned integers.
        move: The camera's transform.
        border: How areas outside the picture are filled.

    Returns:
        The transformed picture, of the same size and type.
    """
    height, width = pixels.shape[:2]
    picture, flow = pixels.astype(np.float32), move.flow(width, height)
    if move.growth < SHRUNK:
        picture, flow = _shrink(picture, flow, move.growth)
    seen = warp(picture, flow, border=border)
    most = np.iinfo(pixels.dtype).max
    return np.asarray(np.clip(np.rint(seen), 0, most), pixels.dtype)


def _shrink(picture: Image, flow: Image, scale: float) -> tuple[Image, Image]:
    """Shrink the picture to ``scale``, at least a few pixels, with the flow that points into it."""
    height, width = picture.shape[:2]
    small = (max(8, round(width * scale)), max(8, round(height * scale)))
    shrunk = cv2.resize(picture, small, interpolation=cv2.INTER_AREA)
    ratio = np.array([small[0] / width, small[1] / height], np.float32)
    here = np.stack(np.meshgrid(np.arange(width), np.arange(height)), -1).astype(np.float32)
    there = (here + flow + 0.5) * ratio - 0.5
    return np.asarray(shrunk, np.float32), np.asarray(there - here, np.float32)
