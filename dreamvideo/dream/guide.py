"""Activations of a network for a picture that steers a dream: guide features, source channels."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dreamvideo.dream.runtime import tensorflow
from dreamvideo.imaging import resize
from dreamvideo.parsing import THIRDS

Array = NDArray[np.float32]
Forward = Callable[[Any, Sequence[str]], Mapping[str, Any]]

# Pictures are probed at most at this size in pixels: enough for what the deepest layers see.
LONGEST_SIDE = 512
# Most features of a guide that places choose from.
MOST_FEATURES = 1024


class ActivationProbe:
    """Activations of some layers of a network for any picture, compiled once."""

    def __init__(self, forward: Forward, layers: Sequence[str]) -> None:
        tf = tensorflow()

        def see(image: Any) -> Mapping[str, Any]:
            found = forward(image[None], layers)
            return {name: tf.cast(found[name][0], tf.float32) for name in layers}

        self._see = tf.function(
            see, autograph=False, input_signature=[tf.TensorSpec([None, None, 3], tf.float32)]
        )

    def __call__(self, image: Array) -> dict[str, Array]:
        """Return each layer's activations (h, w, channels) of H x W x 3 in [-1, 1].

        Large pictures are shrunk.
        """
        height, width = image.shape[:2]
        scale = min(1.0, LONGEST_SIDE / max(height, width))
        small = resize(image, (max(1, round(height * scale)), max(1, round(width * scale))))
        seen = self._see(tensorflow().constant(small, tensorflow().float32))
        return {name: np.asarray(value.numpy(), np.float32) for name, value in seen.items()}


def guide_features(activations: Array) -> Array:
    """Return features (n, channels) of a guide's activations (h, w, channels), of mean size 1.

    Of a guide with more than ``MOST_FEATURES`` places that many are drawn, always the same ones.
    """
    rows = activations.reshape(-1, activations.shape[-1])
    drawn = np.random.default_rng(0).permutation(len(rows))[:MOST_FEATURES]
    kept = rows[np.sort(drawn)]
    return np.asarray(kept / max(float(np.abs(kept).mean()), 1e-12), np.float32)


def channel_shares(activations: Array, third: str) -> Array:
    """Return shares, summing to 1, of the ``strong``, ``average`` or ``weak`` channels.

    Channels are ordered by their mean over (h, w, channels) and divided into thirds.
    """
    order = np.argsort(-activations.mean((0, 1)), kind="stable")
    chosen = np.array_split(order, len(THIRDS))[THIRDS.index(third)]
    shares = np.zeros(len(order), np.float32)
    shares[chosen] = 1 / len(chosen)
    return shares
