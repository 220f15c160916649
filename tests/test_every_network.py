"""Every network and every kind of file dreams a still and three frames that are carried."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from network_files import (
    caffe_weights,
    export_keras_model,
    import_torchvision,
    write_caffemodel,
    write_frozen_graph,
)
from test_dream_networks import save_weights, untrained
from tiny import Cli, pixels_of

from dreamvideo.dream import models
from dreamvideo.dream.runtime import tensorflow
from dreamvideo.media.stills import open_still

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
# Wide enough for the network with the largest smallest side.
SIZE = "102x76"
NAMED = [name for name, entry in models.REGISTRY.items() if not entry.keras_name]
KERAS = [name for name, entry in models.REGISTRY.items() if entry.keras_name]
TORCHVISION = ("googlenet", "inception_v3", "vgg11", "vgg11_bn", "resnet18", "resnet50")
# One of each kind is enough where time counts.
USUAL = {"mobilenet-v2", "googlenet", "resnet18"}


def mark(name: str) -> Any:
    """Return a parameter that is a slow test unless the network is a usual one."""
    kind = pytest.mark.integration if name in USUAL else pytest.mark.slow
    return pytest.param(name, marks=kind)


@pytest.fixture(autouse=True)
def drop_graphs() -> Iterator[None]:
    yield
    tensorflow().keras.backend.clear_session()


@pytest.fixture
def dream_both(cli: Cli, shelf: Path, tmp_path: Path) -> Callable[..., None]:
    """A function that dreams a still and a film with a network, and looks at what comes out."""

    def dream(*model: object) -> None:
        common = (*model, "--size", SIZE, "--steps", "1", "--octaves", "1", "-y")
        ended = cli("image", shelf / "photo.png", "-o", tmp_path / "still.png", *common)
        assert ended.code == 0, ended.err
        plain = (*common, "--step-size", "0.000001")
        ended = cli("image", shelf / "photo.png", "-o", tmp_path / "plain.png", *plain)
        assert ended.code == 0, ended.err
        still, source = (open_still(tmp_path / f"{name}.png").pixels for name in ("still", "plain"))
        changed = np.abs(still.astype(int) - source).mean()
        assert 0.2 < changed < 60
        ended = cli(
            "video", shelf / "clip.mp4", "-o", tmp_path / "film.mp4", "--end", "3f", *common
        )
        assert ended.code == 0, ended.err
        frames = pixels_of(tmp_path / "film.mp4")
        assert [frame.shape for frame in frames] == 3 * [(76, 102, 3)]

    return dream


@pytest.mark.integration
@pytest.mark.parametrize("name", NAMED)
def test_networks_that_come_with_packages(name: str, dream_both: Callable[..., None]) -> None:
    lite = models.REGISTRY[name].lite
    if lite is not None and lite.package and find_spec(lite.package) is None:
        pytest.skip(f"{lite.package} is not installed")
    dream_both("--model", name)


@pytest.mark.parametrize("name", [mark(name) for name in KERAS])
def test_networks_of_keras(name: str, dream_both: Callable[..., None], tmp_path: Path) -> None:
    save_weights(untrained(name), tmp_path / "net.weights.h5")
    dream_both("--model", name, "--weights", tmp_path / "net.weights.h5")


def write_keras(path: Path) -> None:
    layers = tensorflow().keras.layers
    tensorflow().keras.utils.set_random_seed(0)
    model = tensorflow().keras.Sequential(
        [
            layers.Input((None, None, 3)),
            layers.Rescaling(1 / 127.5, -1),
            layers.Conv2D(8, 5, 2, padding="same", activation="relu"),
            layers.Conv2D(8, 3, 2, padding="same", activation="relu"),
        ]
    )
    model.save(path)


WRITERS: dict[str, Callable[[Path], Any]] = {
    "own.keras": write_keras,
    "own.h5": write_keras,
    "saved": export_keras_model,
    "own.pb": write_frozen_graph,
    "own.caffemodel": lambda path: write_caffemodel(caffe_weights(), path),
}


@pytest.mark.integration
@pytest.mark.parametrize("file", sorted(WRITERS))
def test_files(file: str, dream_both: Callable[..., None], tmp_path: Path) -> None:
    WRITERS[file](tmp_path / file)
    dream_both("--model", tmp_path / file)


@pytest.mark.parametrize("ending", [".pth", ".safetensors"])
@pytest.mark.parametrize("name", [mark(name) for name in TORCHVISION])
def test_networks_of_torchvision(
    name: str, ending: str, dream_both: Callable[..., None], tmp_path: Path
) -> None:
    torch = pytest.importorskip("torch")
    save_file = pytest.importorskip("safetensors.torch").save_file
    build = getattr(import_torchvision().models, name)
    own = {"init_weights": False} if name in ("googlenet", "inception_v3") else {}
    torch.manual_seed(0)
    model = build(weights=None, **own)
    for module in model.modules():
        if isinstance(module, torch.nn.Conv2d):
            torch.nn.init.kaiming_normal_(module.weight)
    # The classifier of VGG is most of its file, and is not read.
    state = {n: t for n, t in model.state_dict().items() if not n.startswith("classifier.")}
    path = tmp_path / f"own{ending}"
    if ending == ".pth":
        torch.save(state, path)
    else:
        save_file({n: t.contiguous() for n, t in state.items()}, path)
    dream_both("--model", path)
