"""The request behind a job, as ``manifest.json``: enough to resume exactly, or to refuse."""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from pydantic import Field

from dreamvideo.dream.memory_estimate import with_memory_bound
from dreamvideo.dream.mixture import list_model_files, read_mixture, rename_labels, replace_files
from dreamvideo.dream.readers.saved_model import is_saved_model, list_files
from dreamvideo.errors import DreamVideoError, MediaError
from dreamvideo.media import ffmpeg
from dreamvideo.media.paths import describe_os_error, escape_text, replace_atomically
from dreamvideo.media.sequence import is_sequence, sequence_files
from dreamvideo.render.job.segments import WHOLE, Segment
from dreamvideo.render.music import list_sound_files
from dreamvideo.settings import Look, OutputSettings, look_to_toml, look_values, preset_paths
from dreamvideo.settings.base import Settings
from dreamvideo.settings.machine import MachineSettings
from dreamvideo.settings.output import parse_stem
from dreamvideo.settings.presets import find_preset, look_from_toml
from dreamvideo.version import __version__

# Files up to this size are read whole; of larger ones this many blocks, evenly spread.
WHOLE_FILE_BYTES = 64 * 2**20
BLOCK = 2**20
BLOCKS = 32
# Of each picture of a sequence three blocks of this size are read.
PICTURE_BLOCK = 2**12


def compute_fingerprint(path: Path) -> str:
    """Return a digest of a file's content, or of the names and contents of a folder's files.

    Of a folder its pictures count, or its network's files.

    The names of single files and modification times do not count, so a copy is equivalent. Large
    files are sampled. Raises MediaError for what cannot be read.
    """
    digest = hashlib.sha256()
    try:
        if is_saved_model(path):
            for file in list_folder(path):
                digest.update(file.name.encode("utf-8", "surrogateescape") + b"\0")
                _take(digest, file, WHOLE_FILE_BYTES, BLOCK, BLOCKS)
        elif is_sequence(path):
            for file in sequence_files(path):
                digest.update(file.name.encode("utf-8", "surrogateescape") + b"\0")
                _take(digest, file, 3 * PICTURE_BLOCK, PICTURE_BLOCK, 3)
        else:
            _take(digest, path, WHOLE_FILE_BYTES, BLOCK, BLOCKS)
    except OSError as error:
        raise MediaError(
            f"{escape_text(path)}: cannot be read ({describe_os_error(error)})"
        ) from error
    return digest.hexdigest()


def list_folder(path: Path) -> list[Path]:
    """Return the files of a network's folder, or the pictures of a sequence; else the file."""
    if is_saved_model(path):
        return list_files(path)
    return list(sequence_files(path)) if is_sequence(path) else [path]


def _take(digest: hashlib._Hash, path: Path, whole: int, block: int, blocks: int) -> None:
    size = path.stat().st_size
    digest.update(f"{size}\n".encode())
    with path.open("rb") as file:
        for start in _list_starts(size, whole, block, blocks):
            file.seek(start)
            digest.update(file.read(block))


def _list_starts(size: int, whole: int, block: int, blocks: int) -> Iterator[int]:
    """Yield where the blocks to read start: all of a small file, else spread from first to last."""
    if size <= whole:
        yield from range(0, size, block)
    else:
        yield from ((size - block) * n // (blocks - 1) for n in range(blocks))


FORMAT = 3
NAME = "manifest.json"


class Manifest(Settings):
    """A job's record. Each of ``asked``, ``files`` and ``versions`` affects the bits of its frames.

    Attributes:
        format: Version of this format.
        kind: Kind of render.
        asked: Settings by the names that users know them by.
        files: Fingerprints of the files that are read, by their role.
        versions: Versions of the software used.
        look: The look to resume with, as TOML.
        wanted: Output settings that were set.
        request: The other arguments of the render.
        machine: Machine settings to resume with.
        threads: Threads per process.
        segments: The segments in which the film is made.
        frames: Total number of frames, if known.
        missing: Frames missing from a damaged source, if it was scanned beforehand.
        notes: Notes about the source, if it was scanned beforehand.
    """

    format: int = FORMAT
    kind: str
    asked: dict[str, str]
    files: dict[str, str]
    versions: dict[str, str]
    look: str
    wanted: dict[str, Any]
    request: dict[str, str | None]
    machine: MachineSettings = MachineSettings()
    threads: int = Field(default=1, ge=1)
    segments: tuple[Segment, ...] = WHOLE
    frames: int | None = None
    missing: int = 0
    notes: tuple[str, ...] = ()

    @property
    def decoded_look(self) -> Look:
        """The look to render with."""
        return look_from_toml(self.look, NAME)


def make_manifest(
    kind: str,
    look: Look,
    wanted: OutputSettings,
    request: Mapping[str, str | None],
    files: Mapping[str, Path],
    machine: MachineSettings = MachineSettings(),  # noqa: B008  (frozen)
    **also: object,
) -> Manifest:
    """Create the manifest of a new render.

    Args:
        kind: Kind of render.
        look: The look.
        wanted: Output settings.
        request: The other arguments of the render.
        files: Files that are read in addition to those that the look names.
        machine: Machine settings.
        also: Further settings that a resumed run must match.

    Raises:
        MediaError: A file cannot be read.
    """
    read = {**files, **list_look_files(look), **list_sound_files(look, wanted)}
    values = _flatten(look_values(look))
    asked = {name: str(value) for name, value in values if value != [] and name not in read}
    asked.pop("description", None)
    # It is among the machine's settings below.
    asked.pop("precision", None)
    # The encoding may change after the frames are dreamt; these two affect the frames.
    asked |= {"--depth": str(wanted.bits), "--background": wanted.background}
    bits = {"device": machine.device, "precision": machine.precision, **also}
    bits["max_memory"] = machine.max_memory
    if look.sounds:
        heard = ("sound_start", "bpm", "downbeat")
        given = {name: getattr(wanted, name) for name in heard}
        usual = OutputSettings.model_fields
        bits |= {name: value for name, value in given.items() if value != usual[name].default}
    asked |= {f"--{name.replace('_', '-')}": str(value) for name, value in bits.items()}
    return Manifest(
        kind=kind,
        asked=asked,
        files={name: compute_fingerprint(path) for name, path in read.items()},
        versions=list_versions(),
        look=look_to_toml(look),
        machine=with_memory_bound(machine),
        wanted=_with_absolute_paths(wanted.model_dump(exclude_unset=True, mode="json")),
        request={name: None if v is None else str(v) for name, v in request.items()},
    )


def _with_absolute_paths(wanted: dict[str, Any]) -> dict[str, Any]:
    if wanted.get("sound"):
        wanted["sound"] = str(Path(wanted["sound"]).absolute())
    if wanted.get("stem"):
        wanted["stem"] = [f"{n}={p.absolute()}" for n, p in map(parse_stem, wanted["stem"])]
    return wanted


def list_versions() -> dict[str, str]:
    """Return the versions of everything whose next release may compute different bits."""
    _, output = ffmpeg.run(["-version"], subject="ffmpeg")
    return {
        "dreamvideo": __version__,
        # Importing TensorFlow takes seconds.
        "tensorflow": metadata.version("tensorflow"),
        "opencv": cv2.__version__,
        "numpy": np.__version__,
        "ffmpeg": " ".join(output.decode("utf-8", "replace").split()[2:3]),
        "machine": f"{platform.machine()} {platform.system()}",
    }


def list_look_files(look: Look) -> dict[str, Path]:
    """Return the files that a look names (networks, pictures, masks) by their settings' names."""
    masks = {f"regions.{n}.mask": region.mask for n, region in enumerate(look.regions, 1)}
    words: dict[str, str | None] = {
        "mask.mask": look.mask.mask,
        **masks,
        "colour.match_colour": look.colour.match_colour,
    }
    named_looks = [*(stage.look for stage in look.journey), *(area.look for area in look.regions)]
    bundled = preset_paths()
    words |= {
        f"the preset {name}": str(find_preset(name))
        for name in named_looks
        if name is not None and name not in bundled
    }
    # These settings are files only if such a file exists: they may also be shapes or names.
    named = {name: Path(text) for name, text in words.items() if text and Path(text).exists()}
    model = look.dream.model
    alone = len(read_mixture(model).names) == 1
    own = {
        "dream.model" if alone else f"the network {name}": path
        for name, path in list_model_files(model).items()
    }
    return {**dict(_list_paths(look, "")), **named, **own}


def rename_model_files(
    dream: dict[str, Any], parts: Sequence[dict[str, Any]], rename: Callable[[Path], str]
) -> None:
    """Rename the files of a dream's networks wherever its settings name them.

    For those that stage a job's files, and know nothing of networks.

    Args:
        dream: Settings of a dream, which are changed.
        parts: Those of regions that name the same networks, which are changed as well.
        rename: File -> its new name.

    Raises:
        UsageError: A new name cannot stand in a list.
    """
    model = dream.get("model")
    if not model:
        return
    renamed = replace_files(model, rename)
    if renamed != model:
        for values in (dream, *parts):
            values.update(rename_labels(model, renamed, values))
        dream["model"] = renamed


def find_differences(started: Manifest, now: Manifest) -> list[str]:
    """Describe how ``now`` differs from the job's manifest, most informative first."""
    found = [
        f"{name} has changed since"
        for name in (*started.files, *now.files)
        if started.files.get(name) != now.files.get(name)
    ]
    for ours, theirs in ((started.asked, now.asked), (started.versions, now.versions)):
        for name in dict.fromkeys([*ours, *theirs]):
            was, is_now = ours.get(name, "not set"), theirs.get(name, "not set")
            if was != is_now:
                found.append(f"{name} was {was} and is {is_now}")
    if started.kind != now.kind:
        found.insert(0, f"it was a {started.kind}")
    return list(dict.fromkeys(found))


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Write the manifest atomically. Raises MediaError."""
    with replace_atomically(folder / NAME) as part:
        # File names may not be valid Unicode; such bytes are escaped.
        part.write_text(json.dumps(manifest.model_dump(mode="json"), indent=1), encoding="ascii")


def read_manifest(folder: Path) -> Manifest:
    """Read a manifest. Raises DreamVideoError, in one line, if there is none to resume from."""
    path = folder / NAME
    try:
        found = Manifest.model_validate(json.loads(path.read_bytes()))
    except OSError as error:
        raise MediaError(
            f"{escape_text(path)}: cannot be read ({describe_os_error(error)})"
        ) from error
    except ValueError:
        raise DreamVideoError(
            f"{escape_text(path)}: is damaged; --restart discards it and starts over"
        ) from None
    if found.format != FORMAT:
        raise DreamVideoError(
            f"{escape_text(path)}: was written by another version of dreamvideo; --restart "
            "discards it and starts over"
        )
    return found


def _flatten(values: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _flatten(value, f"{before}{name}.")
        else:
            yield before + name, value


def _list_paths(value: Any, name: str) -> Iterator[tuple[str, Path]]:
    if isinstance(value, Path):
        yield name, value
    elif isinstance(value, Settings):
        for field in type(value).model_fields:
            yield from _list_paths(getattr(value, field), f"{name}.{field}".lstrip("."))
    elif isinstance(value, tuple | list):
        for number, item in enumerate(value, 1):
            yield from _list_paths(item, f"{name}.{number}")
