"""Find the tempo and the beats of music: (mono samples) -> ``Beats``, or None without a pulse.

The method is that of D. P. W. Ellis, "Beat Tracking by Dynamic Programming", Journal of New Music
Research 36(1), 2007: the strength of onsets over time, their autocorrelation weighted by how usual
a tempo is, and the sequence of beats that has the strongest onsets at the most regular distances.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

Curve = NDArray[np.float32]

# Samples per second of the sound in which beats are looked for, and from each measurement of the
# onset strength to the next.
SAMPLES = 22_050
HOP, WINDOW = 128, 512
RATE = SAMPLES / HOP
# Beats per minute that are looked for, the most usual tempo, and the octaves (doublings) by which
# others are less usual (Ellis: 120 and 0.9, fitted to what people tapped).
SLOWEST, FASTEST = 40.0, 240.0
USUAL, OCTAVES = 120.0, 0.9
# How strictly beats keep to the tempo, against the strength of onsets.
TIGHTNESS = 400.0
# Share of the tempo by which a given one may be off.
GIVEN_OFF = 0.03
# Where half beats repeat like beats, to at least this share, they are the beats, up to a tempo.
AS_STRONG, DOUBLED = 0.9, 190.0
# Where beats repeat less than every other one does, to this share, that is one, down to a tempo.
UNEQUAL, HALVED = 0.83, 60.0
# Below these the sound has no onsets (log amplitude) and no pulse (autocorrelation).
FAINTEST, WEAKEST = 1e-3, 0.08
# Music whose beats lie this close to an even grid (seconds, root mean square) is played by it.
EVEN = 0.012
# Seconds by which the window of a measurement sees an onset before its middle does.
_EARLY = 0.003
_STEEPNESS = 100.0
_BANDS = np.unique(np.geomspace(1, WINDOW // 2, 24).astype(int))[:-1]
# Windows that are computed at a time.
_GROUP = 4096


@dataclass(frozen=True)
class Beats:
    """The beats of a sound, counted from the first beat of a bar.

    Attributes:
        times: Times of beats in seconds from the sound's start, ascending; two or more.
        bpm: Beats per minute.
        first: Number of the first of ``times``.
    """

    times: tuple[float, ...]
    bpm: float
    first: int = 0

    def count(self, seconds: float) -> float:
        """Return the beats until a time, with fractions; beyond the beats the tempo goes on."""
        last = len(self.times) - 1
        if seconds <= self.times[0]:
            return self.first + (seconds - self.times[0]) * self.bpm / 60
        if seconds >= self.times[last]:
            return self.first + last + (seconds - self.times[last]) * self.bpm / 60
        index = bisect_right(self.times, seconds) - 1
        begin, end = self.times[index : index + 2]
        return self.first + index + (seconds - begin) / (end - begin)

    def between(self, begin: float, end: float) -> Iterator[float]:
        """Yield the time of each beat from ``begin`` to before ``end``, in seconds."""
        number = math.ceil(self.count(begin) - 1e-9)
        while (time := self._time(number)) < end:
            yield time
            number += 1

    def shift(self, seconds: float) -> Beats:
        """Return the same beats that many seconds later."""
        return replace(self, times=tuple(time + seconds for time in self.times))

    def _time(self, number: int) -> float:
        index = number - self.first
        last = len(self.times) - 1
        if 0 <= index <= last:
            return self.times[index]
        edge = min(max(index, 0), last)
        return self.times[edge] + (index - edge) * 60 / self.bpm


def even_beats(bpm: float, downbeat: float = 0.0) -> Beats:
    """Return beats of one tempo throughout; ``downbeat`` is a first beat of a bar, in seconds."""
    return Beats((downbeat, downbeat + 60 / bpm), bpm)


def find_beats(
    samples: Iterable[Curve], bpm: float | None = None, downbeat: float | None = None
) -> Beats | None:
    """Find the beats of mono sound.

    Args:
        samples: Pieces of it, ``SAMPLES`` per second, in [-1, 1].
        bpm: Its tempo, as far as it is known. With ``downbeat`` too, nothing is left to find.
        downbeat: A first beat of a bar, in seconds; None: the first beat that is heard is one.

    Returns:
        The beats; None if the sound has no pulse.
    """
    if bpm is not None and downbeat is not None:
        return even_beats(bpm, downbeat)
    strength = measure_onsets(samples)
    if not len(strength) or float(strength.max()) < FAINTEST:
        return None if bpm is None else even_beats(bpm)
    strength = strength / max(float(strength.std()), 1e-6)
    period = RATE * 60 / bpm if bpm is not None else _find_period(strength)
    if period is None or len(strength) < 2 * period:
        return None if bpm is None else even_beats(bpm)
    places = _track(strength, period, GIVEN_OFF if bpm is not None else None)
    heard = _skip_silence(strength, places)
    if len(heard) < 2:
        return None if bpm is None else even_beats(bpm)
    found = _settle(strength, heard)
    if downbeat is None:
        return found
    return replace(found, first=-round(found.count(downbeat)))


def measure_onsets(samples: Iterable[Curve]) -> Curve:
    """Measure how much the sound rises, ``RATE`` times per second: 0 where nothing starts."""
    rows = [np.zeros(0, np.float32)]
    shape = np.hanning(WINDOW + 1)[:-1].astype(np.float32)
    before = np.zeros((1, len(_BANDS)), np.float32)
    for windows in cut_windows(samples, WINDOW, HOP):
        spectrum = np.abs(np.fft.rfft(windows * shape, axis=1)).astype(np.float32)
        tones = np.sqrt(np.add.reduceat(spectrum**2, _BANDS, axis=1))
        level = np.log1p(tones * (2 * _STEEPNESS / float(shape.sum())))
        earlier = np.concatenate([before, level[:-1]])
        rows.append(np.maximum(level - earlier, 0).mean(axis=1))
        before = level[-1:]
    rise = np.concatenate(rows)
    # Half a window before and after, so that a rise in two steps counts as one.
    kernel = np.hanning(2 * (WINDOW // HOP) + 1)[1:-1]
    return np.asarray(np.convolve(rise, kernel / kernel.sum(), "same")[: len(rise)], np.float32)


def cut_windows(samples: Iterable[Curve], window: int, hop: int) -> Iterator[Curve]:
    """Yield overlapping windows (n x ``window``) centred on every ``hop``-th sample, in groups."""
    rest = np.zeros(window // 2, np.float32)
    for piece in samples:
        for begin in range(0, len(piece), _GROUP * hop):
            rest = np.concatenate([rest, piece[begin : begin + _GROUP * hop]])
            count = (len(rest) - window) // hop + 1
            if count > 0:
                yield np.lib.stride_tricks.sliding_window_view(rest, window)[: count * hop : hop]
                rest = rest[count * hop :]
    rest = np.concatenate([rest, np.zeros(window // 2, np.float32)])
    if len(rest) >= window:
        yield np.lib.stride_tricks.sliding_window_view(rest, window)[::hop]


def _find_period(strength: Curve) -> float | None:
    """Return the distance between beats in measurements; None without a pulse."""
    longest = min(4 * math.ceil(RATE * 60 / SLOWEST), len(strength) - 1)
    similar = _correlate(strength - strength.mean(), longest + 1)
    if similar[0] <= 0:
        return None
    similar = similar / similar[0]
    lags = np.arange(math.floor(RATE * 60 / FASTEST), math.ceil(RATE * 60 / SLOWEST) + 1)
    lags = lags[lags < len(similar) - 1]
    if not len(lags):
        return None
    usual = np.exp(-0.5 * (np.log2(RATE * 60 / lags / USUAL) / OCTAVES) ** 2)
    # A beat is also what two beats, and four, are made of.
    score = np.zeros(len(lags))
    for multiple, weight in ((1, 1.0), (2, 0.5), (4, 0.25)):
        at = lags * multiple
        near = np.stack([similar[np.minimum(at + d, len(similar) - 1)] for d in (-1, 0, 1)])
        score += weight * np.where(at < len(similar), near.max(axis=0), 0)
    score *= usual
    period = float(lags[int(score.argmax())])
    pulse = _peak(similar, period)
    if pulse < WEAKEST:
        return None
    if RATE * 60 / period <= DOUBLED / 2 and _peak(similar, period / 2) >= AS_STRONG * pulse:
        period /= 2
    elif RATE * 60 / period >= 2 * HALVED and pulse < UNEQUAL * _peak(similar, period * 2):
        period *= 2
    return _refine(similar, period)


def _peak(similar: NDArray[np.float64], lag: float) -> float:
    near = similar[round(lag) - 2 : round(lag) + 3]
    return float(near.max()) if len(near) else 0.0


def _correlate(curve: NDArray[np.floating], count: int) -> NDArray[np.float64]:
    """Return the autocorrelation at lags 0 .. ``count`` - 1, each as if it had all terms."""
    size = 1 << (2 * len(curve) - 1).bit_length()
    power = np.abs(np.fft.rfft(curve, size)) ** 2
    terms = len(curve) - np.arange(count)
    return np.asarray(np.fft.irfft(power, size)[:count] / np.maximum(terms, 1) * len(curve))


def _refine(similar: NDArray[np.float64], period: float) -> float:
    """Return a period more exactly, from its multiples."""
    for multiple in (1, 2, 4):
        centre = round(period * multiple)
        reach = max(2, round(0.02 * centre))
        begin, end = centre - reach, min(centre + reach + 1, len(similar) - 1)
        if end - begin < reach + 1:
            break
        peak = begin + int(similar[begin:end].argmax())
        if begin < peak < end - 1:
            period = (peak + _vertex(*similar[peak - 1 : peak + 2])) / multiple
    return period


def _vertex(left: float, middle: float, right: float) -> float:
    """Return where a parabola through three values has its top, -0.5 .. 0.5 from the middle."""
    bend = left - 2 * middle + right
    return 0.0 if bend >= 0 else min(max(0.5 * (left - right) / bend, -0.5), 0.5)


def _track(strength: Curve, period: float, off: float | None) -> list[int]:
    """Return the places of the best sequence of beats; ``off`` limits how far the tempo moves."""
    shortest, longest = round(period / 2), round(2 * period)
    if off is not None:
        shortest, longest = math.floor(period * (1 - off)) - 1, math.ceil(period * (1 + off)) + 1
    # The first beat too has a place to come from.
    strength = np.concatenate([np.zeros(longest, np.float32), strength])
    steps = np.arange(longest, shortest - 1, -1)
    penalty = -TIGHTNESS * np.log(steps / period) ** 2
    total = np.array(strength, np.float64)
    came_from = np.full(len(strength), -1)
    for place in range(longest, len(strength)):
        reached = total[place - longest : place - shortest + 1] + penalty
        best = int(reached.argmax())
        if reached[best] > 0:
            total[place] += reached[best]
            came_from[place] = place - longest + best
    # The sequence ends within the last beats, where the sum is largest.
    end = max(0, len(strength) - longest)
    place = end + int(total[end:].argmax())
    places = []
    while place >= 0:
        places.append(place - longest)
        place = int(came_from[place])
    return [place for place in reversed(places) if place >= 0]


def _skip_silence(strength: Curve, places: list[int]) -> list[int]:
    """Return the places from the first beat to the last one at which something is heard."""
    near = [float(strength[max(0, p - 3) : p + 4].max()) for p in places]
    enough = 0.4 * float(np.mean(near)) if near else 0.0
    heard = [n for n, value in enumerate(near) if value >= enough]
    return places[heard[0] : heard[-1] + 1] if heard else []


def _settle(strength: Curve, places: list[int]) -> Beats:
    """Return beats at exact times; on an even grid if the music keeps to one."""
    exact = []
    for place in places:
        inner = 0 < place < len(strength) - 1
        exact.append(place + (_vertex(*strength[place - 1 : place + 2]) if inner else 0.0))
    times = np.array(exact) / RATE + _EARLY
    numbers = np.arange(len(times))
    if len(times) == 2:
        return Beats((float(times[0]), float(times[1])), 60 / float(times[1] - times[0]))
    weights = np.ones(len(times))
    for _ in range(3):
        # Beats without an onset of their own lie where they may: the others tell the grid.
        slope, begin = np.polyfit(numbers, times, 1, w=weights)
        weights = 1 / (1 + ((times - (begin + slope * numbers)) / EVEN) ** 2)
    off = times - (begin + slope * numbers)
    if float(np.sqrt(np.average(off**2, weights=weights))) <= EVEN and abs(np.median(off)) < EVEN:
        times = begin + slope * numbers
    else:
        slope = (times[-1] - times[0]) / (len(times) - 1)
    return Beats(tuple(times.tolist()), 60 / float(slope))
