"""Sound from another file: cut or looped to a film's length, faded, with clicks on its beats.

(sound file, length in seconds) -> stereo samples, exactly as many as the film is long.
"""

from __future__ import annotations

import itertools
import math
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dreamvideo.errors import MediaError, UsageError
from dreamvideo.formatting import format_seconds
from dreamvideo.media import beats, ffmpeg
from dreamvideo.media.beats import Beats, even_beats, find_beats
from dreamvideo.media.demux import count_channels, read_contents
from dreamvideo.media.paths import escape_text
from dreamvideo.media.probe import MediaInfo
from dreamvideo.schedules import BEATS_PER_BAR

Samples = NDArray[np.float32]

# Samples per second of a soundtrack, which every container holds.
RATE = 48_000
CHANNELS = 2
# Seconds over which a soundtrack fades at its end, and the largest share of the film that is.
FADE, MOST_FADE = 2.0, 0.25
# Level of the music below clicks, of a click, its pitch (the first of a bar, the others), and for
# how many seconds it rings.
_DUCKED, _LOUD, _PITCHES, _RINGS = 0.6, 0.4, (1600.0, 1000.0), 0.03
_CHUNK = RATE
# Up to so many seconds of a sound are kept while it is looped.
_KEPT = 60


@dataclass(frozen=True)
class SoundFile:
    """A file's first sound track: its stream's number, its length in seconds, its channels."""

    path: Path
    index: int
    length: Fraction
    channels: int = CHANNELS


@dataclass(frozen=True)
class Soundtrack:
    """What is heard with a film in place of its source's own sound.

    Attributes:
        path: A file with sound; None: the sound of ``clip``.
        start: Seconds of that file that are left out before the film begins.
        fade: Seconds over which it fades at the film's end; None: ``FADE``, at most a quarter of
            the film.
        click: Whether beats are marked by clicks.
        bpm: Its tempo, if it is known.
        downbeat: The time of a first beat of a bar in the file, in seconds, if it is known.
        clip: The source of the film, with the sound track to use.
        begin: The time of the film's first frame in ``clip``.
    """

    path: Path | None = None
    start: float = 0.0
    fade: float | None = None
    click: bool = False
    bpm: float | None = None
    downbeat: float | None = None
    clip: MediaInfo | None = None
    begin: Fraction = Fraction(0)


def open_sound_file(path: Path, start: float = 0.0) -> SoundFile:
    """Open a file with sound and measure its length by decoding it, once per file.

    Args:
        path: Any file with sound that ffmpeg reads.
        start: A time in it, in seconds.

    Raises:
        MediaError: It cannot be read, or has no sound.
        UsageError: It ends before ``start``.
    """
    try:
        state = path.stat()
    except OSError:
        raise MediaError(f"{escape_text(path)}: there is no such sound file") from None
    found = _open(path.absolute(), path, state.st_mtime_ns, state.st_size)
    if start >= found.length:
        raise UsageError(
            f"--sound-start {start:g}: {escape_text(path)} lasts only "
            f"{format_seconds(float(found.length))} s"
        )
    return found


@lru_cache(maxsize=64)
def _open(absolute: Path, path: Path, *_state: int) -> SoundFile:
    name = escape_text(path)
    if not path.is_file():
        kind = "a folder" if path.is_dir() else "a pipe or device"
        raise MediaError(f"{name}: is {kind}, not a sound file")
    try:
        tracks = read_contents(absolute).audio
        channels = count_channels(absolute, tracks[0].index) if tracks else 0
    except MediaError as error:
        reason = str(error).partition("(")[2].rstrip(")") or str(error)
        raise MediaError(f"{name}: not a sound file that can be read ({reason})") from error
    if not tracks:
        raise MediaError(f"{name}: has no sound")
    rate = tracks[0].rate or RATE
    count = sum(len(piece) for piece in decode(absolute, tracks[0].index, rate))
    if not count:
        raise MediaError(f"{name}: its sound is empty")
    return SoundFile(path, tracks[0].index, Fraction(count, rate), min(channels, CHANNELS))


def decode(
    path: Path,
    index: int,
    rate: int,
    channels: int = 1,
    begin: float = 0.0,
    end: float | None = None,
    *,
    on_clock: bool = False,
) -> Iterator[Samples]:
    """Decode a sound track; yields pieces, n x ``channels``, or n for one channel.

    Args:
        path: The file.
        index: The number of its stream.
        rate: Samples per second.
        channels: 1 or 2; others are mixed to that.
        begin: Start in seconds.
        end: End in seconds; None: the track's.
        on_clock: Whether the track keeps to the file's clock: silent before it begins, and in its
            gaps.

    Raises:
        MediaError: It cannot be decoded.
    """
    limits = ["-ss", f"{begin:.6f}"] if begin > 0 else []
    if end is not None:
        limits += ["-t", f"{max(end - begin, 0):.6f}"]
    clock = ["-af", "aresample=async=1:first_pts=0"] if on_clock else []
    arguments = [*ffmpeg.input_file(path, *limits), "-map", f"0:{index}", *clock]
    arguments += ["-ac", str(channels), "-ar", str(rate), "-f", "f32le", "pipe:1"]
    width = 4 * channels
    with ffmpeg.Process(arguments) as process:
        for data in process.pieces(width * _CHUNK):
            flat = np.nan_to_num(np.frombuffer(data[: len(data) // width * width], "<f4"))
            yield flat.reshape(-1, channels) if channels > 1 else flat
        if process.wait() != 0:
            raise MediaError(
                f"{escape_text(path)}: its sound cannot be decoded: {process.reason()}"
            )


def track_beats(sound: SoundFile, bpm: float | None, downbeat: float | None) -> Beats:
    """Return the beats of a sound file, found once per file and tempo.

    Args:
        sound: The file.
        bpm: Its tempo; None: it is estimated.
        downbeat: A first beat of a bar, in seconds.

    Raises:
        UsageError: No beat can be found.
        MediaError: It cannot be decoded.
    """
    state = sound.path.stat()
    return _track(sound, bpm, downbeat, state.st_mtime_ns, state.st_size)


@lru_cache(maxsize=16)
def _track(sound: SoundFile, bpm: float | None, downbeat: float | None, *_state: int) -> Beats:
    found = find_beats(decode(sound.path, sound.index, beats.SAMPLES), bpm, downbeat)
    if found is None:
        raise _no_beat(sound.path)
    return found


def track_clip_beats(clip: MediaInfo, bpm: float | None, downbeat: float | None) -> Beats:
    """Return the beats of a clip's first sound track, timed from its first picture.

    Raises UsageError if none can be found, MediaError.
    """
    if not clip.audio:
        return _even_or_none(clip.path, bpm, downbeat)
    state = clip.path.stat()
    given = (clip.path, clip.audio[0].index, float(clip.start), bpm, downbeat)
    return _track_clip(*given, state.st_mtime_ns, state.st_size)


@lru_cache(maxsize=16)
def _track_clip(
    path: Path, index: int, start: float, bpm: float | None, downbeat: float | None, *_state: int
) -> Beats:
    samples = decode(path, index, beats.SAMPLES, begin=start, on_clock=True)
    found = find_beats(samples, bpm, downbeat)
    if found is None:
        raise _no_beat(path)
    return found


def _even_or_none(path: Path, bpm: float | None, downbeat: float | None) -> Beats:
    if bpm is None:
        raise UsageError(
            f"{escape_text(path)}: has no sound to find a beat in; set the tempo with --bpm, or "
            "give it music with --sound"
        )
    return even_beats(bpm, downbeat or 0.0)


def _no_beat(path: Path) -> UsageError:
    return UsageError(f"{escape_text(path)}: no beat can be found in it; set its tempo with --bpm")


def count_beats(found: Beats, position: float, period: float | None) -> float:
    """Return the beats until a position in a sound that starts over after ``period`` seconds."""
    if period is None:
        return found.count(position)
    rounds, rest = divmod(position, period)
    return rounds * max(1, round(period * found.bpm / 60)) + found.count(rest)


def render_soundtrack(track: Soundtrack, length: Fraction, lead: Fraction) -> Iterator[Samples]:
    """Yield the samples of a soundtrack: pieces of n x 2 in [-1, 1], ``RATE`` per second.

    Args:
        track: The soundtrack.
        length: Length of the film in seconds.
        lead: Seconds of silence before the film begins.

    Raises:
        MediaError: A file cannot be decoded.
        UsageError: It has no beat to mark.
    """
    total = round(length * RATE)
    yield from _silence(round(lead * RATE))
    fade = min(FADE, MOST_FADE * float(length)) if track.fade is None else track.fade
    faded = min(round(fade * RATE), total)
    clicks = _Clicks(track, float(length)) if track.click else None
    done = 0
    for piece in _cut(_sounding(track), total):
        left = total - 1 - np.arange(done, done + len(piece))
        gain = np.clip(left / faded, 0, 1) if faded else np.ones(len(piece))
        heard = piece * gain.astype(np.float32)[:, None]
        if clicks is not None:
            heard = clicks.mix(heard, done)
        done += len(piece)
        yield np.asarray(np.clip(heard, -1, 1), np.float32)


def _silence(count: int) -> Iterator[Samples]:
    for begin in range(0, count, _CHUNK):
        yield np.zeros((min(_CHUNK, count - begin), CHANNELS), np.float32)


def _cut(pieces: Iterator[Samples], total: int) -> Iterator[Samples]:
    """Yield exactly ``total`` samples, silent when the pieces are over."""
    left = total
    for piece in pieces:
        yield piece[:left]
        left -= len(piece)
        if left <= 0:
            return
    yield from _silence(left)


def _stereo(pieces: Iterator[Samples]) -> Iterator[Samples]:
    """Yield pieces of n x 2; of one channel, on both sides as loud as it is."""
    for piece in pieces:
        yield piece if piece.ndim == 2 else np.repeat(piece[:, None], CHANNELS, axis=1)


def _sounding(track: Soundtrack) -> Iterator[Samples]:
    """Yield a soundtrack's sound from the film's first frame on: a file's without end."""
    if track.path is None:
        clip = track.clip
        if clip is not None and clip.audio:
            begin = float(track.begin + clip.start)
            index = clip.audio[0].index
            count = min(count_channels(clip.path, index), CHANNELS)
            yield from _stereo(decode(clip.path, index, RATE, count, begin, on_clock=True))
        return
    sound = open_sound_file(track.path, track.start)
    skipped = round(track.start * RATE)
    # A short sound is looped from memory: each time round would take a process.
    kept: list[Samples] | None = None
    for number in itertools.count():
        # Decoded again from its beginning, and cut where it ends: resampling adds a little.
        whole = round((number + 1) * sound.length * RATE) - round(number * sound.length * RATE)
        pieces = decode(track.path, sound.index, RATE, sound.channels) if kept is None else kept
        if kept is None and sound.length <= _KEPT:
            kept = list(pieces)
            pieces = kept
        for piece in _cut(_stereo(iter(pieces)), whole):
            if skipped < len(piece):
                yield piece[skipped:]
            skipped = max(0, skipped - len(piece))


class _Clicks:
    """Clicks at the beats of a soundtrack, mixed into its samples."""

    def __init__(self, track: Soundtrack, length: float) -> None:
        self._at: list[tuple[int, bool]] = []
        period, begin = None, float(track.begin)
        if track.path is not None:
            sound = open_sound_file(track.path, track.start)
            found = track_beats(sound, track.bpm, track.downbeat)
            period, begin = float(sound.length), track.start
        elif track.clip is not None:
            found = track_clip_beats(track.clip, track.bpm, track.downbeat)
        elif track.bpm is not None:
            found = even_beats(track.bpm, track.downbeat or 0.0)
        else:
            raise UsageError("--click: there is no sound to find a beat in; set the tempo: --bpm")
        rounds = 1 if period is None else math.ceil((begin + length) / period)
        for number in range(rounds):
            since = number * (period or 0.0)
            for beat in found.between(0.0, begin + length - since if period is None else period):
                place = beat + since - begin
                if -_RINGS / 2 <= place < length:
                    count = round(count_beats(found, beat + since, period))
                    self._at.append((max(0, round(place * RATE)), count % BEATS_PER_BAR == 0))
        times = np.arange(round(_RINGS * RATE)) / RATE
        fading = _LOUD * np.exp(-times * 4 / _RINGS)
        self._sounds = [
            (fading * np.sin(2 * np.pi * pitch * times)).astype(np.float32) for pitch in _PITCHES
        ]

    def mix(self, piece: Samples, begin: int) -> Samples:
        """Return a piece of the soundtrack, from sample ``begin`` on, with its clicks."""
        mixed: Samples = piece * np.float32(_DUCKED)
        since = bisect_left(self._at, (begin - len(self._sounds[0]), False))
        for place, first in self._at[since:]:
            if place >= begin + len(piece):
                break
            sound = self._sounds[0 if first else 1]
            low, high = max(place, begin), min(place + len(sound), begin + len(piece))
            if low < high:
                mixed[low - begin : high - begin] += sound[low - place : high - place, None]
        return mixed
