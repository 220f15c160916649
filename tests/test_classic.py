"""The preset ``classic`` is TensorFlow's DeepDream tutorial, as far as a computer can tell.

Two correct programs that add the same numbers in another order part from one another: a unit that
rounding puts on the other side of its ReLU's kink bends the path from there on. How far the
tutorial parts from itself is the yardstick for how far this package may be from it.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from dreaming import Image, noise

import dreamvideo
from dreamvideo.bench.reference import make_inception_v3
from dreamvideo.dream.dreamer import Dreamer
from dreamvideo.dream.runtime import tensorflow

# At these sides every window of stride 2 lies the same in a picture and in its mirror image.
HEIGHT, WIDTH = 75, 107
STEPS, STEP_SIZE = 20, 0.01


def make_tutorial(model: Any) -> Callable[[Image], tuple[Image, float]]:
    """The tutorial's class DeepDream, for pixels in [-1, 1]; returns also the last loss."""
    tf = tensorflow()
    outputs = [model.get_layer(name).output for name in ("mixed3", "mixed5")]
    dream_model = tf.keras.Model(model.input, outputs)

    @tf.function(autograph=False)  # type: ignore[untyped-decorator]
    def step(img: Any) -> tuple[Any, Any]:
        with tf.GradientTape() as tape:
            tape.watch(img)
            activations = dream_model(tf.expand_dims(img, 0))
            loss = tf.reduce_sum([tf.math.reduce_mean(each) for each in activations])
        gradients = tape.gradient(loss, img)
        gradients /= tf.math.reduce_std(gradients) + 1e-8
        return tf.clip_by_value(img + gradients * STEP_SIZE, -1, 1), loss

    def run(image: Image) -> tuple[Image, float]:
        img, loss = tf.constant(image), 0.0
        for _ in range(STEPS):
            img, loss = step(img)
        return np.asarray(img), float(loss)

    return run


def mirror(model: Any) -> None:
    """Make a network answer to a picture's mirror image as it did to the picture.

    Each sum then runs over the same numbers from the other end.
    """
    for layer in model.layers:
        if type(layer).__name__ == "Conv2D":
            kernel, *rest = layer.get_weights()
            layer.set_weights([kernel[:, ::-1], *rest])


@pytest.mark.integration
def test_classic_is_as_near_to_the_tutorial_as_the_tutorial_is_to_itself(tmp_path: Path) -> None:
    model = make_inception_v3()
    model.save_weights(tmp_path / "made.weights.h5")
    image = 0.5 * noise(HEIGHT, WIDTH)
    tutorial, loss = make_tutorial(model)(image)
    assert loss > 0
    mirror(model)
    turned, other_loss = make_tutorial(model)(image[:, ::-1])
    look = dreamvideo.make_look(
        ["classic"], {"dream": {"weights": tmp_path / "made.weights.h5", "steps": STEPS}}
    )
    assert look.dream.step_size == STEP_SIZE
    found = Dreamer(look.dream).dream(image)

    def distance(other: Image) -> float:
        """Mean difference from the tutorial's picture, of 255."""
        return float(np.abs(other - tutorial).mean() * 127.5)

    drift = distance(turned[:, ::-1])
    assert 0 < drift < distance(image)
    assert distance(found.image) < max(2 * drift, 0.05)
    assert found.losses[-1] == pytest.approx(loss, rel=max(1e-3, 2 * abs(other_loss / loss - 1)))


# What a process prints last is its peak memory in KiB.
PEAK = """
print(next(int(line.split()[1]) for line in open("/proc/self/status") if "VmHWM" in line))
"""
TUTORIAL = """
import sys
from dreaming import noise
from test_classic import HEIGHT, WIDTH, make_tutorial
from dreamvideo.dream.runtime import tensorflow
model = tensorflow().keras.applications.InceptionV3(include_top=False, weights=None)
model.load_weights(sys.argv[1])
make_tutorial(model)(0.5 * noise(HEIGHT, WIDTH))
"""
CLASSIC = """
import sys
from dreaming import noise
from test_classic import HEIGHT, WIDTH, STEPS
import dreamvideo
from dreamvideo.dream.dreamer import Dreamer
look = dreamvideo.make_look(["classic"], {"dream": {"weights": sys.argv[1], "steps": STEPS}})
Dreamer(look.dream).dream(0.5 * noise(HEIGHT, WIDTH))
"""


@pytest.mark.integration
@pytest.mark.skipif(sys.platform != "linux", reason="the peak is in a file of Linux")
def test_classic_takes_hardly_more_memory_than_the_tutorial(tmp_path: Path) -> None:
    weights = tmp_path / "made.weights.h5"
    make_inception_v3().save_weights(weights)
    paths = [str(Path(__file__).parent), *sys.path]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
    started = [
        subprocess.Popen(
            [sys.executable, "-c", script + PEAK, str(weights)],
            stdout=subprocess.PIPE,
            env=environment,
            text=True,
        )
        for script in (TUTORIAL, CLASSIC)
    ]
    tutorial, ours = (int(each.communicate()[0].split()[-1]) for each in started)
    assert ours < 1.1 * tutorial
