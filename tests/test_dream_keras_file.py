"""Keras models from files of one's own: every shape of model, held to what Keras computes."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from dreaming import cat, noise, still
from tiny import Cli

from dreamvideo.dream import models
from dreamvideo.dream.gradient_ascent import GradientAscent
from dreamvideo.dream.input_range import RANGES, preprocess, range_of_scaling
from dreamvideo.dream.layer_choice import choose_default_layers
from dreamvideo.dream.models import Layer
from dreamvideo.dream.objectives import weighted_layers
from dreamvideo.dream.runtime import tensorflow
from dreamvideo.errors import UsageError, WeightsError

# Keras's own way with NumPy 2, of no interest here.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
SIDE = 32


@pytest.fixture(autouse=True)
def drop_graphs() -> Iterator[None]:
    tensorflow().keras.utils.set_random_seed(1)
    yield
    tensorflow().keras.backend.clear_session()


def give_statistics(model: Any) -> None:
    """What a trained network might have, also in the models inside: untrained norms change
    nothing."""
    random = np.random.default_rng(0)
    for layer in model._flatten_layers():
        if type(layer).__name__ == "BatchNormalization":
            count = layer.moving_mean.shape[0]
            layer.moving_mean.assign(random.normal(0, 0.1, count))
            layer.moving_variance.assign(random.uniform(0.5, 1.5, count))


def sequential() -> Any:
    k = tensorflow().keras
    layers = k.layers
    return k.Sequential(
        [
            k.Input((SIDE, SIDE, 3)),
            layers.RandomFlip("horizontal"),
            layers.Rescaling(1 / 255),
            layers.Conv2D(6, 3, padding="same", activation="relu", name="first"),
            layers.MaxPooling2D(),
            layers.Conv2D(8, 3, activation=layers.ReLU(), name="second"),
            layers.Flatten(),
            layers.Dense(3, activation="softmax"),
        ]
    )


def base() -> Any:
    """A small network of blocks, as a fine-tune takes it from elsewhere."""
    k = tensorflow().keras
    layers = k.layers
    start = k.Input((None, None, 3))
    x = layers.Conv2D(8, 3, strides=2, padding="same", use_bias=False, name="stem")(start)
    x = layers.ReLU(6.0, name="stem_relu")(layers.BatchNormalization(name="stem_norm")(x))
    inner = k.Sequential(
        [layers.Conv2D(8, 3, padding="same", name="conv"), layers.BatchNormalization(name="norm")],
        name="inner",
    )
    x = layers.Add(name="sum")([inner(x), x])
    return k.Model(start, layers.ReLU(name="out")(x), name="mine")


def nested() -> Any:
    k = tensorflow().keras
    layers = k.layers
    start = k.Input((SIDE, SIDE, 3))
    x = layers.Normalization(mean=[120.0] * 3, variance=[60.0**2] * 3)(start)
    x = layers.Dropout(0.3)(base()(x, training=False))
    x = layers.Conv2D(8, 3, padding="same", name="conv")(x)
    return k.Model(start, layers.Dense(4)(layers.GlobalAveragePooling2D()(x)))


def strange_convolutions() -> Any:
    """Dilations, groups, strides and kernels with two sides, multipliers, all before norms."""
    k = tensorflow().keras
    layers = k.layers

    def norm(x: Any) -> Any:
        return layers.BatchNormalization()(x)

    start = k.Input((None, None, 3))
    x = norm(layers.Conv2D(8, (3, 5), strides=(2, 1), padding="same", name="two_strides")(start))
    x = layers.LeakyReLU()(x)
    x = norm(layers.Conv2D(8, 3, dilation_rate=2, padding="same", name="dilated")(x))
    x = norm(layers.Conv2D(12, 3, groups=4, padding="same", name="grouped")(x))
    x = norm(layers.DepthwiseConv2D(3, depth_multiplier=2, name="multiplied")(x))
    x = norm(layers.DepthwiseConv2D(3, dilation_rate=2, padding="same", name="depth_dilated")(x))
    x = norm(layers.SeparableConv2D(6, 3, dilation_rate=(2, 2), name="separable")(x))
    x = norm(layers.Conv2DTranspose(5, 3, strides=2, padding="same", name="transposed")(x))
    return k.Model(start, layers.Conv2D(4, (1, 7), name="line")(x))


def activations_and_pools() -> Any:
    k = tensorflow().keras
    layers = k.layers
    start = k.Input((None, None, 3))
    x = layers.Conv2D(6, 3, padding="same", name="first")(start)
    for name in (
        "elu",
        "selu",
        "gelu",
        "silu",
        "softplus",
        "tanh",
        "hard_sigmoid",
        "mish",
        "relu6",
    ):
        x = layers.Conv2D(6, 1, activation=name, name=f"with_{name}")(x)
    x = layers.PReLU(shared_axes=[1, 2])(layers.ELU()(x))
    x = layers.LayerNormalization()(layers.GroupNormalization(3)(x))
    x = layers.MaxPooling2D((1, 2))(layers.AveragePooling2D(3, strides=1, padding="same")(x))
    gate = layers.GlobalAveragePooling2D(keepdims=True)(x)
    x = layers.Multiply()([x, layers.Conv2D(6, 1, activation="sigmoid")(gate)])
    x = layers.Concatenate()([layers.UpSampling2D()(x), layers.UpSampling2D()(x)])
    return k.Model(start, layers.GaussianNoise(0.5)(x), name="many")


def shared_layer() -> Any:
    k = tensorflow().keras
    layers = k.layers
    start = k.Input((None, None, 3))
    conv = layers.Conv2D(3, 3, padding="same", name="again")
    return k.Model(start, layers.ReLU(name="end")(conv(layers.ReLU(name="middle")(conv(start)))))


def with_operations() -> Any:
    """Pixels prepared as ``keras.applications.vgg16.preprocess_input`` does, by operations."""
    k = tensorflow().keras
    start = k.Input((SIDE, SIDE, 3))
    x = k.applications.vgg16.preprocess_input(start)
    return k.Model(start, k.layers.Conv2D(4, 3, activation="relu", name="first")(x))


MODELS: dict[str, tuple[Callable[[], Any], str, set[str]]] = {
    "sequential": (sequential, "0..255", {"first", "second"}),
    "nested": (
        nested,
        "0..255",
        {"stem", "stem_relu", "mine/inner/conv", "conv", "norm", "sum", "out"},
    ),
    "strange": (
        strange_convolutions,
        "",
        {"two_strides", "dilated", "grouped", "multiplied", "depth_dilated", "separable", "line"},
    ),
    "activations": (activations_and_pools, "0..1", {"with_elu", "with_mish"}),
    "shared": (shared_layer, "0..1", {"again", "again_call2", "middle", "end"}),
    "operations": (with_operations, "0..255", {"first"}),
}


def outputs_of(model: Any, image: Any) -> dict[str, Any]:
    """Every layer's output as Keras computes it, by its name after those of models around it."""
    found: dict[str, Any] = {}

    def run(inner: Any, value: Any, path: str) -> None:
        inner = getattr(inner, "_functional", None) or inner
        wanted, models_inside = {}, {}
        for operation in inner.operations:
            calls = operation._inbound_nodes
            if hasattr(operation, "_nodes_by_depth") or getattr(operation, "_functional", None):
                models_inside[operation] = calls[-1].arguments.keras_tensors[0]
            elif calls[0].arguments.keras_tensors:
                wanted[path + operation.name] = calls[0].outputs[0]
        outputs = [*wanted.values(), *models_inside.values(), inner.inputs[0]]
        values = tensorflow().keras.Model(inner.inputs, outputs)(value, training=False)
        found.update(zip(wanted, values, strict=False))
        for (operation, _), given in zip(
            models_inside.items(), values[len(wanted) :], strict=False
        ):
            run(operation, given, f"{path}{operation.name}/")

    run(model, image, "")
    return found


@pytest.mark.parametrize(
    ("kind", "ending"),
    [
        ("nested", ".keras"),
        ("strange", ".keras"),
        ("operations", ".keras"),
        ("sequential", ".h5"),
        pytest.param("sequential", ".keras", marks=pytest.mark.integration),
        pytest.param("activations", ".keras", marks=pytest.mark.integration),
        pytest.param("shared", ".keras", marks=pytest.mark.integration),
        pytest.param("nested", ".h5", marks=pytest.mark.integration),
    ],
)
def test_a_file_computes_what_keras_does(kind: str, ending: str, tmp_path: Path) -> None:
    tf = tensorflow()
    build, range_name, expected_names = MODELS[kind]
    model = build()
    give_statistics(model)
    path = tmp_path / f"own{ending}"
    model.save(path)
    entry = models.find_entry(str(path))
    network: Any = models.load(str(path))
    assert range_name in ("", network.input_range)
    names = [layer.name for layer in network.layers]
    assert expected_names <= set(names)
    assert set(entry.default_layers) <= set(names)
    assert not any("folded" in note for note in network.notes)
    image = tf.constant(noise(SIDE, SIDE)[None])
    given = preprocess(image, RANGES[network.input_range])
    expected = outputs_of(model, given)
    compared = 0
    for name, found in network.forward(image, names).items():
        known = [key for key in expected if key == name or key.endswith("/" + name)]
        if len(known) == 1:
            compared += 1
            scale = float(np.abs(expected[known[0]]).max())
            np.testing.assert_allclose(found, expected[known[0]], atol=1e-4 * scale, err_msg=name)
    assert compared >= len(expected_names) - 1
    # Not wanting the convolutions lets their norms be folded.
    ends = list(entry.default_layers)
    both = network.forward(image, names)
    for name, found in network.forward(image, ends).items():
        np.testing.assert_allclose(found, both[name], atol=1e-4 * float(np.abs(found).max()))


def test_a_fixed_size_is_no_bound(tmp_path: Path) -> None:
    path = tmp_path / "own.keras"
    sequential().save(path)
    network: Any = models.load(str(path))
    ascent = GradientAscent(
        network.forward, weighted_layers((name, 1) for name in network.default_layers)
    )
    _, losses = ascent.climb(noise(40, 52), 0.02, still(4))
    assert losses[3] > losses[0]
    assert network.smallest <= SIDE


def test_a_resizing_layer_is_passed_by(tmp_path: Path) -> None:
    k = tensorflow().keras
    model = k.Sequential([k.Input((None, None, 3)), k.layers.Resizing(20, 20)])
    model.add(k.layers.Rescaling(1 / 127.5, offset=-1))
    model.add(k.layers.Conv2D(4, 3, padding="same", name="conv"))
    model.save(tmp_path / "own.keras")
    network: Any = models.load(str(tmp_path / "own.keras"))
    image = tensorflow().constant(noise(30, 34)[None])
    expected = model.layers[-1](image)
    np.testing.assert_allclose(network.forward(image, ["conv"])["conv"], expected, atol=1e-5)


def test_what_folding_would_change_runs_as_keras_runs_it(tmp_path: Path) -> None:
    k = tensorflow().keras
    start = k.Input((None, None, 3))
    x = k.layers.Conv2D(4, 3, padding="same", name="conv")(start)
    norm = k.layers.BatchNormalization(name="norm")
    model = k.Model(start, norm(x))
    model.get_layer("conv").bias.assign([3e4] * 4)
    norm.moving_mean.assign([3e4] * 4)
    model.save(tmp_path / "own.keras")
    network: Any = models.load(str(tmp_path / "own.keras"))
    assert any("cannot be folded" in note for note in network.notes)
    image = tensorflow().constant(noise(20, 20)[None])
    expected = model(preprocess(image, RANGES[network.input_range]), training=False)
    np.testing.assert_array_equal(network.forward(image, ["norm"])["norm"], expected)


# The others are too near: torch's is 2.2 times signed, and caffe's differs in the order of colours.
@pytest.mark.parametrize("kind", ["unit", "signed", "bytes"])
def test_the_first_norm_tells_the_range(kind: str, tmp_path: Path) -> None:
    """Statistics of the cat's photograph, which the search for the range does not know."""
    k = tensorflow().keras
    start = k.Input((None, None, 3))
    conv, norm = k.layers.Conv2D(16, 3, strides=2, name="conv"), k.layers.BatchNormalization()
    model = k.Model(start, k.layers.ReLU(name="relu")(norm(conv(start))))
    seen = np.asarray(conv(preprocess(tensorflow().constant(cat(200, 200)[None]), kind)))
    norm.moving_mean.assign(seen.mean((0, 1, 2)))
    norm.moving_variance.assign(seen.var((0, 1, 2)))
    model.save(tmp_path / "own.keras")
    network: Any = models.load(str(tmp_path / "own.keras"))
    assert RANGES[network.input_range] == kind
    assert "by its first norm" in network.notes[0]
    other = "bytes" if kind != "bytes" else "unit"
    assert "unlikely" in network.with_range(other).notes[0]
    assert network.with_range(kind).notes == ()


@pytest.mark.parametrize(
    ("scale", "offset", "kind"),
    [
        (1.0, 0.0, None),
        (1 / 255, 0.0, "bytes"),
        (1 / 127.5, -1.0, "bytes"),
        (1.0, -117.0, "bytes"),
        (2.0, -1.0, "unit"),
        (1 / 0.225, -2.1, "unit"),
        (0.5, 0.5, "signed"),
    ],
)
def test_range_from_the_networks_own_scaling(scale: float, offset: float, kind: str | None) -> None:
    assert range_of_scaling(scale, offset) == kind


def test_default_layers_are_wide_activations_of_strides_8_and_16() -> None:
    layers = [
        Layer("a", 8, 2),
        Layer("b_relu", 64, 8),
        Layer("c_relu", 64, 8),
        Layer("c_gate", 4, 8),
        Layer("d_relu", 128, 16),
        Layer("e_relu", 128, 16),
        Layer("f_relu", 128, 16),
        Layer("g_relu", 128, 16),
        Layer("h", 256, 32),
    ]
    active = {layer.name for layer in layers if layer.name not in ("a", "h")}
    assert choose_default_layers(layers, active) == ("c_relu", "f_relu")
    assert choose_default_layers(layers[:1], ()) == ("a",)


def trojan(tmp_path: Path) -> Any:
    k = tensorflow().keras
    name = str(tmp_path / "ran")
    layer = k.layers.Lambda(lambda x: (__import__("pathlib").Path(name).touch(), x)[1])
    return k.Sequential([k.Input((8, 8, 3)), layer, k.layers.Conv2D(2, 3)])


@pytest.mark.parametrize("ending", [".keras", ".h5"])
def test_code_in_a_file_is_not_run(ending: str, tmp_path: Path) -> None:
    trojan(tmp_path).save(tmp_path / f"own{ending}")
    (tmp_path / "ran").unlink()
    with pytest.raises(WeightsError, match="Lambda") as error:
        models.load(str(tmp_path / f"own{ending}"))
    assert "\n" not in str(error.value)
    assert not (tmp_path / "ran").exists()


def test_a_layer_of_another_package_is_not_looked_for(tmp_path: Path) -> None:
    path, changed = tmp_path / "own.keras", tmp_path / "changed.keras"
    sequential().save(path)
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(changed, "w") as new:
        for name in old.namelist():
            text = old.read(name)
            if name == "config.json":
                text = text.replace(b'"module": "keras.layers"', b'"module": "os.path"')
            new.writestr(name, text)
    with pytest.raises(WeightsError, match=r"code of os\.path\."):
        models.load(str(changed))


def test_a_file_that_unpacks_to_far_more_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "bomb.keras"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("config.json", b" " * (80 << 20))
    with pytest.raises(WeightsError, match="unpacks to"):
        models.load(str(path))


@pytest.mark.parametrize("ending", [".keras", ".h5", ".pb", ".txt", ".pth"])
def test_what_is_no_model_is_one_line(ending: str, tmp_path: Path) -> None:
    (tmp_path / f"own{ending}").write_bytes(b"hello" * 100)
    with pytest.raises(WeightsError, match="own") as error:
        models.load(str(tmp_path / f"own{ending}"))
    assert "\n" not in str(error.value)


def test_weights_without_a_network_name_the_way(tmp_path: Path) -> None:
    sequential().save_weights(tmp_path / "own.weights.h5")
    with pytest.raises(WeightsError, match="--weights"):
        models.load(str(tmp_path / "own.weights.h5"))


def test_usage(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"no model file '.*nowhere\.keras'"):
        models.find_entry(str(tmp_path / "nowhere.keras"))
    path = tmp_path / "own.keras"
    sequential().save(path)
    with pytest.raises(UsageError, match="--weights"):
        models.load(str(path), Path("any.h5"))
    with pytest.raises(UsageError, match="--input-range is for files"):
        models.load("vgg16", input_range="0..1")


@pytest.mark.integration
def test_stills_and_films_of_an_own_network(cli: Cli, shelf: Path, tmp_path: Path) -> None:
    path = tmp_path / "own.keras"
    sequential().save(path)
    said = cli("models", path)
    assert "first" in said.out and "yes" in said.out
    small = ("--model", path, "--steps", "1", "--octaves", "1", "-y")
    ended = cli("image", shelf / "photo.png", "-o", tmp_path / "a.png", *small)
    assert ended.code == 0, ended.err
    assert any("dreams second" in note for note in ended.notes), ended.err
    ended = cli("video", shelf / "clip.mp4", "-o", tmp_path / "a.mp4", "--end", "3f", *small)
    assert ended.code == 0, ended.err
    ended = cli(
        *("image", shelf / "photo.png", "-o", tmp_path / "b.png", *small),
        *("--input-range", "0..1"),
    )
    assert ended.code == 0, ended.err
    assert (tmp_path / "a.png").read_bytes() != (tmp_path / "b.png").read_bytes()
