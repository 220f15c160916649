"""What each container can hold in addition to the picture: sound, subtitles, chapters, tags."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path

from dreamvideo.errors import UsageError
from dreamvideo.media.audio import AudioPlan, plan_audio
from dreamvideo.media.languages import three_letters
from dreamvideo.media.paths import escape_text
from dreamvideo.media.probe import AudioStream, MediaInfo

_TEXT_TITLES = ("mov_text", "subrip", "srt", "ass", "ssa", "webvtt", "text", "ttml")


# Bits per second at which stereo music is as good as its source.
_MUSIC_BITS = {"aac": 256_000, "libopus": 160_000}


@dataclass(frozen=True)
class Container:
    """The capabilities of a container.

    Attributes:
        muxer: ffmpeg's name.
        sound: Sound codecs that are copied without re-encoding; None: all that the muxer takes.
        sound_encoder: Converts other sound codecs; None: the container holds no sound.
        holds_pcm: Whether sound may be uncompressed.
        titles: Subtitle codecs that are copied.
        title_encoder: Converts other subtitles; None: they are dropped.
        options: Options of the muxer.
        long_languages: Whether language codes may have more than three letters.
        tag_names: Replacement names for tags that it would drop.
        sound_rate: Samples per second that all sound must have; None: any.
        rates: Frame rates that it can have; empty: any, also a varying one.
        holds_tags: Whether it has a place for the record of how the film was dreamt.
    """

    muxer: str
    sound: tuple[str, ...] | None = ()
    sound_encoder: str | None = None
    holds_pcm: bool = False
    titles: tuple[str, ...] = ()
    title_encoder: str | None = None
    options: tuple[str, ...] = ()
    long_languages: bool = True
    tag_names: Mapping[str, str] = field(default_factory=dict)
    sound_rate: int | None = None
    rates: tuple[Fraction, ...] = ()
    holds_tags: bool = True


_QUICKTIME_SOUND = ("aac", "mp3", "ac3", "eac3", "alac")
_PCM = ("pcm_s16le", "pcm_s24le", "pcm_s32le", "pcm_f32le", "pcm_s16be", "pcm_s24be", "pcm_u8")
_MP4 = Container(
    muxer="mp4",
    sound=(*_QUICKTIME_SOUND, "opus", "flac", "mp2"),
    sound_encoder="aac",
    titles=("mov_text",),
    title_encoder="mov_text",
    options=("-movflags", "+faststart"),
    long_languages=False,
)
CONTAINERS = {
    ".mp4": _MP4,
    ".m4v": _MP4,
    ".mov": Container(
        muxer="mov",
        sound=(*_QUICKTIME_SOUND, *_PCM),
        sound_encoder="aac",
        holds_pcm=True,
        titles=("mov_text",),
        title_encoder="mov_text",
        options=("-movflags", "+faststart"),
        long_languages=False,
        tag_names={"synopsis": "comment"},
    ),
    ".mkv": Container(
        muxer="matroska",
        sound=None,
        sound_encoder="aac",
        holds_pcm=True,
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
    ".mxf": Container(
        muxer="mxf",
        sound=("pcm_s16le", "pcm_s24le"),
        sound_encoder="pcm_s16le",
        holds_pcm=True,
        sound_rate=48_000,
        rates=tuple(
            Fraction(whole * 1000, slower)
            for whole in (24, 25, 30, 48, 50, 60, 100, 120)
            for slower in (1000, 1001)
            if slower == 1000 or whole % 25
        ),
        holds_tags=False,
    ),
    ".gif": Container(muxer="gif"),
    ".webp": Container(muxer="webp"),
}


def supported_endings() -> tuple[str, ...]:
    """Return extensions of films that can be written; a name without one is a folder of frames."""
    return tuple(CONTAINERS)


def choose_container(output: Path, *, edits: bool = False) -> Container:
    """Return the container of an extension.

    Args:
        output: The output.
        edits: Whether it is for editors, which expect uncompressed sound in it.

    Raises:
        UsageError: The extension is unknown; the message names the known ones.
    """
    container = CONTAINERS.get(output.suffix.lower())
    if container is None:
        known = ", ".join(supported_endings())
        raise UsageError(
            f"{escape_text(output)}: unknown extension; choose {known}, or none for a folder of "
            "frames"
        )
    if edits and container.muxer == "mov":
        return replace(container, sound=_PCM, sound_encoder="pcm_s16le")
    return container


def check_rate(output: Path, rate: Fraction | None) -> None:
    """Refuse a frame rate that the container cannot have.

    Args:
        output: The output.
        rate: Frames per second; None: it varies.

    Raises:
        UsageError: It cannot have that rate.
    """
    container = CONTAINERS.get(output.suffix.lower())
    if container is None or not container.rates or rate in container.rates:
        return
    known = ", ".join(sorted({f"{float(each):.5g}" for each in container.rates}, key=float))
    found = "a rate that varies" if rate is None else f"{float(rate):.5g}"
    raise UsageError(
        f"{escape_text(output)}: {output.suffix} holds {known} frames a second, not {found}; "
        "choose one with --fps, or write a .mov"
    )


@dataclass(frozen=True)
class CompanionStreams:
    """What goes into a film with its picture.

    ``input_options`` precede the source, ``arguments`` follow the inputs; ``notes`` are for the
    user; ``tracks`` are the sound tracks that go into the film.
    """

    input_options: list[str]
    arguments: list[str]
    notes: list[str]
    tracks: tuple[AudioStream, ...] = ()


def stream_copy_args(
    container: Container,
    source: MediaInfo,
    *,
    starts_late: bool,
    end: Fraction | None,
    titles_from: int = 1,
    chapters_from: int = 1,
) -> CompanionStreams:
    """Return arguments that copy everything but the picture from input 1.

    Args:
        container: The container of the output.
        source: The film to copy from, with the requested tracks.
        starts_late: Whether copying starts after the beginning of the source.
        end: End of the output in seconds, which nothing may exceed; None: the source's end.
        titles_from: The input with the subtitles.
        chapters_from: The input with the chapters.

    Returns:
        Options, and notes on what changes.
    """
    plans, notes = _sound(container, source)
    titles, title_notes = _titles(container, source, titles_from, end)
    sound = [
        word for n, plan in enumerate(plans) for word in plan.output_options(source=1, number=n)
    ]
    arguments = [*sound, *titles, "-map_metadata", "1", "-map_chapters", str(chapters_from)]
    if starts_late:
        # Otherwise packets from the key frame before the start would be copied too.
        arguments += ["-copypriorss:a", "0", "-copypriorss:s", "0"]
    spoken = {"v:0": source.language}
    spoken |= {f"a:{n}": plan.track.language for n, plan in enumerate(plans)}
    for place, language in spoken.items():
        if language is not None:
            arguments += [f"-metadata:s:{place}", f"language={_code(container, language)}"]
    if container.muxer == "matroska":
        arguments += ["-map", "1:t?", "-c:t", "copy"]
    return CompanionStreams(
        [word for plan in plans for word in plan.input_options],
        arguments,
        [*notes, *title_notes],
        tuple(plan.track for plan in plans),
    )


def _code(container: Container, language: str) -> str:
    return language if container.long_languages else three_letters(language) or "und"


def no_sound_notes(container: Container) -> list[str]:
    """Return the note that a container holds no sound."""
    name = container.muxer.upper() if container.muxer == "gif" else "WebP"
    return [f"the sound is left out: {name} holds none"]


def soundtrack_args(container: Container, source: int) -> list[str]:
    """Return arguments that encode the sound of input ``source`` as the film's only sound."""
    encoder = str(container.sound_encoder)
    bits = _MUSIC_BITS.get(encoder)
    rate = ["-b:a", str(bits)] if bits else []
    return ["-map", f"{source}:a:0", "-c:a", encoder, *rate]


def without_tags(carried: list[str]) -> list[str]:
    """Remove the source's own tags (date, camera, place) from ``stream_copy_args``."""
    at = carried.index("-map_metadata") + 1
    return [*carried[:at], "-1", *carried[at + 1 :]]


def _sound(container: Container, source: MediaInfo) -> tuple[list[AudioPlan], list[str]]:
    if container.sound_encoder is None:
        return [], no_sound_notes(container) if source.audio else []
    return plan_audio(
        source.path,
        source.audio,
        container.muxer,
        container.sound,
        container.sound_encoder,
        container.holds_pcm,
        container.sound_rate,
    )


def converts_titles(container: Container, source: MediaInfo) -> bool:
    """Return whether any subtitles must be re-encoded."""
    convertible = container.title_encoder is not None
    others = set(source.subtitle_codecs) - set(container.titles)
    return convertible and not others.isdisjoint(_TEXT_TITLES)


def _titles(
    container: Container, source: MediaInfo, titles_from: int, end: Fraction | None
) -> tuple[list[str], list[str]]:
    arguments: list[str] = []
    notes = []
    kept = 0
    for number, track in enumerate(source.subtitle_tracks):
        codec = track.codec
        copied = codec in container.titles
        if not copied and (container.title_encoder is None or codec not in _TEXT_TITLES):
            notes.append(f"subtitles left out: {container.muxer} cannot hold {codec}")
            continue
        encoder = "copy" if copied else str(container.title_encoder)
        place = f"{titles_from}:s:{number}" if titles_from > 1 else f"1:{track.index}"
        arguments += ["-map", place, f"-c:s:{kept}", encoder]
        if end is not None:
            # A subtitle displayed at the end would make the film longer.
            arguments += [
                f"-bsf:s:{kept}",
                f"setts=duration='min(DURATION,{float(end):.6f}/TB-PTS)'",
            ]
        if track.language is not None:
            arguments += [f"-metadata:s:s:{kept}", f"language={_code(container, track.language)}"]
        kept += 1
        if not copied:
            notes.append(f"subtitles converted from {codec} to {encoder}")
    return arguments, list(dict.fromkeys(notes))
