"""Default output names, and checks that a picture may be written there."""

from __future__ import annotations

from pathlib import Path

from dreamvideo.errors import UsageError
from dreamvideo.media.endings import STILL_ENDINGS
from dreamvideo.media.paths import check_place
from dreamvideo.media.sequence import is_sequence

# Extensions that a film keeps by default; others become an MP4.
KEPT_ENDINGS = (".mp4", ".m4v", ".webm", ".mov", ".mkv", ".gif", ".webp")


def default_output(source: Path, word: str, ending: str) -> Path:
    """Name an output: ``clips/cat.avi`` -> ``clips/cat-dream.mp4``.

    Args:
        source: The input; a pattern or folder of pictures gives its folder's name.
        word: What is added to the name.
        ending: File extension.
    """
    if is_sequence(source):
        folder = source if source.is_dir() else source.parent
        named = folder if folder.name not in ("", "..") else folder.resolve()
        return named.parent / f"{named.name}-{word}{ending}"
    return source.with_name(f"{source.stem}-{word}{ending}")


def partial_output(output: Path) -> Path:
    """Name a partial film: ``film.mp4`` -> ``film.partial.mp4``; a folder gets a sibling folder."""
    if "%" in output.name:
        return output.parent.with_name(f"{output.parent.name}-partial") / output.name
    if not output.suffix:
        return output.with_name(f"{output.name}-partial")
    return output.with_name(f"{output.stem}.partial{output.suffix}")


def default_film_suffix(source: Path) -> str:
    """Return a film's own extension if we write such files, otherwise ``.mp4``."""
    ending = source.suffix.lower()
    return ending if ending in KEPT_ENDINGS and not is_sequence(source) else ".mp4"


def is_picture(output: Path) -> bool:
    """Return whether the extension is a still picture's."""
    return output.suffix.lower() in STILL_ENDINGS


def check_apart(output: Path, *inputs: Path | str | None) -> None:
    """Refuse to overwrite an input: -y is for earlier results, not footage. Raises UsageError."""
    for source in inputs:
        if source is None or not output.exists() or not Path(source).exists():
            continue
        if output.samefile(source):
            raise UsageError(f"{output}: is the input itself; choose another output")


def check_picture(output: Path, overwrite: bool) -> None:
    """Refuse, before any work, a picture that cannot or must not be written. Raises UsageError."""
    check_place(output, overwrite)
