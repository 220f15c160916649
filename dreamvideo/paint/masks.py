"""Masks: how much of each pixel is dreamt, H x W in [0, 1], at a time of the source.

A share depends on its frame, on its motion and, for masks of moving things, on the share of the
frame before. Where it is 0 it is exactly 0, and where it is 1 exactly 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from dreamvideo.imaging import smoothstep
from dreamvideo.motion.flow import Motion
from dreamvideo.motion.warp import warp
from dreamvideo.paint.moving import measure_own_speed
from dreamvideo.paint.pictures import FilmMask, open_mask
from dreamvideo.paint.ranges import match_brightness, match_hue
from dreamvideo.paint.shapes import ShapePose, draw_shape
from dreamvideo.settings import Mask
from dreamvideo.settings.shapes import Shape, parse_range, parse_shapes

Map = NDArray[np.float32]
Frame = NDArray[np.float32]
Size = tuple[int, int]

# Shares closer to 0 or 1 than this become 0 or 1: less than half a level of the strongest dream.
NEGLIGIBLE = 1 / 512
# Half-life in seconds of the dream on something that has stopped: a foot rests between two steps,
# and drawings on twos are still every second frame.
HALF_LIFE = 0.15


class MaskPictures(Protocol):
    """Pictures of a mask over time: a file's, or those that a caller hands over."""

    def at(self, time: Fraction) -> Map:
        """Return the map at a time of the source in seconds, H x W in [0, 1]."""
        ...


@dataclass(frozen=True)
class Masker:
    """One mask of a render, with its file or drawing opened once.

    Attributes:
        settings: The mask's settings.
        size: (width, height) of the frames.
        rate: Frames per second.
        source: The opened file, the pictures or the drawing; None if there is none.
    """

    settings: Mask
    size: Size
    rate: Fraction
    source: MaskPictures | tuple[Shape, ...] | None

    @classmethod
    def of(
        cls,
        settings: Mask,
        size: Size,
        rate: Fraction = Fraction(25),
        pictures: MaskPictures | None = None,
    ) -> Masker:
        """Open a mask.

        Args:
            settings: The mask's settings.
            size: (width, height) of the frames.
            rate: Frames per second.
            pictures: Pictures of that size to use in place of a file or drawing.

        Raises:
            MediaError: Its file, which is named, cannot be read.
        """
        if pictures is not None:
            return cls(settings, size, rate, pictures)
        given = settings.mask
        shapes = None if given is None else parse_shapes(given)
        opened = shapes or (given and open_mask(given, size, settings.mask_end)) or None
        return cls(settings, size, rate, opened)

    @property
    def needs_motion(self) -> bool:
        """Whether shares depend on how the source moves; a still picture then makes no sense."""
        return self.settings.motion != "any"

    @property
    def covers_all(self) -> bool:
        """Whether every share is 1 everywhere."""
        return self.source is None and self.settings.covers_all

    def share(
        self,
        time: Fraction,
        source: Frame,
        motion: Motion | None = None,
        *,
        now: Mask | None = None,
        before: Map | None = None,
    ) -> Map:
        """Return how much of each pixel is dreamt, H x W in [0, 1].

        Args:
            time: Seconds on the source's clock.
            source: The frame, H x W x 3 in [-1, 1].
            motion: Its motion since the frame before; None where a shot starts. What moves and what
                stays is unknown there, and neither is dreamt.
            now: The settings at this time, if they change.
            before: H x W, the share of the frame before; lets the dream on something that stops
                fade instead of flicker.

        Raises:
            MediaError: A mask film is damaged.
        """
        now = now or self.settings
        share = self._static(time, source, now)
        if now.motion != "any":
            share = share * self._in_motion(source, motion, share, before, now)
        return settle_mask(1 - share if now.invert else share)

    def close(self) -> None:
        """Close a mask film."""
        if isinstance(self.source, FilmMask):
            self.source.close()

    def _static(self, time: Fraction, source: Frame, now: Mask) -> Map:
        """Return the share that one frame determines: mask, and the source's brightness and hue."""
        share = self._place(time, now)
        if now.bright is not None:
            share = share * match_brightness(source, *parse_range(now.bright, 1))
        if now.hue is not None:
            share = share * match_hue(source, *parse_range(now.hue, 360, wraps=True))
        return share

    def _place(self, time: Fraction, now: Mask) -> Map:
        """Return the share of the picture or drawing, feathered on the dreamt side."""
        width, height = self.size
        if self.source is None:
            return np.ones((height, width), np.float32)
        pose = ShapePose(now.mask_x, now.mask_y, now.mask_scale, now.mask_turn)
        if isinstance(self.source, tuple):
            share = draw_shape(self.source, self.size, pose)
        else:
            share = move_mask(self.source.at(time), pose)
        radius = now.feather * width
        return 1 - feather_mask(1 - share, radius) if now.invert else feather_mask(share, radius)

    def _in_motion(
        self, source: Frame, motion: Motion | None, static: Map, before: Map | None, now: Mask
    ) -> Map:
        """Return where the source moves or stays, as ``now`` asks.

        What has stopped lingers for a moment, but only if moving things are dreamt: a dream that
        fades in slowly comes out harsh.
        """
        if motion is None:
            return np.full(source.shape[:2], float(now.invert), np.float32)
        speed = measure_own_speed(source, motion, float(1 / self.rate))
        moving = smoothstep(speed / np.float32(now.speed) - np.float32(0.5))
        if now.motion == "still":
            return 1 - moving
        if before is None:
            return moving
        held = warp(1 - before if now.invert else before, motion.flow, interpolation="linear")
        held = np.clip(held, 0, static) / np.maximum(static, np.float32(NEGLIGIBLE))
        fading = np.float32(0.5 ** (1 / (HALF_LIFE * float(self.rate))))
        return np.asarray(np.maximum(moving, held * fading), np.float32)


def feather_mask(share: Map, radius: float) -> Map:
    """Feather ``share``: it rises over ``radius`` px from where it is 0, and is still 0 there."""
    outside = share < NEGLIGIBLE
    if radius <= 0 or not outside.any():
        return share
    inside = np.asarray(~outside, np.uint8)
    depth = cv2.distanceTransform(inside, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    return share * smoothstep(depth / np.float32(radius))


def move_mask(share: Map, pose: ShapePose) -> Map:
    """Transform a mask's map; what comes in from outside the picture is 0."""
    if pose.is_rest:
        return share
    height, width = share.shape
    origins = pose.origins(width, height) - (0.5 + 0.5j)
    x, y = origins.real.astype(np.float32), origins.imag.astype(np.float32)
    return np.asarray(cv2.remap(share, x, y, cv2.INTER_LINEAR), np.float32)


def settle_mask(share: Map) -> Map:
    """Clamp ``share`` to [0, 1], exactly 0 or 1 where it nearly is."""
    share = np.where(share < NEGLIGIBLE, np.float32(0), share)
    return np.asarray(np.where(share > 1 - NEGLIGIBLE, np.float32(1), share), np.float32)
