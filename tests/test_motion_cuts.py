from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import synthetic

from dreamvideo.motion.cuts import THRESHOLD, cut_score, is_cut

HEIGHT, WIDTH = 120, 200


def _shot(seed: int, frames: int = 6) -> synthetic.Clip:
    random = np.random.default_rng(seed)
    velocity = complex(*random.uniform(-4, 4, 2))
    path = synthetic.glide(
        frames, velocity, zoom=float(random.uniform(0.98, 1.03)), about=WIDTH / 2 + HEIGHT / 2 * 1j
    )
    thing = synthetic.flight(frames, WIDTH / 2 + HEIGHT / 2 * 1j, -2 * velocity)
    return synthetic.scene(HEIGHT, WIDTH, path, thing, radius=25, seed=2 * seed)


def _found(clip: synthetic.Clip) -> list[int]:
    pairs = zip(clip.frames[1:], clip.frames, strict=False)
    return [t for t, (now, before) in enumerate(pairs, 1) if is_cut(now, before)]


def _disturbed(shot: synthetic.Clip, seed: int) -> Iterator[synthetic.Clip]:
    yield shot
    yield synthetic.flash(shot, 3, 0.5)
    yield synthetic.ramp(shot, 0.5, 1.5)
    yield synthetic.fade(shot, 3)
    yield synthetic.noisy(shot, 0.06, seed)
    yield synthetic.relit(shot, lambda t: (0.15, 0.0))


@pytest.mark.integration
def test_joins_are_found_and_nothing_else() -> None:
    shots = [_shot(seed) for seed in range(24)]
    film = synthetic.join(*shots)
    found = _found(film)
    false = [t for i, s in enumerate(shots[:12]) for c in _disturbed(s, i) for t in _found(c)]
    hits = len(set(found) & set(film.cuts))
    assert hits / len(film.cuts) >= 0.95
    assert hits / (len(found) + len(false)) >= 0.95


@pytest.mark.parametrize("speed", [15, 30, 45])
def test_a_whip_pan_is_no_cut(speed: float) -> None:
    for seed in range(4):
        clip = synthetic.scene(HEIGHT, WIDTH, synthetic.glide(4, speed), seed=seed)
        assert _found(clip) == []


def test_cuts_in_the_dark_and_in_grain_are_found() -> None:
    film = synthetic.join(*(_shot(seed, 3) for seed in range(30, 36)))
    dark = synthetic.noisy(synthetic.relit(film, lambda t: (0.3, 0.0)), 0.02)
    assert _found(dark) == list(film.cuts)


def test_a_shot_out_of_black_is_a_cut_and_a_fade_is_not() -> None:
    shot = _shot(40, 12)
    black = np.full_like(shot.frames[0], -1)
    assert is_cut(shot.frames[0], black)
    assert is_cut(black, shot.frames[0])
    assert not is_cut(black, black)
    assert _found(synthetic.fade(shot, 5)) == []


def test_a_dissolve_is_no_cut() -> None:
    assert _found(synthetic.dissolve(_shot(50, 12), _shot(51, 12))) == []


def test_the_score_says_how_much_is_left() -> None:
    shot = _shot(60)
    assert cut_score(shot.frames[0], shot.frames[0]) == pytest.approx(0, abs=1e-6)
    assert cut_score(shot.frames[1], shot.frames[0]) < 0.2
    other = cut_score(_shot(61).frames[0], shot.frames[0])
    assert other > THRESHOLD
    assert not is_cut(_shot(61).frames[0], shot.frames[0], threshold=other)


def test_the_inputs_are_left_alone() -> None:
    now, before = _shot(70).frames[:2]
    kept = now.copy(), before.copy()
    cut_score(now, before)
    assert np.array_equal(now, kept[0])
    assert np.array_equal(before, kept[1])
