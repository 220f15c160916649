"""Choose how a picture is compressed: ffmpeg's filter and encoder arguments."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from dreamvideo.errors import UsageError
from dreamvideo.media import ffmpeg
from dreamvideo.media.paths import escape_text
from dreamvideo.media.pixel_formats import Color

_QUICKTIME = (".mp4", ".m4v", ".mov")
_FILMS = (*_QUICKTIME, ".mkv")
# A palette for every frame, made and used one frame at a time, so that memory stays constant. The
# colours are found by clustering: half as many come as close to a dream as 256 of a median cut, and
# leave longer repeats to compress; the seed makes the file reproducible. That filter does not
# support partial transparency.
_GIF_FILTERS = {
    "rgb24": "format=rgb24,elbg=codebook_length=144:pal8=1:seed=1",
    "rgba": (
        "split[a][b];[a]palettegen=stats_mode=single[p];"
        "[b][p]paletteuse=new=1:dither=bayer:bayer_scale=5"
    ),
}


@dataclass(frozen=True)
class Codec:
    """One way to compress a picture.

    Attributes:
        encoder: ffmpeg's name of the encoder.
        endings: File extensions it goes into.
        scale: The encoder's option for quality.
        quality: Its default: for films a constant rate factor (lower is better), for WebP 0 to 100.
        best_worst: Its range.
        formats: Pixel formats by (depth, alpha); for a GIF those that its palette is made from.
        options: Further options.
        even: Whether sides must be even.
        reorders: Whether frames may be coded out of order.
    """

    encoder: str
    endings: tuple[str, ...]
    scale: str
    quality: int
    best_worst: tuple[int, int]
    formats: dict[tuple[int, bool], str]
    options: tuple[str, ...] = ()
    even: bool = False
    reorders: bool = False


CODECS = {
    "x264": Codec(
        encoder="libx264",
        endings=_FILMS,
        scale="-crf",
        quality=16,
        best_worst=(0, 51),
        formats={(8, False): "yuv420p"},
        even=True,
        reorders=True,
    ),
    "x265": Codec(
        encoder="libx265",
        endings=_FILMS,
        scale="-crf",
        quality=18,
        best_worst=(0, 51),
        formats={(8, False): "yuv420p", (10, False): "yuv420p10le"},
        options=("-x265-params", "log-level=error"),
        even=True,
        reorders=True,
    ),
    "av1": Codec(
        encoder="libsvtav1",
        endings=(".mp4", ".m4v", ".mkv", ".webm"),
        scale="-crf",
        quality=24,
        best_worst=(0, 63),
        formats={(8, False): "yuv420p", (10, False): "yuv420p10le"},
        options=("-preset", "8"),
    ),
    "vp9": Codec(
        encoder="libvpx-vp9",
        endings=(".webm", ".mkv", ".mp4"),
        scale="-crf",
        quality=20,
        best_worst=(0, 63),
        formats={(8, False): "yuv420p", (10, False): "yuv420p10le", (8, True): "yuva420p"},
        options=("-b:v", "0", "-deadline", "good", "-cpu-used", "3", "-row-mt", "1"),
    ),
    "gif": Codec(
        encoder="gif",
        endings=(".gif",),
        scale="",
        quality=0,
        best_worst=(0, 0),
        formats={(8, False): "rgb24", (8, True): "rgba"},
    ),
    "webp": Codec(
        encoder="libwebp_anim",
        endings=(".webp",),
        scale="-quality",
        quality=90,
        best_worst=(100, 0),
        formats={(8, False): "bgra", (8, True): "bgra"},
    ),
}
_DEFAULTS = dict.fromkeys(_FILMS, "x264") | {
    ".webm": "vp9",
    ".gif": "gif",
    ".webp": "webp",
}


def choose_codec(output: Path, name: str | None) -> Codec:
    """Return the requested codec, or the container's default.

    Raises UsageError, naming the choices.
    """
    ending = output.suffix.lower()
    fitting = [known for known, codec in CODECS.items() if ending in codec.endings]
    if name is not None and name not in fitting:
        choices = ", ".join(fitting)
        raise UsageError(
            f"{escape_text(output)}: codec {name!r} does not go into {ending}; use {choices}"
        )
    return CODECS[name or _DEFAULTS[ending]]


def pixel_format(codec: Codec, output: Path, depth: int, alpha: bool) -> str:
    """Return the encoder's pixel format; alpha is dropped where it cannot be stored.

    Args:
        codec: The codec.
        output: The output; its extension decides about alpha.
        depth: Bits per channel.
        alpha: Whether the frames have alpha.

    Raises:
        UsageError: The codec does not have that depth.
    """
    if (depth, False) not in codec.formats:
        able = [n for n, c in CODECS.items() if (depth, False) in c.formats]
        fitting = [n for n in able if output.suffix.lower() in CODECS[n].endings]
        advice = f"--codec {' or '.join(fitting)}" if fitting else "another ending"
        raise UsageError(
            f"{escape_text(output)}: this codec cannot store {depth} bits there; use {advice}"
        )
    return codec.formats[depth, alpha and holds_alpha(codec, output, depth)]


def holds_alpha(codec: Codec, output: Path, depth: int) -> bool:
    """Return whether alpha is kept: MP4 cannot hold VP9's.

    Args:
        codec: The codec.
        output: The output; its extension decides.
        depth: Bits per channel.
    """
    return (depth, True) in codec.formats and output.suffix.lower() not in _QUICKTIME


def check_quality(codec: Codec, output: Path, quality: int | None) -> int:
    """Return the requested quality or the default.

    Args:
        codec: The codec.
        output: The output, for the error.
        quality: On the codec's scale; None: its default.

    Raises:
        UsageError: The quality is outside the encoder's range.
    """
    if quality is None:
        return codec.quality
    best, worst = codec.best_worst
    if not codec.scale:
        raise UsageError(
            f"{escape_text(output)}: a GIF has no quality; make it smaller or slower instead"
        )
    if not min(best, worst) <= quality <= max(best, worst):
        raise UsageError(
            f"{escape_text(output)}: --quality {quality} is out of range: {best} is best, "
            f"{worst} worst"
        )
    return quality


@dataclass(frozen=True)
class PictureOptions:
    """What decides how stored frames are encoded, besides the codec.

    Attributes:
        muxer: ffmpeg's name of the container.
        size: (width, height) of the frames.
        pixels: ffmpeg's pixel format.
        quality: On the codec's scale.
        color: The source's colour tags; its primaries and transfer are kept.
        aspect: Shape of a pixel.
        reorder: Whether frames may be coded out of order.
        loop: How often an animation is repeated.
        alone: Whether each frame is coded without reference to its neighbours.
        resize: Filters that come first.
    """

    muxer: str
    size: tuple[int, int]
    pixels: str
    quality: int
    color: Color
    aspect: Fraction
    reorder: bool
    loop: int
    alone: bool = False
    resize: Sequence[str] = ()


def picture_arguments(codec: Codec, picture: PictureOptions) -> list[str]:
    """Return filter and encoder arguments for stored frames."""
    if codec.encoder == "gif":
        chain = ",".join([*picture.resize, _GIF_FILTERS[picture.pixels]])
        return ["-vf", chain, "-c:v", "gif", "-loop", str(picture.loop)]
    chain = ",".join(
        [
            *picture.resize,
            *_padding(codec, picture.size),
            yuv_filter(picture.pixels, picture.color, picture.aspect),
        ]
    )
    arguments = [
        "-vf",
        chain,
        "-c:v",
        codec.encoder,
        codec.scale,
        str(picture.quality),
        *codec.options,
    ]
    if codec.encoder == "libx265" and picture.muxer in ("mp4", "mov"):
        arguments += ["-tag:v", "hvc1"]
    if codec.encoder == "libwebp_anim":
        arguments += ["-loop", str(webp_plays(picture.loop))]
    if picture.pixels.startswith("yuva") and codec.encoder == "libvpx-vp9":
        arguments += ["-auto-alt-ref", "0"]
    if codec.reorders and not picture.reorder:
        arguments += ["-bf", "0"]
    if picture.alone and codec.encoder != "libwebp_anim":
        arguments += ["-g", "1"]
    return arguments


def webp_plays(loop: int) -> int:
    """Return how often a WebP is shown in total, 0 forever.

    ``loop`` counts repeats, as in a GIF.
    """
    return {0: 0, -1: 1}.get(loop, loop + 1)


def pad_to_even(codec: Codec, size: tuple[int, int]) -> bool:
    """Return whether the size must be made even."""
    return codec.even and bool(size[0] % 2 or size[1] % 2)


def _padding(codec: Codec, size: tuple[int, int]) -> list[str]:
    if not pad_to_even(codec, size):
        return []
    right, bottom = size[0] % 2, size[1] % 2
    even = f"pad={size[0] + right}:{size[1] + bottom}"
    return [f"{even},fillborders=right={right}:bottom={bottom}:mode=smear"]


def yuv_filter(pixels: str, color: Color, aspect: Fraction) -> str:
    """Return filters from RGB to ffmpeg's pixel format ``pixels``, with matching colour tags.

    Args:
        pixels: ffmpeg's pixel format.
        color: The source's colour tags.
        aspect: Shape of a pixel.
    """
    if pixels == "bgra":
        return f"format={pixels},setsar=1"
    primaries = color.primaries if color.primaries in ("smpte170m", "bt470bg") else "bt709"
    tags = f"color_primaries={primaries}:color_trc=bt709:colorspace=bt709:range=tv"
    return (
        f"scale=out_color_matrix=bt709:out_range=tv:flags={ffmpeg.ACCURATE}+bicubic,"
        f"format={pixels},setparams={tags},setsar={aspect.numerator}/{aspect.denominator}:max=65535"
    )
