"""ComfyUI's nodes, loaded and called as ComfyUI does: by the folder's path, with tensors."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
from slow_dreamer import without_network
from synthetic import glide, scene

import dreamvideo
from dreamvideo import DreamVideoError, dream, dream_frames, make_look, zoom_frames
from dreamvideo.guide import read_page
from dreamvideo.media.pixels import to_bytes

FOLDER = Path(dreamvideo.__file__).parent / "hosts" / "comfyui"
KINDS = {"INT", "FLOAT", "STRING", "BOOLEAN", "IMAGE", "MASK", "DREAMVIDEO_LOOK"}


class ArrayTensor:
    """As much of a tensor as ComfyUI's nodes may count on, over an array."""

    def __init__(self, array: Any) -> None:
        self.array = np.asarray(array)

    shape = property(lambda self: self.array.shape)

    def __len__(self) -> int:
        return len(self.array)

    def __getitem__(self, place: Any) -> ArrayTensor:
        return ArrayTensor(self.array[place])

    def __setitem__(self, place: Any, value: ArrayTensor) -> None:
        self.array[place] = value.array

    def __iter__(self) -> Iterator[ArrayTensor]:
        return map(ArrayTensor, self.array)

    def cpu(self) -> ArrayTensor:
        return self

    def numpy(self) -> Any:
        return self.array

    def new_tensor(self, array: Any) -> ArrayTensor:
        return ArrayTensor(np.array(array, self.array.dtype))

    def new_empty(self, shape: tuple[int, ...]) -> ArrayTensor:
        return ArrayTensor(np.empty(shape, self.array.dtype))


def make_tensor(array: Any) -> Any:
    """A tensor of the host's: of PyTorch where that is installed."""
    if importlib.util.find_spec("torch") is None:
        return ArrayTensor(array)
    return importlib.import_module("torch").from_numpy(np.ascontiguousarray(array))


@pytest.fixture(scope="module", params=["linked", "copied"])
def host(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> ModuleType:
    """The nodes' module, from a folder among ``custom_nodes``, loaded as ComfyUI loads it."""
    import shutil

    place = tmp_path_factory.mktemp("ComfyUI") / "custom_nodes" / "dreamvideo"
    place.parent.mkdir()
    if request.param == "linked":
        place.symlink_to(FOLDER)
    else:
        shutil.copytree(FOLDER, place, ignore=shutil.ignore_patterns("__pycache__"))
    name = str(place).replace(".", "_x_")
    spec = importlib.util.spec_from_file_location(name, place / "__init__.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(autouse=True)
def quick() -> Iterator[None]:
    with without_network():
        yield


def defaults(node: Any) -> dict[str, Any]:
    """What ComfyUI sends for widgets that nobody has touched."""
    sent = {}
    for name, (kind, options) in node.INPUT_TYPES()["required"].items():
        assert isinstance(kind, list) or kind in KINDS
        if kind != "IMAGE":
            sent[name] = options["default"]
    return sent


def call(host: ModuleType, name: str, **given: Any) -> Any:
    """Execute a node as ComfyUI does, and check what it returns against what it declares."""
    node = host.NODE_CLASS_MAPPINGS[name]
    inputs = node.INPUT_TYPES()
    assert set(given) <= {*inputs["required"], *inputs.get("optional", {})}
    made = getattr(node(), node.FUNCTION)(**{**defaults(node), **given})
    assert isinstance(made, tuple) and len(made) == len(node.RETURN_TYPES)
    return made[0]


def batch(count: int = 3) -> Any:
    frames = [to_bytes(f) for f in scene(40, 56, glide(count, 1.5)).frames]
    return np.stack(frames).astype(np.float32) / 255


def values(tensor: Any) -> Any:
    return tensor.numpy()


def test_the_nodes_declare_themselves(host: ModuleType) -> None:
    assert set(host.NODE_CLASS_MAPPINGS) == set(host.NODE_DISPLAY_NAME_MAPPINGS)
    assert len(host.NODE_CLASS_MAPPINGS) == 4
    for node in host.NODE_CLASS_MAPPINGS.values():
        assert node.CATEGORY == "dreamvideo" and hasattr(node, node.FUNCTION)
        for group in node.INPUT_TYPES().values():
            for name, (kind, options) in group.items():
                told = options.get("tooltip", "")
                assert kind == "IMAGE" or (told and "`" not in told), name
                if isinstance(kind, list):
                    assert options["default"] in kind
                if kind in ("INT", "FLOAT"):
                    assert options["min"] <= options["default"] <= options["max"], name
                    assert options["step"] > 0
        defaults(node)


def test_bounds_and_help_are_the_settings_own(host: ModuleType) -> None:
    required = host.NODE_CLASS_MAPPINGS["DreamvideoDreamFrames"].INPUT_TYPES()["required"]
    fields = type(make_look().dream).model_fields
    kind, options = required["steps"]
    told = (kind, options["default"], options["min"], options["max"], options["step"])
    assert told == ("INT", 14, 1, 100_000, 1)
    assert options["tooltip"] == fields["steps"].description
    assert (required["coherence"][1]["min"], required["coherence"][1]["max"]) == (0, 1)
    assert required["flow"][0] == ["filled", "raw"]
    octaves = required["octaves"][1]
    assert (octaves["default"], octaves["min"], octaves["max"]) == (0, 0, 16)
    assert 0 < required["step_size"][1]["min"] <= required["step_size"][1]["step"]
    # Every widget's extremes are values that the setting takes.
    for name, (kind, options) in required.items():
        if kind in ("INT", "FLOAT") and name != "fps":
            for end in ("min", "max"):
                if options[end] != options["default"]:
                    next(dream_frames(iter(()), **{name: options[end]}), None)


def test_a_dream_of_each_picture(host: ModuleType) -> None:
    images = batch()
    mask = np.zeros((1, 40, 56), np.float32)
    mask[:, :, 28:] = 1
    made = call(
        host,
        "DreamvideoDreamImage",
        image=make_tensor(images),
        mask=make_tensor(mask),
        strength=2.0,
    )
    assert type(made) is type(make_tensor(images)) and values(made).dtype == np.float32
    expected = np.stack([dream(each, mask=mask[0], strength=2.0) for each in images])
    assert np.array_equal(values(made), expected)
    assert np.array_equal(values(made)[:, :, :28], images[:, :, :28])
    assert values(made).min() >= 0 and values(made).max() <= 1


def test_frames_of_a_film_with_a_look_and_masks(host: ModuleType) -> None:
    images, masks = batch(4), np.zeros((4, 40, 56), np.float32)
    for number in range(4):
        masks[number, :, number * 4 :] = 1
    toml = "[coherence]\ncadence = 2\n[dream]\nstrength = '0:0.5, end:1.5'"
    look = call(host, "DreamvideoPreset", preset="towers", second="ink", toml=toml)
    assert (look.coherence.cadence, look.dream.model) == (2, make_look(["ink"]).dream.model)
    made = call(
        host,
        "DreamvideoDreamFrames",
        images=make_tensor(images),
        look=look,
        masks=make_tensor(masks),
        fps=12.5,
        seed=7,
    )
    expected = dream_frames(images, look=look, masks=masks, fps=12.5, seed=7, count=4)
    assert np.array_equal(values(made), np.stack(list(expected)))
    plain = call(host, "DreamvideoDreamFrames", images=make_tensor(images))
    assert np.array_equal(values(plain), np.stack(list(dream_frames(images))))


def test_a_zoom_into_the_first_picture(host: ModuleType) -> None:
    images = batch(2)
    settings: dict[str, Any] = {"seconds": 0.3, "fps": 10.0, "rate": "1.5"}
    made = call(
        host, "DreamvideoZoom", image=make_tensor(images), to=make_tensor(images[1:]), **settings
    )
    expected = np.stack(list(zoom_frames(images[0], to=images[1], **settings)))
    assert values(made).shape == (3, 40, 56, 3) and np.array_equal(values(made), expected)


def test_mistakes_are_one_line(host: ModuleType) -> None:
    with pytest.raises(DreamVideoError, match=r"toml: there is no setting 'dream\.stepz'"):
        call(host, "DreamvideoPreset", preset="default", toml="[dream]\nstepz = 1")
    with pytest.raises(DreamVideoError, match="toml: its settings cannot be read"):
        call(host, "DreamvideoPreset", preset="default", toml="[dream")
    two = make_tensor(np.ones((2, 40, 56), np.float32))
    with pytest.raises(DreamVideoError, match="2 masks for 3 pictures"):
        call(host, "DreamvideoDreamFrames", images=make_tensor(batch()), masks=two)


def test_the_guide_s_preset_is_one(host: ModuleType) -> None:
    (toml,) = re.findall(r"^```toml\n(.*?)^```$", read_page("comfyui"), re.MULTILINE | re.DOTALL)
    look = call(host, "DreamvideoPreset", preset="classic", toml=toml)
    assert (look.dream.steps, look.coherence.cadence) == (14, 2)
    assert look.over_time == {"dream.strength": "0:0.2, end:1.5"}
    assert "custom_nodes/dreamvideo" in read_page("comfyui")


def test_the_host_s_progress_and_its_stop_are_used(
    host: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[tuple[int, int]] = []

    class Bar:
        def __init__(self, total: int) -> None:
            self.total = total

        def update_absolute(self, done: int, total: int) -> None:
            told.append((done, total))

    class StoppedError(Exception):
        pass

    def stop_after_two() -> None:
        if len(told) == 2:
            raise StoppedError

    monkeypatch.setitem(sys.modules, "comfy.utils", SimpleNamespace(ProgressBar=Bar))
    call(host, "DreamvideoDreamFrames", images=make_tensor(batch(2)))
    call(host, "DreamvideoZoom", image=make_tensor(batch(1)), seconds=0.2, fps=10.0)
    call(host, "DreamvideoDreamImage", image=make_tensor(batch(1)))
    assert told == [(1, 2), (2, 2), (1, 2), (2, 2), (1, 1)]
    told.clear()
    management = SimpleNamespace(throw_exception_if_processing_interrupted=stop_after_two)
    monkeypatch.setitem(sys.modules, "comfy.model_management", management)
    with pytest.raises(StoppedError):
        call(host, "DreamvideoDreamFrames", images=make_tensor(batch(5)))
    assert told == [(1, 5), (2, 5)]


def test_loading_the_nodes_imports_no_tensor_library(tmp_path: Path) -> None:
    """And without the package it is said in one line how to install it."""
    code = (
        "import sys, importlib.util as u\n"
        f"s = u.spec_from_file_location('nodes', r'{FOLDER / '__init__.py'}')\n"
        "m = u.module_from_spec(s); sys.modules['nodes'] = m; s.loader.exec_module(m)\n"
        "print({'torch', 'tensorflow'} & set(sys.modules), len(m.NODE_CLASS_MAPPINGS))"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(dreamvideo.__file__).parent.parent)}
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert done.stdout == "set() 4\n"
    bare = "import sys; sys.modules['dreamvideo'] = None\n" + code
    lost = subprocess.run([sys.executable, "-c", bare], capture_output=True, text=True, check=False)
    assert lost.returncode and "python -m pip install" in lost.stderr.splitlines()[-1]
