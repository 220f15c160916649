"""The worker that takes the reference's steps: a Keras model under GradientTape in a tf.function.

This is the step of TensorFlow's DeepDream tutorial. The process imports TensorFlow itself, so that
none of this package's settings apply; its variants differ in environment variables only.
"""

from __future__ import annotations

import json
import math
import os
import platform
import re
from pathlib import Path
from typing import Any

import numpy as np

from dreamvideo.bench.googlenet import GOOGLENET, export_googlenet
from dreamvideo.bench.step_worker import LAYERS, STEP_SIZE, Ascend, Image, serve_steps
from dreamvideo.dream.lite0 import NORM_EPSILON, STAGES, blocks


def tensorflow() -> Any:
    """Return TensorFlow with its defaults, except that it logs errors only."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import tensorflow as tf

    return tf


def prepare(_variant: str, network: str, folder: Path) -> Ascend:
    """Return the reference's gradient ascent."""
    tf = tensorflow()
    model = tf.keras.models.load_model(folder / f"{network}.keras", compile=False)

    @tf.function(  # type: ignore[untyped-decorator]
        input_signature=[
            tf.TensorSpec([None, None, 3], tf.float32),
            tf.TensorSpec([], tf.int32),
            tf.TensorSpec([], tf.float32),
        ]
    )
    def run(image: Any, steps: Any, step_size: Any) -> Any:
        for _ in tf.range(steps):
            with tf.GradientTape() as tape:
                tape.watch(image)
                loss = sum(tf.reduce_mean(activation[0]) for activation in model(image[None]))
            gradient = tape.gradient(loss, image)
            gradient /= tf.math.reduce_std(gradient) + 1e-8
            image = tf.clip_by_value(image + gradient * step_size, -1.0, 1.0)
        return image

    def ascend(image: Image, steps: int) -> Image:
        result = run(tf.constant(image), tf.constant(steps), tf.constant(STEP_SIZE))
        return np.asarray(result.numpy())

    return ascend


def export(network: str, archive: str, folder: str) -> None:
    """Write a network, up to the layers that are dreamt, for all workers.

    NETWORK.keras is for the reference, NETWORK.json (the Keras layers with the names of their
    inputs) and NETWORK.npz (their weights as NAME/0, NAME/1, ...) for PyTorch; for Inception v3
    NETWORK.weights.h5 is for this package. GoogLeNet is written by ``export_googlenet``.

    Args:
        network: Its name.
        archive: The bundled weights.
        folder: Where the files go.
    """
    place = Path(folder)
    if network == GOOGLENET:
        export_googlenet(place)
        return
    if network == "inception-v3":
        whole = make_inception_v3()
        whole.save_weights(place / f"{network}.weights.h5")
    else:
        whole = make_lite0(archive)
    outputs = [whole.get_layer(name).output for name in LAYERS[network]]
    model = tensorflow().keras.Model(whole.input, outputs)
    model.save(place / f"{network}.keras")
    layers = []
    for layer in json.loads(model.to_json())["config"]["layers"]:
        inbound = json.dumps(layer["inbound_nodes"])
        inputs = re.findall(r'"keras_history": \["([^"]+)"', inbound)
        kept = {name: layer[name] for name in ("name", "class_name", "config")}
        layers.append({**kept, "inputs": inputs})
    (place / f"{network}.json").write_text(json.dumps(layers), "utf-8")
    weights = {
        f"{layer.name}/{index}": array
        for layer in model.layers
        for index, array in enumerate(layer.get_weights())
    }
    np.savez(place / f"{network}.npz", **weights)


def make_inception_v3() -> Any:
    """Return keras.applications' model with random weights, which take as long as trained ones.

    Kernels as in He et al., ICCV 2015, so that activations neither vanish nor explode.
    """
    keras = tensorflow().keras
    model = keras.applications.InceptionV3(
        include_top=False, weights=None, input_shape=(None, None, 3)
    )
    random = np.random.default_rng(0)
    for layer in model.layers:
        shapes = [array.shape for array in layer.get_weights()]
        if isinstance(layer, keras.layers.Conv2D):
            spread = math.sqrt(2 / math.prod(shapes[0][:3]))
            layer.set_weights([random.normal(0, spread, shapes[0])])
        elif isinstance(layer, keras.layers.BatchNormalization):
            beta, mean = random.normal(0, 0.1, (2, *shapes[0]))
            layer.set_weights([beta, mean, random.uniform(0.8, 1.2, shapes[0])])
    return model


def make_lite0(archive: str) -> Any:
    """Return EfficientNet-Lite0 up to block 11 in Keras, with batch norms as separate layers."""
    layers = tensorflow().keras.layers
    with np.load(archive, allow_pickle=False) as data:
        arrays = {name: data[name].astype(np.float32) for name in data.files}

    def block(x: Any, name: str, layer: Any, *, activate: bool = True) -> Any:
        x = layer(x)
        layer.set_weights([arrays[f"{name}/kernel"]])
        norm = layers.BatchNormalization(epsilon=NORM_EPSILON)
        x = norm(x)
        norm.set_weights(
            [arrays[f"{name}/{part}"] for part in ("gamma", "beta", "mean", "variance")]
        )
        return layers.ReLU(6.0, name=name)(x) if activate else x

    def conv(x: Any, name: str, width: int, size: int = 1, stride: int = 1, **how: Any) -> Any:
        layer = layers.Conv2D(width, size, stride, padding="same", use_bias=False)
        return block(x, name, layer, **how)

    kernels = [stage[1] for stage in STAGES for _ in range(stage[0])]
    pixels = layers.Input((None, None, 3))
    x = conv(layers.Rescaling(127.5 / 128, 0.5 / 128)(pixels), "stem", 32, 3, 2)
    for each in blocks():
        name, before = f"block{each.index}", x
        if each.expansion > 1:
            x = conv(x, f"{name}_expand", each.channels_in * each.expansion)
        if each.index == 11:
            break
        size = kernels[each.index]
        depthwise = layers.DepthwiseConv2D(size, each.stride, padding="same", use_bias=False)
        x = block(x, f"{name}_depthwise", depthwise)
        x = conv(x, f"{name}_project", each.channels_out, activate=False)
        x = layers.Add()([x, before]) if each.has_skip else x
    return tensorflow().keras.Model(pixels, x)


def versions() -> dict[str, str]:
    """Return the versions in use."""
    tf = tensorflow()
    return {
        "python": platform.python_version(),
        "tensorflow": str(tf.__version__),
        "keras": str(tf.keras.__version__),
    }


if __name__ == "__main__":
    serve_steps(prepare, versions, export=export)
