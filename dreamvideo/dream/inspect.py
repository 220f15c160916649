"""What a network sees in a photograph: image -> each layer's shape, mean, strongest channels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dreamvideo.dream.models import Layer, Network
from dreamvideo.dream.runtime import tensorflow

STRONGEST = 5


@dataclass(frozen=True)
class LayerActivity:
    """How strongly one layer answers to a picture.

    ``shape`` is (height, width, channels) of its activations, ``mean`` their mean, ``strongest``
    the channels of the highest mean activation, the highest first.
    """

    layer: Layer
    shape: tuple[int, int, int]
    mean: float
    strongest: tuple[int, ...]


def measure_activity(
    network: Network, image: NDArray[np.float32], strongest: int = STRONGEST
) -> list[LayerActivity]:
    """Every layer's answer to an image (H x W x 3 in [-1, 1]), shallow to deep.

    One pass gives them all; each layer's activations are averaged at once and dropped, so that
    the deepest networks need little memory. ``strongest`` channels of each are told.
    """
    tf = tensorflow()
    layers = network.layers

    def averaged(pixels: Any) -> list[tuple[Any, Any]]:
        found = network.forward(pixels[None], [layer.name for layer in layers])
        values = [found[layer.name] for layer in layers]
        return [(tf.shape(value)[1:], tf.reduce_mean(value, axis=(0, 1, 2))) for value in values]

    measured = tf.function(averaged, autograph=False)(tf.constant(image, tf.float32))
    return [
        _measure_layer(layer, shape.numpy(), means.numpy(), strongest)
        for layer, (shape, means) in zip(layers, measured, strict=True)
    ]


def _measure_layer(
    layer: Layer, shape: NDArray[np.int32], means: NDArray[np.float32], strongest: int
) -> LayerActivity:
    height, width, channels = (int(side) for side in shape)
    order = np.argsort(-means, kind="stable")[:strongest]
    return LayerActivity(
        layer, (height, width, channels), float(means.mean()), tuple(int(c) for c in order)
    )
