"""Prove a finished film: decode it once, and compare frames, times and sound with what was stored.

(film's file, what it should hold) -> nothing, or a one-line error that says what differs.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

from dreamvideo.errors import MediaError
from dreamvideo.formatting import format_seconds
from dreamvideo.media import demux, ffmpeg, webp
from dreamvideo.media.paths import escape_text

# How far a frame's time may be off: a container's own unit of time, to which it rounds.
_ROUNDING = {"gif": Fraction(1, 100)}
_MILLISECOND = Fraction(1, 1000)
# The sound is cut at packets, which last up to 0.2 s; an encoder pads its first and last one.
SOUND_TOLERANCE = Fraction(1, 2)
_TIME = re.compile(r"frame-time (-?\d+) (\d+)/(\d+)$")
_FRAME_TIMES = ["-stats_enc_pre:v", "pipe:2", "-stats_enc_pre_fmt:v", "frame-time {pts} {tb}"]


class ProofError(MediaError):
    """A finished film does not hold what was to be written."""


@dataclass(frozen=True)
class SoundSpan:
    """When a sound track ends, in seconds after the film's start.

    Attributes:
        end: Its end according to the packets it is made from.
        measure: Returns where it ends when it is decoded: earlier, if its source is damaged.
    """

    end: Fraction
    measure: Callable[[], Fraction]


@dataclass(frozen=True)
class FilmContents:
    """What a finished film must hold.

    Attributes:
        muxer: ffmpeg's name of its container.
        times: Times of all frames relative to the first, in seconds, ascending.
        sound: Its sound tracks in order; None: one whose end is not known.
    """

    muxer: str
    times: Sequence[Fraction]
    sound: Sequence[SoundSpan | None] = ()


def prove_film(path: Path, expected: FilmContents, name: Path) -> None:
    """Decode a film and compare it with what it must hold.

    The pictures are decoded but not converted, which takes a small share of the time that encoding
    them took.

    Args:
        path: The film.
        expected: What it must hold.
        name: What errors call it.

    Raises:
        ProofError: It holds something else, or cannot be decoded.
        Interrupted: This process was asked to stop.
    """
    try:
        found = decode_times(path)
    except MediaError as error:
        raise _disagreement(name, f"it cannot be decoded again ({error})") from error
    times = [time - found[0] for time in found]
    if expected.muxer == "webp":
        _check_merged(path, times, expected.times, name)
    else:
        if len(times) != len(expected.times):
            text = f"{len(times)} of {len(expected.times)} frames can be decoded"
            raise _disagreement(name, text)
        _check_times(times, expected, name)
    _check_sound(path, expected.sound, name)


def decode_times(path: Path) -> list[Fraction]:
    """Decode all frames of a film without converting them, and return their times in seconds.

    Raises MediaError for a film that is damaged anywhere.
    """
    arguments = ["-copyts", *ffmpeg.input_file(path), "-map", "0:v:0"]
    arguments += ["-fps_mode", "passthrough", "-enc_time_base", "demux", *_FRAME_TIMES]
    times: list[Fraction] = []

    def read(line: str) -> None:
        if match := _TIME.search(line):
            times.append(int(match[1]) * Fraction(int(match[2]), int(match[3])))

    with ffmpeg.Process([*arguments, "-f", "null", "-"], on_line=read, detail="error") as process:
        process.read_all()
        code = process.wait()
        if code != 0 or process.complaint_count or not times:
            raise MediaError(process.reason())
    return times


def measure_sound_end(track: Sequence[str]) -> Fraction:
    """Decode a sound track and return where it ends, in seconds after its start.

    Args:
        track: ffmpeg's arguments that open its file and map it.
    """
    arguments = [*track, "-c:a", "pcm_s16le", "-f", "framecrc", "pipe:1"]
    with ffmpeg.Process(arguments) as process:
        # What can be decoded of a damaged track is what counts.
        written = process.read_all().decode("ascii", "replace")
    ticks = re.findall(r"^#tb 0: (\d+)/(\d+)$", written, re.MULTILINE)
    packets = re.findall(r"^0, *-?\d+, *(-?\d+), *(\d+),", written, re.MULTILINE)
    if not (ticks and packets):
        return Fraction(0)
    tick = Fraction(int(ticks[0][0]), int(ticks[0][1]))
    return max(int(begin) + int(length) for begin, length in packets) * tick


def _check_times(times: Sequence[Fraction], expected: FilmContents, name: Path) -> None:
    rounding = _ROUNDING.get(expected.muxer, _MILLISECOND)
    for number, (found, wanted) in enumerate(zip(times, expected.times, strict=True), 1):
        if abs(found - wanted) > rounding:
            raise _disagreement(
                name, f"frame {number} is shown at {_seconds(found)}, not at {_seconds(wanted)}"
            )


def _check_merged(
    path: Path, times: Sequence[Fraction], wanted: Sequence[Fraction], name: Path
) -> None:
    """Check a WebP, in which equal frames are one that is shown longer."""
    held = len(webp.frame_durations(path))
    if len(times) != held:
        raise _disagreement(name, f"{len(times)} of {held} frames can be decoded")
    if any(later <= earlier for earlier, later in pairwise(times)):
        raise _disagreement(name, "its frames are out of order")
    at = 0
    for number, time in enumerate(times, 1):
        while at < len(wanted) and wanted[at] < time - _MILLISECOND:
            at += 1
        if at == len(wanted) or abs(wanted[at] - time) > _MILLISECOND:
            raise _disagreement(
                name, f"frame {number} is shown at {_seconds(time)}, when none was to begin"
            )


def _check_sound(path: Path, wanted: Sequence[SoundSpan | None], name: Path) -> None:
    if not wanted:
        return
    ends = demux.sound_ends(path)
    if len(ends) != len(wanted):
        # A container may leave out a track that has nothing to say.
        heard = sum(span is None or span.end > SOUND_TOLERANCE for span in wanted)
        if len(ends) < heard:
            raise _disagreement(name, f"it has {len(ends)} of {heard} sound tracks")
        return
    for number, (end, span) in enumerate(zip(ends, wanted, strict=True), 1):
        found = end or Fraction(0)
        if span is None or abs(found - span.end) <= SOUND_TOLERANCE:
            continue
        # What cannot be decoded of the source cannot be in the film, and its packets may claim
        # other times than it takes.
        shortest, longest = sorted((span.end, span.measure()))
        if not shortest - SOUND_TOLERANCE <= found <= longest + SOUND_TOLERANCE:
            which = f"sound track {number}" if len(wanted) > 1 else "its sound"
            raise _disagreement(
                name, f"{which} ends at {_seconds(found)}, not {_seconds(span.end)}"
            )


def _seconds(time: Fraction) -> str:
    return f"{format_seconds(float(time))} s"


def _disagreement(name: Path, what: str) -> ProofError:
    return ProofError(
        f"{escape_text(name)}: the encoded film does not agree with what was to be in it: {what}; "
        "no film was written"
    )
