"""Networks in files: which reader reads a file, each file read once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from dreamvideo.dream.readers.caffe import read_caffemodel
from dreamvideo.dream.readers.graph import Graph
from dreamvideo.dream.readers.graphdef import read_graphdef
from dreamvideo.dream.readers.pth import OLD_MAGIC, is_zip, read_pth
from dreamvideo.dream.readers.safetensors import read_safetensors
from dreamvideo.dream.readers.saved_model import (
    SAVED_MODEL,
    is_saved_model,
    list_files,
    read_saved_model,
)
from dreamvideo.dream.readers.torchvision import build_torch_network
from dreamvideo.dream.trained import ENDING, is_trained, load_trained
from dreamvideo.errors import WeightsError

if TYPE_CHECKING:
    from dreamvideo.dream.models import Layer

HDF5 = b"\x89HDF\r\n\x1a\n"
# As many networks of files as one dream can mix.
KEPT = 8


class FileNetwork(Protocol):
    """A network that was read from a file.

    Attributes:
        title: What to show as its name.
        layers: Every layer that can be dreamt, shallow to deep.
        smallest: Shortest side in pixels that it takes.
    """

    title: str
    layers: tuple[Layer, ...]
    smallest: int

    @property
    def default_layers(self) -> tuple[str, ...]:
        """The layers that are dreamt unless others are named."""

    @property
    def notes(self) -> tuple[str, ...]:
        """What users should know of it."""

    def with_range(self, kind: str) -> FileNetwork:
        """Return this network with another input range (kinds of ``input_range.preprocess``)."""

    def forward(self, image: Any, wanted: Sequence[str]) -> dict[str, Any]:
        """Return activations of the wanted layers for pixels (1, H, W, 3) in [-1, 1]."""


def open_model_file(path: Path) -> FileNetwork:
    """Return the network in a file or folder.

    Raises WeightsError, in one line, if none can be read from it.
    """
    try:
        states = [each.stat() for each in (list_files(path) if is_saved_model(path) else [path])]
    except OSError as error:
        raise WeightsError(f"{str(path)!r} cannot be read: {error.strerror}") from error
    stamp = tuple((status.st_size, status.st_mtime_ns) for status in states)
    return _open(path.absolute(), path, stamp)


@lru_cache(maxsize=KEPT)
def _open(absolute: Path, path: Path, _stamp: tuple[tuple[int, int], ...]) -> FileNetwork:
    from dreamvideo.dream.graph_network import load_graph

    if is_saved_model(absolute):
        return load_graph(path, read_saved_model)
    if not absolute.is_file():
        raise WeightsError(
            f"{str(path)!r} is a folder without a saved_model.pb: save the model with "
            "model.export(FOLDER), or as one .keras file"
        )
    try:
        with absolute.open("rb") as file:
            start = file.read(16)
    except OSError as error:
        raise WeightsError(f"{str(path)!r} cannot be read: {error.strerror}") from error
    if absolute.name == SAVED_MODEL:
        raise WeightsError(f"{str(path)!r} is part of a SavedModel: name its folder instead")
    archived = is_zip(absolute)
    if start.startswith(HDF5) or (archived and absolute.suffix == ".keras"):
        from dreamvideo.dream.keras_file import load_keras_file

        return load_keras_file(path)
    if absolute.suffix.lower() == ENDING and is_trained(absolute):
        return load_trained(path)
    ending = ".pth" if archived or start.startswith(OLD_MAGIC) else absolute.suffix.lower()
    reader = READERS.get(ending)
    if reader is None:
        raise WeightsError(
            f"{str(path)!r} is not a model file: .keras, .h5, {', '.join(READERS)} can be read"
        )
    return load_graph(path, reader)


def _read_pth(path: Path) -> Graph:
    return build_torch_network(read_pth(path), path.stem)


def _read_safetensors(path: Path) -> Graph:
    return build_torch_network(read_safetensors(path), path.stem)


READERS: dict[str, Callable[[Path], Graph]] = {
    ".pb": read_graphdef,
    ".caffemodel": read_caffemodel,
    ".safetensors": _read_safetensors,
    ".pth": _read_pth,
    ".pt": _read_pth,
}
