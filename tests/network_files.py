"""Networks' files written by others than the readers: torch, TensorFlow's GraphDef, protobuf."""

from __future__ import annotations

import re
import tracemalloc
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
# What is declared to PyTorch holds as long as the object that declared it.
LIBRARIES: list[Any] = []
BLOCKS = ("3a", "3b", "4a", "4b", "4c", "4d", "4e", "5a", "5b")
# Channels of a slim GoogLeNet: 1x1, 3x3_reduce, 3x3, 5x5_reduce, 5x5, pool_proj.
SLIM = (6, 4, 8, 3, 4, 5)


def caffe_weights(seed: int = 0, classes: int = 7) -> dict[str, tuple[Array, Array]]:
    """Weights of a slim GoogLeNet under Caffe's names, (out, in, h, w) and (out,)."""
    random = np.random.default_rng(seed)

    def conv(outputs: int, inputs: int, side: int) -> tuple[Array, Array]:
        spread = (2 / (inputs * side * side)) ** 0.5
        kernel = random.normal(0, spread, (outputs, inputs, side, side))
        return kernel.astype(np.float32), random.normal(0, 0.1, outputs).astype(np.float32)

    found = {
        "conv1/7x7_s2": conv(8, 3, 7),
        "conv2/3x3_reduce": conv(8, 8, 1),
        "conv2/3x3": conv(12, 8, 3),
    }
    depth = 12
    for block in BLOCKS:
        one, reduce3, three, reduce5, five, project = SLIM
        own = f"inception_{block}"
        if block == "5b":
            # The classifier knows its features by their number.
            one, three, five, project = 384, 384, 128, 128
        found |= {
            f"{own}/1x1": conv(one, depth, 1),
            f"{own}/3x3_reduce": conv(reduce3, depth, 1),
            f"{own}/3x3": conv(three, reduce3, 3),
            f"{own}/5x5_reduce": conv(reduce5, depth, 1),
            f"{own}/5x5": conv(five, reduce5, 5),
            f"{own}/pool_proj": conv(project, depth, 1),
        }
        depth = one + three + five + project
    top = random.normal(0, 0.05, (classes, 1024)).astype(np.float32)
    found["loss3/classifier"] = top, np.zeros(classes, np.float32)
    return found


def write_caffemodel(
    weights: Mapping[str, tuple[Array, Array]], path: Path, *, old: bool = False
) -> None:
    """Write with Google's own encoder, as Caffe does now, or as it did when GoogLeNet was made."""
    net = _caffe_messages()()
    net.name = "GoogleNet"
    for name, arrays in weights.items():
        layer = (net.layers if old else net.layer).add()
        layer.name = name
        for array in arrays:
            blob = layer.blobs.add()
            blob.data.extend(array.ravel().tolist())
            if old:
                sides = (1,) * (4 - array.ndim) + array.shape
                blob.num, blob.channels, blob.height, blob.width = sides
            else:
                blob.shape.dim.extend(array.shape)
    path.write_bytes(net.SerializeToString())


def _caffe_messages() -> Any:
    """The few of Caffe's messages that hold weights, declared to protobuf."""
    from google.protobuf import (  # type: ignore[import-untyped]
        descriptor_pb2,
        descriptor_pool,
        message_factory,
    )

    kinds = descriptor_pb2.FieldDescriptorProto
    file = descriptor_pb2.FileDescriptorProto(name="caffe.proto", package="caffe", syntax="proto2")

    def message(name: str, *fields: tuple[str, int, Any, bool]) -> None:
        made = file.message_type.add(name=name)
        for field, number, kind, many in fields:
            label = kinds.LABEL_REPEATED if many else kinds.LABEL_OPTIONAL
            own = made.field.add(name=field, number=number, label=label)
            if isinstance(kind, str):
                own.type, own.type_name = kinds.TYPE_MESSAGE, f".caffe.{kind}"
            else:
                own.type = kind
                own.options.packed = many and kind != kinds.TYPE_STRING

    text, whole = kinds.TYPE_STRING, kinds.TYPE_INT32
    message("BlobShape", ("dim", 1, kinds.TYPE_INT64, True))
    message(
        "BlobProto",
        *[(n, at, whole, False) for at, n in enumerate(("num", "channels", "height", "width"), 1)],
        ("data", 5, kinds.TYPE_FLOAT, True),
        ("shape", 7, "BlobShape", False),
    )
    message("LayerParameter", ("name", 1, text, False), ("blobs", 7, "BlobProto", True))
    message("V1LayerParameter", ("name", 4, text, False), ("blobs", 6, "BlobProto", True))
    message(
        "NetParameter",
        ("name", 1, text, False),
        ("layers", 2, "V1LayerParameter", True),
        ("layer", 100, "LayerParameter", True),
    )
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("caffe.NetParameter"))


def caffe_forward(weights: Mapping[str, tuple[Array, Array]], image: Array) -> dict[str, Array]:
    """GoogLeNet as Caffe computes it, in PyTorch: image (1, 3, H, W), Caffe's input."""
    import torch
    from torch.nn import functional

    seen: dict[str, Any] = {}

    def conv(name: str, x: Any, stride: int = 1) -> Any:
        kernel, bias = map(torch.from_numpy, weights[name])
        value = functional.conv2d(x, kernel, bias, stride, kernel.shape[-1] // 2)
        seen[name] = functional.relu(value)
        return seen[name]

    def pool(x: Any, stride: int = 2, padding: int = 0) -> Any:
        return functional.max_pool2d(x, 3, stride, padding, ceil_mode=True)

    def norm(x: Any) -> Any:
        return functional.local_response_norm(x, 5, 1e-4, 0.75, 1.0)

    x = norm(pool(conv("conv1/7x7_s2", torch.from_numpy(image), 2)))
    x = pool(norm(conv("conv2/3x3", conv("conv2/3x3_reduce", x))))
    for block in BLOCKS:
        own = f"inception_{block}"
        parts = [
            conv(f"{own}/1x1", x),
            conv(f"{own}/3x3", conv(f"{own}/3x3_reduce", x)),
            conv(f"{own}/5x5", conv(f"{own}/5x5_reduce", x)),
            conv(f"{own}/pool_proj", pool(x, 1, 1)),
        ]
        x = seen[f"{own}/output"] = torch.cat(parts, 1)
        if block in ("3b", "4e"):
            x = pool(x)
    return {name: value.numpy().transpose(0, 2, 3, 1) for name, value in seen.items()}


def write_frozen_graph(path: Path) -> Any:
    """Write a small frozen graph with TensorFlow; returns a function to its nodes' values."""
    import tensorflow as tf

    random = np.random.default_rng(0)
    with tf.Graph().as_default() as graph:
        x = tf.compat.v1.placeholder(tf.float32, (None, None, None, 3), name="input")
        x = tf.subtract(x, 117.0, name="centred")
        kernel = tf.constant(random.normal(0, 0.1, (7, 7, 3, 8)), tf.float32, name="w0")
        x = tf.nn.conv2d(x * 0.01, kernel, 2, "SAME", name="conv0")
        x = tf.nn.relu(
            tf.nn.bias_add(x, tf.constant(random.normal(0, 0.1, 8), tf.float32)), "relu0"
        )
        x = tf.nn.max_pool2d(x, 3, 2, "SAME", name="pool0")
        x = tf.nn.local_response_normalization(x, 2, 1.0, 2e-5, 0.75, name="norm0")
        parts = []
        for side in (1, 3):
            kernel = tf.constant(random.normal(0, 0.1, (side, side, 8, 4)), tf.float32)
            parts.append(tf.nn.relu(tf.nn.conv2d(x, kernel, 1, "SAME"), f"branch{side}"))
        x = tf.concat(parts, 3, name="mixed")
        x = tf.reshape(tf.reduce_mean(x, (1, 2)), (-1, 8))
        tf.nn.softmax(tf.matmul(x, tf.constant(random.normal(size=(8, 5)), tf.float32)), name="top")
        path.write_bytes(graph.as_graph_def().SerializeToString())

    def value_of(name: str, image: Any) -> Any:
        with tf.compat.v1.Session(graph=graph) as session:
            return session.run(f"{name}:0", {"input:0": image})

    return value_of


def import_torchvision() -> Any:
    """torchvision, also one that was built for another build of PyTorch; skips if there is none.

    Its networks need none of its own operators, but its import does not end without them.
    """
    from importlib.util import find_spec

    import pytest

    torch = pytest.importorskip("torch")
    found = find_spec("torchvision")
    if found is None or not found.submodule_search_locations:
        pytest.skip("torchvision is not installed", allow_module_level=True)
    folder = Path(found.submodule_search_locations[0])
    text = (folder / "_meta_registrations.py").read_text("utf-8")
    library = torch.library.Library("torchvision", "FRAGMENT")
    for name in re.findall(r'(?:register_meta\("|torchvision::)(\w+)"', text):
        if not hasattr(torch.ops.torchvision, name):
            library.define(f"{name}(Tensor x) -> Tensor")
    LIBRARIES.append(library)
    return pytest.importorskip("torchvision")


MUTATIONS = 1000


def assert_same(found: Any, expected: Any, tolerance: float = 1e-5) -> None:
    """Arrays agree within a share of the largest value."""
    scale = float(np.abs(expected).max())
    assert scale > 0
    np.testing.assert_allclose(found, expected, atol=tolerance * scale)


def check_damage(path: Path, read: Callable[[Path], Any]) -> None:
    """Damage a file in many ways: each is an error that says something, and takes no memory."""
    whole = path.read_bytes()
    random = np.random.default_rng(5)
    bound = 2 * len(whole) + (4 << 20)
    refused = 0
    for _ in range(MUTATIONS):
        data = bytearray(whole)
        # Most of a file is numbers, which no reader can object to: damage what is around them.
        for place in random.integers(0, min(len(data), 4000), random.integers(1, 6)):
            data[place] = random.integers(0, 256)
        if random.random() < 0.2:
            del data[random.integers(0, len(data)) :]
        path.write_bytes(data)
        tracemalloc.start()
        try:
            read(path)
        except ValueError as error:
            assert str(error)
            refused += 1
        finally:
            _, peak = tracemalloc.get_traced_memory()
            tracemalloc.stop()
        assert peak < bound
    assert refused > MUTATIONS // 10


def export_keras_model(folder: Path) -> Any:
    """Export a small Keras model of many kinds of layers to a folder; returns the model."""
    import tensorflow as tf

    layers = tf.keras.layers
    tf.keras.utils.set_random_seed(0)
    pixels = layers.Input((None, None, 3))
    x = layers.Rescaling(1 / 127.5, -1)(pixels)
    x = layers.Conv2D(8, 3, 2, padding="same", use_bias=False)(x)
    norm = layers.BatchNormalization()
    x = layers.ReLU(6.0)(norm(x))
    random = np.random.default_rng(0)
    norm.set_weights([random.uniform(0.5, 1.5, 8) for _ in range(4)])
    x = layers.DepthwiseConv2D(3, 2, padding="same", activation="silu")(x)
    x = layers.Conv2D(12, 1, activation="gelu")(x)
    spread = layers.SeparableConv2D(12, 3, padding="same", dilation_rate=2)(x)
    x = layers.LeakyReLU()(layers.Add()([x, spread]))
    x = layers.Conv2DTranspose(6, 3, 2, padding="same")(layers.UpSampling2D()(x))
    x = layers.LayerNormalization()(x)
    top = layers.Dense(5, activation="softmax")(layers.GlobalAveragePooling2D()(x))
    model = tf.keras.Model(pixels, top)
    model.export(folder, verbose=False)
    return model
