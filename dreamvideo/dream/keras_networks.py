"""Networks of keras.applications, with weights from Keras's own download or from a local file."""

from __future__ import annotations

import socket
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dreamvideo.dream import fold
from dreamvideo.dream.input_range import preprocess
from dreamvideo.dream.layer_choice import find_stride
from dreamvideo.dream.runtime import tensorflow
from dreamvideo.errors import WeightsError

if TYPE_CHECKING:
    from dreamvideo.dream.models import Classifier, Layer, ModelEntry

# Layers that only move data: dreaming one of them means dreaming its neighbour.
NOT_DREAMT = {"InputLayer", "ZeroPadding2D", "Dropout", "Rescaling", "Normalization", "Cropping2D"}
PROBE_SIDE = 512
# Timeout of a silent download in seconds; Keras has none of its own.
SILENCE_LIMIT = 30.0


class KerasNetwork:
    """A convolutional network of keras.applications; its classifier, if any, is kept separately."""

    def __init__(self, model: Any, kind: str, classifier: Classifier | None = None) -> None:
        """Wrap a Keras model.

        Args:
            model: The model.
            kind: How pixels become its input (``input_range.preprocess``).
            classifier: Its classifier, if loaded.
        """
        self.classifier = classifier
        self._model = model
        self._kind = kind
        self._by_name = _stable_names(model.layers)

    @classmethod
    def build_untrained(cls, entry: ModelEntry) -> KerasNetwork:
        """Build the architecture only, to list its layers."""
        return cls(_build(entry, None), entry.preprocess)

    @classmethod
    def with_weights(
        cls, entry: ModelEntry, weights: Path | None, *, classify: bool = False
    ) -> KerasNetwork:
        """Build the network with ImageNet weights.

        Args:
            entry: The registry entry.
            weights: A local file; None: from Keras, downloaded on first use.
            classify: Whether to load its classifier as well.

        Raises:
            WeightsError: The weights cannot be loaded.
        """
        if classify:
            whole = _download(entry, top=True) if weights is None else _top_file(entry, weights)
            model, classifier = _fit_weights(entry, weights, whole), _classifier(entry, whole)
        else:
            model = _download(entry) if weights is None else _from_file(entry, weights)
            classifier = None
        model.trainable = False
        return cls(model, entry.preprocess, classifier)

    @property
    def layers(self) -> tuple[Layer, ...]:
        """Every layer with activations (1, h, w, channels), shallow to deep."""
        from dreamvideo.dream.models import Layer

        tf = tensorflow()
        kept = {
            name: layer.output
            for name, layer in self._by_name.items()
            if type(layer).__name__ not in NOT_DREAMT
            and not isinstance(layer.output, list)
            and len(layer.output.shape) == 4
        }
        probe = tf.keras.Model(self._model.inputs, list(kept.values()))
        shapes = probe.compute_output_shape((1, PROBE_SIDE, PROBE_SIDE, 3))
        return tuple(
            Layer(name, int(shape[-1]), find_stride(int(shape[1]), PROBE_SIDE))
            for name, shape in zip(kept, shapes, strict=True)
            # A layer with one value for the whole picture (squeeze and excitation) cannot be
            # dreamt.
            if shape[1] > 1
        )

    def forward(self, image: Any, wanted: Sequence[str]) -> dict[str, Any]:
        """Return activations of the wanted layers for pixels (1, H, W, 3) in [-1, 1]."""
        wanted_layers = [self._by_name[name] for name in wanted]
        values = fold.run(self._model, preprocess(image, self._kind), wanted_layers)
        return dict(zip(wanted, values, strict=True))


def _stable_names(layers: Sequence[Any]) -> dict[str, Any]:
    """Return layers by name, with Keras's automatic numbers counted within this network.

    Keras counts through the whole process: ``conv2d_5`` of a first network would be ``conv2d_99``
    if another had been built before.
    """
    numbered = [(layer, *_automatic(layer)) for layer in layers]
    first: dict[str, int] = {}
    for _, stem, number in numbered:
        if number is not None:
            first[stem] = min(number, first.get(stem, number))
    names = {}
    for layer, stem, number in numbered:
        place = 0 if number is None else number - first[stem]
        names[f"{stem}_{place}" if place else stem] = layer
    return names


def _automatic(layer: Any) -> tuple[str, int | None]:
    """Return stem and number of a name that Keras derived from the class, else (name, None)."""
    stem, _, digits = layer.name.rpartition("_")
    own = type(layer).__name__.lower()
    if digits.isdigit() and stem.replace("_", "") == own:
        return stem, int(digits)
    return layer.name, 0 if layer.name.replace("_", "") == own else None


def _build(entry: ModelEntry, weights: str | None, *, top: bool = False) -> Any:
    build = getattr(tensorflow().keras.applications, entry.keras_name)
    if top:
        # With its classifier a network's input size is fixed.
        return build(include_top=True, weights=weights)
    return build(include_top=False, weights=weights, input_shape=(None, None, 3))


def _download(entry: ModelEntry, *, top: bool = False) -> Any:
    try:
        with _silence_limit(SILENCE_LIMIT):
            return _build(entry, "imagenet", top=top)
    except Exception as error:
        # Keras raises a bare Exception for a failed download, ValueError for a wrong hash.
        known = "fetch failure" in str(error) or "corrupted file" in str(error)
        if not known and not isinstance(error, OSError):
            raise
        raise WeightsError(
            f"the weights of {entry.name} could not be downloaded: go online once, pass a local "
            "file with --weights FILE, or use the bundled --model efficientnet-lite0"
        ) from error


@contextmanager
def _silence_limit(seconds: float) -> Iterator[None]:
    """Set a timeout for connections that stay silent."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(before or seconds)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)


def _from_file(entry: ModelEntry, path: Path) -> Any:
    if _is_whole_model(entry, path):
        return _fit_weights(entry, path, _whole_model(path))
    model = _build(entry, None)
    try:
        _read_weights(model, path)
    except Exception:
        return _fit_weights(entry, path, _top_file(entry, path))
    return model


def _top_file(entry: ModelEntry, path: Path) -> Any:
    """Load a network with its classifier from a file that has both."""
    if _is_whole_model(entry, path):
        return _whole_model(path)
    whole = _build(entry, None, top=True)
    try:
        _read_weights(whole, path)
    except Exception as error:
        raise _not_weights_of(entry, path) from error
    return whole


def _is_whole_model(entry: ModelEntry, path: Path) -> bool:
    if not path.is_file():
        raise WeightsError(f"no weights file {path}: check the path given to --weights")
    if path.suffix == ".keras":
        return True
    import h5py  # type: ignore[import-untyped]

    if not h5py.is_hdf5(path):
        raise _not_weights_of(entry, path)
    return False


def _classifier(entry: ModelEntry, whole: Any) -> Classifier | None:
    from dreamvideo.dream.models import Classifier

    kernels = [each for each in whole.layers[-1].get_weights() if each.ndim == 2]
    return Classifier(entry.features, kernels[0]) if kernels else None


def _read_weights(model: Any, path: Path) -> None:
    with warnings.catch_warnings():
        # Keras warns about every layer that it meets a second time in a file with a classifier.
        warnings.simplefilter("ignore", UserWarning)
        model.load_weights(path)


def _whole_model(path: Path) -> Any:
    try:
        return tensorflow().keras.models.load_model(path, compile=False, safe_mode=True)
    except Exception as error:
        raise WeightsError(f"{path} is not a Keras model that can be loaded safely") from error


def _fit_weights(entry: ModelEntry, path: Path | None, whole: Any) -> Any:
    """Return the network without classifier, with a whole model's weights matched in order."""
    model = _build(entry, None)
    sources = [layer for layer in whole.layers if layer.weights]
    targets = [layer for layer in model.layers if layer.weights]
    try:
        for target, source in zip(targets, sources[: len(targets)], strict=True):
            target.set_weights(source.get_weights())
    except ValueError as error:
        raise _not_weights_of(entry, path) from error
    return model


def _not_weights_of(entry: ModelEntry, path: Path | None) -> WeightsError:
    return WeightsError(
        f"{path} does not hold weights of {entry.name}: give its Keras .h5, .weights.h5 or .keras"
    )
