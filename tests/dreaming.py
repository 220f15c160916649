"""What the dream's tests share: a photograph, noise, and the reference recipe in eager mode."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from dreamvideo.dream.gradient_ascent import GradientAscent
from dreamvideo.dream.runtime import tensorflow

Image = NDArray[np.float32]
CAT = Path(__file__).parent.parent / "samples" / "chelsea.jpg"


def has_bfloat16() -> bool:
    """Whether this processor multiplies bfloat16 itself, for which ``--precision bfloat16`` is.

    On others oneDNN imitates it with fewer digits, and in another order on each number of threads.
    """
    flags = Path("/proc/cpuinfo")
    return flags.exists() and bool({"avx512_bf16", "amx_bf16"} & set(flags.read_text().split()))


def cat(height: int, width: int) -> Image:
    """The middle of the cat photograph, H x W x 3 in [-1, 1]."""
    photo = np.asarray(cv2.imread(str(CAT)), np.float32)[..., ::-1] / 127.5 - 1
    top, left = (photo.shape[0] - height) // 2, (photo.shape[1] - width) // 2
    return np.ascontiguousarray(photo[top : top + height, left : left + width])


def noise(height: int, width: int, seed: int = 0) -> Image:
    """Smooth coloured noise in [-1, 1], so that no gradient vanishes."""
    random = np.random.default_rng(seed)
    coarse = random.uniform(-0.9, 0.9, (height // 4 + 1, width // 4 + 1, 3)).astype(np.float32)
    return np.asarray(cv2.resize(coarse, (width, height)), np.float32)


def still(steps: int) -> NDArray[np.int32]:
    """Shifts of a climb without jitter."""
    return np.zeros((steps, 2), np.int32)


def reference_climb(
    loss_of: Callable[[Any], Any],
    image: Image,
    step_size: float,
    shifts: Sequence[tuple[int, int]] | NDArray[np.int32],
) -> tuple[Image, list[float]]:
    """The recipe from its formulas, eagerly: x <- clip(x + step * g / (std(g) + 1e-8), -1, 1).

    ``loss_of`` takes pixels (1, H, W, 3); x is rolled by each shift before and back after.
    """
    tf = tensorflow()
    x, losses = image, []
    for dy, dx in shifts:
        rolled = tf.Variable(np.roll(x, (dy, dx), (0, 1))[None])
        with tf.GradientTape() as tape:
            loss = loss_of(rolled)
        g = tape.gradient(loss, rolled)[0].numpy()
        moved = rolled[0].numpy() + step_size * g / (g.std() + 1e-8)
        x = np.clip(np.roll(moved, (-dy, -dx), (0, 1)), -1, 1).astype(np.float32)
        losses.append(float(loss))
    return x, losses


def largest_departure(
    ascent: GradientAscent,
    loss_of: Callable[[Any], Any],
    image: Image,
    step_size: float,
    shifts: NDArray[np.int32],
) -> float:
    """The largest difference between any step of a climb and the recipe's.

    Both start each step from the same picture. A unit that rounding puts on the other side of
    its ReLU's kink bends the path from there on, so that two correct climbs part for good.
    """
    largest = 0.0
    for shift in shifts:
        expected, (loss,) = reference_climb(loss_of, image, step_size, [shift])
        image, (found,) = ascent.climb(image, step_size, shift[None])
        assert np.isclose(found, loss, rtol=1e-3)
        largest = max(largest, float(np.abs(image - expected).max()))
    return largest
