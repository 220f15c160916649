"""Where a job's folder keeps which picture: (folder, numbers) -> path."""

from __future__ import annotations

from pathlib import Path


def source_path(folder: Path, number: int) -> Path:
    """A source frame, for a pass that needs it again."""
    return folder / "source" / f"{number:08d}.png"


def ahead_path(folder: Path, segment: int, number: int) -> Path:
    """A frame that a segment dreams before its own, above its source."""
    return folder / "ahead" / f"{segment:04d}-{number:08d}.png"


def joined_path(folder: Path, number: int) -> Path:
    """A frame that two segments have dreamt, gone over from one to the other."""
    return folder / "joined" / f"{number:08d}.png"
