"""What each kind of film file can hold: ending -> ffmpeg arguments for picture, sound, titles."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from dreamvideo.errors import UsageError
from dreamvideo.media import ffmpeg
from dreamvideo.media.paths import shown
from dreamvideo.media.probe import MediaInfo

_TEXT_TITLES = ("mov_text", "subrip", "srt", "ass", "ssa", "webvtt", "text", "ttml")


# A palette for every frame, made and used one frame at a time, so that memory stays constant.
_GIF_FILTER = (
    "split[a][b];[a]palettegen=stats_mode=single[p];"
    "[b][p]paletteuse=new=1:dither=bayer:bayer_scale=5"
)


@dataclass(frozen=True)
class Container:
    """A film file's abilities.

    ``sound`` and ``titles`` are the codecs copied packet for packet (None: every one);
    ``sound_encoder`` and ``title_encoder`` convert the others. No encoder: it holds none at all.
    """

    muxer: str
    sound: tuple[str, ...] | None = ()
    sound_encoder: str | None = None
    titles: tuple[str, ...] = ()
    title_encoder: str | None = None
    options: tuple[str, ...] = ()


_QUICKTIME_SOUND = ("aac", "mp3", "ac3", "eac3", "alac")
_MP4 = Container(
    muxer="mp4",
    sound=(*_QUICKTIME_SOUND, "opus", "flac", "mp2"),
    sound_encoder="aac",
    titles=("mov_text",),
    title_encoder="mov_text",
    options=("-movflags", "+faststart"),
)
_PCM = ("pcm_s16le", "pcm_s24le", "pcm_s32le", "pcm_f32le", "pcm_s16be", "pcm_s24be", "pcm_u8")
CONTAINERS = {
    ".mp4": _MP4,
    ".m4v": _MP4,
    ".mov": Container(
        muxer="mov",
        sound=(*_QUICKTIME_SOUND, *_PCM),
        sound_encoder="aac",
        titles=("mov_text",),
        title_encoder="mov_text",
        options=("-movflags", "+faststart"),
    ),
    ".mkv": Container(
        muxer="matroska",
        sound=None,
        sound_encoder="aac",
        titles=("subrip", "ass", "webvtt", "dvd_subtitle", "hdmv_pgs_subtitle", "dvb_subtitle"),
        title_encoder="srt",
    ),
    ".webm": Container(
        muxer="webm",
        sound=("opus", "vorbis"),
        sound_encoder="libopus",
        titles=("webvtt",),
        title_encoder="webvtt",
    ),
    ".gif": Container(muxer="gif"),
}


def supported_endings() -> tuple[str, ...]:
    """Endings of film files that can be written; a name without an ending is a folder of PNGs."""
    return tuple(CONTAINERS)


def container_for(output: Path) -> Container:
    """The container an ending stands for. Raises UsageError naming the known ones."""
    container = CONTAINERS.get(output.suffix.lower())
    if container is None:
        known = ", ".join(supported_endings())
        raise UsageError(
            f"{shown(output)}: unknown ending; choose {known}, or no ending for a folder of frames"
        )
    return container


def sound_arguments(container: Container, source: MediaInfo) -> tuple[list[str], list[str]]:
    """Arguments that carry the sound of input 1 over, and notes on what had to be converted."""
    if container.sound_encoder is None:
        return [], ["the sound is left out: a GIF holds none"] if source.audio else []
    arguments, notes = [], []
    for number, track in enumerate(source.audio):
        arguments += ["-map", f"1:a:{number}"]
        if container.sound is None or track.codec in container.sound:
            arguments += [f"-c:a:{number}", "copy"]
            continue
        arguments += [f"-c:a:{number}", container.sound_encoder]
        if container.sound_encoder == "libopus":
            layouts = "7.1|6.1|5.1|5.0|quad|3.0|stereo|mono"
            arguments += [f"-filter:a:{number}", f"aformat=channel_layouts={layouts}"]
        notes.append(f"sound converted: {track.codec} to {container.sound_encoder}")
    return arguments, list(dict.fromkeys(notes))


def title_arguments(container: Container, source: MediaInfo) -> tuple[list[str], list[str]]:
    """Arguments that carry the subtitles of input 1 over, and notes on what changed or is lost."""
    arguments: list[str] = []
    notes = []
    kept = 0
    for number, codec in enumerate(source.subtitle_codecs):
        copied = codec in container.titles
        if not copied and (container.title_encoder is None or codec not in _TEXT_TITLES):
            notes.append(f"subtitles left out: {container.muxer} cannot hold {codec}")
            continue
        encoder = "copy" if copied else container.title_encoder
        arguments += ["-map", f"1:s:{number}", f"-c:s:{kept}", str(encoder)]
        kept += 1
        if not copied:
            notes.append(f"subtitles converted: {codec} to {encoder}")
    return arguments, list(dict.fromkeys(notes))


def picture_arguments(output: Path, quality: int | None, aspect: Fraction, loop: int) -> list[str]:
    """Filter and encoder for the picture of input 0.

    ``aspect`` is the pixels' own, ``loop`` how often a GIF is shown again (0: for ever, -1: once).
    """
    ending = output.suffix.lower()
    if ending == ".gif":
        return ["-vf", _GIF_FILTER, "-c:v", "gif", "-loop", str(loop)]
    arguments = ["-vf", _yuv_filter(aspect), "-pix_fmt", "yuv420p"]
    if ending == ".webm":
        speed = ["-deadline", "good", "-cpu-used", "3", "-row-mt", "1"]
        return [*arguments, "-c:v", "libvpx-vp9", "-crf", str(quality or 24), "-b:v", "0", *speed]
    return [*arguments, "-c:v", "libx264", "-crf", str(16 if quality is None else quality)]


def _yuv_filter(aspect: Fraction) -> str:
    tags = "color_primaries=bt709:color_trc=bt709:colorspace=bt709:range=tv"
    return (
        "pad=ceil(iw/2)*2:ceil(ih/2)*2,"
        f"scale=out_color_matrix=bt709:out_range=tv:flags={ffmpeg.ACCURATE}+bicubic,"
        f"format=yuv420p,setparams={tags},setsar={aspect.numerator}/{aspect.denominator}"
    )
