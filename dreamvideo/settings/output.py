"""Settings of the output: codec, quality, depth, alpha, sound, size. Not part of a look."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, Field, ValidationError

from dreamvideo.errors import UsageError
from dreamvideo.parsing import parse_bytes
from dreamvideo.schedules import SOUNDS
from dreamvideo.settings.base import Settings, join_lines, validate

_DEPTHS = (8, 10, 16)
# Bits a channel where nothing asks for more.
USUAL_DEPTH = 8


def parse_color(text: str) -> tuple[int, int, int]:
    """Parse ``white`` or ``#rrggbb`` to red, green and blue, 0 .. 255; ValueError otherwise."""
    # Imported only if a colour is parsed: a start should load nothing it does not need.
    from PIL import ImageColor

    try:
        red, green, blue = ImageColor.getrgb(text.strip())[:3]
    except ValueError:
        raise ValueError("write a colour as white, teal or #10a0ff") from None
    return red, green, blue


def _check_depth(depth: int | None) -> int | None:
    if depth is not None and depth not in _DEPTHS:
        raise ValueError(f"choose {', '.join(map(str, _DEPTHS))}")
    return depth


def parse_stem(text: str) -> tuple[str, Path]:
    """Parse ``drums=drums.wav`` to a stem's name and its file; ValueError otherwise."""
    name, _, file = text.partition("=")
    name = name.strip().lower()
    if not re.fullmatch(r"[a-z]\w*", name, re.ASCII) or not file.strip():
        raise ValueError("write a stem as NAME=FILE, such as drums=drums.wav")
    if name in SOUNDS:
        raise ValueError(f"{name} is a level of every sound: give the stem another name")
    return name, Path(file.strip())


def _check_stems(stems: tuple[str, ...]) -> tuple[str, ...]:
    for stem in stems:
        parse_stem(stem)
    return stems


class OutputSettings(Settings):
    """How a film or picture is written. What its format cannot hold is rejected before any work."""

    codec: str | None = Field(
        default=None,
        description="Films: x264, x265, av1, vp9; for editors prores (-proxy, -lt, -hq, -4444), "
        "dnxhr-hq (-lb, -sq, -hqx, -444), cineform; for VJs hap (-alpha, -q); lossless ffv1. "
        "Pictures in a folder: png, tiff, jpg, exr or dpx.",
        json_schema_extra={"none": "the usual one for the extension"},
    )
    quality: int | None = Field(
        default=None,
        ge=0,
        le=100,
        description="On the codec's own scale. For films lower is better and larger (CRF), for "
        "JPEG and WebP higher.",
        json_schema_extra={"none": "x264 16, x265 18, vp9 20, av1 24, webp 90, jpg 95"},
    )
    depth: Annotated[int | None, AfterValidator(_check_depth)] = Field(
        default=None,
        description="Bits a channel: 10 with x265, av1 and vp9, 16 in PNG and TIFF. ProRes, "
        "DNxHR, CineForm, EXR and DPX have their own, FFV1 and pictures keep the source's, unless "
        "this option is given.",
        json_schema_extra={"none": "8"},
    )
    tone_map: bool = Field(
        default=False,
        description="Write HDR and scene-linear light as a screen shows it, in 8 bits a channel "
        "unless --depth says otherwise. Otherwise they are kept where the output can hold them.",
        json_schema_extra={"option": "--tone-map"},
    )
    background: Annotated[str, AfterValidator(lambda text: validate(parse_color, text))] = Field(
        default="black",
        description="Colour behind transparent areas where the output cannot keep them: white, "
        "#10a0ff. A picture is composited over it whenever it is given.",
    )
    repeat: int = Field(
        default=0,
        ge=-1,
        le=65_534,
        description="How often a GIF or WebP repeats. 0: forever; -1: never.",
    )
    max_size: Annotated[str | None, AfterValidator(lambda text: validate(parse_bytes, text))] = (
        Field(
            default=None,
            description="Largest GIF or WebP, for example 5MB; frames, then pixels are dropped "
            "until it fits.",
            json_schema_extra={"none": "any"},
        )
    )
    proxy: int | None = Field(
        default=None,
        ge=32,
        le=8192,
        description="Also write a small H.264 film, this many pixels wide, beside the output: "
        "film.proxy.mp4 for film.mov.",
        json_schema_extra={"none": "none"},
    )

    no_audio: bool = Field(
        default=False,
        description="Drop the sound.",
        json_schema_extra={"option": "--no-audio"},
    )
    audio_track: str | None = Field(
        default=None,
        description="Keep one sound track, by its number, from 1, or its language, such as eng or "
        "en-US.",
        json_schema_extra={"none": "all of them"},
    )
    sound: Path | None = Field(
        default=None,
        description="A file with sound, such as song.mp3, for the film in place of the clip's own: "
        "looped or cut to its length, and what `audio:`, `beat` and `bar` follow.",
        json_schema_extra={"none": "the clip's own"},
    )
    sound_start: float = Field(
        default=0.0,
        ge=0,
        description="Seconds of that file to leave out before the film begins.",
    )
    sound_fade: float | None = Field(
        default=None,
        ge=0,
        description="Seconds over which that sound fades at the end of the film; 0: it is cut off.",
        json_schema_extra={"none": "2, a quarter of a short film, 0 for a loop"},
    )
    stem: Annotated[tuple[str, ...], AfterValidator(_check_stems)] = Field(
        default=(),
        description="NAME=FILE: a part of the music that can be followed but is not heard: drums="
        "drums.wav for `audio:drums.low`. May be repeated.",
        json_schema_extra={"none": "none"},
    )
    bpm: float | None = Field(
        default=None,
        ge=20,
        le=400,
        description="Tempo of the music in beats a minute, if it is not found: `--click` lets you "
        "hear that.",
        json_schema_extra={"none": "found by listening"},
    )
    downbeat: float | None = Field(
        default=None,
        ge=0,
        description="When a first beat of a bar is in the music, in seconds. With --bpm the beats "
        "are counted from there.",
        json_schema_extra={"none": "the first beat"},
    )
    click: bool = Field(
        default=False,
        description="Mix a click into the sound at every beat, a higher one at the first of each "
        "four.",
        json_schema_extra={"option": "--click"},
    )
    strip_metadata: bool = Field(
        default=False,
        description="Drop the camera's metadata (date, camera, location) and the record of how it "
        "was dreamt.",
    )

    @property
    def stems(self) -> dict[str, Path]:
        """The files of ``stem`` by name."""
        return dict(map(parse_stem, self.stem))

    @property
    def bits(self) -> int:
        """``depth``, or the usual 8 where nothing was chosen."""
        return USUAL_DEPTH if self.depth is None else self.depth

    @property
    def most_bytes(self) -> int | None:
        """``max_size`` in bytes."""
        return None if self.max_size is None else parse_bytes(self.max_size)

    @property
    def background_color(self) -> tuple[int, int, int]:
        """``background`` as red, green and blue, 0 .. 255."""
        return parse_color(self.background)


def make_output(**given: Any) -> OutputSettings:
    """Return output settings: the defaults, overridden by what is not None.

    Args:
        given: Fields of ``OutputSettings`` by name.

    Raises:
        UsageError: A value is invalid; the message names the option.

    Example:
        >>> from dreamvideo import make_output
        >>> make_output(codec="x265", depth=10, quality=None).depth
        10
    """
    try:
        return OutputSettings.model_validate({k: v for k, v in given.items() if v is not None})
    except ValidationError as error:
        raise UsageError(join_lines(error, OutputSettings, "--")) from None
