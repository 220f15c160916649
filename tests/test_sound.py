"""What is heard in a clip, on sounds whose truth is known."""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from media_clips import make, picture
from numpy.typing import NDArray

from dreamvideo.errors import MediaError
from dreamvideo.media.probe import probe
from dreamvideo.media.sound import (
    RATE,
    SAMPLES,
    SoundTrack,
    average_windows,
    measure_levels,
    measure_sound,
)
from dreamvideo.schedules import SOUNDS, TimePoint
from dreamvideo.settings import make_look

Sound = NDArray[np.float32]
FRAME = 1 / 25


def tone(hertz: float, seconds: float, level: float = 0.5) -> Sound:
    times = np.arange(round(seconds * SAMPLES)) / SAMPLES
    # Faded in and out, so that it does not click.
    edge = np.clip(np.minimum(times, seconds - times) / 0.05, 0, 1)
    return (level * edge * np.sin(2 * np.pi * hertz * times)).astype(np.float32)


def silence(seconds: float) -> Sound:
    return np.zeros(round(seconds * SAMPLES), np.float32)


def track(*parts: Sound, pieces: int = 1) -> SoundTrack:
    whole = np.concatenate(parts)
    return SoundTrack(measure_levels(iter(np.array_split(whole, pieces))))


@pytest.mark.parametrize(("hertz", "band"), [(80, "low"), (600, "mid"), (5000, "high")])
def test_a_tone_raises_its_own_band_only(hertz: float, band: str) -> None:
    heard = track(silence(1), tone(hertz, 1), silence(1)).at(1.5)
    assert heard["loud"] > 0.9
    for name in ("low", "mid", "high"):
        assert heard[name] > 0.9 if name == band else heard[name] < 0.15


def test_each_band_follows_its_own_part_of_a_mixture() -> None:
    low = np.concatenate([tone(80, 1), silence(2)])
    high = np.concatenate([silence(2), tone(6000, 1, 0.1)])
    heard = track(low + high)
    assert min(heard.value("low", 0.5), heard.value("high", 2.5)) > 0.9
    assert max(heard.value("high", 0.5), heard.value("low", 2.5)) < 0.1


def test_louder_is_more_at_any_level() -> None:
    steps = [silence(1), tone(440, 1, 0.05), tone(440, 1, 0.2), tone(440, 1, 0.8)]
    for level in (1.0, 0.05):
        heard = track(*(level * step for step in steps))
        values = [heard.value("loud", n + 0.6) for n in range(4)]
        assert values[0] < 0.05 and values[3] > 0.95
        assert all(b - a > 0.1 for a, b in pairwise(values)), values


def test_a_sound_that_never_changes_is_full_and_silence_is_none() -> None:
    assert track(tone(440, 4)).value("loud", 2) > 0.95
    hiss = np.random.default_rng(1).normal(0, 1e-5, 4 * SAMPLES).astype(np.float32)
    for quiet in (silence(4), hiss):
        assert all(max(curve) < 0.1 for curve in track(quiet).curves.values())


@pytest.mark.parametrize("level", [0.5, 0.05])
def test_a_click_is_an_onset_at_its_time_that_fades(level: float) -> None:
    clicks = (0.613, 1.4, 2.107)
    whole = silence(3)
    for time in clicks:
        whole[round(time * SAMPLES) :][:40] = level
    heard = track(whole + tone(200, 3, level / 20))
    for time in clicks:
        assert heard.value("onset", time - FRAME) < 0.2
        assert max(heard.value("onset", time + n * FRAME / 4) for n in range(5)) > 0.8
        after = [heard.value("onset", time + n * 0.1) for n in range(1, 5)]
        assert after == sorted(after, reverse=True)
        assert after[-1] < 0.35


def test_steady_noise_has_no_beats() -> None:
    noise = np.random.default_rng(2).normal(0, 0.1, 4 * SAMPLES).astype(np.float32)
    assert max(track(noise).curves["onset"]) < 0.01


def test_every_tone_that_begins_is_a_beat() -> None:
    notes = [np.concatenate([tone(hertz, 0.3), silence(0.2)]) for hertz in (220, 330, 440, 220)]
    onset = track(silence(0.5), *notes).curves["onset"]
    peaks = [n for n in range(1, len(onset) - 1) if onset[n] > max(onset[n - 1], 0.5)]
    begins = sorted({round(n / RATE * 2) / 2 for n in peaks})
    assert begins == [0.5, 1.0, 1.5, 2.0]


def test_it_is_the_same_in_whatever_pieces_it_comes() -> None:
    random = np.random.default_rng(3)
    sound = (random.normal(0, 0.1, SAMPLES) * np.linspace(0, 1, SAMPLES)).astype(np.float32)
    whole = track(sound, silence(0.5))
    for pieces in (3, 500):
        parts = track(sound, silence(0.5), pieces=pieces)
        for name in SOUNDS:
            np.testing.assert_allclose(parts.curves[name], whole.curves[name], atol=1e-5)


def test_values_lie_within_bounds_and_last_as_long_as_the_sound() -> None:
    random = np.random.default_rng(4)
    for sound in (random.normal(0, 3, 50_000), random.normal(0, 1, 700), np.zeros(0)):
        curves = measure_levels(iter([sound.astype(np.float32)]))
        assert list(curves) == list(SOUNDS)
        for curve in curves.values():
            assert abs(len(curve) - len(sound) * RATE / SAMPLES) <= 1.5
            assert np.isfinite(curve).all()
            assert len(curve) == 0 or 0 <= curve.min() <= curve.max() <= 1


def test_a_smoothed_sound_is_calmer_and_not_late() -> None:
    heard = track(silence(1), tone(80, 1), silence(1))
    assert heard.at(1.0)["low~0.5"] == pytest.approx(0.5, abs=0.15)
    assert heard.at(1.5)["low~0.2"] > 0.9
    assert heard.at(0.9)["low~0.5"] > heard.at(0.9)["low"]
    curve = heard.curves["low"]
    assert average_windows(curve, 0.5).sum() == pytest.approx(curve.sum(), rel=0.02)
    np.testing.assert_array_equal(average_windows(curve, 0.0), curve)


def test_before_and_after_the_sound_it_is_silent() -> None:
    heard = track(tone(80, 1))
    assert [heard.value("low", seconds) for seconds in (-0.1, 5.0)] == [0, 0]
    assert sorted(heard.at(0.5)) == sorted(SOUNDS)


def test_a_look_follows_it_and_it_can_be_handed_to_another_process() -> None:
    look = make_look((), {"dream": {"strength": "audio:low~0.1 * 1.5 + 0.2"}})
    heard: SoundTrack = pickle.loads(pickle.dumps(track(silence(1), tone(80, 1))))
    quiet, loud = (look.at(TimePoint(t, 2, 25, heard.at(t))).dream.strength for t in (0.5, 1.5))
    assert quiet == pytest.approx(0.2, abs=0.01)
    assert loud > 1.6


@pytest.fixture(scope="module")
def beeping(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two seconds of picture; a low beep from 1.0 to 1.4 s of it."""
    path = tmp_path_factory.mktemp("sound") / "beep.mp4"
    beep = "sine=frequency=100:sample_rate=44100:duration=2,volume=between(t\\,1\\,1.4):eval=frame"
    sound = ["-f", "lavfi", "-i", beep]
    make(path, *picture(2), *sound, "-pix_fmt", "yuv420p", "-c:a", "aac", "-ac", "2")
    return path


def times_of(track: SoundTrack, name: str, step: float = 0.02) -> Iterator[float]:
    return (n * step for n in range(100) if track.value(name, n * step) > 0.5)


def test_a_clip_is_heard_at_the_times_of_its_picture(beeping: Path) -> None:
    heard = measure_sound(probe(beeping))
    times = list(times_of(heard, "low"))
    assert times[0] == pytest.approx(1.0, abs=FRAME)
    assert times[-1] == pytest.approx(1.4, abs=0.2)
    assert next(times_of(heard, "onset")) == pytest.approx(1.0, abs=FRAME)


def test_a_part_of_a_clip_keeps_the_clips_clock(beeping: Path) -> None:
    heard = measure_sound(probe(beeping), Fraction(1, 2), Fraction(3, 2))
    assert next(times_of(heard, "low")) == pytest.approx(1.0, abs=FRAME)
    assert heard.value("low", 1.6) == 0


def test_a_picture_that_begins_later_than_the_sound(beeping: Path, tmp_path: Path) -> None:
    late = tmp_path / "late.mkv"
    make(late, "-itsoffset", "0.4", *picture(1.6), "-i", str(beeping), "-map", "0:v",
         "-map", "1:a")  # fmt: skip
    clip = probe(late)
    assert float(clip.start) == pytest.approx(0.4, abs=0.05)
    found = next(times_of(measure_sound(clip), "low"))
    assert found + float(clip.start) == pytest.approx(1.0, abs=FRAME)


def test_a_clip_without_sound_says_so_in_one_line(shelf: Path) -> None:
    with pytest.raises(MediaError, match=r"clip\.gif: has no sound for `audio:` to follow"):
        measure_sound(probe(shelf / "clip.gif"))
