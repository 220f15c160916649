"""(camera, time step) -> the backward flow of a zooming, turning, panning camera."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from dreamvideo.errors import UsageError


@dataclass(frozen=True)
class Camera:
    """A steady camera move; every rate is per second, so it is the same at any frame rate.

    ``zoom`` is the factor by which things grow (> 1 zooms in, < 1 out), ``rotate`` the degrees
    the picture turns clockwise, ``pan`` the way the camera travels, in frame widths to the right
    and frame heights down (the picture moves the other way). ``centre`` is the point that zoom
    and rotation leave in place, as fractions of the frame.
    """

    zoom: float = 1.0
    rotate: float = 0.0
    pan: tuple[float, float] = (0.0, 0.0)
    centre: tuple[float, float] = (0.5, 0.5)

    def __post_init__(self) -> None:
        values = (self.zoom, self.rotate, *self.pan, *self.centre)
        if not all(map(math.isfinite, values)):
            raise UsageError(f"camera: every rate must be a finite number, got {self}")
        if self.zoom <= 0:
            raise UsageError(f"zoom: the factor per second must be above 0, got {self.zoom:g}")


def camera_flow(
    width: int, height: int, camera: Camera, dt: Fraction | float
) -> NDArray[np.float32]:
    """Backward flow (height x width x 2, px) of ``dt`` seconds of camera move.

    A point p of the picture moves with ``dp/dt = s (p - c) - v``, where ``s = ln(zoom) + i
    rotate`` in complex notation, c is the centre ``((width - 1) cx, (height - 1) cy)`` and v the
    pan. The flow is that equation's solution, so steps add up exactly: two of dt/2 are one of dt,
    also when zoom, rotation and pan are combined.
    """
    step = float(dt)
    rate = complex(math.log(camera.zoom), math.radians(camera.rotate))
    pan = complex(camera.pan[0] * width, camera.pan[1] * height)
    centre = complex((width - 1) * camera.centre[0], (height - 1) * camera.centre[1])
    points = np.arange(width) + 1j * np.arange(height)[:, None] - centre
    back = np.expm1(-rate * step)
    travelled = pan * (-back / rate if abs(rate * step) > 1e-12 else step)
    moved = back * points + travelled
    return np.stack([moved.real, moved.imag], -1).astype(np.float32)
