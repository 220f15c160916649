"""The files that a job reads, for another machine: what to write there, and the names there."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dreamvideo.errors import MediaError
from dreamvideo.media.paths import describe_os_error, escape_text
from dreamvideo.media.sequence import is_sequence
from dreamvideo.render.job.manifest import (
    Manifest,
    compute_fingerprint,
    list_folder,
    rename_model_files,
)
from dreamvideo.settings import look_to_toml, preset_paths
from dreamvideo.settings.output import parse_stem
from dreamvideo.settings.presets import look_from_values, look_values, read_preset

# Bytes that are sent at a time.
PIECE = 4 << 20


@dataclass
class StagingPlan:
    """A job's manifest for another machine, and what has to be written there first.

    Attributes:
        manifest: The manifest, with the names that the files have there. Names of staged files are
            relative to a folder.
        sources: What is staged: files, folders or patterns of pictures, and texts of presets, by
            their names there.
        fingerprints: The fingerprints of files that have to be there already, by their absolute
            names.
    """

    manifest: Manifest
    sources: dict[Path, Path | str] = field(default_factory=dict)
    fingerprints: dict[str, str] = field(default_factory=dict)

    def pieces(self) -> Iterator[tuple[Path, int, bytes]]:
        """(name there, where in the file, bytes) of all that is staged. Raises MediaError."""
        for target, source in self.sources.items():
            if isinstance(source, str):
                yield target, 0, source.encode()
                continue
            folder = target if source.is_dir() else target.parent
            try:
                for path in list_folder(source):
                    name = path.relative_to(source) if source.is_dir() else path.name
                    with path.open("rb") as file:
                        while data := file.read(PIECE):
                            yield folder / name, file.tell() - len(data), data
            except OSError as error:
                raise MediaError(
                    f"{escape_text(source)}: cannot be read ({describe_os_error(error)})"
                ) from error


def plan_staging(manifest: Manifest, *, shared: bool) -> StagingPlan:
    """Plan what another machine is sent for a job.

    Args:
        manifest: The job's manifest.
        shared: Whether that machine sees the same files by the same names; only texts of presets
            are staged then.

    Raises:
        MediaError: A file cannot be read.
    """
    plan = StagingPlan(manifest)

    def stage(path: Path) -> str:
        if shared:
            return str(path.absolute())
        digest = compute_fingerprint(path)
        plan.fingerprints[str(path.absolute())] = digest
        target = Path(digest, "" if path.is_dir() else path.name)
        plan.sources[target] = path
        return str(target)

    def stage_text(text: str) -> str:
        target = Path(hashlib.sha256(text.encode()).hexdigest(), "preset.toml")
        plan.sources[target] = text
        return str(target)

    plan.manifest = _relocate(manifest, stage, stage_text)
    return plan


def _relocate(
    manifest: Manifest, stage: Callable[[Path], str], stage_text: Callable[[str], str]
) -> Manifest:
    """The manifest with the names that a file, or the text of a preset, is given."""

    def relocate(values: dict[str, Any], *names: str) -> None:
        for name in names:
            path = Path(values.get(name) or "")
            # Such settings are files only if they are there: they may also be shapes and names.
            if values.get(name) and (path.exists() or is_sequence(path)):
                values[name] = stage(path)

    def relocate_dream(values: dict[str, Any], *parts: dict[str, Any]) -> None:
        relocate(values, "guide", "weights")
        rename_model_files(values, parts, stage)

    values = look_values(manifest.decoded_look)
    relocate_dream(values["dream"], *values["regions"])
    relocate(values["colour"], "match_colour")
    for mask in (values["mask"], *values["regions"]):
        relocate(mask, "mask")
    for region in values["regions"]:
        name = region.get("look")
        if name is not None and name not in preset_paths():
            dream = dict(read_preset(name).get("dream", {}))
            relocate_dream(dream)
            lines = (f"{name} = {json.dumps(value)}\n" for name, value in dream.items())
            region["look"] = stage_text("[dream]\n" + "".join(lines))
    wanted = dict(manifest.wanted)
    if manifest.decoded_look.sounds:
        # Otherwise only the encoder reads them.
        relocate(wanted, "sound")
        stems = map(parse_stem, wanted.get("stem", ()))
        wanted["stem"] = [f"{name}={stage(path)}" for name, path in stems]
    clip = stage(Path(manifest.request["clip"] or ""))
    look = look_to_toml(look_from_values(values))
    request = {**manifest.request, "clip": clip}
    return manifest.model_copy(update={"look": look, "wanted": wanted, "request": request})
