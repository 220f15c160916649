"""The bundled network as ``dreamvideo train`` has taught it: its file, and how it is dreamt.

The file is a ``.safetensors`` of every layer's kernel and bias, norms folded, by the names that the
layers have; its texts tell what it is and the names of the own classes.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from dreamvideo.dream import lite0
from dreamvideo.dream.readers.safetensors import (
    encode_safetensors,
    read_metadata,
    read_safetensors,
)
from dreamvideo.errors import UsageError, WeightsError

if TYPE_CHECKING:
    from dreamvideo.dream.models import Classifier

KIND = "dreamvideo-lite0"
ENDING = ".safetensors"
SMALLEST = 16


@dataclass(eq=False)
class TrainedLite:
    """A network that was taught pictures of one's own.

    Attributes:
        title: What to show as its name.
        weights: Kernel and bias by layer; ``own`` are the columns of the own classes.
        classes: Names of the own classes.
        smallest: Shortest side in pixels that it takes.
        layers: Every layer that can be dreamt, shallow to deep.
    """

    title: str
    weights: lite0.Weights
    classes: tuple[str, ...]
    smallest: int = SMALLEST

    def __post_init__(self) -> None:
        """List every layer that can be dreamt: those of the bundled network."""
        from dreamvideo.dream.models import Layer

        self.layers = tuple(Layer(*row) for row in lite0.layer_table())

    @property
    def notes(self) -> tuple[str, ...]:
        """What users should know of it: nothing special."""
        return ()

    @property
    def default_layers(self) -> tuple[str, ...]:
        """The layers that are dreamt unless others are named: as of the bundled network."""
        from dreamvideo.dream.models import DEFAULT_MODEL, REGISTRY

        return REGISTRY[DEFAULT_MODEL].default_layers

    @property
    def classifier(self) -> Classifier:
        """The classes of ImageNet, then the own ones."""
        from dreamvideo.dream.models import Classifier

        kernel = np.concatenate([self.weights["top"][0], self.weights["own"][0]], axis=1)
        return Classifier("head", kernel, self.classes)

    def with_range(self, kind: str) -> NoReturn:
        """Raise UsageError: it takes what the bundled network takes."""
        raise UsageError(f"{self.title} knows its input range: leave out --input-range")

    def forward(self, image: Any, wanted: Sequence[str]) -> dict[str, Any]:
        """Return activations of the wanted layers for pixels (1, H, W, 3) in [-1, 1]."""
        return lite0.activations(image, wanted, weights=self.weights)


def blend_weights(taught: lite0.Weights, share: float) -> lite0.Weights:
    """Return weights on the line from the bundled network's to those that it was taught.

    After Wortsman et al., "Robust fine-tuning of zero-shot models", CVPR 2022: what is in between
    keeps what it could do. The own classes stay as they were learnt.

    Args:
        taught: Kernel and bias by layer, and of ``own``.
        share: How far to go along the line, in [0, 1].
    """
    bundled = lite0.fold_weights()

    def blend(layer: str, number: int) -> NDArray[np.float32]:
        there = taught[layer][number]
        if layer not in bundled:
            return there
        start = bundled[layer][number]
        return np.asarray(start + np.float32(share) * (there - start), np.float32)

    return {layer: (blend(layer, 0), blend(layer, 1)) for layer in taught}


def encode_trained(weights: lite0.Weights, classes: Sequence[str]) -> bytes:
    """Return the file of a network: the same bytes for the same weights.

    Args:
        weights: Kernel and bias by layer, and of ``own``: (1280, classes) and (classes,).
        classes: Names of the own classes.
    """
    arrays = {}
    for layer, (kernel, bias) in sorted(weights.items()):
        arrays[f"{layer}/kernel"], arrays[f"{layer}/bias"] = kernel, bias
    return encode_safetensors(arrays, {"kind": KIND, "classes": json.dumps(list(classes))})


def is_trained(path: Path) -> bool:
    """Return whether a file holds such a network, by its header."""
    return read_metadata(path).get("kind") == KIND


def load_trained(path: Path) -> TrainedLite:
    """Load such a network. Raises WeightsError if it is damaged."""
    try:
        arrays = read_safetensors(path)
        classes = _read_classes(read_metadata(path).get("classes", ""))
        shapes = {layer: (k.shape, b.shape) for layer, (k, b) in lite0.fold_weights().items()}
        channels = shapes["top"][0][0]
        shapes["own"] = (channels, len(classes)), (len(classes),)
        weights = {}
        for layer, expected in shapes.items():
            pair = arrays[f"{layer}/kernel"], arrays[f"{layer}/bias"]
            if (pair[0].shape, pair[1].shape) != expected:
                raise ValueError(f"{layer} has another shape")
            if not all(each.dtype == np.float32 and np.isfinite(each).all() for each in pair):
                raise ValueError(f"{layer} holds no finite numbers")
            weights[layer] = pair
    except (ValueError, OSError) as error:
        raise WeightsError(f"{str(path)!r} cannot be read as a network: {error}") from error
    except KeyError as error:
        raise WeightsError(f"{str(path)!r} cannot be read as a network: no {error}") from error
    return TrainedLite(f"EfficientNet-Lite0, taught {', '.join(classes)}", weights, classes)


def _read_classes(text: str) -> tuple[str, ...]:
    try:
        names = json.loads(text)
    except RecursionError:
        raise ValueError("its classes are nested too deeply") from None
    if not isinstance(names, list) or not names:
        raise ValueError("it names no classes")
    if not all(isinstance(name, str) and name.isprintable() for name in names):
        raise ValueError("its classes have no names")
    return tuple(names)
