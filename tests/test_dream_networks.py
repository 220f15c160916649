"""The registry, and every Keras network end to end with weights that the test makes and saves."""

from __future__ import annotations

import os
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from dreaming import noise, still
from network_files import caffe_weights, write_caffemodel

from dreamvideo.dream import models
from dreamvideo.dream.dreamer import Dreamer
from dreamvideo.dream.gradient_ascent import GradientAscent
from dreamvideo.dream.objectives import weighted_layers
from dreamvideo.dream.runtime import tensorflow
from dreamvideo.errors import UsageError, WeightsError
from dreamvideo.parsing import parse_layers, parse_term
from dreamvideo.settings import DreamSettings

# One small network is tried by every run, all of them by the integration tests.
KERAS_MODELS = [
    pytest.param(name, marks=() if name == "mobilenet-v2" else pytest.mark.integration)
    for name, entry in models.REGISTRY.items()
    if entry.keras_name
]
BUNDLED = "efficientnet-lite0"
# Keras's own way with NumPy 2, of no interest here.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


@pytest.fixture(autouse=True)
def drop_graphs() -> Iterator[None]:
    yield
    tensorflow().keras.backend.clear_session()


def untrained(name: str, **options: Any) -> Any:
    """The network as Keras makes it, with random weights that are the same in every run."""
    tf = tensorflow()
    tf.keras.utils.set_random_seed(1)
    build = getattr(tf.keras.applications, models.find_entry(name).keras_name)
    return build(**{"include_top": False, "weights": None} | options)


def save_published(model: Any, path: Path) -> None:
    """Weights in the layout of the .h5 files that Keras publishes: a group a layer, in order."""
    import h5py  # type: ignore[import-untyped]

    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = [layer.name.encode() for layer in model.layers]
        for layer in model.layers:
            group = file.create_group(layer.name)
            arrays = {f"{layer.name}/{at}": w for at, w in enumerate(layer.get_weights())}
            group.attrs["weight_names"] = [name.encode() for name in arrays]
            for name, array in arrays.items():
                group[name] = array


def save_weights(model: Any, path: Path) -> None:
    model.save_weights(path)


def save_whole(model: Any, path: Path) -> None:
    model.save(path)


FORMATS: dict[str, Callable[[Any, Path], None]] = {
    "net.weights.h5": save_weights,
    "net.h5": save_published,
    "net.keras": save_whole,
}


def keras_preprocessing(name: str) -> Callable[[Any], Any]:
    """The function that Keras ships with the network, for bytes."""
    builder = getattr(tensorflow().keras.applications, models.find_entry(name).keras_name)
    function: Callable[[Any], Any] = sys.modules[builder.__module__].preprocess_input
    return function


def assert_same_network(name: str, network: models.Network, model: Any, side: int) -> None:
    """Default layers answer as Keras's own model and preprocessing do."""
    entry = models.find_entry(name)
    image = noise(side, side, seed=2)
    tf = tensorflow()
    names = list(entry.default_layers)
    cut = tf.keras.Model(model.input, [model.get_layer(layer).output for layer in names])
    expected = cut(keras_preprocessing(name)((image[None] + 1) * 127.5), training=False)
    found = network.forward(tf.constant(image[None]), names)
    for layer, value in zip(names, expected, strict=True):
        scale = float(np.abs(value).max())
        np.testing.assert_allclose(found[layer], value, atol=1e-4 * scale, err_msg=layer)


@pytest.mark.integration
@pytest.mark.parametrize(
    ("name", "file"),
    [
        pytest.param(*each.values, list(FORMATS)[at % len(FORMATS)], marks=each.marks)
        for at, each in enumerate(KERAS_MODELS)
    ],
)
def test_network_loads_and_dreams_from_a_local_file(name: str, file: str, tmp_path: Path) -> None:
    model = untrained(name)
    FORMATS[file](model, tmp_path / file)
    network = models.load(name, tmp_path / file)
    entry = models.find_entry(name)
    assert_same_network(name, network, model, entry.smallest)
    models.check_layers(network, name, entry.default_layers)
    ascent = GradientAscent(
        network.forward, weighted_layers((layer, 1) for layer in entry.default_layers)
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        _, losses = ascent.climb(noise(entry.smallest, entry.smallest), 0.02, still(4))
    assert losses[3] > losses[0]


@pytest.fixture(scope="module")
def classifier() -> Any:
    return untrained("mobilenet-v2", include_top=True)


@pytest.mark.sample(1)
@pytest.mark.parametrize("file", FORMATS)
def test_file_with_the_classifier_serves_too(file: str, classifier: Any, tmp_path: Path) -> None:
    FORMATS[file](classifier, tmp_path / file)
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        network = models.load("mobilenet-v2", tmp_path / file)
    assert_same_network("mobilenet-v2", network, classifier, side=224)


@pytest.mark.parametrize("name", KERAS_MODELS)
def test_preprocessing_is_the_networks_own(name: str) -> None:
    from dreamvideo.dream.input_range import preprocess

    image = noise(8, 9)[None]
    expected = keras_preprocessing(name)((image + 1) * 127.5)
    found = preprocess(tensorflow().constant(image), models.find_entry(name).preprocess)
    np.testing.assert_allclose(found, expected, atol=1e-4)


@pytest.mark.integration
def test_layer_names_do_not_depend_on_what_was_built_before() -> None:
    names = [layer.name for layer in models.list_layers("inception-v3")]
    assert names == [layer.name for layer in models.list_layers("inception-v3")]
    assert len(set(names)) == len(names)
    assert {"conv2d", "conv2d_93", "mixed0", "mixed9_1", "mixed10"} <= set(names)
    assert "conv2d_94" not in names


def test_random_weights_depend_on_their_seed_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = tensorflow().constant(noise(32, 40)[None])

    def seen(name: str) -> Any:
        return np.asarray(models.load(name).forward(image, ["conv3_3"])["conv3_3"])

    first = seen("random-vgg")
    np.testing.assert_array_equal(seen("random-vgg-0"), first)
    assert not np.array_equal(seen("random-vgg-7"), first)
    assert (first > 0).mean() > 0.1
    entry = models.find_entry("random-vgg-7")
    assert (entry.name, entry.seed, entry.weights) == ("random-vgg-7", 7, "random")
    # A file or folder of that name does not take its place.
    (tmp_path / "random-vgg-7").mkdir()
    monkeypatch.chdir(tmp_path)
    assert models.find_model_file("random-vgg-7") is None
    network = models.load("random-vgg-7")
    models.check_layers(network, "random-vgg-7", [t.split(":")[0] for t in entry.default_layers])


def test_kept_networks_are_found_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    path = tmp_path / "Slim GoogLeNet.caffemodel"
    write_caffemodel(caffe_weights(), path)
    assert models.add_model(path)[0] == "slim-googlenet"
    name, copy = models.add_model(path, "slim")
    assert copy == tmp_path / "dreamvideo" / "models" / "slim.caffemodel"
    assert copy.read_bytes() == path.read_bytes()
    path.unlink()
    assert models.find_model_file(name) == copy
    assert models.find_entry(name).default_layers == ("inception_3b/output", "inception_4c/output")
    for wrong in ("slim", "vgg16", "random-vgg-3", "a/b", ""):
        with pytest.raises(UsageError):
            models.add_model(copy, wrong)
    (tmp_path / "no.pb").write_text("text")
    with pytest.raises(WeightsError):
        models.add_model(tmp_path / "no.pb")
    left = sorted(each.name for each in copy.parent.iterdir())
    assert left == ["slim-googlenet.caffemodel", "slim.caffemodel"]


@pytest.mark.integration
def test_layers_are_where_a_dream_can_be() -> None:
    layers = models.list_layers("efficientnet-v2-b0")
    assert not [layer for layer in layers if layer.stride > 32 or layer.channels < 3]
    known = {layer.name: layer for layer in layers}
    assert known["block4b_expand_activation"] == models.Layer("block4b_expand_activation", 384, 16)


def test_every_network_of_the_registry_describes_itself() -> None:
    assert models.REGISTRY[models.DEFAULT_MODEL].is_bundled
    assert len(KERAS_MODELS) >= 10
    for name, entry in models.REGISTRY.items():
        assert entry.name == name
        assert entry.title
        assert entry.default_layers


@pytest.mark.parametrize("name", [n for n, each in models.REGISTRY.items() if not each.keras_name])
def test_networks_of_packages_dream_a_look_of_their_own(name: str) -> None:
    entry = models.REGISTRY[name]
    others = [each.default_layers for each in models.REGISTRY.values() if each is not entry]
    assert entry.default_layers not in others
    terms = tuple(term for term, _ in parse_layers(",".join(entry.default_layers)))
    assert {parse_term(term).layer for term in terms} <= {
        layer.name for layer in models.list_layers(name)
    }
    if entry.lite is not None and entry.lite.package and find_spec(entry.lite.package) is None:
        pytest.skip(f"{entry.lite.package} is not installed")
    assert Dreamer(DreamSettings(model=name)).terms == terms


def one_line(error: pytest.ExceptionInfo[Exception]) -> str:
    text = str(error.value)
    assert "\n" not in text
    return text


@pytest.mark.parametrize(
    ("wrong", "meant"),
    [("inceptionv3", "inception-v3"), ("vgg-19", "vgg19"), ("efficientnet", BUNDLED)],
)
def test_unknown_model_suggests_near_ones(wrong: str, meant: str) -> None:
    with pytest.raises(UsageError, match=meant) as error:
        models.load(wrong)
    assert wrong in one_line(error)


def test_unlike_any_model_lists_all() -> None:
    with pytest.raises(UsageError) as error:
        models.find_entry("zzz")
    assert all(name in one_line(error) for name in models.REGISTRY)


def test_unknown_layer_suggests_near_ones() -> None:
    network = models.load(BUNDLED)
    with pytest.raises(UsageError, match="block8_expand") as error:
        models.check_layers(network, BUNDLED, ["block8_expand", "block8_expnd"])
    assert "'block8_expnd'" in one_line(error)
    assert f"dreamvideo models {BUNDLED}" in one_line(error)


def test_missing_weights_file(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"nowhere\.h5") as error:
        models.load("mobilenet-v2", tmp_path / "nowhere.h5")
    assert "--weights" in one_line(error)


@pytest.mark.parametrize("file", [*FORMATS, "net.txt"])
def test_file_that_is_no_weights(file: str, tmp_path: Path) -> None:
    (tmp_path / file).write_text("hello")
    with pytest.raises(WeightsError, match=file) as error:
        models.load("mobilenet-v2", tmp_path / file)
    one_line(error)


@pytest.mark.sample(1)
@pytest.mark.parametrize("file", ["net.h5", "net.keras"])
def test_weights_of_another_network(file: str, tmp_path: Path) -> None:
    keras = tensorflow().keras
    other = keras.Sequential([keras.Input((None, None, 3)), keras.layers.Conv2D(4, 3)])
    FORMATS[file](other, tmp_path / file)
    with pytest.raises(WeightsError, match="mobilenet-v2") as error:
        models.load("mobilenet-v2", tmp_path / file)
    assert file in one_line(error)


@pytest.mark.integration
def test_weights_of_a_narrower_network_of_the_same_kind(tmp_path: Path) -> None:
    save_weights(untrained("mobilenet-v2", alpha=0.5), tmp_path / "half.weights.h5")
    with pytest.raises(WeightsError, match="half"):
        models.load("mobilenet-v2", tmp_path / "half.weights.h5")


def test_code_inside_a_weights_file_is_refused(tmp_path: Path) -> None:
    keras = tensorflow().keras
    marker = tmp_path / "ran"
    name = str(marker)
    layer = keras.layers.Lambda(lambda x: (__import__("pathlib").Path(name).touch(), x)[1])
    model = keras.Sequential([keras.Input((8, 8, 3)), layer])
    model.save(tmp_path / "trojan.keras")
    marker.unlink()
    with pytest.raises(WeightsError, match="safely") as error:
        models.load("mobilenet-v2", tmp_path / "trojan.keras")
    one_line(error)
    assert not marker.exists()


OFFLINE = """
import socket, sys, time
from dreamvideo.dream import keras_networks, models
from dreamvideo.errors import WeightsError
silent = socket.create_server(("127.0.0.1", 0))
keras_networks.SILENCE_LIMIT = 0.2
import os
for port in (9, silent.getsockname()[1]):
    os.environ["https_proxy"] = f"http://127.0.0.1:{port}"
    try:
        models.load("vgg16")
    except WeightsError as error:
        print("ERROR", error)
assert socket.getdefaulttimeout() is None
"""


@pytest.mark.integration
def test_no_network_and_a_silent_one_end_in_a_line_that_helps(tmp_path: Path) -> None:
    environment = os.environ | {"KERAS_HOME": str(tmp_path), "no_proxy": ""}
    ended = subprocess.run(
        [sys.executable, "-c", OFFLINE],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    errors = [line for line in ended.stdout.splitlines() if line.startswith("ERROR")]
    assert len(errors) == 2
    for line in errors:
        assert "vgg16" in line
        assert "--weights FILE" in line
        assert f"--model {BUNDLED}" in line


@pytest.mark.parametrize(
    ("raised", "expected"),
    [
        (ValueError("Incomplete or corrupted file detected. The md5 ..."), WeightsError),
        (OSError("no space left on device"), WeightsError),
        (ZeroDivisionError("a bug of ours"), ZeroDivisionError),
    ],
)
def test_only_failed_downloads_are_called_so(
    raised: Exception, expected: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    def build(**_: Any) -> Any:
        raise raised

    monkeypatch.setattr(tensorflow().keras.applications, "VGG16", build)
    with pytest.raises(expected):
        models.load("vgg16")
