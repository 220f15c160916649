"""The ways of a GPU, forced upon the CPU at a small size; and devices that are not there."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from dreaming import Image, cat, still
from synthetic import glide, scene
from tiny import dreamt, quick_dream

from dreamvideo.dream import gradient_ascent, models
from dreamvideo.dream.device import Device, choose_device
from dreamvideo.dream.dreamer import Dreamer
from dreamvideo.dream.gradient_ascent import GradientAscent
from dreamvideo.dream.objectives import weighted_layers
from dreamvideo.dream.runtime import tensorflow
from dreamvideo.errors import UsageError
from dreamvideo.media.pixels import to_bytes
from dreamvideo.settings.machine import MachineSettings, make_machine

LAYERS = ("block3_expand", "block5")


def moved(picture: Image, *, even: bool = False, **options: Any) -> Image:
    network = models.load("efficientnet-lite0")
    ascent = GradientAscent(network.forward, weighted_layers((n, 1.0) for n in LAYERS), **options)
    shifts = np.asarray([[3, -5]], np.int32)
    return (ascent.climb(picture, 1e-3, shifts, even=even)[0] - picture) / 1e-3


def cosine(a: Image, b: Image) -> float:
    return float((a * b).sum() / np.linalg.norm(a) / np.linalg.norm(b))


@pytest.mark.sample(1)
@pytest.mark.parametrize("even", [False, True])
def test_compiled_for_its_size_a_step_is_the_same(even: bool) -> None:
    picture = 0.8 * cat(48, 64)
    plain, compiled = moved(picture, even=even), moved(picture, even=even, xla=True)
    assert cosine(plain, compiled) > 0.9999
    assert np.linalg.norm(plain - compiled) < 1e-2 * np.linalg.norm(plain)


@pytest.mark.sample(1)
@pytest.mark.parametrize("xla", [False, True])
@pytest.mark.parametrize(("precision", "least"), [("float16", 0.95), ("bfloat16", 0.9999)])
def test_half_precision_goes_the_same_way(precision: str, least: float, xla: bool) -> None:
    picture = 0.8 * cat(48, 64)
    half = moved(picture, machine=make_machine(precision=precision), xla=xla)
    assert least < cosine(moved(picture), half) < 1 - 1e-7


@pytest.mark.integration
def test_a_film_goes_the_same_way_on_what_counts_as_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    pictures = list(scene(48, 64, glide(3, 2 + 1j)).frames)
    plain = dreamt(pictures, Dreamer(quick_dream(steps=1)))
    monkeypatch.setattr(gradient_ascent, "choose_device", lambda _: Device("/CPU:0", is_gpu=True))
    dreamer = Dreamer(quick_dream(steps=1))
    assert not dreamer._ascent.takes_any_size
    compiled = dreamt(pictures, dreamer)
    assert dreamer.traces >= 1
    for one, other in zip(plain, compiled, strict=True):
        difference = np.abs(one.pixels.astype(int) - other.pixels)
        assert difference.mean() < 0.1 and difference.max() <= 8
    changed = np.abs(compiled[-1].pixels - to_bytes(pictures[-1]).astype(int))
    assert changed.mean() > 1


def test_a_gradient_too_large_for_half_precision_leaves_a_pixel_alone() -> None:
    tf = tensorflow()

    def steep(image: Any, wanted: Any) -> dict[str, Any]:
        left, right = tf.split(image, 2, axis=2)
        return {LAYERS[0]: left * 6e4 * 100, LAYERS[1]: right}

    objective = weighted_layers((name, 1.0) for name in LAYERS)
    half = MachineSettings(precision="float16")
    picture = np.full((8, 8, 3), 0.5, np.float32)
    dreamt, _ = GradientAscent(steep, objective, machine=half).climb(picture, 0.01, still(1))
    assert np.isfinite(dreamt).all()
    np.testing.assert_array_equal(dreamt[:, :4], picture[:, :4])
    assert (dreamt[:, 4:] > picture[:, 4:]).all()


def test_the_processor_is_always_there() -> None:
    device = choose_device("cpu")
    assert (device.name, device.is_gpu) == ("/CPU:0", False)
    found = tensorflow().config.list_physical_devices("GPU")
    assert choose_device("auto").is_gpu == bool(found)


def test_a_gpu_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tensorflow().config, "list_physical_devices", lambda kind=None: [])
    with pytest.raises(UsageError, match="--device gpu") as error:
        choose_device("gpu")
    assert "CPU" in str(error.value) and "\n" not in str(error.value)
    assert not choose_device("auto").is_gpu


def test_a_gpu_is_taken_where_there_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tensorflow().config, "list_physical_devices", lambda kind=None: ["card"])
    assert choose_device("auto").is_gpu and choose_device("gpu").name == "/GPU:0"
    assert not choose_device("cpu").is_gpu
