"""What a job reads, as it is to be found on another machine: files to ship, and their new names.

(manifest, where things are put) -> (the manifest with the names that hold there, parcels)
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dreamvideo.errors import MediaError
from dreamvideo.media.paths import describe_os_error, escape_text
from dreamvideo.media.sequence import is_sequence, sequence_files
from dreamvideo.render.job.manifest import Manifest
from dreamvideo.settings import look_to_toml, preset_paths
from dreamvideo.settings.presets import look_from_values, look_values, read_preset

# Bytes that are sent at a time.
PIECE = 4 << 20


@dataclass(frozen=True)
class Parcel:
    """A file, the pictures of a folder, or a text, by a digest of its contents."""

    digest: str
    name: str
    path: Path | None = None
    text: str = ""

    def pieces(self) -> Iterator[tuple[str, int, bytes]]:
        """(file's name, where in it, bytes) of everything. Raises MediaError."""
        if self.path is None:
            yield self.name, 0, self.text.encode()
            return
        try:
            many = is_sequence(self.path)
            for path in sequence_files(self.path) if many else [self.path]:
                with path.open("rb") as file:
                    start = 0
                    while data := file.read(PIECE):
                        yield path.name, start, data
                        start += len(data)
        except OSError as error:
            raise MediaError(
                f"{escape_text(self.path)}: cannot be read ({describe_os_error(error)})"
            ) from error


@dataclass(frozen=True)
class Baggage:
    """A job's manifest for another machine, and what has to be shipped there first."""

    manifest: Manifest
    parcels: tuple[Parcel, ...]


Digest = Callable[[Path], str]


def files_of(manifest: Manifest, digest: Digest) -> dict[str, str]:
    """Absolute names of all files that a job reads, with the digests of their contents."""
    found: dict[str, str] = {}

    def seen(path: Path) -> str:
        found[str(path.absolute())] = digest(path)
        return str(path)

    _relocated(manifest, seen, lambda text: "")
    return found


def at_the_same_place(manifest: Manifest, folder: str) -> Baggage:
    """For a machine that sees the same files by the same names; ``folder`` is its own."""
    return _packed(manifest, lambda path: str(path.absolute()), folder, [])


def shipped(manifest: Manifest, folder: str, digest: Digest) -> Baggage:
    """For a machine that sees nothing of it; everything is put below ``folder``."""
    parcels: list[Parcel] = []

    def put(path: Path) -> str:
        content = digest(path)
        name = "" if path.is_dir() else path.name
        parcels.append(Parcel(content, name, path))
        return f"{folder}/{content}/{name}".rstrip("/")

    return _packed(manifest, put, folder, parcels)


def _packed(
    manifest: Manifest, put: Callable[[Path], str], folder: str, parcels: list[Parcel]
) -> Baggage:
    def note(text: str) -> str:
        parcel = Parcel(hashlib.sha256(text.encode()).hexdigest(), "preset.toml", text=text)
        parcels.append(parcel)
        return f"{folder}/{parcel.digest}/{parcel.name}"

    moved = _relocated(manifest, put, note)
    return Baggage(moved, tuple({parcel.digest: parcel for parcel in parcels}.values()))


def _relocated(
    manifest: Manifest, put: Callable[[Path], str], note: Callable[[str], str]
) -> Manifest:
    """The manifest with every file's name replaced; ``note`` gives a text a name."""

    def moved(text: str) -> str:
        # Such settings are files only if they are there: they may also be shapes and names.
        path = Path(text)
        return put(path) if path.exists() or is_sequence(path) else text

    values = look_values(manifest.decoded_look)
    _replace(values["dream"], ("guide", "weights"), moved)
    _replace(values["colour"], ("match_colour",), moved)
    for mask in (values["mask"], *values["regions"]):
        _replace(mask, ("mask",), moved)
    for region in values["regions"]:
        name = region.get("look")
        if name is not None and name not in preset_paths():
            dream = dict(read_preset(name).get("dream", {}))
            _replace(dream, ("guide", "weights"), moved)
            region["look"] = note("[dream]\n" + "".join(_lines(dream)))
    clip = Path(manifest.request["clip"] or "")
    return manifest.model_copy(
        update={
            "look": look_to_toml(look_from_values(values)),
            "request": {**manifest.request, "clip": put(clip)},
        }
    )


def _replace(values: dict[str, Any], names: tuple[str, ...], moved: Callable[[str], str]) -> None:
    for name in names:
        if values.get(name):
            values[name] = moved(values[name])


def _lines(values: dict[str, Any]) -> Iterator[str]:
    for name, value in values.items():
        yield f"{name} = {json.dumps(value)}\n"
