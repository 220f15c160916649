"""Readers of PyTorch files, and of Caffe GoogLeNets, held to PyTorch, torchvision, safetensors."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from dreaming import noise
from network_files import (
    assert_same,
    caffe_forward,
    caffe_weights,
    check_damage,
    import_torchvision,
    write_caffemodel,
)

from dreamvideo.dream import models
from dreamvideo.dream.input_range import preprocess
from dreamvideo.dream.model_files import READERS, open_model_file
from dreamvideo.dream.readers.pth import read_pth
from dreamvideo.dream.readers.safetensors import read_safetensors
from dreamvideo.dream.runtime import tensorflow
from dreamvideo.errors import DreamVideoError, WeightsError

torch = pytest.importorskip("torch")
torchvision = import_torchvision()
save_file = pytest.importorskip("safetensors.torch").save_file


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


@pytest.mark.parametrize("file", WRITERS)
@pytest.mark.parametrize("kind", ["float16", "bfloat16", "float64", "bool", "int16", "uint8"])
def test_other_numbers_come_back(file: str, kind: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    numbers = torch.randn(3, 4, 5).to(getattr(torch, kind))
    # A transposed view of its numbers, a single one, none.
    state = {
        "a": numbers,
        "b": numbers.clone().transpose(0, 2),
        "c": numbers[0, 0, 0],
        "d": numbers[:0],
    }
    if file.endswith("safetensors"):
        state = {name: tensor.clone() for name, tensor in state.items()}
    WRITERS[file](state, tmp_path / file)
    read = read_safetensors if file.endswith("safetensors") else read_pth
    found = read(tmp_path / file)
    for name, tensor in state.items():
        expected = (tensor.float() if tensor.is_floating_point() else tensor).numpy()
        np.testing.assert_array_equal(found[name], expected)
        assert found[name].dtype == expected.dtype


@pytest.mark.parametrize("save", [save_zip, save_old])
@pytest.mark.parametrize("wrap", ["state_dict", "model_state_dict", "model", None])
def test_what_training_leaves_is_read(
    save: Callable[..., None], wrap: str | None, tmp_path: Path
) -> None:
    module = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4))
    wanted = {f"features.{name}": array for name, array in module.state_dict().items()}
    # Parameters in place of tensors, names of DataParallel, what else a checkpoint holds.
    state = {
        f"module.features.{name}": array
        for name, array in module.state_dict(keep_vars=True).items()
    }
    assert isinstance(state["module.features.0.weight"], torch.nn.Parameter)
    checkpoint = {"epoch": 3, "arch": "vgg", "best": 0.5, "losses": [1.0, 0.5]}
    save(state if wrap is None else {**checkpoint, wrap: state}, tmp_path / "own.pth")
    found = read_pth(tmp_path / "own.pth")
    assert set(found) == set(state)
    for name, array in wanted.items():
        np.testing.assert_array_equal(found[f"module.{name}"], array.numpy())
    layers = [layer.name for layer in open_model_file(tmp_path / "own.pth").layers]
    assert layers == ["conv1_1"]


def test_half_a_network_dreams_as_the_whole_one(tmp_path: Path) -> None:
    torch.manual_seed(0)
    state = {"features.0.weight": torch.randn(8, 3, 3, 3), "features.0.bias": torch.randn(8)}
    halves = {name: tensor.half() for name, tensor in state.items()}
    save_zip(halves, tmp_path / "half.pth")
    save_zip({name: tensor.float() for name, tensor in halves.items()}, tmp_path / "whole.pth")
    image = tensorflow().constant(noise(24, 32)[None])
    half, whole = (
        open_model_file(tmp_path / f"{name}.pth").forward(image, ["conv1_1"])["conv1_1"]
        for name in ("half", "whole")
    )
    np.testing.assert_array_equal(half, whole)


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


@pytest.mark.parametrize("save", [save_zip, save_old])
def test_damage_is_one_line_and_takes_no_memory(save: Callable[..., None], tmp_path: Path) -> None:
    path = tmp_path / "own.pth"
    save({"features.0.weight": torch.ones(4, 3, 3, 3), "features.0.bias": torch.ones(4)}, path)
    check_damage(path, READERS[".pth"])


@pytest.mark.parametrize("ending", sorted(set(READERS) - {".pb", ".caffemodel", ".safetensors"}))
def test_a_damaged_file_ends_in_one_line(ending: str, tmp_path: Path) -> None:
    path = tmp_path / f"own{ending}"
    save_zip({"features.0.weight": torch.ones(4, 3, 3, 3)}, path)
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(DreamVideoError, match="own") as error:
        open_model_file(path)
    assert "\n" not in str(error.value)
