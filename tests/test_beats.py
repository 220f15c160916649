"""Tempo and beats, on music whose truth is known."""

from __future__ import annotations

import numpy as np
import pytest
from music import RATE, Sound, clicks, drums

from dreamvideo.media.beats import Beats, even_beats, find_beats
from dreamvideo.media.soundtrack import count_beats

OFFSET = 0.37


def off_the_beat(found: Beats, bpm: float, offset: float) -> float:
    """By how much the worst beat is off, in seconds."""
    places = (np.array(found.times) - offset) * bpm / 60
    return float(np.abs(places - np.round(places)).max() * 60 / bpm)


@pytest.mark.parametrize("bpm", [90, 120, 174])
@pytest.mark.parametrize("kind", ["clicks", "rock", "four"])
def test_tempo_and_beats_are_found(bpm: int, kind: str) -> None:
    sound = clicks(bpm, OFFSET, 16) if kind == "clicks" else drums(bpm, OFFSET, 16, kind)
    found = find_beats([sound])
    assert found is not None
    assert found.bpm == pytest.approx(bpm, rel=0.01)
    assert off_the_beat(found, bpm, OFFSET) < 0.02
    assert len(found.times) >= (16 - OFFSET) * bpm / 60 - 2
    assert found.count(OFFSET) % 1 == pytest.approx(0, abs=0.06) or found.count(OFFSET) % 1 > 0.94


def test_an_octave_error_is_mended_by_the_tempo() -> None:
    # A broken beat that people hear at 174 and 87.
    sound = drums(174, OFFSET, 16, "jungle")
    heard = find_beats([sound])
    assert heard is not None
    assert min(abs(heard.bpm / bpm - 1) for bpm in (87, 174)) < 0.01
    found = find_beats([sound], 174)
    assert found is not None
    assert found.bpm == pytest.approx(174, rel=0.01)
    assert off_the_beat(found, 174, OFFSET) < 0.02


def test_the_first_beat_that_is_heard_is_the_first_of_a_bar() -> None:
    found = find_beats([drums(120, 1.25, 12)])
    assert found is not None
    assert found.times[0] == pytest.approx(1.25, abs=0.02)
    assert found.count(1.25) == pytest.approx(0, abs=0.04)
    assert found.count(0.25) == pytest.approx(-2, abs=0.04)
    shifted = find_beats([drums(120, 1.25, 12)], downbeat=2.25)
    assert shifted is not None
    assert shifted.count(2.25) == pytest.approx(0, abs=0.04)


def test_it_is_the_same_in_whatever_pieces_it_comes() -> None:
    sound = drums(120, OFFSET, 10)
    assert find_beats(np.array_split(sound, 77)) == find_beats([sound])


def test_a_given_tempo_is_kept_and_its_beats_are_found() -> None:
    for bpm in (60, 120, 240):
        found = find_beats([clicks(120, OFFSET, 12)], bpm)
        assert found is not None
        assert found.bpm == pytest.approx(bpm, rel=0.01)
        assert off_the_beat(found, max(bpm, 120), OFFSET) < 0.02


def test_tempo_and_downbeat_together_are_an_even_grid() -> None:
    assert find_beats([clicks(97, 0, 5)], 120, 0.5) == even_beats(120, 0.5)
    assert even_beats(120, 0.5).count(2.5) == 4
    assert list(even_beats(120, 0.5).between(0, 1.6)) == [0, 0.5, 1, 1.5]


def test_a_tempo_that_drifts_is_followed() -> None:
    times, time = [], 0.3
    while time < 19:
        times.append(time)
        time += 60 / (110 + time)
    whole: Sound = np.zeros(20 * RATE, np.float32)
    for beat in times:
        whole += np.roll(clicks(20, 0, 20) * (np.arange(20 * RATE) < 300), round(beat * RATE))
    found = find_beats([whole])
    assert found is not None
    nearest = [min(abs(beat - other) for other in found.times) for beat in times]
    assert max(nearest) < 0.02
    assert abs(len(found.times) - len(times)) <= 1


def test_what_has_no_pulse_has_no_beats() -> None:
    hiss = np.random.default_rng(2).normal(0, 0.1, 10 * RATE).astype(np.float32)
    for sound in (hiss, hiss[:100], 0 * hiss, hiss[:0]):
        assert find_beats([sound]) is None
        assert find_beats([sound], 100.0) is not None


def test_beats_go_on_when_the_music_starts_over() -> None:
    found = even_beats(120)
    assert [count_beats(found, time, 4.0) for time in (0, 3.75, 4, 9)] == [0, 7.5, 8, 18]
    # In a loop that is a little too short the beat is the music's in each round.
    assert count_beats(found, 3.9, 3.9) == 8
