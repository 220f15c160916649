from __future__ import annotations

from fractions import Fraction
from itertools import accumulate
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny import Cli, pixels_of
from zooms import Sleeper, plan, soft

from dreamvideo.errors import UsageError
from dreamvideo.motion.camera import Camera, Similarity, steady
from dreamvideo.render.zoom.inset import FULL, LARGEST_START, covers_frame, measure_reach
from dreamvideo.render.zoom.loop_rate import FASTEST, choose_rate, measure_opening, plan_moves
from dreamvideo.settings import ZoomSettings

QUICK = ("--layers", "block1", "--steps", "1", "--octaves", "1", "--size", "64x48")


def closes(asked: ZoomSettings, rate: Fraction, width: int, height: int) -> bool:
    moves = plan_moves(asked, rate, width, height, closed=True)[1]
    try:
        return measure_opening(moves, width, height) > 0
    except UsageError:
        return False


@settings(max_examples=8, deadline=None)
@given(
    st.sampled_from([2.5, 4.0]),
    st.sampled_from([-40.0, -10.0, 0.0, 3.0, 20.0, 60.0]),
    st.sampled_from([Fraction(10), Fraction(25), Fraction(30000, 1001)]),
    st.sampled_from([(64, 48), (320, 180), (90, 160)]),
)
def test_a_chosen_rate_closes_and_no_slower_one_does(
    seconds: float, rotate: float, rate: Fraction, size: tuple[int, int]
) -> None:
    asked = ZoomSettings(seconds=seconds, rotate=rotate)
    chosen = choose_rate(asked, rate, *size)
    assert 1 < chosen <= FASTEST and chosen == round(chosen, 2)
    assert closes(asked.model_copy(update={"rate": chosen}), rate, *size)
    assert not closes(asked.model_copy(update={"rate": chosen - 0.01}), rate, *size)
    # The beginning is first seen at this share of the frame, when the opening has grown away.
    assert chosen**seconds > 1 / (FULL * LARGEST_START)


def test_a_longer_loop_is_slower() -> None:
    rates = [
        choose_rate(ZoomSettings(seconds=seconds), Fraction(10), 160, 90) for seconds in (2, 3, 6)
    ]
    assert rates == sorted(rates, reverse=True)
    assert rates[1] == pytest.approx(rates[2] ** 2, rel=0.05)


def test_a_loop_too_short_for_any_rate_is_told_how_long_it_must_be() -> None:
    with pytest.raises(UsageError, match=r"a loop must last 1\.\d seconds or more") as caught:
        choose_rate(ZoomSettings(seconds=1), Fraction(10), 160, 90)
    message = str(caught.value)
    assert "\n" not in message and "--seconds, now 1" in message
    needed = float(message.split("last ")[1].split(maxsplit=1)[0])
    assert choose_rate(ZoomSettings(seconds=needed), Fraction(10), 160, 90) <= FASTEST
    with pytest.raises(UsageError):
        choose_rate(ZoomSettings(seconds=needed - 0.1), Fraction(10), 160, 90)


def test_a_camera_that_leaves_its_beginning_is_told_so() -> None:
    with pytest.raises(UsageError, match=r"a loop must stay near its beginning: use less --pan"):
        choose_rate(ZoomSettings(seconds=4, pan="3x0"), Fraction(10), 160, 90)


def test_a_zoom_that_need_not_close_has_the_usual_rate() -> None:
    made = plan(soft(), Sleeper(), ZoomSettings(seconds=1), Fraction(10))
    assert made.cumulative_transforms[-1].growth == pytest.approx(1.5)
    assert ZoomSettings().rate is None and ZoomSettings(rate=None).magnification == 1.5


def test_what_covers_is_judged_by_the_corners_as_by_every_pixel() -> None:
    for turn in (0, 25, -70):
        steps = [steady(64, 48, Camera(1.1, turn, (0.1, 0)), Fraction(1, 4))] * 30
        for so_far in accumulate(steps, Similarity.then):
            whole = bool(measure_reach(so_far.inverse(), 64, 48).max() <= FULL)
            assert covers_frame(so_far.inverse(), 64, 48) == whole


def test_the_command_says_which_rate_it_chose(cli: Cli, shelf: Path, tmp_path: Path) -> None:
    out = tmp_path / "loop.gif"
    options = ("--loop", "--seconds", "2", "--fps", "8", "--rotate", "10", *QUICK)
    ended = cli("zoom", shelf / "photo.png", "-o", out, *options)
    assert ended.code == 0
    chosen = choose_rate(ZoomSettings(seconds=2, rotate=10), Fraction(8), 64, 48)
    said = (ended.out + ended.err).splitlines()
    assert [line for line in said if f"magnified by {chosen:g} a second" in line]
    film = pixels_of(out)
    assert len(film) == 16 and (np.asarray(film[0]) != np.asarray(film[-1])).any()


def test_the_command_refuses_what_cannot_close(cli: Cli, shelf: Path, tmp_path: Path) -> None:
    out = tmp_path / "loop.gif"
    short = cli("zoom", shelf / "photo.png", "-o", out, "--loop", "--seconds", "1", *QUICK)
    slow = cli(
        "zoom", shelf / "photo.png", "-o", out, "--loop", "--seconds", "3", "--rate", "1.5", *QUICK
    )
    for ended, word in ((short, "a loop must last"), (slow, "a loop must grow")):
        assert ended.code == 2 and word in ended.err
        assert "Traceback" not in ended.err
    assert not out.exists() and not list(tmp_path.iterdir())
