"""Teach the bundled network's upper half to dream pictures of one's own.

A dream raises the energy of layers: the root mean square of each of their channels. So that is
what is taught: an own picture must excite a channel more than the pictures it is compared with,
and these include dreams of the network as it has become, which each round dreams anew. Whatever
else excites the layers is thereby unlearnt, until what they still dream is like the own pictures
(contrastive divergence: Hinton, 2002; Tieleman, ICML 2008). A classifier of the own classes is
learnt along with it.

The lower half is frozen, with its norms folded, so its features are computed once per picture.
Depthwise kernels are frozen too: they cost most of a step and change little of what is dreamt.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dreamvideo.cancel import check
from dreamvideo.dream import lite0
from dreamvideo.dream.objectives import RMS_SILENCE
from dreamvideo.dream.runtime import tensorflow
from dreamvideo.dream.shaping import balance_bands

Array = NDArray[np.float32]
Weights = dict[str, tuple[Array, Array]]

# The first block that learns, and the one whose result is the frozen features.
FIRST = 8
FEATURES = f"block{FIRST - 1}"
BLOCKS = tuple(lite0.blocks())
# Layers whose energy is taught: all that the default look dreams, and their neighbours.
TAUGHT = tuple(f"block{block.index}_expand" for block in BLOCKS if block.index >= FIRST)
LEARNT = (*TAUGHT, *(layer.replace("expand", "project") for layer in TAUGHT), "head")
# Learning: Adam's rate at strength 1, its decays, and the pull towards the bundled weights.
RATE, DECAYS, EPSILON, WEIGHT_DECAY = 1e-3, (0.9, 0.99), 1e-8, 1e-3
MOST_GRADIENT = 1.0
SMOOTHING = 0.1
# How many times stronger, as a logarithm, an own picture must excite a layer, or a channel.
LAYER_MARGIN, LAYER_SCALE = 0.3, 0.1
CHANNEL_MARGIN, CHANNEL_SCALE = 0.5, 0.3
# Dreams of a round: (balanced gradient) steps of this size.
DREAM_STEP = 0.06


class Pupil:
    """The bundled network while it is taught.

    Attributes:
        classes: Number of own classes; one more stands for everything else.
    """

    def __init__(self, classes: int, strength: float = 1.0) -> None:
        """Start from the bundled weights.

        Args:
            classes: Number of own classes.
            strength: Factor of the learning rate.
        """
        tf = tensorflow()
        self.classes = classes
        bundled = lite0.fold_weights()
        self._learnt: dict[str, Any] = {}
        self._weights: dict[str, tuple[Any, Any]] = {}
        self._weights.update(bundled)
        for layer in LEARNT:
            kernel, bias = (tf.Variable(each) for each in bundled[layer])
            self._learnt |= {f"{layer}/kernel": kernel, f"{layer}/bias": bias}
            self._weights[layer] = kernel, bias
        channels = bundled["head"][0].shape[-1]
        for part, shape in (("kernel", (channels, classes + 1)), ("bias", (classes + 1,))):
            self._learnt[f"own/{part}"] = tf.Variable(tf.zeros(shape))
        self._start = {name: value.numpy() for name, value in self._learnt.items()}
        self._moments = {
            f"{name} {kind}": tf.Variable(tf.zeros_like(value))
            for name, value in self._learnt.items()
            for kind in ("mean", "square")
        }
        self._steps = tf.Variable(0.0)
        self._rate = RATE * strength
        pictures, features = (tf.TensorSpec((None, None, None, count)) for count in (3, 80))
        labels = tf.TensorSpec((None,), tf.int32)

        def compiled(run: Any, *signature: Any) -> Any:
            return tf.function(run, input_signature=signature, autograph=False)

        self._see = compiled(self._lower, pictures)
        self._climb = compiled(self._climb_once, pictures)
        self._teach = compiled(self._teach_once, features, labels)
        self._weigh = compiled(self._losses, features, labels)

    def see(self, pictures: Array) -> Array:
        """Return the frozen features of pictures (n, side, side, 3) in [-1, 1]."""
        parts = []
        for part in _batches(pictures):
            check()
            parts.append(self._see(part).numpy())
        return np.concatenate(parts)

    def dream(self, pictures: Array, steps: int) -> Array:
        """Return what pictures (n, side, side, 3) become after some steps of dreaming."""
        for _ in range(steps):
            parts = []
            for part in _batches(pictures):
                check()
                parts.append(self._climb(part).numpy())
            pictures = np.concatenate(parts)
        return pictures

    def teach(self, features: Array, labels: NDArray[np.int32]) -> float:
        """Take one step of learning and return the loss.

        Args:
            features: (n, h, w, 80) of own pictures, and of others.
            labels: (n,) classes; the last one, number ``classes``, is that of the others.
        """
        return float(self._teach(features, labels))

    def weigh(self, features: Array, labels: NDArray[np.int32]) -> tuple[float, float]:
        """Return the loss and the share of pictures whose class is found, without learning."""
        loss, right = self._weigh(features, labels)
        return float(loss), float(right)

    def state(self) -> dict[str, Array]:
        """Return everything that the next step depends on."""
        kept = {**self._learnt, **self._moments, "steps": self._steps}
        return {name: value.numpy() for name, value in kept.items()}

    def restore(self, state: Mapping[str, Array]) -> None:
        """Go on from a state. Raises KeyError or ValueError if it is not one of this network."""
        for name, value in {**self._learnt, **self._moments, "steps": self._steps}.items():
            value.assign(state[name])

    def weights(self) -> dict[str, Array]:
        """Return what was learnt, by name."""
        return {name: np.array(value.numpy()) for name, value in self._learnt.items()}

    def complete(self, learnt: Mapping[str, Array]) -> Weights:
        """Return kernel and bias by layer of the whole network, from what ``weights`` returned.

        ``own`` has a column for each own class: its logit less that of everything else, scaled to
        the length of ImageNet's, so that classes of both kinds can be dreamt together.
        """
        made = {
            layer: (learnt[f"{layer}/kernel"], learnt[f"{layer}/bias"]) if layer in LEARNT else pair
            for layer, pair in lite0.fold_weights().items()
        }
        kernel, bias = (
            learnt[f"own/{part}"][..., :-1] - learnt[f"own/{part}"][..., -1:]
            for part in ("kernel", "bias")
        )
        usual = np.linalg.norm(made["top"][0], axis=0).mean()
        scale = usual / np.maximum(np.linalg.norm(kernel, axis=0), EPSILON)
        made["own"] = np.float32(kernel * scale), np.float32(bias * scale)
        return made

    def _lower(self, image: Any) -> Any:
        return self._run(_to_input(image), -1, FIRST)[FEATURES]

    def _climb_once(self, image: Any) -> Any:
        tf = tensorflow()
        with tf.GradientTape() as tape:
            tape.watch(image)
            features = self._run(_to_input(image), -1, FIRST)[FEATURES]
            energies = self._energies(self._run(features, FIRST, len(BLOCKS)))
            height = tf.add_n([tf.reduce_mean(tf.exp(each)) for each in energies])
        gradient = tf.map_fn(lambda each: balance_bands(each, 1.0), tape.gradient(height, image))
        size = tf.math.reduce_std(gradient, (1, 2, 3), keepdims=True) + EPSILON
        return tf.clip_by_value(image + DREAM_STEP * gradient / size, -1, 1)

    def _teach_once(self, features: Any, labels: Any) -> Any:
        tf = tensorflow()
        names = list(self._learnt)
        with tf.GradientTape() as tape:
            loss = self._losses(features, labels)[0]
        found = tape.gradient(loss, [self._learnt[name] for name in names])
        clipped, _ = tf.clip_by_global_norm(found, MOST_GRADIENT)
        self._steps.assign_add(1.0)
        first, second = DECAYS
        rate = self._rate * tf.sqrt(1 - second**self._steps) / (1 - first**self._steps)
        for name, gradient in zip(names, clipped, strict=True):
            value = self._learnt[name]
            mean, square = self._moments[f"{name} mean"], self._moments[f"{name} square"]
            mean.assign(first * mean + (1 - first) * gradient)
            square.assign(second * square + (1 - second) * gradient**2)
            moved = mean / (tf.sqrt(square) + EPSILON)
            value.assign_sub(rate * moved + self._rate * WEIGHT_DECAY * (value - self._start[name]))
        return loss

    def _losses(self, features: Any, labels: Any) -> tuple[Any, Any]:
        """Return the loss and the share of pictures whose class is found."""
        tf = tensorflow()
        found = self._run(features, FIRST, len(BLOCKS))
        own = labels < self.classes
        loss = tf.constant(0.0)
        for energy in self._energies(found):
            ours, others = tf.boolean_mask(energy, own), tf.boolean_mask(energy, ~own)
            lead = ours[:, None] - others[None]
            loss += _hinge(tf.reduce_mean(lead, -1), LAYER_MARGIN, LAYER_SCALE)
            loss += _hinge(lead, CHANNEL_MARGIN, CHANNEL_SCALE)
        kernel, bias = self._learnt["own/kernel"], self._learnt["own/bias"]
        logits = tf.reduce_mean(found["head"], (1, 2)) @ kernel + bias
        count = self.classes + 1
        wanted = tf.one_hot(labels, count) * (1 - SMOOTHING) + SMOOTHING / count
        missed = tf.nn.softmax_cross_entropy_with_logits(wanted, logits)
        # Every class counts the same, however many of the others are looked at.
        loss = loss / len(TAUGHT) + (
            self.classes * tf.reduce_mean(tf.boolean_mask(missed, own))
            + tf.reduce_mean(tf.boolean_mask(missed, ~own))
        ) / (self.classes + 1)
        right = tf.argmax(logits, -1, tf.int32) == labels
        return loss, tf.reduce_mean(tf.cast(right, tf.float32))

    @staticmethod
    def _energies(found: Mapping[str, Any]) -> list[Any]:
        """Return the logarithm of each channel's energy, (n, channels), of the taught layers."""
        tf = tensorflow()
        return [
            0.5 * tf.math.log(tf.reduce_mean(found[layer] ** 2, (1, 2)) + RMS_SILENCE)
            for layer in TAUGHT
        ]

    def _run(self, x: Any, first: int, last: int) -> dict[str, Any]:
        """Run some blocks, with the stem before block 0 and the head after the last.

        Args:
            x: The input of the first.
            first: Number of the first block; -1: the stem.
            last: Number of the block to end before.
        """
        tf = tensorflow()

        def conv(x: Any, layer: str, stride: int = 1) -> Any:
            kernel, bias = self._weights[layer]
            return tf.nn.bias_add(tf.nn.conv2d(x, kernel, stride, "SAME"), bias)

        found = {}
        if first < 0:
            x = tf.nn.relu6(conv(x, "stem", 2))
        for block in BLOCKS[max(first, 0) : last]:
            name, skip = f"block{block.index}", x
            if block.expansion > 1:
                x = found[f"{name}_expand"] = tf.nn.relu6(conv(x, f"{name}_expand"))
            kernel, bias = self._weights[f"{name}_depthwise"]
            strides = (1, block.stride, block.stride, 1)
            x = tf.nn.bias_add(tf.nn.depthwise_conv2d(x, kernel, strides, "SAME"), bias)
            x = conv(tf.nn.relu6(x), f"{name}_project")
            found[name] = x = x + skip if block.has_skip else x
        if last == len(BLOCKS):
            found["head"] = tf.nn.relu6(conv(x, "head"))
        return found


def _to_input(image: Any) -> Any:
    return image * (127.5 / 128) + 0.5 / 128


def _hinge(lead: Any, margin: float, scale: float) -> Any:
    tf = tensorflow()
    return tf.reduce_mean(tf.nn.softplus((margin - lead) / scale)) * scale


def _batches(pictures: Array, size: int = 4) -> Sequence[Array]:
    return [pictures[n : n + size] for n in range(0, len(pictures), size)]
