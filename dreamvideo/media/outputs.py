"""What each kind of film file can hold besides the picture: sound, titles, chapters, tags."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from dreamvideo.errors import UsageError
from dreamvideo.media.paths import shown
from dreamvideo.media.probe import MediaInfo

_TEXT_TITLES = ("mov_text", "subrip", "srt", "ass", "ssa", "webvtt", "text", "ttml")
_OPUS_LAYOUTS = "7.1|6.1|5.1|5.0|quad|3.0|stereo|mono"


@dataclass(frozen=True)
class Container:
    """A film file's abilities.

    ``sound`` and ``titles`` are the codecs copied packet for packet (None: every one);
    ``sound_encoder`` and ``title_encoder`` convert the others. No encoder: it holds none at all.
    ``tag_names`` are other names for tags that it would drop.
    """

    muxer: str
    sound: tuple[str, ...] | None = ()
    sound_encoder: str | None = None
    titles: tuple[str, ...] = ()
    title_encoder: str | None = None
    options: tuple[str, ...] = ()
    tag_names: Mapping[str, str] = field(default_factory=dict)


_QUICKTIME_SOUND = ("aac", "mp3", "ac3", "eac3", "alac")
_PCM = ("pcm_s16le", "pcm_s24le", "pcm_s32le", "pcm_f32le", "pcm_s16be", "pcm_s24be", "pcm_u8")
_MP4 = Container(
    muxer="mp4",
    sound=(*_QUICKTIME_SOUND, "opus", "flac", "mp2"),
    sound_encoder="aac",
    titles=("mov_text",),
    title_encoder="mov_text",
    options=("-movflags", "+faststart"),
)
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
        tag_names={"synopsis": "comment"},
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
    ".webp": Container(muxer="webp"),
}


def supported_endings() -> tuple[str, ...]:
    """Endings of film files that can be written; a name without an ending is a folder of frames."""
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


def companions(
    container: Container, source: MediaInfo, *, cut: bool, titles_from: int = 1
) -> tuple[list[str], list[str]]:
    """Arguments that carry over from input 1 all but the picture, and notes on what changes.

    ``cut`` says that the source does not begin at its beginning; ``titles_from`` is the input that
    has the subtitles.
    """
    sound, sound_notes = _sound(container, source)
    titles, title_notes = _titles(container, source, titles_from)
    arguments = [*sound, *titles, "-map_metadata", "1", "-map_chapters", "1"]
    if cut:
        # Without it, copied packets from the key frame before the cut come along.
        arguments += ["-copypriorss:a", "0", "-copypriorss:s", "0"]
    if source.language:
        arguments += ["-metadata:s:v:0", f"language={source.language}"]
    if container.muxer == "matroska":
        arguments += ["-map", "1:t?", "-c:t", "copy"]
    return arguments, [*sound_notes, *title_notes]


def without_tags(carried: list[str]) -> list[str]:
    """The arguments of ``companions`` without the source's own tags: date, camera, place."""
    at = carried.index("-map_metadata") + 1
    return [*carried[:at], "-1", *carried[at + 1 :]]


def _sound(container: Container, source: MediaInfo) -> tuple[list[str], list[str]]:
    if container.sound_encoder is None:
        name = container.muxer.upper() if container.muxer == "gif" else "WebP"
        return [], [f"the sound is left out: {name} holds none"] if source.audio else []
    arguments, notes = [], []
    for number, track in enumerate(source.audio):
        arguments += ["-map", f"1:a:{number}"]
        if container.sound is None or track.codec in container.sound:
            arguments += [f"-c:a:{number}", "copy"]
            continue
        arguments += [f"-c:a:{number}", container.sound_encoder]
        if container.sound_encoder == "libopus":
            arguments += [f"-filter:a:{number}", f"aformat=channel_layouts={_OPUS_LAYOUTS}"]
        name = container.sound_encoder.removeprefix("lib")
        notes.append(f"sound converted from {track.codec} to {name}")
    return arguments, list(dict.fromkeys(notes))


def converts_titles(container: Container, source: MediaInfo) -> bool:
    """Whether any subtitles must be encoded anew."""
    convertible = container.title_encoder is not None
    others = set(source.subtitle_codecs) - set(container.titles)
    return convertible and not others.isdisjoint(_TEXT_TITLES)


def _titles(
    container: Container, source: MediaInfo, titles_from: int
) -> tuple[list[str], list[str]]:
    arguments: list[str] = []
    notes = []
    kept = 0
    for number, codec in enumerate(source.subtitle_codecs):
        copied = codec in container.titles
        if not copied and (container.title_encoder is None or codec not in _TEXT_TITLES):
            notes.append(f"subtitles left out: {container.muxer} cannot hold {codec}")
            continue
        encoder = "copy" if copied else str(container.title_encoder)
        arguments += ["-map", f"{titles_from}:s:{number}", f"-c:s:{kept}", encoder]
        kept += 1
        if not copied:
            notes.append(f"subtitles converted from {codec} to {encoder}")
    return arguments, list(dict.fromkeys(notes))
