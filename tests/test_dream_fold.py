"""Networks with their norms folded away, held to the plain Keras step in float64."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from dreaming import cat, has_bfloat16, noise
from numpy.typing import NDArray

from dreamvideo.dream import fold, models
from dreamvideo.dream.convolution import bfloat16_gradient
from dreamvideo.dream.deterministic_ops import deviation, mean, stem_conv
from dreamvideo.dream.input_range import preprocess
from dreamvideo.dream.keras_networks import KerasNetwork
from dreamvideo.dream.runtime import tensorflow

# One small network is tried by every run, all of them by the integration tests.
KERAS_MODELS = [
    pytest.param(name, marks=() if name == "mobilenet-v2" else pytest.mark.integration)
    for name, entry in models.REGISTRY.items()
    if entry.keras_name
]
# Keras's own way with NumPy 2, of no interest here.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


@pytest.fixture(autouse=True)
def drop_graphs() -> Iterator[None]:
    yield
    tensorflow().keras.backend.clear_session()


@pytest.fixture
def double() -> Iterator[None]:
    """Keras builds what it builds in float64."""
    config = tensorflow().keras.config
    config.set_dtype_policy("float64")
    config.set_floatx("float64")
    yield
    config.set_dtype_policy("float32")
    config.set_floatx("float32")


def give_norms_statistics(model: Any) -> None:
    """What a trained network might have: untrained norms would change nothing."""
    random = np.random.default_rng(0)
    for layer in model.layers:
        if type(layer).__name__ == "BatchNormalization":
            count = layer.moving_mean.shape[0]
            layer.moving_mean.assign(random.normal(0, 0.1, count))
            layer.moving_variance.assign(random.uniform(0.5, 1.5, count))
            if layer.scale:
                layer.gamma.assign(random.uniform(0.7, 1.3, count))
            if layer.center:
                layer.beta.assign(random.normal(0, 0.1, count))


def gradient(values_of: Any, image: Any) -> NDArray[np.float64]:
    """Of the sum of the means of what ``values_of`` gives, compiled as a step is."""
    tf = tensorflow()

    def step(pixels: Any) -> Any:
        with tf.GradientTape() as tape:
            tape.watch(pixels)
            loss = tf.add_n([tf.reduce_mean(value) for value in values_of(pixels[None])])
        return tape.gradient(loss, pixels)

    found = tf.function(step, autograph=False)(image)
    return np.asarray(found, np.float64)


@pytest.mark.integration
@pytest.mark.parametrize("name", KERAS_MODELS)
def test_gradient_is_that_of_the_plain_network_in_double_precision(name: str, double: None) -> None:
    tf = tensorflow()
    tf.keras.utils.set_random_seed(1)
    entry = models.find_entry(name)
    build = getattr(tf.keras.applications, entry.keras_name)
    model = build(include_top=False, weights=None, input_shape=(None, None, 3))
    give_norms_statistics(model)
    wanted = list(entry.default_layers)
    plain = tf.keras.Model(model.input, [model.get_layer(layer).output for layer in wanted])
    assert plain.compute_dtype == "float64"
    image = 0.9 * cat(entry.smallest + 4, entry.smallest + 9)
    expected = gradient(
        lambda pixels: plain(preprocess(pixels, entry.preprocess), training=False),
        tf.constant(image, tf.float64),
    )
    network = KerasNetwork(model, entry.preprocess)
    brief = (1e-2, 0.9999) if has_bfloat16() else (5e-2, 0.999)
    for forward, least, (most, likeness) in (
        (network.forward, 0.0, (1e-2, 0.9999)),
        (bfloat16_gradient(network.forward), 1e-3, brief),
    ):
        found = gradient(
            lambda pixels, f=forward: list(f(pixels, wanted).values()), tf.constant(image)
        )
        difference = np.linalg.norm(found - expected) / np.linalg.norm(expected)
        assert least < difference < most
        cosine = (found * expected).sum() / np.linalg.norm(found) / np.linalg.norm(expected)
        assert cosine > likeness


def small_model() -> Any:
    """Every kind of convolution and of norm, read by one, by two, or wanted itself."""
    layers = tensorflow().keras.layers
    start = layers.Input((None, None, 3))
    x = layers.Conv2D(8, 3, strides=2, padding="same", use_bias=False, name="stem")(start)
    x = layers.ReLU(6.0, name="stem_relu")(layers.BatchNormalization(name="stem_norm")(x))
    x = layers.DepthwiseConv2D(3, strides=2, padding="same", name="depthwise")(x)
    x = layers.Activation("elu", name="elu")(layers.BatchNormalization(name="depth_norm")(x))
    x = layers.SeparableConv2D(6, 5, padding="same", name="separable")(x)
    x = read_twice = layers.BatchNormalization(scale=False, name="separable_norm")(x)
    x = layers.Conv2D(6, 1, activation="relu", name="active")(x)
    x = layers.BatchNormalization(center=False, name="after_relu")(x)
    x = layers.Conv2D(6, 3, groups=6, padding="same", name="groups")(x)
    x = both = layers.Dense(6, name="dense")(x)
    x = layers.BatchNormalization(name="dense_norm")(x)
    x = layers.Add(name="sum")([x, both, read_twice])
    x = layers.AveragePooling2D(3, strides=1, padding="same", name="average")(x)
    x = layers.Conv2D(4, 1, name="narrow")(x)
    x = layers.ReLU(name="last")(layers.BatchNormalization(name="narrow_norm")(x))
    model = tensorflow().keras.Model(start, layers.AveragePooling2D(2, name="pool")(x))
    give_norms_statistics(model)
    return model


@pytest.mark.sample(2)
@pytest.mark.parametrize(
    "wanted",
    [
        ("pool",),
        ("last", "narrow_norm"),
        ("last", "average"),
        ("narrow",),
        ("stem", "pool"),
        ("stem_norm", "stem", "stem_relu"),
        ("separable", "separable_norm", "sum", "dense"),
        ("depthwise", "after_relu", "groups", "dense_norm"),
    ],
)
def test_whatever_is_wanted_is_what_keras_makes_of_it(wanted: tuple[str, ...]) -> None:
    tf = tensorflow()
    tf.keras.utils.set_random_seed(1)
    model = small_model()
    layers = [model.get_layer(name) for name in wanted]
    image = tf.constant(noise(19, 22)[None])
    outputs = [layer.output for layer in layers]
    expected = tf.keras.Model(model.input, [*outputs, outputs[0]])(image, training=False)
    for name, found, value in zip(wanted, fold.run(model, image, layers), expected, strict=False):
        np.testing.assert_allclose(found, value, atol=2e-5, err_msg=name)


@pytest.mark.integration
def test_norms_are_gone_and_weights_are_constants() -> None:
    tf = tensorflow()
    model = small_model()
    pool = model.get_layer("pool")
    graph = (
        tf.function(lambda x: fold.run(model, x, [pool]))
        .get_concrete_function(tf.TensorSpec([1, None, None, 3], tf.float32))
        .graph
    )
    kinds = [operation.type for operation in graph.get_operations()]
    assert not {"ReadVariableOp", "FusedBatchNormV3", "Rsqrt"} & set(kinds)
    # Those that stay: after a ReLU, and where the dense layer has a second reader.
    assert kinds.count("Mul") == 2


@pytest.mark.integration
def test_graph_ends_at_the_deepest_layer_wanted() -> None:
    tf = tensorflow()
    model = small_model()

    def operations(name: str) -> int:
        traced = tf.function(lambda x: fold.run(model, x, [model.get_layer(name)]))
        concrete = traced.get_concrete_function(tf.TensorSpec([1, None, None, 3], tf.float32))
        return len(concrete.graph.get_operations())

    assert operations("stem_relu") < operations("elu") < operations("pool")


@pytest.mark.sample(6)
@pytest.mark.parametrize("size", [(16, 21), (17, 22), (18, 23), (19, 24)])
@pytest.mark.parametrize("padding", ["SAME", "VALID"])
@pytest.mark.parametrize(("side", "stride"), [(3, 1), (3, 2), (7, 2), (4, 4), (1, 1)])
def test_stem_has_the_gradient_of_a_convolution(
    size: tuple[int, int], padding: str, side: int, stride: int
) -> None:
    tf = tensorflow()
    random = np.random.default_rng(0)
    kernel = random.normal(size=(side, side, 3, 5)).astype(np.float32)
    image = tf.constant(noise(*size)[None])

    def both(conv: Any) -> tuple[Any, Any]:
        with tf.GradientTape() as tape:
            tape.watch(image)
            value = conv(image)
            loss = tf.reduce_sum(value**3)
        return value, tape.gradient(loss, image)

    expected, expected_gradient = both(lambda x: tf.nn.conv2d(x, kernel, stride, padding))
    value, found = both(lambda x: stem_conv(x, kernel, stride, padding))
    np.testing.assert_array_equal(value, expected)
    scale = float(np.abs(expected_gradient).max())
    np.testing.assert_allclose(found, expected_gradient, atol=1e-5 * scale)


def test_steady_sums_are_sums() -> None:
    values = noise(31, 47) + 3
    assert float(mean(tensorflow().constant(values))) == pytest.approx(values.mean(), rel=1e-5)
    assert float(deviation(tensorflow().constant(values))) == pytest.approx(values.std(), rel=1e-4)
