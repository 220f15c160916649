"""Virtual camera moves: zoom, rotation, pan and centre, and their backward flow."""

from __future__ import annotations

import cmath
import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from dreamvideo.errors import UsageError

# Changing rates are treated as steady for at most this many seconds.
FINEST = 1 / 240


@dataclass(frozen=True)
class Camera:
    """A steady camera move; every rate is per second, so it is the same at any frame rate.

    Attributes:
        zoom: Factor by which things grow (> 1 zooms in, < 1 zooms out).
        rotate: Degrees by which the picture turns clockwise.
        pan: Travel of the camera, in frame widths to the right and frame heights down; the picture
            moves the other way.
        centre: The fixed point of zoom and rotation, as fractions of the frame.
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

    def backwards(self) -> Camera:
        """Return the camera that undoes this one."""
        pan = (-self.pan[0], -self.pan[1])
        return replace(self, zoom=1 / self.zoom, rotate=-self.rotate, pan=pan)


CameraPath = Callable[[float], Camera]
"""Time in seconds -> the camera."""


@dataclass(frozen=True)
class Similarity:
    """Maps a point p = x + iy of a picture to ``turn * p + shift``, in pixels."""

    turn: complex = 1
    shift: complex = 0

    @property
    def growth(self) -> float:
        """The magnification."""
        return abs(self.turn)

    def then(self, later: Similarity) -> Similarity:
        """Combine this transform with a ``later`` one."""
        return Similarity(later.turn * self.turn, later.turn * self.shift + later.shift)

    def inverse(self) -> Similarity:
        """Return the inverse transform."""
        return Similarity(1 / self.turn, -self.shift / self.turn)

    def goals(self, width: int, height: int) -> NDArray[np.complex128]:
        """Return where each pixel moves to: height x width, x + iy."""
        points = np.arange(width) + 1j * np.arange(height)[:, None]
        return np.asarray(self.turn * points + self.shift, np.complex128)

    def flow(self, width: int, height: int) -> NDArray[np.float32]:
        """Return the backward flow (height x width x 2, px): where each pixel came from."""
        back = self.inverse()
        points = np.arange(width) + 1j * np.arange(height)[:, None]
        moved = (back.turn - 1) * points + back.shift
        return np.stack([moved.real, moved.imag], -1).astype(np.float32)


def steady(width: int, height: int, camera: Camera, dt: Fraction | float) -> Similarity:
    """Return the transform of a steady camera.

    A point p of the picture moves with ``dp/dt = s (p - c) - v``, where ``s = ln(zoom) + i rotate``
    in complex notation, c is the centre ``((width - 1) cx, (height - 1) cy)`` and v the pan. The
    transform is that equation's solution, so steps add up exactly: two of dt/2 are one of dt, even
    when zoom, rotation and pan are combined.

    Args:
        width: Width in pixels.
        height: Height in pixels.
        camera: The camera.
        dt: Seconds.
    """
    step = float(dt)
    rate = complex(math.log(camera.zoom), math.radians(camera.rotate))
    pan = complex(camera.pan[0] * width, camera.pan[1] * height)
    centre = complex((width - 1) * camera.centre[0], (height - 1) * camera.centre[1])
    grown = complex(np.expm1(rate * step))
    travelled = pan * (grown / rate if abs(rate * step) > 1e-12 else step)
    return Similarity(cmath.exp(rate * step), -grown * centre - travelled)


def travel(width: int, height: int, path: CameraPath, begin: float, end: float) -> Similarity:
    """Return the transform of a camera whose rates change.

    Args:
        width: Width in pixels.
        height: Height in pixels.
        path: The camera at each time.
        begin: Start in seconds.
        end: End in seconds.
    """
    count = max(1, math.ceil((end - begin) / FINEST - 1e-6))
    step = (end - begin) / count
    total = Similarity()
    for part in range(count):
        camera = path(begin + (part + 0.5) * step)
        total = total.then(steady(width, height, camera, step))
    return total


def camera_flow(
    width: int, height: int, camera: Camera, dt: Fraction | float
) -> NDArray[np.float32]:
    """Return the backward flow (height x width x 2, px) of a steady camera.

    Args:
        width: Width in pixels.
        height: Height in pixels.
        camera: The camera.
        dt: Seconds.
    """
    return steady(width, height, camera, dt).flow(width, height)
