"""Choose how a picture is compressed: ffmpeg's filter and encoder arguments."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from dreamvideo.errors import UsageError
from dreamvideo.media import ffmpeg
from dreamvideo.media.paths import escape_text
from dreamvideo.media.pixel_formats import Color, is_yuv

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


# Pixels of a frame above which encoding takes a notable share of a render.
LARGE_FRAME = 1280 * 720


@dataclass(frozen=True)
class Codec:
    """One way to compress a picture.

    Attributes:
        encoder: ffmpeg's name of the encoder.
        endings: File extensions it goes into.
        formats: Pixel formats by (depth, alpha); for a GIF those that its palette is made from.
        scale: The encoder's option for quality; empty: it has none.
        quality: Its default: for films a constant rate factor (lower is better), for WebP 0 to 100.
        best_worst: Its range.
        options: Further options.
        if_large: Options for frames of more than ``LARGE_FRAME`` pixels.
        multiple: (width, height) that sides must be multiples of.
        least: Smallest (width, height) that the encoder takes.
        reorders: Whether frames may be coded out of order.
        edits: Whether it is made for editors and players that expect uncompressed sound.
        follows_depth: Whether it stores as many bits as the source has, unless told otherwise.
    """

    encoder: str
    endings: tuple[str, ...]
    formats: dict[tuple[int, bool], str]
    scale: str = ""
    quality: int = 0
    best_worst: tuple[int, int] = (0, 0)
    options: tuple[str, ...] = ()
    if_large: tuple[str, ...] = ()
    multiple: tuple[int, int] = (1, 1)
    least: tuple[int, int] = (1, 1)
    reorders: bool = False
    edits: bool = False
    follows_depth: bool = False

    @property
    def depths(self) -> tuple[int, ...]:
        """Bits per channel that it can store, fewest first."""
        return tuple(sorted({depth for depth, _ in self.formats}))


def _prores(profile: str, formats: dict[tuple[int, bool], str]) -> Codec:
    return Codec(
        encoder="prores_ks",
        endings=(".mov",),
        formats=formats,
        # Editors recognise the codec by Apple's vendor mark.
        options=("-profile:v", profile, "-vendor", "apl0"),
        multiple=(2, 2),
        edits=True,
    )


def _dnxhr(profile: str, formats: dict[tuple[int, bool], str]) -> Codec:
    return Codec(
        encoder="dnxhd",
        endings=(".mxf", ".mov"),
        formats=formats,
        options=("-profile:v", f"dnxhr_{profile}"),
        multiple=(2, 2),
        least=(256, 120),
        edits=True,
    )


def _hap(kind: str, alpha: bool = False) -> Codec:
    return Codec(
        encoder="hap",
        endings=(".mov",),
        formats={(8, False): "rgba", **({(8, True): "rgba"} if alpha else {})},
        options=("-format", kind),
        # Textures are compressed in blocks of 4 x 4.
        multiple=(4, 4),
        edits=True,
    )


_422 = {(10, False): "yuv422p10le"}
CODECS = {
    "x264": Codec(
        encoder="libx264",
        endings=_FILMS,
        scale="-crf",
        quality=16,
        best_worst=(0, 51),
        formats={(8, False): "yuv420p"},
        # A dream's faint tints are what the usual steps of chroma round away: a tenth more bytes
        # lose a quarter less of its colour.
        options=("-x264-params", "chroma-qp-offset=-4"),
        # At 1080p this takes half the time, and loses 0.4 dB with a seventh fewer bytes.
        if_large=("-preset", "faster"),
        multiple=(2, 2),
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
        multiple=(2, 2),
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
    "prores": _prores("standard", _422),
    "prores-proxy": _prores("proxy", _422),
    "prores-lt": _prores("lt", _422),
    "prores-hq": _prores("hq", _422),
    "prores-4444": _prores("4444", {(10, False): "yuv444p10le", (10, True): "yuva444p10le"}),
    "dnxhr-lb": _dnxhr("lb", {(8, False): "yuv422p"}),
    "dnxhr-sq": _dnxhr("sq", {(8, False): "yuv422p"}),
    "dnxhr-hq": _dnxhr("hq", {(8, False): "yuv422p"}),
    "dnxhr-hqx": _dnxhr("hqx", _422),
    "dnxhr-444": _dnxhr("444", {(10, False): "yuv444p10le"}),
    "cineform": Codec(
        encoder="cfhd",
        endings=(".mov",),
        # With alpha it holds RGB.
        formats={(10, False): "yuv422p10le", (10, True): "gbrap12le"},
        scale="-quality",
        quality=1,
        best_worst=(0, 12),
        multiple=(16, 2),
        # Some smaller frames are encoded so that they cannot be decoded.
        least=(48, 48),
        edits=True,
    ),
    "hap": _hap("hap"),
    "hap-alpha": _hap("hap_alpha", alpha=True),
    "hap-q": _hap("hap_q"),
    "ffv1": Codec(
        encoder="ffv1",
        endings=(".mkv",),
        formats={
            (8, False): "bgr0",
            (8, True): "bgra",
            (10, False): "gbrp10le",
            (10, True): "gbrap10le",
            (16, False): "gbrp16le",
            (16, True): "gbrap16le",
        },
        # Checksums in every slice, and slices to decode in parallel.
        options=("-level", "3", "-slicecrc", "1", "-slices", "4"),
        follows_depth=True,
    ),
    "gif": Codec(
        encoder="gif",
        endings=(".gif",),
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
    ".mxf": "dnxhr-hq",
    ".gif": "gif",
    ".webp": "webp",
}
# What keeps HDR as its sources usually do, and plays wherever they play.
_HDR_DEFAULTS = dict.fromkeys(_FILMS, "x265") | {".webm": "vp9", ".mxf": "dnxhr-hqx"}
_HDR_DEPTH = 10


def choose_codec(output: Path, name: str | None) -> Codec:
    """Return the requested codec, or the container's default.

    Raises UsageError, naming the choices.
    """
    return CODECS[choose_codec_name(output, name)]


def choose_codec_name(output: Path, name: str | None) -> str:
    """Return the requested codec's name, or that of the container's default.

    Raises UsageError, naming the choices.
    """
    ending = output.suffix.lower()
    fitting = codecs_for(ending)
    if name is not None and name not in fitting:
        choices = ", ".join(fitting)
        known = CODECS.get(name)
        homes = f"; {name} goes into {' or '.join(known.endings)}" if known else ""
        raise UsageError(
            f"{escape_text(output)}: codec {name!r} does not go into {ending}; use {choices}{homes}"
        )
    return name or _DEFAULTS[ending]


def codecs_for(ending: str) -> list[str]:
    """Return the codecs that go into a file with that extension, the default first."""
    fitting = [known for known, codec in CODECS.items() if ending in codec.endings]
    return sorted(fitting, key=lambda name: name != _DEFAULTS[ending])


def choose_depth(codec: Codec, asked: int | None, source: int = 8) -> int:
    """Return the bits per channel to store.

    Args:
        codec: The codec.
        asked: What the user asks for; None: 8, or what the codec is made for.
        source: Bits per channel of the source.
    """
    if asked is not None:
        return asked
    if not codec.follows_depth:
        return codec.depths[0]
    return next((depth for depth in codec.depths if depth >= source), codec.depths[-1])


def choose_for_hdr(
    output: Path, name: str | None, asked: int | None, source: int
) -> tuple[str, int] | None:
    """Return the codec's name and the bits per channel that keep HDR; None where none does.

    Args:
        output: The output.
        name: The requested codec; None: one that can.
        asked: The requested bits per channel; None: those that can.
        source: Bits per channel of the source.

    Raises:
        UsageError: The codec does not go into the output.
    """
    if name is None:
        name = _HDR_DEFAULTS.get(output.suffix.lower())
        if name is None:
            return None
    codec = CODECS[choose_codec_name(output, name)]
    depth = asked
    if depth is None:
        enough = [bits for bits in codec.depths if bits >= _HDR_DEPTH]
        depth = choose_depth(codec, None, source)
        if depth < _HDR_DEPTH and enough:
            depth = enough[0]
    return (name, depth) if depth >= _HDR_DEPTH and depth in codec.depths else None


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
    lost = codec.encoder == "libvpx-vp9" and output.suffix.lower() in _QUICKTIME
    return (depth, True) in codec.formats and not lost


def check_size(codec: Codec, output: Path, size: tuple[int, int]) -> None:
    """Refuse frames that are too small for the encoder.

    Args:
        codec: The codec.
        output: The output, for the error.
        size: (width, height) of the frames.

    Raises:
        UsageError: They are too small.
    """
    width, height = codec.least
    if size[0] < width or size[1] < height:
        raise UsageError(
            f"{escape_text(output)}: this codec takes frames from {width} x {height}, not "
            f"{size[0]} x {size[1]}; use a larger --size or another --codec"
        )


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
    if codec.encoder == "gif":
        raise UsageError(
            f"{escape_text(output)}: a GIF has no quality; make it smaller or slower instead"
        )
    if not codec.scale:
        raise UsageError(
            f"{escape_text(output)}: this codec has no --quality; "
            + ("it is lossless" if codec.encoder == "ffv1" else "its variants differ in it instead")
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
        own_light: Whether the frames are in the source's own HDR light, whose tags they then keep.
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
    own_light: bool = False


def picture_arguments(codec: Codec, picture: PictureOptions) -> list[str]:
    """Return filter and encoder arguments for stored frames."""
    if codec.encoder == "gif":
        chain = ",".join([*picture.resize, _GIF_FILTERS[picture.pixels]])
        return ["-vf", chain, "-c:v", "gif", "-loop", str(picture.loop)]
    chain = ",".join(
        [
            *picture.resize,
            *_padding(codec, picture.size),
            _color_filter(codec, picture),
        ]
    )
    arguments = [
        "-vf",
        chain,
        "-c:v",
        codec.encoder,
        *([codec.scale, str(picture.quality)] if codec.scale else []),
        *codec.options,
        *(codec.if_large if picture.size[0] * picture.size[1] > LARGE_FRAME else ()),
    ]
    if codec.encoder == "libx265" and picture.muxer in ("mp4", "mov"):
        arguments += ["-tag:v", "hvc1"]
    if codec.encoder == "libwebp_anim":
        arguments += ["-loop", str(webp_plays(picture.loop))]
    if picture.pixels.startswith("yuva") and codec.encoder == "libvpx-vp9":
        arguments += ["-auto-alt-ref", "0"]
    if codec.reorders and not picture.reorder:
        arguments += ["-bf", "0"]
    if picture.alone and codec.encoder != "libwebp_anim" and not codec.edits:
        arguments += ["-g", "1"]
    return arguments


def webp_plays(loop: int) -> int:
    """Return how often a WebP is shown in total, 0 forever.

    ``loop`` counts repeats, as in a GIF.
    """
    return {0: 0, -1: 1}.get(loop, loop + 1)


def padded_size(codec: Codec, size: tuple[int, int]) -> tuple[int, int]:
    """Return the (width, height) that frames of ``size`` are padded to for the encoder."""
    width, height = (
        -(-side // step) * step for side, step in zip(size, codec.multiple, strict=True)
    )
    return width, height


def _padding(codec: Codec, size: tuple[int, int]) -> list[str]:
    width, height = padded_size(codec, size)
    if (width, height) == size:
        return []
    right, bottom = width - size[0], height - size[1]
    return [f"pad={width}:{height},fillborders=right={right}:bottom={bottom}:mode=smear"]


def _color_filter(codec: Codec, picture: PictureOptions) -> str:
    if codec.encoder == "libwebp_anim":
        return f"format={picture.pixels},setsar=1"
    if is_yuv(picture.pixels):
        return yuv_filter(
            picture.pixels, picture.color, picture.aspect, own_light=picture.own_light
        )
    # swscale would cut the last bits off, instead of rounding.
    exact = (
        "zscale=dither=none:rangein=pc:range=pc," if picture.pixels[-4:-2] in ("10", "12") else ""
    )
    primaries, transfer = _tags(picture.color, picture.own_light)
    # QuickTime's players know no matrix of RGB, and expect that of the primaries.
    matrix = "gbr" if picture.muxer == "matroska" else "bt2020nc" if picture.own_light else "bt709"
    tags = f"color_primaries={primaries}:color_trc={transfer}:colorspace={matrix}:range=pc"
    return f"{exact}format={picture.pixels},setparams={tags},{_shape(picture.aspect)}"


def yuv_filter(pixels: str, color: Color, aspect: Fraction, *, own_light: bool = False) -> str:
    """Return filters from RGB to ffmpeg's pixel format ``pixels``, with matching colour tags.

    Args:
        pixels: ffmpeg's pixel format.
        color: The source's colour tags.
        aspect: Shape of a pixel.
        own_light: Whether the colours are in the source's own HDR light.
    """
    primaries, transfer = _tags(color, own_light)
    matrix = "bt2020nc" if own_light else "bt709"
    tags = f"color_primaries={primaries}:color_trc={transfer}:colorspace={matrix}:range=tv"
    # swscale is a code off in 10 bits, which shows as a tint where nothing was dreamt.
    convert = (
        "zscale=min=gbr:rin=pc:m=bt2020nc:r=tv:d=none:f=bicubic"
        if own_light
        else f"scale=out_color_matrix=bt709:out_range=tv:flags={ffmpeg.ACCURATE}+bicubic"
    )
    return f"{convert},format={pixels},setparams={tags},{_shape(aspect)}"


def _tags(color: Color, own_light: bool) -> tuple[str, str]:
    """Return the primaries and the transfer to write."""
    if own_light:
        return color.hdr_primaries, color.transfer
    return color.primaries if color.primaries in ("smpte170m", "bt470bg") else "bt709", "bt709"


def _shape(aspect: Fraction) -> str:
    return f"setsar={aspect.numerator}/{aspect.denominator}:max=65535"
