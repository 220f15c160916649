"""What a network sees in a photograph, layer by layer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from dreaming import cat, noise

from dreamvideo.dream import models
from dreamvideo.dream.inspect import measure_activity
from dreamvideo.dream.runtime import tensorflow


class Painted:
    """A network whose one layer shows the picture's colours, and one a single number."""

    calls = 0
    layers = (models.Layer("colours", 3, 1), models.Layer("grey", 1, 2))

    def forward(self, image: Any, wanted: Sequence[str]) -> dict[str, Any]:
        self.calls += 1
        tf = tensorflow()
        grey = tf.reduce_mean(image[:, ::2, ::2], axis=-1, keepdims=True)
        return {name: {"colours": image, "grey": grey}[name] for name in wanted}


def test_shape_mean_and_strongest_channels() -> None:
    image = np.zeros((6, 10, 3), np.float32) + np.asarray([0.1, 0.6, -0.4], np.float32)
    network = Painted()
    colours, grey = measure_activity(network, image)
    assert network.calls == 1
    assert colours.layer == Painted.layers[0]
    assert colours.shape == (6, 10, 3)
    assert np.isclose(colours.mean, 0.1)
    assert colours.strongest == (1, 0, 2)
    assert (grey.shape, grey.strongest) == ((3, 5, 1), (0,))


def test_every_layer_of_the_bundled_network() -> None:
    network = models.load("efficientnet-lite0")
    image = cat(96, 128)
    found = measure_activity(network, image)
    assert [at.layer for at in found] == list(network.layers)
    names = ["block2_expand", "block11_expand", "head"]
    values = network.forward(tensorflow().constant(image[None]), names)
    by_name = {at.layer.name: at for at in found}
    for name in names:
        means = np.asarray(values[name]).mean((0, 1, 2))
        at = by_name[name]
        assert at.shape == tuple(values[name].shape[1:])
        assert np.isclose(at.mean, means.mean(), rtol=1e-3)
        assert len(at.strongest) == 5
        assert np.isclose(means[at.strongest[0]], means.max(), rtol=1e-3)
        strongest = means[list(at.strongest)]
        assert (np.diff(strongest) <= 1e-4).all()


@pytest.mark.integration
def test_every_layer_of_a_keras_network() -> None:
    from dreamvideo.dream.keras_networks import KerasNetwork

    network = KerasNetwork.build_untrained(models.find_entry("mobilenet-v2"))
    found = measure_activity(network, noise(64, 96))
    assert [at.layer for at in found] == list(network.layers)
    for at in found:
        assert at.shape == (64 // at.layer.stride, 96 // at.layer.stride, at.layer.channels)
