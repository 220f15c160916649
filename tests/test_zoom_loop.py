from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from dreaming import cat
from tiny import Cli, pixels_of
from zooms import HEIGHT, WIDTH, Restless, Sleeper, plan, soft

from dreamvideo.dream.dreamer import Dreamer
from dreamvideo.errors import UsageError
from dreamvideo.media.pixels import to_bytes, to_float
from dreamvideo.motion.camera import Camera, steady
from dreamvideo.motion.warp import warp
from dreamvideo.render.zoom.inset import covers_frame, make_emerging_inset, mask_inside
from dreamvideo.render.zoom.loop_quality import LoopMeter, LoopQuality, measure_step_error
from dreamvideo.render.zoom.render import dream_zoom
from dreamvideo.render.zoom.step import iterate_frames
from dreamvideo.settings import DreamSettings, ZoomSettings

LOOP = ZoomSettings(seconds=2, rate=6, rotate=20)
RATE = Fraction(12)
QUICK = ("--layers", "block1", "--steps", "1", "--octaves", "1", "--size", "64x48")


def errors_of(settings: ZoomSettings) -> list[float]:
    """The error of each step of a loop, the one across the wrap last."""
    made = plan(soft(), Restless(), settings, RATE, closed=True)
    film = [to_float(frame.pixels) for frame in dream_zoom(made)]
    late = len(made.opening)
    moves = [*made.moves[late:], *made.moves[:late]]
    return [
        measure_step_error(before, after, move)
        for before, after, move in zip(film, [*film[1:], film[0]], moves, strict=True)
    ]


@pytest.mark.sample(2)
@pytest.mark.parametrize(
    "change",
    [
        {},
        {"rotate": -40},
        {"centre": "0.4x0.6"},
        {"rate": "0:4 ease, 50%:9 ease, 100%:4"},
        {"pan": "0.05x0"},
        {"rate": 1 / 6},
    ],
)
def test_the_step_across_the_wrap_is_like_the_steps_beside_it(change: dict[str, object]) -> None:
    errors = errors_of(ZoomSettings.model_validate({**LOOP.model_dump(), **change}))
    assert errors[-1] < 1.5 * max(errors[0], errors[-2])


@pytest.mark.integration
def test_a_photo_s_loop_has_no_seam() -> None:
    photo = cat(108, 192)
    made = plan(
        photo,
        Dreamer(DreamSettings(steps=8)),
        ZoomSettings(seconds=3, rate=3, growth=1),
        RATE,
        closed=True,
    )
    late = len(made.opening)
    meter = LoopMeter([*made.moves[late:], *made.moves[:late]])
    for frame in dream_zoom(made):
        meter.watch(frame.pixels)
    seam = meter.seam()
    assert seam.is_seamless, str(seam)


def test_a_loop_begins_where_only_its_opening_is_left_to_see() -> None:
    made = plan(soft(), Sleeper(), LOOP, RATE, closed=True)
    late = len(made.opening)
    back = made.cumulative_transforms[late].inverse()
    assert covers_frame(back, WIDTH, HEIGHT) and (mask_inside(back, WIDTH, HEIGHT) == 1).all()
    assert not covers_frame(made.cumulative_transforms[late - 1].inverse(), WIDTH, HEIGHT)


def test_no_frame_of_a_loop_is_repeated() -> None:
    film = list(dream_zoom(plan(soft(), Restless(), LOOP, RATE, closed=True)))
    assert len(film) == 24
    pictures = [frame.pixels for frame in film]
    for before, after in [*pairwise(pictures), (pictures[-1], pictures[0])]:
        assert (before != after).mean() > 0.2


def test_a_loop_that_zooms_out_is_one_that_zooms_in_played_backwards() -> None:
    there = list(dream_zoom(plan(soft(), Restless(), LOOP, RATE, closed=True)))
    back = ZoomSettings(seconds=2, rate=1 / 6, rotate=-20)
    again = list(dream_zoom(plan(soft(), Restless(), back, RATE, closed=True)))
    again.sort(key=lambda frame: frame.time)
    differences = [
        np.abs(to_float(one.pixels) - to_float(other.pixels)).mean()
        for one, other in zip(there, again[::-1], strict=True)
    ]
    assert max(differences) < 0.02


@pytest.mark.parametrize("change", [{"seconds": 0.5}, {"rate": 1.0}, {"pan": "2x0"}])
def test_what_cannot_close_is_refused_in_one_line(change: dict[str, object]) -> None:
    settings = ZoomSettings.model_validate({**LOOP.model_dump(), **change})
    with pytest.raises(UsageError, match=r"a loop must") as caught:
        plan(soft(), Sleeper(), settings, RATE, closed=True)
    assert "\n" not in str(caught.value)


def test_two_frames_are_no_loop() -> None:
    with pytest.raises(UsageError, match="3 frames or more"):
        plan(soft(), Sleeper(), ZoomSettings(seconds=2, rate=50), Fraction(1), closed=True)


def test_the_meter_finds_a_hard_cut() -> None:
    move = steady(WIDTH, HEIGHT, Camera(1.5), Fraction(1, 12))
    image, meter = soft(), LoopMeter([move] * 20)
    for number in range(20):
        random = np.random.default_rng(number).normal(0, 0.01, image.shape)
        image = warp(image, move.flow(WIDTH, HEIGHT), border="mirror") + random.astype(np.float32)
        meter.watch(to_bytes(np.clip(image, -1, 1)))
    seam = meter.seam()
    assert seam.wrap > 20 and seam.worst < 2
    assert not seam.is_seamless and "visible" in str(seam)


def test_what_counts_as_seamless() -> None:
    good = LoopQuality(1.2, 2.0, 0.85)
    assert good.is_seamless and "1.20 of the median" in str(good)
    for change in ({"wrap": 1.3}, {"worst": 2.1}, {"sharpness": 0.8}):
        assert not replace(good, **change).is_seamless


def test_a_step_that_only_moves_has_hardly_any_error() -> None:
    move = steady(WIDTH, HEIGHT, Camera(1.5, 20), Fraction(1, 12))
    after = warp(soft(), move.flow(WIDTH, HEIGHT), border="mirror")
    assert measure_step_error(soft(), after, move) < 1e-9 < measure_step_error(soft(), soft(), move)


def test_a_zoom_arrives_at_its_goal_sharp() -> None:
    goal = to_float(to_bytes(soft(9)))
    film = list(dream_zoom(plan(soft(), Restless(), LOOP, RATE, goal=goal)))
    far = [float(np.abs(to_float(frame.pixels) - goal).mean()) for frame in film]
    assert far[-1] < 0.5 / 127.5
    assert far[0] > 0.1
    assert (film[0].pixels != film[1].pixels).any()


def test_a_zoom_out_arrives_nowhere() -> None:
    with pytest.raises(UsageError, match="--rate"):
        plan(soft(), Sleeper(), ZoomSettings(seconds=1, rate=0.5), RATE, goal=soft(9))


def test_an_inset_lies_where_the_camera_will_bring_it_from() -> None:
    move = steady(WIDTH, HEIGHT, Camera(4, 30, centre=(0.4, 0.6)), 1)
    inset = make_emerging_inset(soft(9), move, 0.05, spreads=False)
    assert inset is not None
    arrived = warp(inset.over(soft()), move.flow(WIDTH, HEIGHT), border="mirror")
    middle = (slice(24, -24), slice(32, -32))
    assert np.abs(arrived - soft(9))[middle].mean() < 0.05 * np.abs(soft() - soft(9)).mean()


def test_an_inset_is_unseen_while_it_is_small() -> None:
    move = steady(WIDTH, HEIGHT, Camera(30), 1)
    assert make_emerging_inset(soft(9), move, 0.05, spreads=False) is None


def test_a_loop_goes_on_from_its_stored_frames() -> None:
    made = plan(soft(), Restless(), LOOP, RATE, closed=True)
    film = [frame.pixels for frame in dream_zoom(made)]
    image, _ = iterate_frames(made, len(film) - 2, to_float(film[-2]))
    assert (to_bytes(image) == film[-1]).all()


@pytest.mark.parametrize("ending", ["mp4", "gif"])
def test_the_command_makes_a_loop_and_says_how_well(
    cli: Cli, shelf: Path, tmp_path: Path, ending: str
) -> None:
    out = tmp_path / f"loop.{ending}"
    options = ("--loop", "--seconds", "1.5", "--rate", "8", "--fps", "10", *QUICK)
    ended = cli("zoom", shelf / "photo.png", "-o", out, *options)
    assert ended.code == 0
    said = (ended.out + ended.err).splitlines()
    assert [line for line in said if "error across the wrap" in line]
    film = pixels_of(out)
    assert len(film) == 15
    assert (film[0] != film[-1]).any()


def test_a_loop_cannot_arrive_elsewhere(cli: Cli, shelf: Path) -> None:
    photo = shelf / "photo.png"
    ended = cli("zoom", photo, "--loop", "--to", photo, *QUICK)
    assert ended.code == 2 and "--loop or --to" in ended.err
