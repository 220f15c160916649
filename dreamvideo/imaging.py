"""Resizing, blurring and measuring pictures: what several folders need of OpenCV, in one place."""

from __future__ import annotations

from typing import Any, Literal, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from dreamvideo.errors import MediaError

Image = NDArray[np.float32]
Pixel = TypeVar("Pixel", bound=np.generic)

# Lengths in pixels are chosen for frames this wide, and are proportional to the width of others.
REFERENCE_WIDTH = 320
_ENLARGE = {
    "area": cv2.INTER_AREA,
    "linear": cv2.INTER_LINEAR,
    "cubic": cv2.INTER_CUBIC,
    "lanczos": cv2.INTER_LANCZOS4,
}


def resize(
    image: NDArray[Pixel],
    size: tuple[int, int],
    enlarge: Literal["area", "linear", "cubic", "lanczos"] = "cubic",
) -> NDArray[Pixel]:
    """Resample H x W or H x W x C to another size: by area if that has fewer pixels.

    Args:
        image: The picture; returned as it is if it has the size.
        size: (height, width).
        enlarge: The kernel if the size has as many pixels or more.

    Example:
        >>> resize(np.zeros((90, 160, 3), np.float32), (45, 80)).shape
        (45, 80, 3)
    """
    height, width = size
    if image.shape[:2] == size:
        return image
    shrinks = height * width < image.shape[0] * image.shape[1]
    kernel = cv2.INTER_AREA if shrinks else _ENLARGE[enlarge]
    return np.asarray(cv2.resize(image, (width, height), interpolation=kernel), image.dtype)


def shrink_to_width(image: NDArray[Pixel], width: int) -> NDArray[Pixel]:
    """Shrink a picture that is wider than ``width``, keeping its proportions.

    Example:
        >>> shrink_to_width(np.zeros((90, 160, 3), np.uint8), 80).shape
        (45, 80, 3)
    """
    high, wide = image.shape[:2]
    if wide <= width:
        return image
    return resize(image, (max(1, round(high * width / wide)), width), "area")


def shrink_to_area(image: NDArray[Pixel], pixels: int) -> NDArray[Pixel]:
    """Shrink a picture that has more than ``pixels`` in all, keeping its proportions.

    Example:
        >>> shrink_to_area(np.zeros((90, 160, 3), np.float32), 3600).shape
        (45, 80, 3)
    """
    height, width = image.shape[:2]
    scale = min(1.0, (pixels / (height * width)) ** 0.5)
    if scale == 1:
        return image
    return resize(image, (max(1, round(height * scale)), max(1, round(width * scale))))


def blur(image: Image, sigma: float) -> Image:
    """Apply a Gaussian blur of ``sigma`` pixels."""
    return np.asarray(cv2.GaussianBlur(image, (0, 0), sigma), np.float32)


def blur_in_proportion(image: Image, sigma: float) -> Image:
    """Apply a Gaussian blur of ``sigma`` pixels of a frame ``REFERENCE_WIDTH`` wide."""
    return blur(image, sigma * image.shape[1] / REFERENCE_WIDTH)


def blur_widely(image: Image, sigma: float) -> Image:
    """Do what ``blur_in_proportion`` does, with large frames shrunk first.

    That saves time where ``sigma`` is many pixels, and is a percent off on average.
    """
    wide = image.shape[1] > 2 * REFERENCE_WIDTH
    small = shrink_to_width(image, REFERENCE_WIDTH) if wide else image
    small = blur_in_proportion(small, sigma)
    return np.asarray(cv2.resize(small, image.shape[1::-1]), np.float32)


def to_grey(image: Image) -> Image:
    """Convert H x W x 3 RGB to its luma (BT.601), H x W, on the same scale."""
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), np.float32)


def average_channels(image: Image) -> Image:
    """Average H x W x C over its channels: H x W, several times as fast as ``image.mean(-1)``.

    Example:
        >>> average_channels(np.array([[[1, 2, 6]]], np.float32)).tolist()
        [[3.0]]
    """
    channels = image.shape[2]
    return np.asarray(cv2.transform(image, np.full((1, channels), 1 / channels)), np.float32)


def spread_channels(plane: Image, channels: int = 3) -> Image:
    """Repeat H x W in each channel: arithmetic with it is several times faster than broadcasting.

    Example:
        >>> spread_channels(np.ones((4, 5), np.float32)).shape
        (4, 5, 3)
    """
    return np.asarray(cv2.merge([plane] * channels), np.float32)


def to_levels(image: Image) -> Image:
    """Convert [-1, 1] to 0 .. 255, without rounding."""
    return np.asarray((image + 1) * np.float32(127.5), np.float32)


def measure_sharpness(grey: Image) -> float:
    """Measure the variance of the Laplacian of H x W (Pech-Pacheco et al., ICPR 2000)."""
    return float(cv2.Laplacian(grey, cv2.CV_32F).var())


def smoothstep(value: Any) -> Image:
    """Return 0 up to 0, 1 from 1 on, and ``3 x^2 - 2 x^3`` in between.

    Example:
        >>> smoothstep(np.array([-1, 0.5, 2])).tolist()
        [0.0, 0.5, 1.0]
    """
    share = np.clip(value, 0, 1)
    return np.asarray(share * share * (3 - 2 * share), np.float32)


def encode_jpeg(pixels: NDArray[np.uint8], quality: int) -> bytes:
    """Encode H x W x 3 RGB as a JPEG file. Raises MediaError for more pixels than one can hold."""
    options = [cv2.IMWRITE_JPEG_QUALITY, quality]
    done, data = cv2.imencode(".jpg", np.ascontiguousarray(pixels[..., ::-1]), options)
    if not done:
        raise MediaError(f"a JPEG cannot hold {pixels.shape[1]} x {pixels.shape[0]} pixels")
    return bytes(data)
