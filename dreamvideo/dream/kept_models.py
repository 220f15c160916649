"""Networks that are kept under a name for good, and files of networks that can be had elsewhere."""

from __future__ import annotations

import re
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from dreamvideo.dream.readers.saved_model import is_saved_model, list_files
from dreamvideo.dream.runtime import cache_folder
from dreamvideo.errors import DreamVideoError, UsageError

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")


@dataclass(frozen=True)
class KnownFile:
    """A file of a historic network, which its authors offer.

    Attributes:
        name: What it may be called.
        network: What it is.
        file: Name of the file.
        megabytes: Its size.
        licence: Its licence, in its authors' words.
        checksum: As its authors publish it; empty if they do not.
        source: Where it is.
    """

    name: str
    network: str
    file: str
    megabytes: int
    licence: str
    checksum: str
    source: str


KNOWN_FILES = (
    KnownFile(
        "inception5h",
        "GoogLeNet of the first dreams",
        "tensorflow_inception_graph.pb",
        54,
        "Apache-2.0",
        "sha256 a39b08b826c9d5a5532ff424c03a3a11a202967544e389aca4b06c2bd8aef63f",
        "in https://storage.googleapis.com/download.tensorflow.org/models/inception5h.zip",
    ),
    KnownFile(
        "bvlc-googlenet",
        "GoogLeNet, ImageNet",
        "bvlc_googlenet.caffemodel",
        54,
        "unrestricted",
        "sha1 405fc5acd08a3bb12de8ee5e23a96bec22f08204",
        "http://dl.caffe.berkeleyvision.org/bvlc_googlenet.caffemodel",
    ),
    KnownFile(
        "places365",
        "GoogLeNet, places",
        "googlenet_places365.caffemodel",
        47,
        "CC BY",
        "",
        "http://places2.csail.mit.edu/models_places365/googlenet_places365.caffemodel",
    ),
    KnownFile(
        "googlenet",
        "GoogLeNet, ImageNet",
        "googlenet-1378be20.pth",
        52,
        "BSD-3-Clause",
        "sha256 begins 1378be20",
        "https://download.pytorch.org/models/googlenet-1378be20.pth",
    ),
    KnownFile(
        "resnet50",
        "ResNet-50, ImageNet",
        "resnet50-0676ba61.pth",
        103,
        "BSD-3-Clause",
        "sha256 begins 0676ba61",
        "https://download.pytorch.org/models/resnet50-0676ba61.pth",
    ),
)


def models_folder() -> Path:
    """Return the folder of kept networks."""
    return cache_folder() / "models"


def list_kept() -> dict[str, Path]:
    """Return the files of kept networks by name."""
    try:
        files = [
            path
            for path in sorted(models_folder().iterdir())
            if path.is_file() or is_saved_model(path)
        ]
    except (OSError, RuntimeError):
        # There is no such folder, or a system without a home folder.
        return {}
    return {path.stem: path for path in files if _NAME.fullmatch(path.stem)}


def keep_model(path: Path, name: str | None, taken: frozenset[str]) -> tuple[str, Path]:
    """Copy a network's file or folder to where it is found by name.

    Args:
        path: The file or folder.
        name: The name; None: that of the file.
        taken: Names of other networks.

    Returns:
        The name and the copy.

    Raises:
        UsageError: The name cannot be given.
        DreamVideoError: The file cannot be copied.
    """
    own = re.sub("[^A-Za-z0-9]+", "-", path.stem).strip("-").lower() if name is None else name
    if not _NAME.fullmatch(own):
        raise UsageError(f"--name {own!r}: a name is letters, digits, - and _")
    if own in taken or own.startswith("random-"):
        raise UsageError(f"{own} is another network: choose another name with --name")
    known = list_kept().get(own)
    if known is not None:
        raise UsageError(f"{own} is kept already, as {known}: choose another name with --name")
    folder = models_folder()
    target = folder / f"{own}{path.suffix.lower()}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        # Hidden, and with a name that no network has, until it is whole.
        if is_saved_model(path):
            _keep_folder(path, target)
            return own, target
        with tempfile.NamedTemporaryFile(dir=folder, prefix=".", delete=False) as part:
            try:
                with path.open("rb") as source:
                    shutil.copyfileobj(source, part, 1 << 20)
                part.flush()
                Path(part.name).replace(target)
            except BaseException:
                Path(part.name).unlink(missing_ok=True)
                raise
    except OSError as error:
        raise DreamVideoError(f"{target}: cannot be written ({error.strerror})") from error
    return own, target


def _keep_folder(path: Path, target: Path) -> None:
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".") as part:
        whole = Path(part, "whole")
        for file in list_files(path):
            copy = whole / file.relative_to(path)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, copy)
        whole.replace(target)
