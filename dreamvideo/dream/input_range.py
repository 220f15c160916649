"""Which numbers a network takes for black and white, found in the network itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from dreamvideo.dream.runtime import tensorflow

Array = NDArray[np.float32]

# Average pixels, BGR, that Caffe's networks were trained with: that of Places365 is the average of
# places365CNN_mean.binaryproto in github.com/CSAILVision/places365. That of Places205 is what
# public programs subtract for its VGG-16; its authors' own file has not been seen.
CAFFE_MEANS_BGR = {
    "caffe": (103.939, 116.779, 123.68),
    "places365": (104.051, 112.514, 116.676),
    "places205": (105.488, 113.741, 116.060),
}
INCEPTION_5H_MEAN = 117.0
TORCH_MEAN = (0.485, 0.456, 0.406)
TORCH_STD = (0.229, 0.224, 0.225)
# What --input-range takes, and the kinds of ``preprocess``.
RANGES = {
    "0..1": "unit",
    "-1..1": "signed",
    "0..255": "bytes",
    "caffe": "caffe",
    "torch": "torch",
    "-117..138": "inception5h",
}
# Names that keras.applications gives its models, by what they take.
SIGNED_RESNETS = ("resnet50v2", "resnet101v2", "resnet152v2")
CAFFE_NETWORKS = ("vgg16", "vgg19", "resnet50", "resnet101", "resnet152")
SIGNED_NETWORKS = ("inception", "xception", "mobilenet_", "mobilenetv2", "nasnet")
# A convolution whose input spans about this much suits the usual starting weights.
USUAL_SPAN = 2.0
# A range is unlikely if the first norm's statistics lie this much further, in nats a channel, from
# what it gives than from what another range gives.
UNLIKELY = 1.0
PHOTO_SIDE = 128


def preprocess(image: Any, kind: str) -> Any:
    """Convert pixels in [-1, 1] to a network's input (the modes of keras.applications).

    ``signed`` keeps [-1, 1]; ``unit`` is [0, 1]; ``bytes`` is [0, 255]; ``caffe`` is BGR bytes
    minus their mean, ``places365`` and ``places205`` BGR bytes minus that of places,
    ``inception5h`` RGB bytes minus 117; ``torch`` is [0, 1] minus the mean,
    divided by the deviation.
    """
    if kind == "signed":
        return image
    if kind == "unit":
        return (image + 1) * 0.5
    if kind == "bytes":
        return (image + 1) * 127.5
    if kind == "inception5h":
        return (image + 1) * 127.5 - INCEPTION_5H_MEAN
    if kind in CAFFE_MEANS_BGR:
        return (image[..., ::-1] + 1) * 127.5 - CAFFE_MEANS_BGR[kind]
    if kind == "torch":
        return ((image + 1) * 0.5 - TORCH_MEAN) / TORCH_STD
    raise ValueError(f"no preprocessing named {kind!r}")


def name_range(kind: str) -> str:
    """Return what ``--input-range`` calls a kind of preprocessing."""
    return next(name for name, each in RANGES.items() if each == kind)


def range_of_name(name: str) -> str | None:
    """Return what a network of keras.applications takes, by the name of its model."""
    lower = name.lower()
    if lower.startswith((*SIGNED_NETWORKS, *SIGNED_RESNETS)):
        return "signed"
    if lower.startswith("densenet"):
        return "torch"
    return "caffe" if lower in CAFFE_NETWORKS else None


def range_of_scaling(scale: float, offset: float) -> str | None:
    """Return what a network takes whose own first layers compute ``x * scale + offset``.

    None if they leave x as it is.
    """
    if np.isclose(scale, 1, rtol=1e-3) and abs(offset) < 1e-3:
        return None
    if abs(offset) > 20:
        return "bytes"
    spans = {"unit": abs(scale), "signed": 2 * abs(scale), "bytes": 255 * abs(scale)}
    return min(spans, key=lambda kind: abs(np.log(max(spans[kind], 1e-9) / USUAL_SPAN)))


def score_ranges(
    respond: Callable[[Any], Any], mean: Array, variance: Array
) -> Mapping[str, float]:
    """Return how far a norm's statistics lie from what each range would have given it.

    Args:
        respond: A network's input (1, h, w, 3) -> input (1, h, w, channels) of its first norm.
        mean: The norm's means (channels,).
        variance: Its variances (channels,).

    Returns:
        Kind of preprocessing -> mean divergence of normal distributions over the channels, in nats.
    """
    found = {}
    for kind in RANGES.values():
        seen = np.asarray(respond(preprocess(tensorflow().constant(_photo()), kind)), np.float64)
        seen_mean, seen_variance = seen.mean((0, 1, 2)), seen.var((0, 1, 2)) + 1e-6
        wanted = variance.astype(np.float64) + 1e-6
        spread = (seen_variance + (seen_mean - mean) ** 2) / wanted
        found[kind] = float(np.mean(0.5 * (np.log(wanted / seen_variance) + spread - 1)))
    return found


def is_unlikely(kind: str, scores: Mapping[str, float]) -> bool:
    """Return whether another range fits a network's first norm much better than this one."""
    return scores[kind] > UNLIKELY + 2 * max(min(scores.values()), 0)


@lru_cache(maxsize=1)
def _photo() -> Array:
    """Return (1, h, w, 3) in [-1, 1] with the spectrum and colours that photographs have."""
    random = np.random.default_rng(0)
    total = np.zeros((PHOTO_SIDE, PHOTO_SIDE, 3))
    side = 2
    while side <= PHOTO_SIDE:
        grey = random.normal(0, 1, (side, side, 1))
        part = (grey + random.normal(0, 0.35, (side, side, 3))).astype(np.float32)
        total += cv2.resize(part, (PHOTO_SIDE, PHOTO_SIDE), interpolation=cv2.INTER_CUBIC)
        side *= 2
    photo = np.clip(total / total.std() * 0.5 - 0.08, -1, 1)
    return np.asarray(photo[None], np.float32)
