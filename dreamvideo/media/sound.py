"""Measure a clip's sound: loudness, three bands and onsets, each 0 .. 1.

Everything is relative to the film itself, so that a quiet recording moves a picture as much as a
loud one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from dreamvideo.errors import MediaError
from dreamvideo.media.audio import find_undecodable
from dreamvideo.media.beats import Beats, cut_windows
from dreamvideo.media.paths import escape_text
from dreamvideo.media.probe import MediaInfo
from dreamvideo.media.soundtrack import SoundFile, count_beats, decode
from dreamvideo.schedules import BEATS_PER_BAR, CLOCKS, SOUNDS

Curve = NDArray[np.float32]

SAMPLES = 22_050
HOP = 441
# Measurements per second.
RATE = SAMPLES // HOP
WINDOW = 1024
# Hz: end of the low band and start of the high one.
LOW_END, HIGH_BEGIN = 200, 2000
# Loudness is proportional to this power of the amplitude (Stevens 1957).
STEVENS = 0.6
# Anything quieter than this (amplitude, 1 = full scale) is silence, even if nothing is louder.
SILENCE = 1e-3
# A band counts as full at this share of the loudest band's level at least.
FAINTEST_BAND = 0.2
# Seconds in which a sound that ends, or a beat, fades.
DECAY, BEAT = 0.15, 0.25
# Share of the loudest beat that is a full one, and the smallest rise that counts (log amplitude).
FULL_BEAT, FAINTEST_BEAT = 0.7, 0.15
# In a sound that is rough throughout, beats must rise by this multiple of its usual variation.
UNSTEADY = 4.0
# The amplitude that counts as something in a rise is one over this.
STEEPNESS = 1e4
# Where beats are detected: bands a third of an octave wide, by their first bins.
_TONES = np.unique(np.geomspace(2, WINDOW // 2, 28).astype(int))[:-1]


@dataclass(frozen=True)
class SoundTrack:
    """Sound levels and beats over time; times are seconds since the clip's first picture.

    Attributes:
        curves: Levels by name, of stems as ``drums.low``.
        begin: The time of the first measurement. Before it and after the last, it is silent.
        period: The sound starts over after that many seconds; None: it does not.
        beats: The beats, in seconds since ``begin``.
    """

    curves: Mapping[str, Curve]
    begin: float = 0.0
    period: float | None = None
    beats: Beats | None = None
    _smooth: dict[str, Curve] = field(default_factory=dict, repr=False, compare=False)

    def at(self, seconds: float) -> SoundLevels:
        """Return the levels at a time by name; ``low~0.3`` is averaged over 0.3 s around it."""
        return SoundLevels(self, seconds)

    def value(self, name: str, seconds: float) -> float:
        """Return one level, 0 .. 1, interpolated, or a clock. Raises KeyError for an unknown name.

        The clocks, if the beats are known, are ``beat``, ``bar`` and ``bpm``.
        """
        position = seconds - self.begin
        if name in CLOCKS and self.beats is not None:
            if name == "bpm":
                return self.beats.bpm
            beat = count_beats(self.beats, position, self.period)
            return beat if name == "beat" else beat / BEATS_PER_BAR
        curve = self._curve(name)
        place = position * RATE
        if self.period is not None:
            place = position % self.period * RATE
            # The last measurement precedes the end of the sound by a part of a step.
            place = len(curve) - 1 if len(curve) - 1 < place < len(curve) else place
        if not 0 <= place <= len(curve) - 1:
            return 0.0
        index = min(int(place), len(curve) - 2)
        share = place - index
        return float(curve[index] * (1 - share) + curve[index + 1] * share)

    def _curve(self, name: str) -> Curve:
        plain, _, width = name.partition("~")
        if not width:
            return self.curves[plain]
        if name not in self._smooth:
            self._smooth[name] = average_windows(self.curves[plain], float(width))
        return self._smooth[name]


@dataclass(frozen=True)
class SoundLevels(Mapping[str, float]):
    """The levels at one time, computed on demand."""

    track: SoundTrack
    seconds: float

    def __getitem__(self, name: str) -> float:
        return self.track.value(name, self.seconds)

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and name.partition("~")[0] in list(self)

    def __iter__(self) -> Iterator[str]:
        yield from self.track.curves
        yield from CLOCKS if self.track.beats is not None else ()

    def __len__(self) -> int:
        return len(list(iter(self)))


def measure_sound(
    clip: MediaInfo, begin: Fraction = Fraction(0), end: Fraction | None = None
) -> SoundTrack:
    """Measure a clip's first decodable sound track.

    Takes a few seconds and 4 MB per hour.

    Args:
        clip: The clip.
        begin: Start in seconds of its picture.
        end: End in seconds of its picture; None: its end.

    Raises:
        MediaError: The clip has no sound, or none that can be decoded.
    """
    if not clip.audio:
        name = escape_text(clip.path)
        raise MediaError(f"{name}: has no sound for `audio:` to follow; give it some with --sound")
    # The picture may start later than the file, which the decoder's clock is relative to.
    since = float(begin + clip.start)
    until = None if end is None else float(end + clip.start)
    track = clip.audio[0]
    if len(clip.audio) > 1:
        track = next((t for t in clip.audio if find_undecodable(clip.path, t) is None), track)
    samples = decode(clip.path, track.index, SAMPLES, begin=since, end=until, on_clock=True)
    return SoundTrack(measure_levels(samples), float(begin))


def measure_file(sound: SoundFile, begin: float = 0.0) -> dict[str, Curve]:
    """Measure the levels of a sound file from a time on, in seconds, as ``measure_levels`` does.

    Raises MediaError if it cannot be decoded.
    """
    return measure_levels(decode(sound.path, sound.index, SAMPLES, begin=begin))


def measure_levels(samples: Iterator[Curve]) -> dict[str, Curve]:
    """Measure the levels of mono sound; returns curves at ``RATE`` per second.

    ``samples`` are pieces at ``SAMPLES`` per second, in [-1, 1]. ``loud`` is the loudness; ``low``,
    ``mid`` and ``high`` are those of the bands below 200 Hz, up to 2000 Hz and above; ``onset``
    jumps up where a sound starts and then fades.
    """
    windows = cut_windows(samples, WINDOW, HOP)
    rows = np.concatenate([np.zeros((0, 5), np.float32), *_analyse(windows)])
    energy, rise = rows[:, :4], rows[:, 4]
    heard = np.sqrt(energy) ** STEVENS
    fullest = [max(_fullness(column), SILENCE**STEVENS) for column in heard.T]
    floor = FAINTEST_BAND * max(fullest[1:])
    curves = [_scale(heard[:, 0], fullest[0])]
    curves += [_scale(heard[:, n], max(fullest[n], floor)) for n in (1, 2, 3)]
    named = dict(zip(SOUNDS, (fade_levels(curve, DECAY) for curve in curves), strict=False))
    return {**named, "onset": fade_levels(_beats(rise), BEAT)}


def average_windows(curve: Curve, seconds: float) -> Curve:
    """Average a curve over that many seconds around each time, weighted to the centre."""
    reach = max(1, round(seconds * RATE))
    kernel = np.hanning(2 * reach + 1)[1:-1]
    weights = np.convolve(np.ones(len(curve)), kernel)[reach - 1 : reach - 1 + len(curve)]
    total = np.convolve(curve, kernel)[reach - 1 : reach - 1 + len(curve)]
    return np.asarray(total / np.maximum(weights, 1e-9), np.float32)


def fade_levels(curve: Curve, seconds: float) -> Curve:
    """Return a curve that rises at once and falls to a third in that many seconds."""
    kept = float(np.exp(-1 / (seconds * RATE)))
    faded = np.empty_like(curve)
    level = 0.0
    for index, value in enumerate(curve.tolist()):
        level = max(value, value + (level - value) * kept)
        faded[index] = level
    return faded


def _analyse(groups: Iterator[Curve]) -> Iterator[Curve]:
    """For each window, yield the mean square in total and in each band, and how much it rose."""
    shape = np.hanning(WINDOW + 1)[:-1].astype(np.float32)
    edges = [1, *(round(hertz * WINDOW / SAMPLES) for hertz in (LOW_END, HIGH_BEGIN))]
    before: Curve | None = None
    for windows in groups:
        spectrum = np.abs(np.fft.rfft(windows * shape, axis=1)).astype(np.float32)
        bands = np.add.reduceat(spectrum**2, edges, axis=1) * (2 / (WINDOW * float(shape @ shape)))
        tones = np.sqrt(np.add.reduceat(spectrum**2, _TONES, axis=1))
        level = np.log1p(tones * (2 * STEEPNESS / float(shape.sum())))
        earlier = np.concatenate([level[:1] if before is None else before, level[:-1]])
        rise = np.maximum(level - earlier, 0).mean(axis=1)
        before = level[-1:]
        yield np.column_stack([bands.sum(axis=1), bands, rise])


def _fullness(curve: Curve) -> float:
    """Return the level that counts as loud in a film.

    It is not the single loudest bang, unless there is little else.
    """
    return max(float(np.percentile(curve, 98)), float(curve.max()) / 2) if len(curve) else 0.0


def _scale(curve: Curve, full: float) -> Curve:
    """Scale to 0 .. 1 from what is quiet in this film; a constant sound stays full."""
    if not len(curve):
        return curve
    quiet = min(float(np.percentile(curve, 10)), full)
    # Small variations must not be amplified.
    quiet *= min(1.0, 2 * (full - quiet) / full)
    return np.asarray(np.clip((curve - quiet) / (full - quiet), 0, 1), np.float32)


def _beats(rise: Curve) -> Curve:
    """Return where sounds start, 0 .. 1: what rises faster than the half second around it."""
    if not len(rise):
        return rise
    beat = np.maximum(rise - average_windows(rise, BEAT), 0)
    # The very first windows start within the sound.
    beat[:2] = 0
    full = FULL_BEAT * float(beat.max())
    if full < max(FAINTEST_BEAT, UNSTEADY * float(np.median(np.abs(rise - np.median(rise))))):
        return np.zeros_like(rise)
    return np.asarray(np.clip(beat / full * 1.15 - 0.15, 0, 1), np.float32)
