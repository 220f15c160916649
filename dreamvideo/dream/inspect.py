"""Measure how each layer of a network responds to a photograph."""

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
    """How strongly one layer responds to a picture.

    Attributes:
        layer: The layer.
        shape: (height, width, channels) of its activations.
        mean: Their mean.
        strongest: The channels with the highest mean activation, highest first.
    """

    layer: Layer
    shape: tuple[int, int, int]
    mean: float
    strongest: tuple[int, ...]


def measure_activity(
    network: Network, image: NDArray[np.float32], strongest: int = STRONGEST
) -> list[LayerActivity]:
    """Return every layer's response to an image, shallow to deep.

    A single pass computes all of them; each layer's activations are averaged and dropped at once,
    so that the deepest networks need little memory.

    Args:
        network: The network.
        image: H x W x 3 in [-1, 1].
        strongest: How many channels to list per layer.
    """
    tf = tensorflow()
    layers = network.layers

    def average(pixels: Any) -> list[tuple[Any, Any]]:
        found = network.forward(pixels[None], [layer.name for layer in layers])
        values = [found[layer.name] for layer in layers]
        return [(tf.shape(value)[1:], tf.reduce_mean(value, axis=(0, 1, 2))) for value in values]

    measured = tf.function(average, autograph=False)(tf.constant(image, tf.float32))
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
