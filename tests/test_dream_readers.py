"""Readers of networks' files, held to what other libraries make of files that those wrote.

Those of PyTorch's own files are in ``test_dream_readers_torch.py``.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from dreaming import noise, still
from network_files import (
    assert_same,
    caffe_weights,
    check_damage,
    write_caffemodel,
    write_frozen_graph,
)
from safetensors.numpy import save_file

from dreamvideo.dream import models
from dreamvideo.dream.convolution import dense_conv
from dreamvideo.dream.gradient_ascent import GradientAscent
from dreamvideo.dream.input_range import preprocess
from dreamvideo.dream.model_files import READERS, open_model_file
from dreamvideo.dream.objectives import weighted_layers
from dreamvideo.dream.readers.graph import list_shapes
from dreamvideo.dream.readers.operations import TABLE
from dreamvideo.dream.runtime import tensorflow
from dreamvideo.errors import DreamVideoError


def test_frozen_graphs_are_what_tensorflow_makes_of_them(tmp_path: Path) -> None:
    value_of = write_frozen_graph(tmp_path / "own.pb")
    network: Any = open_model_file(tmp_path / "own.pb")
    names = [layer.name for layer in network.layers]
    assert {"conv0", "relu0", "pool0", "norm0", "branch1", "mixed"} <= set(names)
    image = noise(40, 52)[None]
    given = np.asarray(preprocess(image, "bytes"), np.float32)
    found = network.forward(tensorflow().constant(image), names)
    for name in names:
        assert_same(found[name], value_of(name, given))


def test_shapes_are_known_before_anything_is_computed(tmp_path: Path) -> None:
    write_frozen_graph(tmp_path / "own.pb")
    graph = READERS[".pb"](tmp_path / "own.pb")
    assert list_shapes(graph, 64)["mixed"] == (1, 16, 16, 8)


@pytest.mark.parametrize(("radius", "beta"), [(2, 0.75), (5, 0.5), (1, 0.6)])
def test_neighbouring_channels_are_normalised_as_tensorflow_does(radius: int, beta: float) -> None:
    tf = tensorflow()
    random = np.random.default_rng(0)
    value = tf.constant(random.normal(0, 40, (1, 5, 6, 12)), tf.float32)
    upstream = tf.constant(random.normal(size=(1, 5, 6, 12)), tf.float32)
    options = {"depth_radius": radius, "bias": 1.0, "alpha": 2e-3, "beta": beta}
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(value)
        expected = tf.nn.local_response_normalization(value, **options)
        found = TABLE["LRN"](options, value)
    assert_same(found, expected)
    gradients = [tape.gradient(each, value, upstream) for each in (found, expected)]
    assert_same(*gradients)


@pytest.mark.parametrize("padding", ["SAME", "VALID"])
@pytest.mark.parametrize("sides", [(3, 3), (2, 4), (1, 5)])
def test_gradients_are_convolutions_of_the_same_value(sides: tuple[int, int], padding: str) -> None:
    tf = tensorflow()
    kernel = np.random.default_rng(0).normal(0, 1, (*sides, 4, 6)).astype(np.float32)
    x = tf.constant(np.random.default_rng(1).normal(0, 1, (1, 9, 8, 4)).astype(np.float32))
    ways: list[Callable[[Any], Any]] = [
        lambda x: dense_conv(x, kernel, padding),
        lambda x: tf.nn.conv2d(x, kernel, 1, padding),
    ]
    found = []
    for convolve in ways:
        with tf.GradientTape() as tape:
            tape.watch(x)
            value = convolve(x)
            goal = tf.reduce_sum(value * tf.cos(value))
        found.append((value, tape.gradient(goal, x)))
    for ours, known in zip(*found, strict=True):
        np.testing.assert_allclose(ours, known, rtol=1e-4, atol=1e-4)


def test_pooling_over_every_pixel_needs_no_border() -> None:
    tf = tensorflow()
    value = tf.constant(np.random.default_rng(0).normal(size=(1, 6, 7, 4)), tf.float32)
    options = {"ksize": [1, 3, 3, 1], "strides": [1, 1, 1, 1], "padding": "VALID", "around": 1}
    padded = tf.pad(value, [[0, 0], [1, 1], [1, 1], [0, 0]], constant_values=-np.inf)
    found = TABLE["MaxPool"](options, value)
    np.testing.assert_array_equal(found, tf.nn.max_pool2d(padded, 3, 1, "VALID"))


def doubling_graph(path: Path) -> None:
    """A few bytes that ask for 2 ** 53 channels."""
    tf = tensorflow()
    with tf.Graph().as_default() as graph:
        x = tf.compat.v1.placeholder(tf.float32, (None, None, None, 3), name="input")
        x = tf.nn.conv2d(x, tf.ones((3, 3, 3, 8)), 2, "SAME", name="first")
        for _ in range(50):
            x = tf.concat([x, x], 3)
        path.write_bytes(graph.as_graph_def().SerializeToString())


def test_a_graph_that_grows_without_bound_ends_where_it_does(tmp_path: Path) -> None:
    doubling_graph(tmp_path / "own.pb")
    network = open_model_file(tmp_path / "own.pb")
    assert "first" in [layer.name for layer in network.layers]
    assert max(layer.channels for layer in network.layers) < 2**14


def test_operations_that_do_more_than_compute_are_not_run(tmp_path: Path) -> None:
    tf = tensorflow()
    with tf.Graph().as_default() as graph:
        x = tf.compat.v1.placeholder(tf.float32, (None, None, None, 3), name="input")
        x = tf.nn.conv2d(x, tf.ones((3, 3, 3, 8)), 2, "SAME", name="first")
        with tf.control_dependencies([tf.io.write_file(str(tmp_path / "ran"), "text")]):
            tf.nn.relu(x, name="second")
        (tmp_path / "own.pb").write_bytes(graph.as_graph_def().SerializeToString())
    network: Any = open_model_file(tmp_path / "own.pb")
    network.forward(tf.constant(noise(32, 32)[None]), ["second"])
    assert "WriteFile" in network.notes[0]
    assert not (tmp_path / "ran").exists()


def small_file(ending: str, folder: Path) -> Path:
    path = folder / f"own{ending}"
    if ending == ".pb":
        write_frozen_graph(path)
    elif ending == ".caffemodel":
        weights = caffe_weights()
        write_caffemodel({name: weights[name] for name in list(weights)[:9]}, path)
    else:
        ones = np.ones((4, 3, 3, 3), np.float32)
        save_file({"features.0.weight": ones, "features.0.bias": ones[:, 0, 0, 0].copy()}, path)
    return path


# The graph's layers are traced for each mutation that can still be read; its reader alone is fast.
@pytest.mark.parametrize(
    "ending",
    [
        pytest.param(".pb", marks=pytest.mark.integration),
        pytest.param(".caffemodel", marks=pytest.mark.integration),
        ".safetensors",
    ],
)
def test_damage_is_one_line_and_takes_no_memory(ending: str, tmp_path: Path) -> None:
    check_damage(small_file(ending, tmp_path), READERS[ending])


@pytest.mark.parametrize("ending", [".pb", ".caffemodel", ".safetensors"])
def test_a_damaged_file_ends_in_one_line(ending: str, tmp_path: Path) -> None:
    path = small_file(ending, tmp_path)
    path.write_bytes(path.read_bytes()[:-40] if ending != ".safetensors" else b"\0" * 60)
    with pytest.raises(DreamVideoError, match="own") as error:
        open_model_file(path)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("short", "name"),
    [
        ("4c", "inception_4c/output"),
        ("3b/5x5_reduce", "inception_3b/5x5_reduce"),
        ("4d/3x3_reduce", "inception_4d/3x3_reduce"),
        ("inception_4c/output", "inception_4c/output"),
        ("inception_4c", "inception_4c/output"),
        ("inception4c", "inception_4c/output"),
        ("mixed4c", "inception_4c/output"),
    ],
)
def test_googlenets_layers_are_named_as_people_name_them(
    short: str, name: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.getbasetemp() / "named.caffemodel"
    if not path.exists():
        write_caffemodel(caffe_weights(), path)
    assert models.find_layer(open_model_file(path), str(path), short).name == name


@pytest.mark.parametrize(
    ("classes", "kind", "mean"),
    [
        (1000, "caffe", (103.939, 116.779, 123.68)),
        (365, "places365", (104.051, 112.514, 116.676)),
        (205, "places205", (105.488, 113.741, 116.060)),
    ],
)
def test_networks_of_places_know_their_mean_and_classes(
    classes: int, kind: str, mean: tuple[float, ...], tmp_path: Path
) -> None:
    path = tmp_path / "own.caffemodel"
    weights = caffe_weights(classes=classes)
    write_caffemodel(weights, path)
    network: Any = open_model_file(path)
    assert models.list_classes(str(path)) == (classes, ())
    kernel = models.find_classifier(network, str(path)).kernel
    np.testing.assert_array_equal(kernel, weights["loss3/classifier"][0].T)
    assert bool(network.notes) == (classes != 1000)
    grey = np.asarray(preprocess(np.zeros((1, 1, 1, 3)), kind))[0, 0, 0]
    np.testing.assert_allclose(grey, 127.5 - np.asarray(mean))
    image = tensorflow().constant(noise(48, 48)[None])
    layer = "conv1/7x7_s2"
    np.testing.assert_array_equal(
        network.forward(image, [layer])[layer],
        network.with_range(kind).forward(image, [layer])[layer],
    )


def test_a_googlenet_climbs(tmp_path: Path) -> None:
    write_caffemodel(caffe_weights(), tmp_path / "own.caffemodel")
    network = models.load(str(tmp_path / "own.caffemodel"))
    ascent = GradientAscent(network.forward, weighted_layers([("inception_4c/output", 1)]))
    _, losses = ascent.climb(noise(48, 48), 0.02, still(3))
    assert losses[2] > losses[0]


def test_arrays_that_share_their_numbers_are_refused(tmp_path: Path) -> None:
    entry = {"dtype": "F32", "shape": [1000], "data_offsets": [0, 4000]}
    header = json.dumps({f"a{n}.weight": entry for n in range(300)}).encode()
    path = tmp_path / "own.safetensors"
    path.write_bytes(len(header).to_bytes(8, "little") + header + bytes(4000))
    with pytest.raises(ValueError, match="overlap"):
        READERS[".safetensors"](path)


def test_a_grouped_convolution_is_dreamt(tmp_path: Path) -> None:
    tf = tensorflow()
    random = np.random.default_rng(2)
    with tf.Graph().as_default() as graph:
        x = tf.compat.v1.placeholder(tf.float32, (None, None, None, 3), name="input")
        wide = tf.constant(random.normal(size=(3, 3, 3, 8)), tf.float32)
        x = tf.nn.relu(tf.nn.conv2d(x, wide, 2, "SAME"), name="first")
        grouped = tf.constant(random.normal(size=(3, 3, 2, 8)), tf.float32)
        tf.nn.relu(tf.nn.conv2d(x, grouped, 1, "SAME"), name="second")
        (tmp_path / "own.pb").write_bytes(graph.as_graph_def().SerializeToString())
    network = open_model_file(tmp_path / "own.pb")
    ascent = GradientAscent(network.forward, weighted_layers([("second", 1)]))
    _, losses = ascent.climb(noise(32, 40), 0.02, still(3))
    assert losses[2] > losses[0]


def test_layers_that_could_not_be_named_are_not_listed(tmp_path: Path) -> None:
    tf = tensorflow()
    layers = tf.keras.layers
    model = tf.keras.Sequential(
        [
            layers.Input((32, 32, 3)),
            layers.Conv2D(4, 3, activation="relu", name="plain"),
            layers.Conv2D(4, 3, activation="relu", name="c,d"),
        ]
    )
    model.save(tmp_path / "own.keras")
    assert [layer.name for layer in open_model_file(tmp_path / "own.keras").layers] == ["plain"]
