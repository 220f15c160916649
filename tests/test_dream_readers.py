"""Readers of networks' files, held to what other libraries make of files that those wrote."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from dreaming import noise, still
from network_files import (
    caffe_forward,
    caffe_weights,
    import_torchvision,
    write_caffemodel,
    write_frozen_graph,
)
from tiny import Cli

from dreamvideo.dream import models
from dreamvideo.dream.gradient_ascent import GradientAscent
from dreamvideo.dream.input_range import preprocess
from dreamvideo.dream.model_files import READERS, open_model_file
from dreamvideo.dream.objectives import weighted_layers
from dreamvideo.dream.readers.graph import list_shapes
from dreamvideo.dream.readers.pth import read_pth
from dreamvideo.dream.readers.safetensors import read_safetensors
from dreamvideo.dream.runtime import tensorflow
from dreamvideo.errors import DreamVideoError, WeightsError

torch = pytest.importorskip("torch")
torchvision = import_torchvision()
save_file = pytest.importorskip("safetensors.torch").save_file

MUTATIONS = 1000


def assert_same(found: Any, expected: Any, tolerance: float = 1e-5) -> None:
    """Arrays agree within a share of the largest value."""
    scale = float(np.abs(expected).max())
    assert scale > 0
    np.testing.assert_allclose(found, expected, atol=tolerance * scale)


def give_norms_statistics(model: Any) -> None:
    torch.manual_seed(0)
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 1.5)
            torch.nn.init.uniform_(module.weight, 0.7, 1.3)


def features_of(model: Any, names: dict[str, str], image: Any) -> dict[str, Any]:
    """Outputs of modules of a PyTorch model by our names for them."""
    seen: dict[str, Any] = {}
    hooks = [
        model.get_submodule(theirs).register_forward_hook(
            lambda _, __, output, ours=ours: seen.__setitem__(ours, output)
        )
        for ours, theirs in names.items()
    ]
    with torch.no_grad():
        model.eval()(torch.from_numpy(np.ascontiguousarray(image.transpose(0, 3, 1, 2))))
    for hook in hooks:
        hook.remove()
    return {name: value.numpy().transpose(0, 2, 3, 1) for name, value in seen.items()}


@pytest.mark.parametrize(("size", "old"), [((64, 64), False), ((75, 90), True)])
def test_caffe_googlenet(size: tuple[int, int], old: bool, tmp_path: Path) -> None:
    weights, path = caffe_weights(), tmp_path / "bvlc_googlenet.caffemodel"
    write_caffemodel(weights, path, old=old)
    network = open_model_file(path)
    image = noise(*size)[None]
    given = np.asarray(preprocess(image, "caffe"), np.float32)
    expected = caffe_forward(weights, np.ascontiguousarray(given.transpose(0, 3, 1, 2)))
    found = network.forward(tensorflow().constant(image), list(expected))
    for name, value in expected.items():
        assert_same(found[name], value)
    assert network.title == "GoogleNet (Caffe)"
    assert network.default_layers == ("inception_3b/output", "inception_4c/output")
    known = {layer.name: layer for layer in network.layers}
    assert known["inception_4c/output"] == models.Layer("inception_4c/output", 23, 16)


def torch_model(name: str) -> tuple[Any, dict[str, str], str]:
    """A network of torchvision, our names of some of its modules, what it takes."""
    build = torchvision.models
    torch.manual_seed(1)
    if name == "googlenet":
        model = build.googlenet(weights=None, init_weights=False, aux_logits=False)
        names = {
            "inception_3a/output": "inception3a",
            "inception_4c/output": "inception4c",
            "inception_4d/3x3_reduce": "inception4d.branch2.0",
            "inception_5b/output": "inception5b",
        }
    elif name == "inception":
        model = build.inception_v3(weights=None, init_weights=False)
        names = {n: n for n in ("Mixed_5d", "Mixed_6a", "Mixed_6e", "Mixed_7a", "Mixed_7c")}
    elif name == "vgg":
        model = build.vgg11(weights=None, init_weights=False)
        names = {"conv3_1": "features.7", "conv4_2": "features.14", "conv5_2": "features.19"}
    elif name == "vgg_bn":
        model = build.vgg11_bn(weights=None, init_weights=False)
        names = {"conv2_1": "features.6", "conv5_2": "features.27"}
    elif name == "resnet18":
        model = build.resnet18(weights=None)
        names = {"layer2.1": "layer2.1", "layer4.1": "layer4.1"}
    else:
        model = build.resnet50(weights=None)
        names = {"layer1.0": "layer1.0", "layer3.2": "layer3.2", "layer4.2": "layer4.2"}
    give_norms_statistics(model)
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, torch.nn.Conv2d):
                torch.nn.init.kaiming_normal_(module.weight)
    is_own = name in ("googlenet", "inception")
    return model, names, "signed" if is_own else "torch"


def save_zip(state: Any, path: Path) -> None:
    torch.save(state, path)


def save_old(state: Any, path: Path) -> None:
    torch.save(state, path, _use_new_zipfile_serialization=False)


def save_safe(state: Any, path: Path) -> None:
    save_file({name: tensor.contiguous() for name, tensor in state.items()}, path)


WRITERS: dict[str, Callable[[Any, Path], None]] = {
    "net.pth": save_zip,
    "old.pt": save_old,
    "net.safetensors": save_safe,
}


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("googlenet", "net.pth"),
        pytest.param("googlenet", "net.safetensors", marks=pytest.mark.integration),
        ("resnet18", "old.pt"),
        pytest.param("resnet50", "net.pth", marks=pytest.mark.integration),
        pytest.param("inception", "net.safetensors", marks=pytest.mark.integration),
        pytest.param("vgg", "net.pth", marks=pytest.mark.integration),
        pytest.param("vgg_bn", "net.pth", marks=pytest.mark.integration),
    ],
)
def test_torchvision_networks(name: str, file: str, tmp_path: Path) -> None:
    model, names, kind = torch_model(name)
    state = {k: v for k, v in model.state_dict().items() if not k.startswith("classifier.")}
    WRITERS[file](state, tmp_path / file)
    network = open_model_file(tmp_path / file)
    side = max(64, network.smallest + 3)
    image = noise(side, side + 20)[None]
    expected = features_of(model, names, np.asarray(preprocess(image, kind), np.float32))
    found = network.forward(tensorflow().constant(image), list(names))
    for layer in names:
        value = np.maximum(expected[layer], 0)
        assert_same(found[layer], value, 1e-5 if name == "googlenet" else 5e-5)
    models.check_layers(network, name, network.default_layers)


@pytest.mark.parametrize("file", WRITERS)
def test_arrays_come_back_bit_by_bit(file: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    state = {"a.weight": torch.randn(3, 4, 5), "b": torch.arange(7), "c": torch.tensor(3.5)}
    WRITERS[file](state, tmp_path / file)
    read = read_safetensors if file.endswith("safetensors") else read_pth
    found = read(tmp_path / file)
    assert set(found) == set(state)
    for name, tensor in state.items():
        np.testing.assert_array_equal(found[name], tensor.numpy())


def test_a_state_of_a_module_and_a_checkpoint_are_read(tmp_path: Path) -> None:
    model = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4))
    torch.save({"epoch": 3, "state_dict": model.state_dict()}, tmp_path / "a.pth")
    found = read_pth(tmp_path / "a.pth")
    np.testing.assert_array_equal(found["0.weight"], model[0].weight.detach().numpy())
    assert found["1.num_batches_tracked"] == 0


class Touch:
    """Runs code where it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return Path.touch, (self.path,)


@pytest.mark.parametrize("save", [save_zip, save_old])
def test_code_in_a_pickle_is_refused(save: Callable[..., None], tmp_path: Path) -> None:
    save({"a": torch.zeros(3), "b": Touch(tmp_path / "ran")}, tmp_path / "a.pth")
    with pytest.raises(WeightsError, match="more than tensors"):
        open_model_file(tmp_path / "a.pth")
    assert not (tmp_path / "ran").exists()


def test_a_whole_pickled_module_is_refused(tmp_path: Path) -> None:
    torch.save(torch.nn.Linear(3, 4), tmp_path / "a.pth")
    with pytest.raises(WeightsError, match=r"torch\.nn.*state_dict"):
        open_model_file(tmp_path / "a.pth")


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
        state = {"features.0.weight": torch.ones(4, 3, 3, 3), "features.0.bias": torch.ones(4)}
        WRITERS["net.safetensors" if ending == ".safetensors" else "net.pth"](state, path)
    return path


# The graph's layers are traced for each mutation that can still be read; its reader alone is fast.
@pytest.mark.parametrize("ending", [".pb", ".caffemodel", ".safetensors", ".pth", "old.pt"])
def test_damage_is_one_line_and_takes_no_memory(ending: str, tmp_path: Path) -> None:
    if ending == "old.pt":
        path = tmp_path / "old.pt"
        save_old({"a": torch.ones(4, 3)}, path)
    else:
        path = small_file(ending, tmp_path)
    read = READERS[path.suffix]
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


@pytest.mark.parametrize("ending", READERS)
def test_a_damaged_file_ends_in_one_line(ending: str, tmp_path: Path) -> None:
    path = small_file(ending, tmp_path)
    path.write_bytes(path.read_bytes()[:-40] if ending != ".safetensors" else b"\0" * 60)
    with pytest.raises(DreamVideoError, match="own") as error:
        open_model_file(path)
    assert "\n" not in str(error.value)


def test_stills_and_films_of_every_kind(cli: Cli, shelf: Path, tmp_path: Path) -> None:
    write_caffemodel(caffe_weights(), tmp_path / "own.caffemodel")
    write_frozen_graph(tmp_path / "own.pb")
    small = ("--steps", "1", "--octaves", "1", "-y")
    for name, layer in (("own.caffemodel", "4c"), ("own.pb", "branch3")):
        model = ("--model", tmp_path / name, "--layers", layer, *small)
        ended = cli("image", shelf / "photo.png", "-o", tmp_path / "a.png", *model)
        assert ended.code == 0, ended.err
        ended = cli("video", shelf / "clip.mp4", "-o", tmp_path / "a.mp4", "--end", "3f", *model)
        assert ended.code == 0, ended.err


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


def test_a_googlenet_climbs(tmp_path: Path) -> None:
    write_caffemodel(caffe_weights(), tmp_path / "own.caffemodel")
    network = models.load(str(tmp_path / "own.caffemodel"))
    ascent = GradientAscent(network.forward, weighted_layers([("inception_4c/output", 1)]))
    _, losses = ascent.climb(noise(48, 48), 0.02, still(3))
    assert losses[2] > losses[0]
