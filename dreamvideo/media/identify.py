"""Identify a file that came from elsewhere: by its content, whatever its name is."""

from __future__ import annotations

import re
import unicodedata
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Literal

from dreamvideo.errors import DreamVideoError, MediaError
from dreamvideo.formatting import format_count
from dreamvideo.media.endings import READ_ENDINGS
from dreamvideo.media.paths import escape_text
from dreamvideo.media.probe import MediaInfo, probe
from dreamvideo.media.soundtrack import open_sound_file
from dreamvideo.media.stills import is_still, read_still

_TAME = re.compile(r"[^\w. -]+")
_LONGEST_STEM = 60
# Names of containers, and the extensions that mean them.
_FILM_ENDINGS = {
    "mp4": (".mp4", ".m4v", ".mov"),
    "matroska": (".mkv", ".webm"),
    "avi": (".avi",),
    "gif": (".gif",),
    "webp_anim": (".webp",),
    "apng": (".png", ".apng"),
    "mpegts": (".ts", ".mts", ".m2ts"),
    "ogg": (".ogv", ".ogg"),
    "flv": (".flv",),
    "asf": (".wmv", ".asf"),
    "mpeg": (".mpg", ".mpeg", ".vob"),
}


@dataclass(frozen=True)
class SourceFile:
    """What to dream: a picture or a film.

    Attributes:
        path: The file.
        name: Its name in a command line.
        kind: Picture or film.
        width: Width in pixels.
        height: Height in pixels.
        duration: Length of a film in seconds.
        rate: Frames per second of a film.
        is_private: Whether it is a copy that is deleted when it is no longer needed.
    """

    path: Path
    name: str
    kind: Literal["still", "film"]
    width: int
    height: int
    duration: Fraction = Fraction(0)
    rate: Fraction = Fraction(25)
    is_private: bool = False

    @property
    def words(self) -> str:
        """Description: ``480 x 270, 5.3 s, 25 frames a second``."""
        size = f"{self.width} x {self.height}"
        if self.kind == "still":
            return size
        rate = format_count(float(self.rate), "frame")
        return f"{size}, {float(self.duration):.1f} s, {rate} a second"


@dataclass(frozen=True)
class Song:
    """A sound file that is heard with a film: where it is, its name in a command line, seconds."""

    path: Path
    name: str
    length: Fraction


def make_safe_name(name: str) -> str:
    """Sanitise a file's name: no folders, control characters or special characters.

    ``../../etc/pass wd;rm`` -> ``pass wd_rm``; never empty, hidden, or an option.
    """
    last = re.split(r"[/\\]", unicodedata.normalize("NFC", name))[-1]
    kept = _TAME.sub("_", "".join(c for c in last if c.isprintable())).strip(" .-_")
    stem, dot, ending = kept.rpartition(".")
    if not dot:
        stem, ending = kept, ""
    stem = stem[:_LONGEST_STEM].strip(" .-_") or "upload"
    return f"{stem}.{ending[:8].lower()}" if ending else stem


def identify_file(path: Path, name: str | None = None, *, is_private: bool = False) -> SourceFile:
    """Identify a file or a folder of frames.

    Args:
        path: The file or folder.
        name: What it is called in a command line; None: its path.
        is_private: Whether it is such a copy, which gets the extension of its content.

    Raises:
        MediaError: It is neither a picture nor a film.
    """
    name = str(path) if name is None else name
    if is_still(path):
        # ffmpeg reads some of these as films of one frame; a film with a picture's extension is
        # handled below.
        with suppress(MediaError):
            return _still(path, name, is_private, MediaError(""))
    try:
        info = probe(path)
    except MediaError as no_film:
        return _still(path, name, is_private, no_film)
    if info.kind != "sequence" and is_private:
        path = _rename(path, info)
        name = path.name
    # A clip may not know its length, but it has at least one frame.
    duration = info.duration or Fraction(1, 1) / info.rate
    return SourceFile(
        path, name, "film", info.width, info.height, duration, info.rate, is_private=is_private
    )


def identify_copy(path: Path, name: str, *, is_song: bool = False) -> SourceFile | Song:
    """Identify a private copy of a file: a picture, a film, or what only sounds.

    Args:
        path: The copy.
        name: The file's own name, for messages and command lines.
        is_song: Whether it is wanted for its sound, even if it is a film.

    Raises:
        MediaError: It is none of them.
    """
    if is_song:
        return Song(path, name, open_sound_file(path).length)
    try:
        return identify_file(path, name, is_private=True)
    except MediaError as no_source:
        try:
            found = open_sound_file(path)
        except DreamVideoError:
            raise no_source from None
        return Song(path, name, found.length)


def _still(path: Path, name: str, is_private: bool, no_film: MediaError) -> SourceFile:
    try:
        pixels = read_still(path)
    except MediaError as no_still:
        # Report the picture's error for a file with a picture's extension, otherwise the film's.
        worse = no_still if path.suffix.lower() in READ_ENDINGS else no_film
        raise MediaError(_rename_in_error(worse, path, name)) from None
    if path.suffix.lower() not in READ_ENDINGS and is_private:
        # The extension does not mean a picture, but extensions are checked later.
        path = path.rename(path.with_suffix(_still_ending(path)))
        name = path.name
    height, width = pixels.shape[:2]
    return SourceFile(path, name, "still", width, height, is_private=is_private)


def _rename_in_error(error: MediaError, path: Path, name: str) -> str:
    return str(error).replace(escape_text(path), escape_text(name))


def _rename(path: Path, info: MediaInfo) -> Path:
    """Give a file the extension of its content."""
    key = next((key for key in _FILM_ENDINGS if key in info.container), None)
    endings = _FILM_ENDINGS[key] if key else (path.suffix.lower() or ".film",)
    if path.suffix.lower() in endings:
        return path
    return path.rename(path.with_suffix(endings[0]))


def _still_ending(path: Path) -> str:
    with path.open("rb") as file:
        head = file.read(12)
    known = {b"\x89PNG": ".png", b"\xff\xd8": ".jpg", b"II*\0": ".tif", b"MM\0*": ".tif"}
    return next((end for start, end in known.items() if head.startswith(start)), ".webp")
