"""Clips of which everything is known: each pixel's origin, what was hidden, where the cuts are.

A clip shows textures through poses: texture coordinate ``u = turn * p + shift`` for the pixel
``p``, both complex numbers ``x + iy``. Frames are float32 H x W x 3 in [-1, 1].
"""

from __future__ import annotations

import cmath
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Frame = NDArray[np.float32]
_OVERSAMPLING = 3


@dataclass(frozen=True)
class Pose:
    turn: complex = 1
    shift: complex = 0


@dataclass(frozen=True)
class Clip:
    """``flows[t]`` leads from frame t back to t - 1 (zero for 0); ``visible[t]``: seen in both."""

    frames: tuple[Frame, ...]
    flows: tuple[NDArray[np.float32], ...]
    visible: tuple[NDArray[np.bool_], ...]
    cuts: tuple[int, ...] = ()

    def __len__(self) -> int:
        return len(self.frames)


def texture(height: int, width: int, seed: int = 0) -> Frame:
    """A photograph of nothing: shapes with sharp edges and shading over detail at every scale."""
    random = np.random.default_rng(seed)
    picture = np.zeros((height, width, 3), np.float32)
    for step in (2, 5, 12, 30, 70):
        shape = (height // step + 2, width // step + 2)
        grid = random.standard_normal((*shape, 1)) + 0.4 * random.standard_normal((*shape, 3))
        picture += cv2.resize(
            grid.astype(np.float32), (width, height), interpolation=cv2.INTER_CUBIC
        ) * (step**0.6)
    picture *= 0.25 / picture.std()
    for _ in range(40):
        centre = [int(random.integers(width)), int(random.integers(height))]
        axes = [int(a) for a in random.integers(6, max(8, width // 8), 2)]
        mask = np.zeros((height, width), np.float32)
        cv2.ellipse(mask, centre, axes, float(random.uniform(0, 180)), 0, 360, 1, -1, cv2.LINE_AA)
        tone = random.uniform(-0.5, 0.5) + random.uniform(-0.2, 0.2, 3)
        picture += mask[..., None] * tone.astype(np.float32)
    return _frame(0.9 * np.tanh(picture))


def grain(height: int, width: int, seed: int = 0) -> Frame:
    """Fine detail of unit variance and nothing else, like a dream without its picture."""
    noise = np.random.default_rng(seed).standard_normal((height, width, 3)).astype(np.float32)
    fine = cv2.GaussianBlur(noise, (0, 0), 1.5) - cv2.GaussianBlur(noise, (0, 0), 4)
    detail: Frame = (fine / fine.std()).astype(np.float32)
    return detail


def glide(
    frames: int,
    velocity: complex = 0,
    *,
    zoom: float = 1.0,
    degrees: float = 0.0,
    about: complex = 0,
) -> list[Pose]:
    """A background that moves by ``velocity`` px a frame, grows and turns about a point."""
    return [
        replace(pose, shift=pose.shift + about)
        for pose in flight(frames, about, velocity, zoom=zoom, degrees=degrees)
    ]


def flight(
    frames: int, start: complex, velocity: complex, *, zoom: float = 1.0, degrees: float = 0.0
) -> list[Pose]:
    """A thing whose origin flies from ``start`` by ``velocity`` px a frame."""
    rate = complex(math.log(zoom), math.radians(degrees))
    turns = [cmath.exp(-rate * t) for t in range(frames)]
    return [Pose(a, -a * (start + velocity * t)) for t, a in enumerate(turns)]


def still(frames: int) -> list[Pose]:
    return [Pose()] * frames


def scene(
    height: int,
    width: int,
    background: Sequence[Pose],
    thing: Sequence[Pose] | None = None,
    *,
    radius: float = 0.0,
    seed: int = 0,
    paint: Callable[[int, int, int], Frame] = texture,
) -> Clip:
    """A painted background and, in front of it, a painted disc about its pose's origin."""
    points = np.arange(width) + 1j * np.arange(height)[:, None]
    ground, skin = (paint(2 * height, 2 * width, s) for s in (seed, seed + 1))
    frames, flows, visible = [], [], []
    for t, pose in enumerate(background):
        frame = _look(ground, pose, points, centre=(width - 1) / 2 + 1j * (height - 1) / 2)
        before = background[max(t - 1, 0)]
        origin = _origin(points, pose, before)
        seen = np.ones((height, width), bool)
        if thing is not None:
            here, there = thing[t], thing[max(t - 1, 0)]
            cover = _cover(points, here, radius)
            frame = frame + cover[..., None] * (_look(skin, here, points, centre=0) - frame)
            moved = _origin(points, here, there)
            seen &= np.where(cover > 0.5, True, _cover(origin, there, radius) == 0)
            seen &= (cover == 0) | (cover == 1)
            seen &= (cover == 0) | (_cover(moved, there, radius) == 1)
            origin = np.where(cover > 0.5, moved, origin)
        back = origin - points
        seen &= (origin.real >= 0) & (origin.real <= width - 1)
        seen &= (origin.imag >= 0) & (origin.imag <= height - 1)
        frames.append(frame.astype(np.float32))
        flows.append(np.stack([back.real, back.imag], -1).astype(np.float32))
        visible.append(seen)
    return Clip(tuple(frames), tuple(flows), tuple(visible))


def join(*clips: Clip) -> Clip:
    """One clip after another; nothing is visible across a cut."""
    frames = tuple(f for clip in clips for f in clip.frames)
    flows = tuple(f for clip in clips for f in clip.flows)
    cuts = tuple(int(c) for c in np.cumsum([len(clip) for clip in clips])[:-1])
    visible = [v for clip in clips for v in clip.visible]
    for cut in cuts:
        visible[cut] = np.zeros_like(visible[cut])
    return Clip(frames, flows, tuple(visible), cuts)


def relit(clip: Clip, light: Callable[[int], tuple[float, float]]) -> Clip:
    """Frame t becomes ``clip(gain * (frame + 1) - 1 + lift)`` with ``gain, lift = light(t)``."""

    def lit(t: int, frame: Frame) -> Frame:
        gain, lift = light(t)
        return _frame(gain * (frame + 1) - 1 + lift)

    return replace(clip, frames=tuple(lit(t, f) for t, f in enumerate(clip.frames)))


def flash(clip: Clip, at: int, lift: float = 0.5, length: int = 2) -> Clip:
    return relit(clip, lambda t: (1.0, lift if at <= t < at + length else 0.0))


def ramp(clip: Clip, first: float, last: float) -> Clip:
    """Exposure that changes evenly over the clip."""
    return relit(clip, lambda t: (first + (last - first) * t / (len(clip) - 1), 0.0))


def fade(clip: Clip, length: int) -> Clip:
    """In from black at the beginning and out to black at the end."""
    return relit(clip, lambda t: (min(1.0, t / length, (len(clip) - 1 - t) / length), 0.0))


def dissolve(first: Clip, second: Clip) -> Clip:
    """``first`` turns into ``second`` over their whole (equal) length."""
    frames = tuple(
        (a + (b - a) * np.float32(t / (len(first) - 1))).astype(np.float32)
        for t, (a, b) in enumerate(zip(first.frames, second.frames, strict=True))
    )
    return replace(first, frames=frames)


def noisy(clip: Clip, sigma: float, seed: int = 0) -> Clip:
    random = np.random.default_rng(seed)
    return replace(
        clip,
        frames=tuple(_frame(f + sigma * random.standard_normal(f.shape)) for f in clip.frames),
    )


def _look(picture: Frame, pose: Pose, points: NDArray[np.complex128], centre: complex) -> Frame:
    """Area-sampled view of a mirrored, endless ``picture`` whose middle is at ``centre``."""
    height, width = picture.shape[:2]
    fine = (np.arange(_OVERSAMPLING) - (_OVERSAMPLING - 1) / 2) / _OVERSAMPLING
    total = np.zeros((*points.shape, 3), np.float32)
    for offset in (dx + 1j * dy for dx in fine for dy in fine):
        at = pose.turn * (points + offset) + pose.shift - centre
        total += cv2.remap(
            picture,
            (at.real + width / 2).astype(np.float32),
            (at.imag + height / 2).astype(np.float32),
            cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_REFLECT_101,
        )
    view: Frame = total / np.float32(_OVERSAMPLING**2)
    return view


def _origin(points: NDArray[np.complex128], now: Pose, before: Pose) -> NDArray[np.complex128]:
    return (now.turn * points + now.shift - before.shift) / before.turn


def _cover(points: NDArray[np.complex128], pose: Pose, radius: float) -> NDArray[np.float32]:
    """How much of each pixel the disc covers, antialiased over one pixel."""
    beyond = (np.abs(pose.turn * points + pose.shift) - radius) / abs(pose.turn)
    cover: NDArray[np.float32] = np.clip(0.5 - beyond, 0, 1).astype(np.float32)
    return cover


def _frame(values: NDArray[np.floating[Any]]) -> Frame:
    frame: Frame = np.clip(values, -1, 1).astype(np.float32)
    return frame
