"""The report's page in a real browser: it plays, divides, draws, leads, and asks for nothing."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
import pytest
from browser import Browse, sideways
from media_clips import make, tone
from playwright.sync_api import Page
from synthetic import glide, scene

from dreamvideo.media.pixels import to_bytes
from dreamvideo.media.stills import store_frame
from dreamvideo.report.compare import compare_films, write_comparison
from dreamvideo.report.film import report_film
from dreamvideo.settings import make_look
from dreamvideo.settings.presets import look_to_toml

HOSTILE = "<img src=x onerror=document.title='bad'>\"'&"
COUNT = 30
SCENE = 12
LEVELS = [40 + 5 * n for n in range(COUNT)]
# The mean grey of what a player shows.
GREY = """query => {
  const film = document.querySelector(query), canvas = document.createElement("canvas");
  canvas.width = film.videoWidth; canvas.height = film.videoHeight;
  const pen = canvas.getContext("2d");
  pen.drawImage(film, 0, 0);
  const all = pen.getImageData(0, 0, canvas.width, canvas.height).data;
  let sum = 0;
  for (let n = 0; n < all.length; n += 4) sum += all[n] + all[n + 1] + all[n + 2];
  return sum / all.length / 3 * 4;
}"""
LOADED = "() => [...document.querySelectorAll('video')].every(v => v.readyState >= 2 && !v.seeking)"

IN_STEP = """() => {
  const [a, b] = [...document.querySelectorAll("video")];
  return a.paused && b.paused && !a.seeking && Math.abs(a.currentTime - b.currentTime) < 0.001;
}"""


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """``report.html`` of a film with sound and a cut, ``steps.html`` of numbered greys, ``two``."""
    folder = tmp_path_factory.mktemp("pages")
    first = scene(48, 64, glide(SCENE, 1)).frames
    frames = [*first, *scene(48, 64, glide(COUNT - SCENE, 1), seed=5).frames]
    for number, frame in enumerate(frames):
        store_frame(folder / f"{number:04d}.png", to_bytes(0.7 * frame))
        grey = np.full((48, 64, 3), LEVELS[number], np.uint8)
        store_frame(folder / f"grey{number:04d}.png", grey)
    pictures = ["-framerate", "25", "-i", str(folder / "%04d.png")]
    source = make(folder / "source.mkv", *pictures, "-c:v", "ffv1")
    title = f"dreamvideo {HOSTILE}\n{look_to_toml(make_look((), {'dream': {'steps': 7}}))}"
    film = make(
        folder / f"{HOSTILE.replace('/', '')}.mp4",
        *("-i", str(source), *tone(1.2), "-vf", "eq=brightness=0.1", "-pix_fmt", "yuv420p"),
        *("-metadata", f"synopsis={title}", "-c:a", "aac"),
    )
    report_film(film, source, folder / "report.html", command=["dreamvideo", HOSTILE])
    greys = ["-framerate", "25", "-i", str(folder / "grey%04d.png"), "-pix_fmt", "yuv420p"]
    # As it is, with reordered frames; and compressed anew.
    steps = make(folder / "steps.mp4", *greys, "-crf", "4")
    report_film(steps, make(folder / "steps.mkv", *greys, "-qp", "0"), folder / "steps.html")
    write_comparison(compare_films(film, source, source), folder / "two.html")
    return folder


def opened(
    browse: Browse, page: Path, width: int = 1600, scheme: Literal["light", "dark"] = "light"
) -> Page:
    view = browse.open(page.as_uri(), width=width, scheme=scheme)
    view.wait_for_function(LOADED)
    return view


def time_of(view: Page, query: str = "video[data-master]") -> float:
    seconds: float = view.evaluate("query => document.querySelector(query).currentTime", query)
    return seconds


def divided_at(view: Page) -> float:
    return float(view.locator(".divider").get_attribute("aria-valuenow") or "nan")


def test_it_plays_both_films_in_step_and_asks_for_nothing(browse: Browse, pages: Path) -> None:
    view = opened(browse, pages / "report.html")
    view.click("#play")
    view.wait_for_function(
        "() => { const [a, b] = [...document.querySelectorAll('video')].map(v => v.currentTime);"
        " return a > 0.3 && Math.abs(a - b) < 0.2; }"
    )
    assert view.inner_text("#play") == "Pause"
    view.click("#play")
    view.wait_for_function(IN_STEP)
    shown = int(view.input_value("#scrub"))
    assert time_of(view) == pytest.approx((shown + 0.3) / 25, abs=0.002)
    muted = view.evaluate("() => [...document.querySelectorAll('video')].map(v => v.muted)")
    # Only the film is heard; it is the lower of the two.
    assert muted == [False, True]
    assert [url for url in browse.requests if not url.startswith(("data:", "blob:"))] == [
        (pages / "report.html").as_uri()
    ]


def test_it_stops_at_its_end_and_plays_again_from_there(browse: Browse, pages: Path) -> None:
    view = opened(browse, pages / "report.html")
    view.evaluate(f"seek({COUNT - 4})")
    view.wait_for_function(LOADED)
    view.click("#play")
    view.wait_for_function(f"() => document.querySelector('#scrub').value == {COUNT - 1}")
    view.wait_for_function("() => document.querySelector('#play').textContent == 'Play'")
    view.click("#play")
    view.wait_for_function("() => Number(document.querySelector('#scrub').value) < 20")


def test_each_step_shows_that_very_frame_of_both(browse: Browse, pages: Path) -> None:
    view = opened(browse, pages / "steps.html")
    for number in (0, 1, 2, 17, COUNT - 1):
        view.evaluate(f"seek({number})")
        view.wait_for_function(LOADED)
        for side in (".left", ".right"):
            assert view.evaluate(GREY, f"video{side}") == pytest.approx(LEVELS[number], abs=2)


def test_the_divider_moves_by_mouse_and_by_keyboard(browse: Browse, pages: Path) -> None:
    view = opened(browse, pages / "report.html")
    box = view.locator(".stage").bounding_box()
    assert box is not None
    assert divided_at(view) == 50
    middle = box["y"] + box["height"] / 3
    view.mouse.move(box["x"] + box["width"] / 2, middle)
    view.mouse.down()
    view.mouse.move(box["x"] + box["width"] * 0.2, middle, steps=3)
    view.mouse.up()
    assert divided_at(view) == 20
    view.mouse.move(box["x"] + box["width"] * 0.9, middle)
    assert divided_at(view) == 20
    cut = view.evaluate("() => getComputedStyle(document.querySelector('video.left')).clipPath")
    assert "80%" in cut
    view.keyboard.press("ArrowRight")
    view.keyboard.press("ArrowRight")
    assert divided_at(view) == 24
    view.keyboard.press("End")
    assert divided_at(view) == 100
    view.locator("text=side by side").click()
    assert not view.locator(".divider").is_visible()


def test_each_film_stands_under_its_own_label(browse: Browse, tmp_path: Path) -> None:
    for colour in ("red", "blue"):
        picture = ["-f", "lavfi", "-i", f"color={colour}:s=64x48:r=25:d=0.2"]
        make(tmp_path / f"{colour}.mkv", *picture, "-c:v", "ffv1", "-pix_fmt", "bgr0")
    red, blue = tmp_path / "red.mkv", tmp_path / "blue.mkv"
    write_comparison(compare_films(red, blue), tmp_path / "two.html")
    report_film(blue, red, tmp_path / "one.html")
    for name, left, right in (("two", "A red.mkv", "B blue.mkv"), ("one", "source", "film")):
        view = opened(browse, tmp_path / f"{name}.html")
        seen = {}
        for mode in ("split", "beside", "left", "right"):
            view.locator(f"input[name=view][value={mode}]").check()
            seen[mode] = (*sides_of(view), *view.locator(".tag:visible").all_inner_texts())
        assert seen == {
            "split": ("red", "blue", left, right),
            "beside": ("red", "blue", left, right),
            "left": ("red", "red", left),
            "right": ("blue", "blue", right),
        }


def sides_of(view: Page) -> tuple[str, str]:
    """The colour at the left and at the right of the player, as it is seen."""
    data = np.frombuffer(view.locator(".stage").screenshot(), np.uint8)
    pixels = cv2.imdecode(data, cv2.IMREAD_COLOR)
    assert pixels is not None
    height, width = pixels.shape[:2]
    at = [pixels[height // 3, width // 4], pixels[height // 3, 3 * width // 4]]
    left, right = ("red" if pixel[2] > 150 > pixel[0] else "blue" for pixel in at)
    return left, right


def test_the_curves_have_as_many_points_as_the_film_has_frames(browse: Browse, pages: Path) -> None:
    view = opened(browse, pages / "report.html")
    drawn = view.evaluate(
        "() => [...document.querySelectorAll('.panel')].map(panel => [panel.querySelector('h3')"
        ".textContent, [...panel.querySelectorAll('.line')].map(line =>"
        " line.getAttribute('d').match(/[ML]/g).length)])"
    )
    everywhere, within = [COUNT], [COUNT - 2, COUNT - 2]
    # The first frame of each of the two scenes has none before it.
    assert dict(drawn) == {
        "Strength": everywhere,
        "Coherence": within,
        "Brightness": everywhere,
        "Saturation": everywhere,
        "Time a frame": [],
    }
    assert view.locator(".panel .scene").count() == 4
    view.evaluate(f"seek({COUNT - 1})")
    at = view.evaluate("() => document.querySelector('.now').getAttribute('transform')")
    assert float(at.split("(")[1].split()[0]) == pytest.approx(1000 * (COUNT - 1) / COUNT, abs=2)


def test_a_click_on_a_curve_goes_there(browse: Browse, pages: Path) -> None:
    view = opened(browse, pages / "report.html")
    plot = view.locator(".plot svg").first
    box = plot.bounding_box()
    assert box is not None
    plot.click(position={"x": box["width"] * 0.5, "y": 40})
    assert int(view.input_value("#scrub")) == pytest.approx(COUNT / 2, abs=1)


def test_worst_moments_and_stills_lead_to_their_time(browse: Browse, pages: Path) -> None:
    view = opened(browse, pages / "report.html")
    link = view.locator(".stills.big a").first
    number = int(link.get_attribute("data-frame") or -1)
    link.focus()
    view.keyboard.press("Enter")
    view.wait_for_function(LOADED)
    assert number / 25 <= time_of(view) < (number + 1) / 25
    last = view.locator(".stills a").last
    last.click()
    assert view.input_value("#scrub") == last.get_attribute("data-frame")
    other = browse.open((pages / "report.html").as_uri() + "#frame=11")
    other.wait_for_function("() => document.querySelector('#scrub').value == 11")


def test_the_keyboard_alone_is_enough(browse: Browse, pages: Path) -> None:
    view = opened(browse, pages / "report.html", width=390)
    reached = set()
    for _ in range(14):
        view.keyboard.press("Tab")
        reached.add(
            view.evaluate("() => document.activeElement.id || document.activeElement.className")
        )
    assert {"divider", "play", "back", "on", "scrub", "speed", "again", "mute"} <= reached
    view.evaluate("document.activeElement.blur()")
    for key, number in ((".", 1), (".", 2), (",", 1), ("ArrowRight", 2)):
        view.keyboard.press(key)
        assert int(view.input_value("#scrub")) == number
    view.focus("#scrub")
    view.keyboard.press("ArrowRight")
    assert int(view.input_value("#scrub")) == 3
    view.evaluate("document.activeElement.blur()")
    view.keyboard.press(" ")
    view.wait_for_function("() => Number(document.querySelector('#scrub').value) > 8")
    view.keyboard.press(" ")
    assert view.evaluate("() => document.querySelector('video').paused")


@pytest.mark.parametrize("name", ["report.html", "two.html"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1600])
def test_it_fits_every_window(
    browse: Browse, pages: Path, width: int, scheme: Literal["light", "dark"], name: str
) -> None:
    view = opened(browse, pages / name, width, scheme)
    assert sideways(view) == 0
    view.locator("text=side by side").click()
    assert sideways(view) == 0
    paper, ink = view.evaluate(
        "() => { const s = getComputedStyle(document.body); return [s.backgroundColor, s.color]"
        ".map(c => c.match(/\\d+/g).slice(0, 3).reduce((a, b) => a + Number(b), 0) / 3); }"
    )
    assert (paper > 200 and ink < 80) if scheme == "light" else (paper < 50 and ink > 180)


def test_what_files_say_is_shown_and_not_obeyed(browse: Browse, pages: Path) -> None:
    view = opened(browse, pages / "report.html")
    assert view.title() == f"{HOSTILE}.mp4"
    assert view.inner_text("h1") == f"{HOSTILE}.mp4"
    assert f"dreamvideo {HOSTILE}" in view.inner_text("table:last-of-type >> nth=-1")
    assert view.locator("img:not([src^='data:'])").count() == 0
    assert "steps = 7" in view.inner_text("#recipe-2")
    view.evaluate(
        "() => { const e = document.createElement('script'); e.textContent = 'document.title = 1';"
        " document.body.append(e); }"
    )
    assert view.title() == f"{HOSTILE}.mp4"
    browse.expected.append("Content Security Policy")


def test_two_films_are_compared_beside_each_other(browse: Browse, pages: Path) -> None:
    view = opened(browse, pages / "two.html")
    lines = view.evaluate(
        "() => [...document.querySelectorAll('.line')].map(line => line.dataset.points)"
    )
    assert lines == [str(COUNT)] * 8
    heads = view.locator("table").first.locator("th[scope=col]").all_inner_texts()
    assert heads[1].startswith("A ") and heads[2] == "B source.mkv"
    data = json.loads(view.inner_text("#data") or view.evaluate("data && JSON.stringify(data)"))
    assert data["panels"][0]["lines"][1]["values"] == [0.0] * COUNT
    view.locator(".divider").focus()
    view.keyboard.press("Home")
    assert divided_at(view) == 0
    view.keyboard.press(".")
    view.wait_for_function(LOADED)
    assert time_of(view, "video.left") == pytest.approx(time_of(view, "video.right"), abs=0.001)


def test_on_paper_there_are_curves_and_stills_and_no_player(browse: Browse, pages: Path) -> None:
    view = opened(browse, pages / "report.html")
    view.emulate_media(media="print")
    assert view.locator(".panel svg").first.is_visible()
    assert view.locator(".stills img").first.is_visible()
    assert not view.locator(".stage").is_visible()


def test_a_browser_that_cannot_play_it_says_so(browse: Browse, pages: Path, tmp_path: Path) -> None:
    text = (pages / "report.html").read_text("utf-8")
    broken = tmp_path / "broken.html"
    broken.write_text(re.sub(r'(id="clip-right">)[^<]*', r"\1AAAA", text), "utf-8")
    view = browse.open(broken.as_uri())
    view.wait_for_selector("text=This browser does not play")
    assert view.locator(".panel svg .line").count() == 5
