from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from synthetic import Clip, Pose, flight, glide, scene, still

from dreamvideo.motion.flow import Motion, motion_between
from dreamvideo.paint.masks import Masker
from dreamvideo.paint.moving import estimate_camera_drift, measure_own_speed
from dreamvideo.settings import MaskSettings

HEIGHT, WIDTH, RADIUS = 120, 200, 26.0
RATE = Fraction(25)
BACKGROUNDS: dict[str, list[Pose]] = {
    "still": still(2),
    "pan": glide(2, 5 - 2j),
    "zoom": glide(2, zoom=1.03, about=100 + 60j),
    "turn": glide(2, degrees=2, about=100 + 60j),
}
Map = NDArray[np.float32]


def moving_disc(background: list[Pose], velocity: complex = 4 + 1j) -> Clip:
    """A disc of its own texture at (70, 60) that flies over the background."""
    disc = flight(2, 70 + 60j, velocity)
    return scene(HEIGHT, WIDTH, background, disc, radius=RADIUS)


def motion_of(clip: Clip) -> Motion:
    return motion_between(clip.frames[1], clip.frames[0])


def disc(grow: float = 0) -> NDArray[np.bool_]:
    """Where the disc is in frame 1, made larger by ``grow`` px."""
    points = np.arange(WIDTH) + 1j * np.arange(HEIGHT)[:, None]
    return np.asarray(np.abs(points - (74 + 61j)) < RADIUS + grow)


def share(clip: Clip, moved: Motion | None, before: Map | None = None, /, **mask: Any) -> Map:
    settings = MaskSettings.model_validate(mask)
    masker = Masker.of(settings, (WIDTH, HEIGHT), RATE)
    return masker.share(Fraction(0), clip.frames[1], moved, before=before)


@pytest.mark.parametrize("name", BACKGROUNDS)
def test_only_what_moves_by_itself_moves(name: str) -> None:
    clip = moving_disc(BACKGROUNDS[name], velocity=-9 + 1j if name == "pan" else 4 + 1j)
    points = np.arange(WIDTH) + 1j * np.arange(HEIGHT)[:, None]
    centre = 70 + 60j + (-9 + 1j if name == "pan" else 4 + 1j)
    inside = np.abs(points - centre) < RADIUS - 6
    outside = np.abs(points - centre) > RADIUS + 24
    outside[:10] = outside[-10:] = outside[:, :10] = outside[:, -10:] = False
    moving = share(clip, motion_of(clip), motion="moving")
    assert moving[inside].mean() > 0.95
    assert moving[outside].mean() < 0.05
    stays = share(clip, motion_of(clip), motion="still")
    assert np.allclose(stays + moving, 1, atol=0.005)


@pytest.mark.parametrize("name", ["pan", "zoom", "turn"])
def test_a_cameras_move_moves_nothing(name: str) -> None:
    clip = scene(HEIGHT, WIDTH, BACKGROUNDS[name])
    moving = share(clip, motion_of(clip), motion="moving")
    assert moving[10:-10, 10:-10].mean() < 0.02


def test_the_drift_is_the_cameras_even_with_something_in_front() -> None:
    clip = moving_disc(BACKGROUNDS["zoom"])
    motion = motion_of(clip)
    drift = estimate_camera_drift(motion.flow, motion.confidence)
    truth = scene(HEIGHT, WIDTH, BACKGROUNDS["zoom"]).flows[1]
    assert np.abs(drift - truth).mean() < 0.1


def test_a_plain_thing_in_the_cameras_way_does_not_move() -> None:
    pan = scene(HEIGHT, WIDTH, glide(2, 5))
    frames = [frame.copy() for frame in pan.frames]
    for frame in frames:
        frame[:50] = 0.6
    moving = share(
        Clip((frames[0], frames[1]), pan.flows, pan.visible),
        motion_between(frames[1], frames[0]),
        motion="moving",
    )
    assert moving[:38].mean() < 0.05, "a sky has nothing to see"


def test_flow_without_structure_says_nothing() -> None:
    """A pan, and a plain sky in which no flow was found."""
    source = scene(HEIGHT, WIDTH, still(1)).frames[0].copy()
    source[:60] = 0.6
    flow = np.zeros((HEIGHT, WIDTH, 2), np.float32)
    flow[60:, :, 0] = 5
    moving = share(
        Clip((source, source), (), ()),
        Motion(flow, np.ones((HEIGHT, WIDTH), np.float32)),
        motion="moving",
    )
    assert moving[:45].mean() < 0.05
    assert moving[75:].mean() < 0.05


def test_speed_is_per_second_and_in_frame_widths() -> None:
    clip = moving_disc(still(2), velocity=4)
    motion = motion_of(clip)
    slow, quick = (measure_own_speed(clip.frames[1], motion, seconds) for seconds in (0.08, 0.04))
    assert np.allclose(2 * slow, quick)
    inside = disc(-10)
    assert float(np.median(quick[inside])) == pytest.approx(4 / 200 / 0.04, rel=0.15)


def test_the_threshold_is_the_speed() -> None:
    clip = moving_disc(still(2), velocity=4)
    motion = motion_of(clip)
    assert share(clip, motion, motion="moving", speed=0.1)[disc(-8)].mean() > 0.95
    assert share(clip, motion, motion="moving", speed=2.0)[disc(-8)].mean() < 0.05


def test_where_a_shot_begins_nothing_is_known() -> None:
    clip = moving_disc(still(2))
    for motion in ("moving", "still"):
        assert not share(clip, None, motion=motion).any()


def test_a_repeated_frame_stands_still() -> None:
    clip = scene(HEIGHT, WIDTH, still(2))
    motion = motion_between(clip.frames[1], clip.frames[1])
    assert not share(clip, motion, motion="moving").any()
    assert (share(clip, motion, motion="still") == 1).all()


def test_what_stops_fades_instead_of_flickering() -> None:
    clip = scene(HEIGHT, WIDTH, still(2))
    stopped = motion_between(clip.frames[1], clip.frames[1])
    before = np.ones((HEIGHT, WIDTH), np.float32)
    shares = []
    for _ in range(60):
        before = share(clip, stopped, before, motion="moving")
        shares.append(float(before.mean()))
    assert 0.7 < shares[0] < 1
    assert shares[3] == pytest.approx(0.5, abs=0.05), "half of it after four frames"
    assert shares[-1] == 0


def test_a_repeated_frame_of_what_moves_is_no_rest() -> None:
    """Drawings on twos stand still every second frame."""
    clip = moving_disc(still(2))
    moves, stands = motion_of(clip), motion_between(clip.frames[1], clip.frames[1])
    one = share(clip, moves, motion="moving")
    other = share(clip, stands, one, motion="moving")
    assert np.abs(other - one).max() < 0.2


def test_what_moves_again_does_so_at_once() -> None:
    clip = moving_disc(still(2))
    whole = np.ones((HEIGHT, WIDTH), np.float32)
    found = share(clip, motion_of(clip), whole, motion="still")
    assert found[disc(-8)].mean() < 0.05


def test_the_inverse_is_held_as_well() -> None:
    clip = moving_disc(still(2))
    stands = motion_between(clip.frames[1], clip.frames[1])
    before = share(clip, motion_of(clip), motion="moving")
    plain = share(clip, stands, before, motion="moving")
    inverse = share(clip, stands, 1 - before, motion="moving", invert=True)
    assert plain.max() > 0.8
    assert np.allclose(plain + inverse, 1, atol=0.005)


def test_what_fades_keeps_within_the_mask() -> None:
    clip = scene(HEIGHT, WIDTH, still(2))
    motion = motion_between(clip.frames[1], clip.frames[1])
    whole = np.ones((HEIGHT, WIDTH), np.float32)
    found = share(clip, motion, whole, motion="moving", mask="left 0.5", feather=0.0)
    assert found[:, :90].min() > 0.7
    assert not found[:, 101:].any()


def test_what_fades_is_a_share_of_a_soft_mask() -> None:
    clip = scene(HEIGHT, WIDTH, still(2))
    stands = motion_between(clip.frames[1], clip.frames[1])
    soft: dict[str, Any] = {"mask": "gradient left right", "feather": 0.0}
    before = Masker.of(MaskSettings.model_validate(soft), (WIDTH, HEIGHT)).share(
        Fraction(0), clip.frames[1]
    )
    found = share(clip, stands, before, motion="moving", **soft)
    assert np.allclose(found[:, 20:], 0.831 * before[:, 20:], atol=0.01)


def test_motion_is_one_of_the_conditions() -> None:
    clip = moving_disc(still(2))
    motion = motion_of(clip)
    moving = share(clip, motion, motion="moving")
    above = share(clip, motion, motion="moving", mask="top 0.5", feather=0.0)
    assert np.allclose(above[:59], moving[:59]) and not above[61:].any()
    assert np.allclose(share(clip, motion, motion="moving", invert=True), 1 - moving, atol=0.005)
