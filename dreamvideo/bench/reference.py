"""The worker that takes the reference's steps: a Keras model under GradientTape in a tf.function.

The step of TensorFlow's DeepDream tutorial, its loop over the steps inside the graph. It imports
TensorFlow itself, in a process of its own, so that no setting of ours reaches it; what its
environment says of oneDNN and threads is all that differs between its forms.
"""

from __future__ import annotations

import math
import os
import platform
from pathlib import Path
from typing import Any

import numpy as np

from dreamvideo.bench.step_api import LAYERS, STEP_SIZE, Climb, Image, handlers
from dreamvideo.bench.worker_rpc import serve

NORM_EPSILON = 1e-3
SEED = 0


def tensorflow() -> Any:
    """TensorFlow as it comes, but for its chatter."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import tensorflow as tf

    return tf


def prepare(_form: str, network: str, weights: str) -> Climb:
    """The climb of the reference."""
    tf = tensorflow()
    model = cut(network, weights)

    @tf.function(  # type: ignore[untyped-decorator]
        input_signature=[
            tf.TensorSpec([None, None, 3], tf.float32),
            tf.TensorSpec([], tf.int32),
            tf.TensorSpec([], tf.float32),
        ]
    )
    def steps_of(image: Any, steps: Any, step_size: Any) -> Any:
        for _ in tf.range(steps):
            with tf.GradientTape() as tape:
                tape.watch(image)
                loss = sum(tf.reduce_mean(activation[0]) for activation in model(image[None]))
            gradient = tape.gradient(loss, image)
            gradient /= tf.math.reduce_std(gradient) + 1e-8
            image = tf.clip_by_value(image + gradient * step_size, -1.0, 1.0)
        return image

    def climb(image: Image, steps: int) -> Image:
        taken = steps_of(tf.constant(image), tf.constant(steps), tf.constant(STEP_SIZE))
        return np.asarray(taken.numpy())

    return climb


def cut(network: str, weights: str) -> Any:
    """The Keras model from pixels in [-1, 1] to the layers that the bench dreams."""
    tf = tensorflow()
    whole = inception_v3(weights) if network == "inception-v3" else lite0(weights)
    return tf.keras.Model(whole.input, [whole.get_layer(name).output for name in LAYERS[network]])


def inception_v3(archive: str | None) -> Any:
    """keras.applications' model; where an archive is given, with its weights."""
    tf = tensorflow()
    model = tf.keras.applications.InceptionV3(
        include_top=False, weights=None, input_shape=(None, None, 3)
    )
    if archive is not None:
        model.load_weights(Path(archive).with_suffix(".weights.h5"))
    return model


def lite0(archive: str) -> Any:
    """EfficientNet-Lite0 up to block 11, batch norms as layers of their own."""
    from dreamvideo.dream.lite0 import STAGES, blocks

    tf = tensorflow()
    layers = tf.keras.layers
    with np.load(archive, allow_pickle=False) as data:
        arrays = {name: data[name].astype(np.float32) for name in data.files}

    def block(x: Any, name: str, layer: Any, *, activate: bool = True) -> Any:
        x = layer(x)
        layer.set_weights([arrays[f"{name}/kernel"]])
        norm = layers.BatchNormalization(epsilon=NORM_EPSILON)
        x = norm(x)
        norm.set_weights(
            [arrays[f"{name}/{part}"] for part in ("gamma", "beta", "mean")]
            + [arrays[f"{name}/variance"]]
        )
        return layers.ReLU(6.0, name=name)(x) if activate else x

    def plain(x: Any, name: str, width: int, size: int = 1, stride: int = 1, **how: Any) -> Any:
        layer = layers.Conv2D(width, size, stride, padding="same", use_bias=False)
        return block(x, name, layer, **how)

    kernels = [stage[1] for stage in STAGES for _ in range(stage[0])]
    pixels = layers.Input((None, None, 3))
    x = plain(layers.Rescaling(127.5 / 128, 0.5 / 128)(pixels), "stem", 32, 3, 2)
    for each in blocks():
        name, before = f"block{each.index}", x
        if each.expansion > 1:
            x = plain(x, f"{name}_expand", each.channels_in * each.expansion)
        if each.index == 11:
            break
        side = kernels[each.index]
        depthwise = layers.DepthwiseConv2D(side, each.stride, padding="same", use_bias=False)
        x = block(x, f"{name}_depthwise", depthwise)
        x = plain(x, f"{name}_project", each.channels_out, activate=False)
        x = layers.Add()([x, before]) if each.has_skip else x
    return tf.keras.Model(pixels, x)


def make_weights(archive: str) -> None:
    """Random weights of Inception v3, the same each time, for Keras (.weights.h5) and NumPy.

    Kernels after He et al., ICCV 2015, so that activations neither fade nor grow; norms near the
    identity. How fast a step is does not depend on what the weights are.
    """
    model = inception_v3(None)
    random = np.random.default_rng(SEED)
    arrays: dict[str, Any] = {}
    for index, (conv, norm) in enumerate(zip(*map(numbered, convolutions(model)), strict=True)):
        shape = conv.get_weights()[0].shape
        kernel = random.normal(0, math.sqrt(2 / math.prod(shape[:3])), shape)
        width = shape[-1]
        parts = {
            "kernel": kernel,
            "beta": random.normal(0, 0.1, width),
            "mean": random.normal(0, 0.1, width),
            "variance": random.uniform(0.8, 1.2, width),
        }
        found = {name: part.astype(np.float32) for name, part in parts.items()}
        conv.set_weights([found["kernel"]])
        norm.set_weights([found["beta"], found["mean"], found["variance"]])
        arrays |= {f"conv{index}/{name}": part for name, part in found.items()}
    model.save_weights(Path(archive).with_suffix(".weights.h5"))
    np.savez(archive, **arrays)


def convolutions(model: Any) -> tuple[list[Any], list[Any]]:
    """Convolutions and norms of a Keras model."""
    layers = tensorflow().keras.layers
    return (
        [layer for layer in model.layers if isinstance(layer, layers.Conv2D)],
        [layer for layer in model.layers if isinstance(layer, layers.BatchNormalization)],
    )


def numbered(layers: list[Any]) -> list[Any]:
    """In the order in which they were built, which Keras's automatic names tell."""

    def number(layer: Any) -> int:
        digits = layer.name.rpartition("_")[2]
        return int(digits) if digits.isdigit() else 0

    return sorted(layers, key=number)


def count_flops(network: str, weights: str, height: int, width: int) -> int:
    """Floating-point operations of one step, convolutions only.

    Each multiply-add of a convolution counts two in the forward pass, and as many again in the
    gradient to its input. Norms, activations, pooling and the update count nothing.
    """
    model = cut(network, weights)
    layers = tensorflow().keras.layers
    kept = [
        layer for layer in model.layers if isinstance(layer, layers.Conv2D | layers.DepthwiseConv2D)
    ]
    probe = tensorflow().keras.Model(model.input, [layer.output for layer in kept])
    shapes = probe.compute_output_shape((1, height, width, 3))
    total = 0
    for layer, (_, rows, columns, channels) in zip(kept, shapes, strict=True):
        kernel = layer.get_weights()[0].shape
        inputs = 1 if isinstance(layer, layers.DepthwiseConv2D) else kernel[2]
        total += rows * columns * channels * kernel[0] * kernel[1] * inputs
    return int(4 * total)


def versions() -> dict[str, str]:
    """What computes."""
    tf = tensorflow()
    return {
        "python": platform.python_version(),
        "tensorflow": str(tf.__version__),
        "keras": str(tf.keras.__version__),
    }


if __name__ == "__main__":
    serve(
        {
            **handlers(prepare, versions),
            "make_weights": make_weights,
            "count_flops": count_flops,
        }
    )
