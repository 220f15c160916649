"""Music whose beats are known: clicks and drum patterns, as arrays and as sound files."""

from __future__ import annotations

import wave
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

RATE = 22_050
Sound = NDArray[np.float32]


def clicks(bpm: float, offset: float, seconds: float) -> Sound:
    """A click on every beat from ``offset`` on."""
    times = np.arange(200) / RATE
    click = 0.6 * np.sin(2 * np.pi * 2000 * times) * np.exp(-times * 440)
    whole = np.zeros(round(seconds * RATE))
    for beat in np.arange(offset, seconds, 60 / bpm):
        _put(whole, beat, click)
    return whole.astype(np.float32)


def drums(bpm: float, offset: float, seconds: float, kind: str = "rock") -> Sound:
    """A drum pattern in 4/4 with a hat on every half beat, from ``offset`` on."""
    random = np.random.default_rng(5)
    times = np.arange(RATE // 4) / RATE
    kick = np.sin(2 * np.pi * (50 * times + 1 - np.exp(-times * 30))) * np.exp(-times * 14)
    snare = (random.normal(0, 0.4, len(times)) + 0.3 * np.sin(1194 * times)) * np.exp(-times * 22)
    hat = np.diff(random.normal(0, 0.3, len(times) + 1)) * np.exp(-times * 70)
    kicks = {"rock": (0, 4, 5), "four": (0, 2, 4, 6), "jungle": (0, 5)}[kind]
    snares = () if kind == "four" else (2, 6)
    whole = random.normal(0, 0.003, round(seconds * RATE))
    for number, time in enumerate(np.arange(offset, seconds, 30 / bpm)):
        _put(whole, time, 0.35 * hat)
        if number % 8 in kicks:
            _put(whole, time, 0.8 * kick)
        if number % 8 in snares:
            _put(whole, time, 0.65 * snare)
    return whole.astype(np.float32)


def save(path: Path, sound: Sound) -> Path:
    """Write mono sound at ``RATE`` to a WAV file."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes((np.clip(sound, -1, 1) * 32767).astype("<i2").tobytes())
    return path


def _put(whole: NDArray[np.float64], time: float, sound: NDArray[np.float64]) -> None:
    begin = round(time * RATE)
    part = whole[begin : begin + len(sound)]
    part += sound[: len(part)]
