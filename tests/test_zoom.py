from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import cv2
import numpy as np
import pytest
from synthetic import texture
from tiny import quick_dream
from zooms import HEIGHT, WIDTH, Picture, Restless, Sleeper, part, plan, soft

from dreamvideo.dream.dreamer import Dreamer
from dreamvideo.dream.octaves import Dream
from dreamvideo.media.pixels import to_bytes, to_float
from dreamvideo.motion.camera import Camera, camera_flow
from dreamvideo.motion.warp import warp
from dreamvideo.paint.headroom import make_headroom
from dreamvideo.render.zoom.prepare import prepare_zoom
from dreamvideo.render.zoom.render import dream_zoom
from dreamvideo.render.zoom.step import iterate_frames, soften, step_effort
from dreamvideo.settings import DreamSettings, ZoomSettings, make_look

RATES = [Fraction(24), Fraction(25), Fraction(60), Fraction(30000, 1001)]
MIDDLE = (slice(24, -24), slice(32, -32))


@pytest.mark.parametrize("rate", RATES)
def test_a_second_of_zoom_is_the_same_move_at_any_rate(rate: Fraction) -> None:
    picture = soft()
    settings = ZoomSettings(seconds=1.5, rate=1.4, rotate=20, anchor=0)
    film = dream_zoom(plan(picture, Sleeper(), settings, rate))
    after = next(frame for frame in film if frame.time >= 1)
    camera = Camera(zoom=1.4, rotate=20)
    expected = warp(picture, camera_flow(WIDTH, HEIGHT, camera, after.time), border="mirror")
    # Rounding leaves grain; what counts is that nothing sticks, lags or runs ahead.
    difference = cv2.GaussianBlur(to_float(after.pixels) - expected, (0, 0), 2)
    error = np.abs(difference)[MIDDLE].mean()
    assert error < 0.04 * np.abs(picture - expected)[MIDDLE].mean()


@pytest.mark.parametrize("rate", RATES)
def test_a_zoom_is_as_long_as_asked(rate: Fraction) -> None:
    settings = ZoomSettings(seconds=0.5)
    film = list(dream_zoom(plan(soft(), Sleeper(), settings, rate)))
    assert abs(len(film) / rate - Fraction(1, 2)) <= 1 / rate / 2
    assert [frame.time for frame in film] == [n / rate for n in range(len(film))]
    assert [frame.index for frame in film] == list(range(len(film)))


def test_the_first_frame_is_the_picture_s_dream() -> None:
    dreamer = Dreamer(quick_dream())
    picture = to_float(to_bytes(np.clip(1.3 * texture(HEIGHT, WIDTH, 3), -1, 1)))
    film = dream_zoom(plan(picture, dreamer, ZoomSettings(seconds=0.1)))
    base = make_headroom(picture, dreamer.settings.headroom)
    assert np.abs(base - picture).max() > 0.1
    assert (next(film).pixels == to_bytes(dreamer.dream(base).image)).all()


def test_every_frame_is_dreamt_and_the_same_twice() -> None:
    dreamer = Dreamer(quick_dream())
    picture = soft()
    settings = ZoomSettings(seconds=0.2, rate=2)
    runs = [
        [frame.pixels for frame in dream_zoom(plan(picture, dreamer, settings))] for _ in range(2)
    ]
    assert all((a == b).all() for a, b in zip(*runs, strict=True))
    sleeping = dream_zoom(plan(to_float(runs[0][0]), Sleeper(), settings))
    for awake, asleep in zip(runs[0][1:], list(sleeping)[1:], strict=True):
        assert np.abs(to_float(awake) - to_float(asleep.pixels)).mean() > 0.001


@pytest.mark.parametrize("how", [{}, {"closed": True}, {"goal": soft(8)}])
def test_a_zoom_goes_on_exactly_from_any_stored_frame(how: dict[str, Any]) -> None:
    settings = ZoomSettings(seconds=1, rate=12, rotate="0:0, 100%:40")
    made = plan(soft(), Restless(), settings, Fraction(12), **how)
    film = [frame.pixels for frame in dream_zoom(made)]
    for number in (0, 4, 10):
        again = plan(soft(), Restless(), settings, Fraction(12), **how)
        image, _ = iterate_frames(again, number, to_float(film[number]))
        assert (to_bytes(image) == film[number + 1]).all()


def test_effort_is_spread_over_the_time_in_which_a_picture_grows() -> None:
    settings = ZoomSettings(seconds=1, rate=1.4)
    totals = []
    for rate in (Fraction(12), Fraction(25), Fraction(60)):
        made = plan(soft(), Sleeper(), settings, rate)
        steps, scale = step_effort(
            made.parts[0].dreamer, settings, made.moves[0], (HEIGHT, WIDTH), rate
        )
        totals.append(float(steps * scale * rate))
    assert totals == pytest.approx([totals[0]] * 3)
    # A second at 1.4 grows by one octave where octaves are 1.4 apart.
    dream = quick_dream()
    octaves = math.log(1.4) / math.log(dream.octave_scale)
    assert totals[0] == pytest.approx(settings.growth * dream.steps * octaves)


def test_a_standing_camera_still_dreams() -> None:
    settings = ZoomSettings(seconds=1, rate=1)
    made = plan(soft(), Sleeper(), settings)
    steps, scale = step_effort(
        made.parts[0].dreamer, settings, made.moves[0], (HEIGHT, WIDTH), made.rate
    )
    assert steps * scale > 0


def test_zooming_out_dreams_more_where_the_ground_is_new() -> None:
    dreamer = Sleeper()
    list(dream_zoom(plan(soft(), dreamer, ZoomSettings(seconds=0.2, rate=0.5))))
    work = dreamer.work[-1]
    assert work[0].min() > 2 * work[HEIGHT // 2, WIDTH // 2]


@pytest.mark.parametrize("border", ["mirror", "wrap"])
@pytest.mark.parametrize("camera", [{"rate": 0.3}, {"pan": "0.8x-0.5"}, {"rotate": 90}])
def test_nothing_is_ever_black(border: str, camera: dict[str, Any]) -> None:
    bright = 0.5 + 0.4 * soft()
    settings = ZoomSettings.model_validate({"seconds": 1, "anchor": 0, "border": border, **camera})
    for frame in dream_zoom(plan(bright, Sleeper(), settings, Fraction(12))):
        assert frame.pixels.min() > 100


def test_a_wrapped_border_shows_the_other_side() -> None:
    picture = soft()
    settings = ZoomSettings(seconds=1, rate=1, rotate=0, pan="1x0", anchor=0, border="wrap")
    film = list(dream_zoom(plan(picture, Sleeper(), settings, Fraction(2))))
    expected = np.roll(picture, -WIDTH // 2, axis=1)
    assert np.abs(to_float(film[1].pixels) - expected).mean() < 0.02


def test_rates_change_along_the_film() -> None:
    settings = ZoomSettings(seconds=2, rate="0:1 hold, 1s:2", rotate=0, pan="0:0x0 hold, 50%:0x0.1")
    made = plan(soft(), Sleeper(), settings, Fraction(10))
    assert made.cumulative_transforms[10].growth == pytest.approx(1)
    assert made.cumulative_transforms[20].growth == pytest.approx(2)
    assert made.moves[5].shift == 0 and made.moves[15].shift.imag != 0


@pytest.mark.parametrize("bias", [np.array([0.04, 0, 0]), np.array([-0.03, -0.03, 0.03])])
def test_colours_do_not_drift(bias: Any) -> None:
    class Tinting(Sleeper):
        def dream(self, image: Any, **_: Any) -> Dream:
            return Dream(np.clip(image + bias.astype(np.float32), -1, 1), (0.0,))

    drifts = []
    for anchor in (0.0, 0.5, 1.0):
        settings = ZoomSettings(seconds=1, anchor=anchor)
        film = list(dream_zoom(plan(soft(), Tinting(), settings)))
        means = [to_float(frame.pixels).mean((0, 1)) for frame in (film[1], film[-1])]
        drifts.append(float(np.abs(means[1] - means[0]).max()))
    assert drifts[2] < 0.05
    assert drifts[0] > 0.3
    assert drifts[1] < drifts[0] / 2


def test_a_small_film_shows_the_same_as_a_large_one() -> None:
    large = cv2.resize(soft(), (2 * WIDTH, 2 * HEIGHT), interpolation=cv2.INTER_CUBIC)
    settings = ZoomSettings(seconds=1, rate=1.5, rotate=30, pan="0.1x0.2", centre="0.3x0.6")
    last = [
        list(dream_zoom(plan(picture, Sleeper(), settings, Fraction(12))))[-1].pixels
        for picture in (soft(), large)
    ]
    shrunk = cv2.resize(last[1], (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA)
    assert np.corrcoef(shrunk.ravel(), last[0].ravel())[0, 1] > 0.98


def test_what_a_zoom_dreams_changes_over_time() -> None:
    dreamer = Sleeper()
    look = make_look(
        (),
        {
            "dream": {"step_size": "0:0.01, 100%:0.04", "strength": "0:0 hold, 50%:1"},
            "zoom": {"seconds": 1, "growth": "0:1, 100%:2"},
        },
    )
    made = prepare_zoom(soft(), [part(dreamer)], look.zoom, Fraction(10), look=look)
    film = list(dream_zoom(made))
    assert len(film) == 10
    # Nothing is dreamt in the first half, then more with every frame.
    totals = [float(w.mean()) * s for w, s in zip(dreamer.work, dreamer.sizes, strict=True)]
    assert len(totals) == 5
    assert totals == sorted(totals) and totals[-1] > 1.2 * totals[0] > 0


class Told(Sleeper):
    """Remembers how far its work was to favour coarse octaves, and what it was shown."""

    def __init__(self, settings: DreamSettings) -> None:
        super().__init__()
        self.settings = settings
        self.seen: list[Picture] = []
        self.leans: list[float] = []

    def dream(self, image: Picture, *, coarse_bias: float = 0.0, **how: Any) -> Dream:
        self.seen.append(image)
        self.leans.append(coarse_bias)
        return super().dream(image, **how)


@pytest.mark.parametrize(
    ("change", "leans"),
    [({}, True), ({"balance": "none"}, False), ({"laplacian": 4}, False)],
)
def test_coarse_octaves_work_more_where_gradients_are_balanced(
    change: dict[str, Any], leans: bool
) -> None:
    dreamer = Told(quick_dream().model_copy(update=change))
    list(dream_zoom(plan(soft(), dreamer, ZoomSettings(seconds=0.2))))
    # The still is dreamt as any picture is, for its character and then as the first frame.
    assert dreamer.leans[:2] == [0, 0]
    assert len(dreamer.leans) == 6 and all((bias > 0.5) == leans for bias in dreamer.leans[2:])


def test_what_accumulates_is_softened_by_as_much_at_any_rate() -> None:
    grain = np.random.default_rng(5).normal(0, 0.3, (64, 64, 3)).astype(np.float32)
    left = []
    for count in (10, 25, 60):
        image = grain
        for _ in range(count):
            image = soften(image, 1.2 / count)
        left.append(float(image.std()))
    assert left == pytest.approx([left[0]] * 3, rel=0.08)
    assert left[0] < 0.4 * grain.std()
    assert soften(grain, 0) is grain
    # Light is neither made nor lost, and a form of 20 px is as good as untouched.
    wave = np.sin(np.arange(80) * 2 * np.pi / 20)[None, :, None] * np.ones((40, 1, 3))
    kept = soften(wave.astype(np.float32), 0.2)[8:-8, 8:-8]
    assert kept.std() == pytest.approx(wave[8:-8, 8:-8].std(), rel=0.02)


def test_a_still_has_headroom_as_far_as_it_is_dreamt() -> None:
    white = np.full((HEIGHT, WIDTH, 3), 1, np.float32)
    for strength, level in ((1.0, 0.8), (0.5, 0.9), (2.0, 0.8)):
        dreamer = Told(quick_dream().model_copy(update={"strength": strength}))
        assert dreamer.settings.headroom == 0.2
        plan(white, dreamer, ZoomSettings(seconds=0.1))
        assert dreamer.seen[0] == pytest.approx(np.full_like(white, level))
    unmoved = Told(quick_dream().model_copy(update={"headroom": 0.0}))
    plan(white, unmoved, ZoomSettings(seconds=0.1))
    assert (unmoved.seen[0] == white).all()
    asleep = Told(quick_dream().model_copy(update={"strength": 0.0}))
    film = dream_zoom(plan(white, asleep, ZoomSettings(seconds=0.1)))
    assert (next(film).pixels == 255).all() and not asleep.seen
