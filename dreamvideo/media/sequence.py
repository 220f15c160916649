"""Numbered pictures as a film: the files of a folder or of a pattern such as ``shots/%04d.png``."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Literal, get_args

from dreamvideo.errors import MediaError, UsageError
from dreamvideo.media.endings import READ_ENDINGS
from dreamvideo.media.paths import escape_text

Fit = Literal["crop", "pad", "stretch"]

_PLACE = re.compile(r"%(0(\d+))?d")
_NUMBER = re.compile(r"(\d+)(?!.*\d)")


@dataclass(frozen=True)
class SeriesOptions:
    """What a folder of pictures may lack; by default it must be complete, and of one size.

    ``hold_gaps`` shows the picture before a gap in the numbers for the time of the missing ones;
    ``fit`` is how pictures of other sizes are adapted to the first one's.
    """

    hold_gaps: bool = False
    fit: Fit | None = None

    def __post_init__(self) -> None:
        if self.fit is not None and self.fit not in get_args(Fit):
            raise UsageError(f"--fit {self.fit!r}: choose {', '.join(get_args(Fit))}")


STRICT = SeriesOptions()


def is_sequence(path: Path) -> bool:
    """Return whether the name means many pictures: a folder, or a pattern that is not a file."""
    return path.is_dir() or (_PLACE.search(path.name) is not None and not path.exists())


def sequence_files(path: Path) -> list[Path]:
    """Return the pictures of a folder or pattern in the order of their numbers (9999 before 10000).

    Raises MediaError if there are no pictures, or several series in one folder.
    """
    return [file for _, file in _list_numbered(path)]


def numbered_files(path: Path, options: SeriesOptions = STRICT) -> list[tuple[int, Path]]:
    """Return the pictures in order, each with its position in time: 0, 1, 2 and so on, with gaps.

    Raises MediaError like ``sequence_files``, and for gaps, by name, unless they are held.
    """
    files = _list_numbered(path)
    if not options.hold_gaps:
        _refuse_gaps(path, files)
    first = files[0][0]
    return [
        (place if number is None or first is None else number - first, file)
        for place, (number, file) in enumerate(files)
    ]


def _list_numbered(path: Path) -> list[tuple[int | None, Path]]:
    files = _in_folder(path) if path.is_dir() else _matching(path)
    if not files:
        kinds = "(.png, .jpg, .tif, .heic, .exr and the like)"
        hint = f"no pictures {kinds} in this folder" if path.is_dir() else "nothing matches"
        raise MediaError(f"{escape_text(path)}: {hint}")
    _refuse_doubles(path, files)
    return files


def _in_folder(folder: Path) -> list[tuple[int | None, Path]]:
    pictures = [p for p in _entries(folder) if p.suffix.lower() in READ_ENDINGS]
    numbered = [(_number(p.stem), p) for p in pictures]
    if any(number is None for number, _ in numbered):
        return [(None, p) for p in sorted(pictures, key=lambda p: _natural(p.name))]
    series = {(_NUMBER.sub("#", p.stem), p.suffix.lower()) for p in pictures}
    if len(series) > 1:
        first, second = sorted("".join(s) for s in series)[:2]
        raise MediaError(
            f"{escape_text(folder)}: holds several series ({escape_text(first)} and "
            f"{escape_text(second)}); "
            "name one by a pattern such as name%04d.png"
        )
    return sorted(numbered, key=lambda item: (item[0] or 0, item[1].name))


def _matching(pattern: Path) -> list[tuple[int | None, Path]]:
    place = _PLACE.search(pattern.name)
    if place is None:
        raise MediaError(f"{escape_text(pattern)}: no %d or %04d in the pattern")
    width = int(place[2] or 1)
    before, after = pattern.name[: place.start()], pattern.name[place.end() :]
    name = re.compile(f"{re.escape(before)}(\\d{{{width},}}){re.escape(after)}", re.DOTALL)
    found = [(m, p) for p in _entries(pattern.parent) if (m := name.fullmatch(p.name))]
    return sorted((int(m[1]), p) for m, p in found)


def _entries(folder: Path) -> list[Path]:
    try:
        names = [entry.name for entry in os.scandir(folder) if entry.is_file()]
    except OSError as error:
        raise MediaError(
            f"{escape_text(folder)}: {(error.strerror or 'unreadable').lower()}"
        ) from error
    return [folder / name for name in names if not name.startswith(".")]


def _refuse_doubles(path: Path, files: Sequence[tuple[int | None, Path]]) -> None:
    for (before, earlier), (after, later) in pairwise(files):
        if before is not None and after == before:
            raise MediaError(
                f"{escape_text(path)}: {escape_text(earlier.name)} and {escape_text(later.name)} "
                "have the same number"
            )


def _refuse_gaps(path: Path, files: Sequence[tuple[int | None, Path]]) -> None:
    for (before, earlier), (after, later) in pairwise(files):
        if before is None or after is None:
            return
        if after != before + 1:
            missing = f"number {before + 1}" + (f" to {after - 1}" if after > before + 2 else "")
            raise MediaError(
                f"{escape_text(path)}: {missing} missing between {escape_text(earlier.name)} and "
                f"{escape_text(later.name)}; renumber the pictures, or dream them with --hold-gaps"
            )


def _number(stem: str) -> int | None:
    match = _NUMBER.search(stem)
    return int(match[1]) if match else None


def _natural(name: str) -> list[tuple[int, int | str]]:
    return [(0, int(p)) if p.isdigit() else (1, p) for p in re.split(r"(\d+)", name)]
