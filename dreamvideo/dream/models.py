"""The registry of networks: name -> layers and forward pass. Adding a network is one entry.

Every forward pass takes pixels (1, H, W, 3) in [-1, 1] and does its network's own preprocessing.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from dreamvideo.dream import lite0
from dreamvideo.errors import UsageError

DEFAULT_MODEL = "efficientnet-lite0"


@dataclass(frozen=True)
class Layer:
    """A layer that can be dreamt: activations (1, H / stride, W / stride, channels)."""

    name: str
    channels: int
    stride: int


@dataclass(frozen=True)
class Classifier:
    """A linear classifier after the average over all places of ``layer``.

    ``kernel`` is (channels, classes).
    """

    layer: str
    kernel: NDArray[np.float32]


class Network(Protocol):
    """A network that is ready to be climbed."""

    @property
    def layers(self) -> tuple[Layer, ...]:
        """Every layer that can be dreamt, shallow to deep."""

    def forward(self, image: Any, wanted: Sequence[str]) -> dict[str, Any]:
        """Activations of the wanted layers for pixels (1, H, W, 3) in [-1, 1]."""


@dataclass(frozen=True)
class ModelEntry:
    """One entry of the registry.

    ``preprocess`` names how pixels become the network's input (see ``keras_networks``);
    ``smallest`` is the shortest side in pixels that it takes; ``features`` the layer whose average
    a linear classifier takes, empty where there is none of that kind.
    """

    name: str
    title: str
    default_layers: tuple[str, ...]
    smallest: int
    keras_name: str = ""
    preprocess: str = "signed"
    features: str = ""

    @property
    def is_bundled(self) -> bool:
        """True where the weights come with this package."""
        return not self.keras_name


REGISTRY: dict[str, ModelEntry] = {
    find_entry.name: find_entry
    for find_entry in (
        ModelEntry(
            DEFAULT_MODEL,
            "EfficientNet-Lite0 (bundled)",
            (
                "block11_expand:rms",
                "block9_expand:rms:0.5",
                "block10_expand:rms:0.5",
                "block12_expand:rms:0.5",
                "block13_expand:rms:0.5",
            ),
            16,
            features="head",
        ),
        ModelEntry(
            "inception-v3",
            "Inception v3",
            ("mixed3", "mixed5"),
            75,
            "InceptionV3",
            features="mixed10",
        ),
        ModelEntry(
            "inception-resnet-v2",
            "Inception-ResNet v2",
            ("block35_10_ac", "block17_8_ac"),
            75,
            "InceptionResNetV2",
            features="conv_7b_ac",
        ),
        ModelEntry("vgg16", "VGG 16", ("block4_conv3", "block5_conv2"), 32, "VGG16", "caffe"),
        ModelEntry("vgg19", "VGG 19", ("block4_conv4", "block5_conv2"), 32, "VGG19", "caffe"),
        ModelEntry(
            "resnet50-v2",
            "ResNet-50 v2",
            ("conv3_block4_1_relu", "conv4_block4_1_relu"),
            32,
            "ResNet50V2",
            features="post_relu",
        ),
        ModelEntry(
            "mobilenet-v2",
            "MobileNet v2",
            ("block_8_expand_relu", "block_12_expand_relu"),
            32,
            "MobileNetV2",
            features="out_relu",
        ),
        ModelEntry(
            "xception",
            "Xception",
            ("block5_sepconv2_act", "block9_sepconv2_act"),
            71,
            "Xception",
            features="block14_sepconv2_act",
        ),
        ModelEntry(
            "densenet121",
            "DenseNet-121",
            ("pool3_relu", "conv4_block13_0_relu"),
            32,
            "DenseNet121",
            "torch",
            "relu",
        ),
        ModelEntry(
            "efficientnet-v2-b0",
            "EfficientNet v2 B0",
            ("block4b_expand_activation", "block5c_expand_activation"),
            32,
            "EfficientNetV2B0",
            "bytes",
            "top_activation",
        ),
        ModelEntry(
            "convnext-tiny",
            "ConvNeXt Tiny",
            ("convnext_tiny_stage_1_block_2_gelu", "convnext_tiny_stage_2_block_4_gelu"),
            32,
            "ConvNeXtTiny",
            "bytes",
        ),
    )
}


def find_entry(name: str) -> ModelEntry:
    """The registry's entry of that name; UsageError with near matches if there is none."""
    if name not in REGISTRY:
        raise UsageError(f"unknown model {name!r}: {_suggest_name(name, list(REGISTRY))}")
    return REGISTRY[name]


def load(name: str, weights: Path | None = None, *, classify: bool = False) -> Network:
    """The network of that name with its trained weights, and if asked with its classifier.

    ``weights`` is a local file (.h5, .weights.h5, .keras) to be used instead of Keras's download.
    Raises UsageError for an unknown name, WeightsError where no weights are to be had.
    """
    found = find_entry(name)
    if classify and not found.features:
        known = ", ".join(each.name for each in REGISTRY.values() if each.features)
        raise UsageError(f"{name} has no classifier that can be dreamt: --class takes {known}")
    if found.is_bundled:
        if weights is not None:
            raise UsageError(f"{name} is bundled and takes no --weights: choose another --model")
        return Lite0()
    from dreamvideo.dream.keras_networks import KerasNetwork

    return KerasNetwork.with_weights(found, weights, classify=classify)


def list_layers(name: str) -> tuple[Layer, ...]:
    """What can be dreamt in the network of that name; needs no weights."""
    found = find_entry(name)
    if found.is_bundled:
        return Lite0().layers
    from dreamvideo.dream.keras_networks import KerasNetwork

    return KerasNetwork.untrained(found).layers


def check_layers(network: Network, model: str, names: Sequence[str]) -> None:
    """UsageError naming the first unknown layer, with near matches."""
    for name in names:
        find_layer(network, model, name)


def find_layer(network: Network, model: str, name: str) -> Layer:
    """The layer of that name; UsageError with near matches if there is none.

    ``b8`` is short for ``block8_expand``, or ``block8`` where a block has no such part.
    """
    known = {layer.name: layer for layer in network.layers}
    short = re.fullmatch("b([0-9]+)", name)
    spelled = [f"block{short[1]}_expand", f"block{short[1]}"] if short else []
    for each in (name, *spelled):
        if each in known:
            return known[each]
    raise UsageError(
        f"{model} has no layer {name!r}: {_suggest_name(name, list(known))} "
        f"(`dreamvideo models {model}` lists all)"
    )


def find_classifier(network: Network, model: str) -> Classifier:
    """The network's classifier; UsageError if it was loaded without one."""
    found: Classifier | None = getattr(network, "classifier", None)
    if found is None:
        raise UsageError(f"these weights of {model} have no classifier, which --class needs")
    return found


class Lite0:
    """The bundled EfficientNet-Lite0."""

    @property
    def classifier(self) -> Classifier:
        """Of the 1,000 classes of ImageNet."""
        return Classifier("head", lite0.folded_weights()["top"][0])

    @property
    def layers(self) -> tuple[Layer, ...]:
        """Every layer that can be dreamt, shallow to deep."""
        return tuple(Layer(*row) for row in lite0.layer_table())

    def forward(self, image: Any, wanted: Sequence[str]) -> dict[str, Any]:
        """Activations of the wanted layers for pixels (1, H, W, 3) in [-1, 1]."""
        return lite0.activations(image, wanted)


def _suggest_name(name: str, known: Sequence[str]) -> str:
    near = get_close_matches(name, known, n=3, cutoff=0.4)
    if near:
        return "did you mean " + " or ".join(near) + "?"
    return "known are " + ", ".join(list(known)[:12])
