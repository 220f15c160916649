"""The studio as people use it: its command, its page in a real browser, its renders to the end."""

from __future__ import annotations

import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import cv2
import numpy as np
import pytest
from browser import Browse, browse, chromium, sideways
from media_clips import make
from numpy.typing import NDArray
from playwright.sync_api import Page, expect
from synthetic import glide, scene
from tiny import Cli, pixels_of

from dreamvideo.media.pixels import to_bytes
from dreamvideo.media.stills import store_frame
from dreamvideo.render.job.job import job_folder

pytestmark = pytest.mark.integration

__all__ = ["browse", "chromium"]
# A network has to be loaded first, on machines that have other things to do.
LONG = 120_000
FRAMES = 40
# The same holds for what the page is expected to show next.
expect.set_options(timeout=60_000)


@dataclass
class Running:
    """A studio at work: its command's process, its page's address, its folders, its inputs."""

    process: subprocess.Popen[str]
    address: str
    films: Path
    temporary: Path
    photo: Path
    clip: Path

    @property
    def children(self) -> list[int]:
        """The processes that it has started."""
        return children_of(self.process.pid)


def children_of(number: int) -> list[int]:
    listed = Path(f"/proc/{number}/task/{number}/children").read_text("ascii").split()
    return [int(each) for each in listed]


def eventually(true: Callable[[], bool], seconds: float = 60) -> bool:
    until = time.monotonic() + seconds
    while not true() and time.monotonic() < until:
        time.sleep(0.05)
    return true()


def begin(folder: Path, *arguments: str) -> tuple[subprocess.Popen[str], str, Path]:
    """Start the command; (its process, the address that it prints, where it keeps its things)."""
    temporary = folder / "temporary"
    temporary.mkdir()
    process = subprocess.Popen(
        [sys.executable, "-m", "dreamvideo", "studio", "--no-browser", *arguments],
        stdout=subprocess.PIPE,
        text=True,
        cwd=folder,
        env={
            **os.environ,
            "TMPDIR": str(temporary),
            "XDG_CONFIG_HOME": str(folder / "config"),
            "TF_NUM_INTRAOP_THREADS": "1",
        },
    )
    assert process.stdout is not None
    line = process.stdout.readline()
    found = re.fullmatch(r"dreamvideo studio: (http://127\.0\.0\.1:\d+/\?token=[\w-]{30,})\n", line)
    assert found, line
    return process, found[1], temporary


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A studio, and a photo and a clip that are quickly dreamt."""
    folder = tmp_path_factory.mktemp("studio")
    shots = folder / "shots"
    shots.mkdir()
    for number, frame in enumerate(scene(72, 96, glide(FRAMES, 0.5 + 0.25j)).frames):
        store_frame(shots / f"{number:04d}.png", to_bytes(frame))
    make(folder / "clip.mp4", "-i", str(shots / "%04d.png"), "-pix_fmt", "yuv420p")
    store_frame(folder / "photo.png", to_bytes(scene(72, 96, glide(1), seed=5).frames[0]))
    films = folder / "films"
    films.mkdir()
    process, address, temporary = begin(
        folder, "--folder", str(films), "--max-upload", "3MB", "--no-own-tiles"
    )
    yield Running(process, address, films, temporary, folder / "photo.png", folder / "clip.mp4")
    process.terminate()
    assert process.wait(60) == 0
    assert not list(temporary.glob("dreamvideo-studio-*"))


def opened(browse: Browse, studio: Running, source: Path | None = None) -> Page:
    """The page, with a source dropped in and dreamt."""
    page = browse.open(studio.address, patience=LONG)
    # The session outlives the page: what another test has chosen is still chosen.
    page.get_by_role("radio", name="default:").check(force=True)
    expect(page.locator("#command")).not_to_contain_text("--preset")
    reset_all(page)
    if source is not None:
        page.set_input_files("#upload", source)
        # What is seen is this source's, not the last one's.
        page.wait_for_function(
            "Number(document.getElementById('frame').src.split('/').pop())"
            "> Number(document.body.dataset.taken)"
        )
        expect(page.locator(".source-name")).to_contain_text(source.name, timeout=LONG)
        dreamt(page)
    return page


def reset_all(page: Page) -> None:
    """Reset every slider that was moved; each button goes with its click."""
    resets = page.get_by_role("button", name="Reset")
    for left in reversed(range(resets.count())):
        resets.first.click()
        expect(resets).to_have_count(left)


def dreamt(page: Page, words: str = "Dreamt") -> NDArray[np.uint8]:
    """Wait for the finished frame; its pixels as the page shows them."""
    expect(page.locator("#preview-line")).to_have_text(words, timeout=LONG)
    frame = page.locator("#frame")
    assert frame.evaluate("e => e.decode().then(() => e.naturalWidth)") > 1
    return shot(page, "#frame")


def shot(page: Page, what: str) -> NDArray[np.uint8]:
    """What the page shows there."""
    data = np.frombuffer(page.locator(what).screenshot(), np.uint8)
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)


@contextmanager
def another_picture(page: Page) -> Iterator[None]:
    """Wait for the frame to be another one after what is done here."""
    frame = page.locator("#frame")
    before = frame.get_attribute("src")
    assert before is not None
    yield
    expect(frame).not_to_have_attribute("src", before, timeout=LONG)


def difference(a: NDArray[np.uint8], b: NDArray[np.uint8]) -> float:
    return float(np.abs(a.astype(np.int16) - b.astype(np.int16)).mean())


def test_a_slider_changes_the_picture(browse: Browse, studio: Running) -> None:
    page = opened(browse, studio, studio.photo)
    before = dreamt(page)
    with another_picture(page):
        page.get_by_role("slider", name="Strength").press("Home")
    expect(page.locator("#command")).to_contain_text("--strength 0 ")
    none = dreamt(page)
    assert difference(before, none) > 5
    with another_picture(page):
        page.get_by_role("button", name="Show the source").click()
    assert difference(dreamt(page, "The source"), none) < 1
    with another_picture(page):
        page.get_by_role("button", name="Reset Strength").click()
    expect(page.locator("#command")).not_to_contain_text("--strength")
    with another_picture(page):
        page.get_by_role("button", name="Show the source").click()
    assert difference(dreamt(page), before) < 1


def test_before_and_after_are_compared_and_a_change_is_undone(
    browse: Browse, studio: Running
) -> None:
    page = opened(browse, studio, studio.photo)
    after = dreamt(page)
    page.get_by_role("button", name="Show the source").click()
    before = dreamt(page, "The source")
    page.get_by_role("button", name="Divide").click()
    divider = page.get_by_role("slider", name="Divider")
    expect(divider).to_be_visible()
    divided = dreamt(page)
    left, right = after.shape[1] // 2 - 30, after.shape[1] // 2 + 30
    assert difference(divided[:, :left], before[:, :left]) < 1
    assert difference(divided[:, right:], after[:, right:]) < 1
    page.keyboard.down("b")
    assert difference(dreamt(page)[:, right:], before[:, right:]) < 1
    page.keyboard.up("b")
    divider.press("Home")
    expect(divider).to_have_attribute("aria-valuenow", "0")
    assert difference(dreamt(page)[:, 30:], after[:, 30:]) < 1
    page.get_by_role("button", name="Divide").click()
    expect(divider).to_be_hidden()
    with another_picture(page):
        page.get_by_role("slider", name="Strength").press("Home")
    expect(page.locator("#command")).to_contain_text("--strength 0 ")
    page.keyboard.press("Control+z")
    expect(page.locator("#command")).not_to_contain_text("--strength")
    assert difference(dreamt(page), after) < 1
    page.get_by_role("button", name="Redo").click()
    expect(page.locator("#command")).to_contain_text("--strength 0 ")


def test_the_dice_roll_other_creatures(browse: Browse, studio: Running) -> None:
    page = opened(browse, studio, studio.photo)
    before = dreamt(page)
    number = page.get_by_role("spinbutton", name="Creatures")
    expect(number).to_have_value("0")
    rolled: set[str] = set()
    for _ in range(2):
        with another_picture(page):
            page.get_by_role("button", name="Roll the dice for other creatures").click()
        expect(number).not_to_have_value(rolled.pop() if rolled else "0")
        rolled.add(number.input_value())
    (seed,) = rolled
    assert 1 <= int(seed) <= 9999
    expect(page.locator("#command")).to_contain_text(f"--creatures {seed} ")
    assert difference(before, dreamt(page)) > 2
    # The largest seed of all keeps its digits; what is none becomes the nearest, or is put back.
    for typed, taken in (("2147483647", "2147483647"), ("-7", "0"), ("", "0"), ("-9", "0")):
        number.fill(typed)
        number.press("Enter")
        expect(number).to_have_value(taken)
        expect(page.locator("#command")).to_contain_text(f"--creatures {taken} ")
    page.get_by_role("button", name="Reset Creatures").click()
    expect(page.locator("#command")).not_to_contain_text("--creatures")
    assert difference(before, dreamt(page)) < 1


def test_a_look_is_picked_by_its_picture(browse: Browse, studio: Running) -> None:
    page = opened(browse, studio, studio.photo)
    before = dreamt(page)
    tile = page.locator(".look", has_text="ink")
    assert tile.locator("img:not(.live)").evaluate("e => e.naturalWidth") > 100
    with another_picture(page):
        tile.click()
    expect(page.locator("#command")).to_contain_text("--preset ink")
    ink = dreamt(page)
    assert difference(before, ink) > 5
    assert np.ptp(ink.astype(np.int16), axis=2).max() < 12
    page.get_by_text("The look as a preset file").click()
    expect(page.locator("#toml")).to_contain_text("saturation = 0.0")
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.get_by_role("button", name="Copy the command line").click()
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied == page.locator("#command").text_content()


def test_a_clip_is_scrubbed_and_seen_moving(browse: Browse, studio: Running) -> None:
    page = opened(browse, studio, studio.clip)
    before = dreamt(page)
    with another_picture(page):
        page.get_by_role("slider", name="Time in the clip").press("End")
    expect(page.locator(".scrub .slider-value")).to_have_text("1.56 s")
    assert difference(before, dreamt(page)) > 3
    page.get_by_role("button", name="Moving preview").click()
    film = page.locator("#moving")
    expect(film).to_be_visible(timeout=LONG)
    assert film.evaluate(
        "async e => { while (e.readyState < 2 || e.currentTime == 0) "
        "await new Promise(r => setTimeout(r, 50)); return e.duration; }"
    ) == pytest.approx(1.6, abs=0.2)
    # The source plays in step with it, left of the divider.
    page.get_by_role("button", name="Divide").click()
    expect(page.get_by_role("slider", name="Divider")).to_be_visible()
    page.wait_for_function(
        "(() => { const [a, b] = ['moving', 'moving-source'].map(i => document.getElementById(i));"
        "return a.currentTime > 0.4 && Math.abs(a.currentTime - b.currentTime) < 0.15; })()"
    )
    film.evaluate("e => { e.pause(); e.currentTime = 0.5; }")
    page.wait_for_function(
        "Math.abs(document.getElementById('moving-source').currentTime - 0.5) < 0.002"
        "&& !document.getElementById('moving-source').seeking"
    )
    divided = shot(page, "#moving")
    page.keyboard.down("b")
    source = shot(page, "#moving")
    page.keyboard.up("b")
    middle = source.shape[1] // 2
    assert difference(divided[:-80, : middle - 30], source[:-80, : middle - 30]) < 1
    assert difference(divided[:-80, middle + 30 :], source[:-80, middle + 30 :]) > 3
    page.get_by_role("button", name="Divide").click()
    page.get_by_role("button", name="Back to the frame").click()
    expect(page.locator("#frame")).to_be_visible()


def mask_of(page: Page, studio: Running) -> NDArray[np.uint8]:
    """The mask that the command line names."""
    line = shlex.split(page.locator("#command").text_content() or "")
    path = Path(line[line.index("--mask") + 1])
    assert path.parent == studio.films.parent / "config" / "dreamvideo" / "presets" / "masks"
    return np.asarray(cv2.imread(str(path), cv2.IMREAD_UNCHANGED), np.uint8)


def test_a_mask_is_painted_by_hand(browse: Browse, studio: Running) -> None:
    page = opened(browse, studio, studio.photo)
    command = page.locator("#command")
    everywhere = dreamt(page)
    paint = page.get_by_role("button", name="Paint a mask")
    paint.click()

    def drag(*points: tuple[float, float]) -> None:
        before = command.text_content()
        page.locator("#paint-canvas").scroll_into_view_if_needed()
        box = page.locator("#paint-canvas").bounding_box()
        assert box is not None
        # The frame keeps its shape within the canvas.
        scale = min(box["width"] / 96, box["height"] / 72)
        left = box["x"] + (box["width"] - 96 * scale) / 2
        top = box["y"] + (box["height"] - 72 * scale) / 2
        for number, (x, y) in enumerate(points):
            page.mouse.move(left + x * 96 * scale, top + y * 72 * scale, steps=4)
            if number == 0:
                page.mouse.down()
        page.mouse.up()
        expect(command).not_to_have_text(before or "")

    drag((0.1, 0.5), (0.4, 0.5))
    stroke = mask_of(page, studio)
    assert stroke.dtype == np.uint8 and stroke.shape == (72, 96)
    assert (stroke[36, 12:36] > 250).all() and not stroke[:30].any() and not stroke[:, 50:].any()
    page.get_by_role("radio", name="Ellipse").check(force=True)
    drag((0.5, 0.2), (0.9, 0.8))
    both = mask_of(page, studio)
    assert both[36, 67] > 250 and both[36, 24] > 250 and both[17, 50] == 0
    page.get_by_role("button", name="Eraser").click()
    page.get_by_role("radio", name="Brush", exact=True).check(force=True)
    drag((0.2, 0.3), (0.2, 0.7))
    assert eventually(lambda: mask_of(page, studio)[36, 19] == 0)
    assert mask_of(page, studio)[36, 67] > 250
    # Undone stroke by stroke, on the canvas too.
    alpha = "e => e.getContext('2d').getImageData(19, 36, 1, 1).data[3]"
    canvas = page.locator("#paint-canvas")
    assert canvas.evaluate(alpha) == 0
    page.keyboard.press("Control+z")
    page.wait_for_function(f"({alpha})(document.getElementById('paint-canvas')) > 250")
    assert np.array_equal(mask_of(page, studio), both)
    page.get_by_role("button", name="Clear").click()
    expect(command).not_to_contain_text("--mask")
    page.wait_for_function(f"({alpha})(document.getElementById('paint-canvas')) === 0")
    # By keyboard alone, and only there it is dreamt.
    page.get_by_role("button", name="Eraser").press("Enter")
    page.get_by_text("A shape by numbers").press("Enter")
    for name, percent in (("Left", "0"), ("Top", "0"), ("Width", "50"), ("Height", "100")):
        page.get_by_role("spinbutton", name=name).fill(percent)
    page.get_by_role("slider", name="Feather").press("Home")
    expect(command).to_contain_text("--feather 0")
    with another_picture(page):
        page.get_by_role("button", name="Draw the rectangle").press("Enter")
        expect(command).to_contain_text("--mask")
    half = mask_of(page, studio)
    assert (half[:, :48] == 255).all() and not half[:, 48:].any()
    paint.click()
    left = dreamt(page)
    page.get_by_role("button", name="Show the source").click()
    source = dreamt(page, "The source")
    middle = source.shape[1] // 2
    assert difference(left[:, middle + 20 :], source[:, middle + 20 :]) < 1
    assert difference(left[:, : middle - 20], source[:, : middle - 20]) > 3
    page.get_by_role("button", name="Show the source").click()
    paint.click()
    with another_picture(page):
        page.get_by_role("button", name="Invert").click()
    expect(command).to_contain_text("--invert")
    paint.click()
    right = dreamt(page)
    assert difference(right[:, : middle - 20], source[:, : middle - 20]) < 1
    assert difference(everywhere, right) > 1
    # A mask larger than the frame, or of another kind, is refused in a line.
    browse.expected += ["413", "415"]
    refused = """async ([width, kind]) => {
        const c = document.createElement('canvas'); c.width = width; c.height = 10;
        c.getContext('2d').fillRect(0, 0, 9, 9);
        const blob = await new Promise(done => c.toBlob(done, kind));
        const body = {method: 'POST', body: blob};
        return (await (await fetch('/studio/upload?use=mask&name=mask.png', body)).json()).error;
    }"""
    said = page.evaluate(refused, [97, "image/png"])
    assert said == "mask.png: 97 x 10 is larger than the frame, 96 x 72"
    said = page.evaluate(refused, [9, "image/jpeg"])
    assert said == "mask.png: a painted mask is a PNG picture"


def test_numbers_get_keys_on_a_timeline(browse: Browse, studio: Running) -> None:
    page = opened(browse, studio, studio.clip)
    command, text = page.locator("#command"), page.locator("#schedule")
    curve = page.locator(".plot .curve")
    page.get_by_role("button", name="Keyframes").click()
    expect(text).to_have_value("1")
    assert page.locator("#curve-name option").first.text_content() == "Strength"
    page.get_by_role("slider", name="Time in the clip").press("Home")
    page.get_by_role("slider", name="Time in the clip").press("End")
    expect(page.locator(".scrub .slider-value")).to_have_text("1.56 s")
    page.get_by_role("button", name="Add a key").press("Enter")
    expect(text).to_have_value("0s:1, 1.56s:1")
    keys = page.locator(".plot .key")
    expect(keys).to_have_count(2)
    expect(keys.nth(1)).to_be_focused()
    flat = curve.get_attribute("points")
    page.keyboard.press("Shift+ArrowDown")
    expect(text).to_have_value("0s:1, 1.56s:0.8")
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("Shift+ArrowLeft")
    expect(text).to_have_value("0s:1, 1.12s:0.8")
    expect(command).to_contain_text("--strength '0s:1, 1.12s:0.8'")
    expect(keys.nth(1)).to_have_attribute("aria-valuetext", "0.8 at 1.12 s, linear")
    assert curve.get_attribute("points") != flat
    page.locator("#key-value").fill("0.25")
    page.locator("#key-value").press("Enter")
    expect(text).to_have_value("0s:1, 1.12s:0.25")
    # By pointer: one dragged to the middle of the plot, which is 0 to 2, another one added.
    box = page.locator(".plot").bounding_box()
    assert box is not None

    def at(x: float, y: float) -> tuple[float, float]:
        return box["x"] + x * box["width"], box["y"] + y * box["height"]

    place = keys.nth(1).bounding_box()
    assert place is not None
    page.mouse.move(place["x"] + 13, place["y"] + 13)
    page.mouse.down()
    page.mouse.move(*at(0.5, 0.5), steps=5)
    page.mouse.up()
    expect(text).to_have_value(re.compile(r"0s:1, 0\.(79|8)\d*s:(0\.99|1|1\.0)\d*"))
    page.mouse.dblclick(*at(0.75, 0.04))
    expect(keys).to_have_count(3)
    expect(text).to_have_value(re.compile(r", 1\.(19|2)\d*s:(1\.9\d+|2)"))
    keys.nth(0).focus()
    page.get_by_label("Ease to the next").select_option("ease")
    expect(text).to_have_value(re.compile(r"0s:1 ease, "))
    keys.nth(0).focus()
    page.keyboard.press("Control+z")
    expect(text).not_to_have_value(re.compile("ease"))
    # The text is edited, too; what does not parse leaves the curve as it is.
    text.fill("end:0.5, 0:2 hold")
    text.press("Enter")
    expect(keys).to_have_count(2)
    expect(command).to_contain_text("--strength 'end:0.5, 0:2 hold'")
    drawn = curve.get_attribute("points")
    text.fill("0:1, 2s:")
    text.press("Enter")
    expect(page.locator("#curve-line")).to_contain_text("--strength: ")
    expect(text).to_have_value("0:1, 2s:")
    assert curve.get_attribute("points") == drawn and keys.count() == 2
    expect(command).to_contain_text("--strength 'end:0.5, 0:2 hold'")
    keys.nth(1).focus()
    page.keyboard.press("Delete")
    expect(text).to_have_value("2")
    expect(page.locator("#curve-line")).to_have_text("")
    expect(keys.nth(0)).to_be_focused()
    page.keyboard.press("Delete")
    expect(command).not_to_contain_text("--strength")
    # A layer's weight is a curve of the layers' own text.
    page.locator("#curve-name").select_option("dream.layers#1")
    expect(text).to_have_value(re.compile("block11_expand:rms,block9_expand:rms:0.5,"))
    page.mouse.dblclick(*at(0.5, 0.96))
    expect(text).to_have_value(re.compile(r" -> 0\.8\d*s: block11_expand:rms,block9_expand:rms:"))
    expect(command).to_contain_text("--layers ")
    page.locator("#curve-name").select_option("dream.step_size")
    expect(text).to_have_value("0.018")
    page.get_by_role("button", name="Undo").click()
    expect(command).not_to_contain_text("--layers")


def test_a_zoom_loops_travels_arrives_and_starts_from_a_frame(
    browse: Browse, studio: Running
) -> None:
    page = opened(browse, studio, studio.clip)
    command = page.locator("#command")
    page.get_by_role("radio", name="Zoom").check(force=True)
    expect(command).to_have_text(re.compile(r"dreamvideo zoom clip\.mp4 -o clip-zoom\S*"))
    with another_picture(page):
        page.get_by_role("slider", name="Time in the clip").press("Home")
    expect(command).to_contain_text("zoom clip.mp4 --at 0 -o")
    first = dreamt(page, "As the render begins")
    with another_picture(page):
        page.get_by_role("button", name="Start from the last frame").click()
    expect(command).not_to_contain_text("--at")
    assert difference(first, dreamt(page, "As the render begins")) > 3
    page.get_by_label("The end").select_option("loop")
    expect(command).to_contain_text(" --loop ")
    page.locator("#journey").fill("fur, towers")
    page.locator("#journey").press("Enter")
    expect(command).to_contain_text(" --loop --journey fur,towers ")
    page.locator("#journey").fill("fur, nothing")
    page.locator("#journey").press("Enter")
    expect(page.get_by_text("no preset 'nothing'")).to_be_visible()
    expect(command).to_contain_text("--journey fur,towers ")
    page.locator("#journey").fill("")
    page.locator("#journey").press("Enter")
    expect(command).not_to_contain_text("--journey")
    page.get_by_label("The end").select_option("to")
    page.set_input_files("#arrival", studio.photo)
    expect(command).to_contain_text(re.compile(r"--to \S*/presets/arrivals/photo-[0-9a-f]{8}\.png"))
    expect(page.get_by_text("Ends on photo-")).to_be_visible()
    page.get_by_role("slider", name="Seconds").press("Home")
    page.get_by_role("button", name="Keyframes").click()
    page.locator("#curve-name").select_option("zoom.rate")
    page.locator("#schedule").fill("0:1.2, end:2")
    page.locator("#schedule").press("Enter")
    expect(command).to_contain_text("--rate '0:1.2, end:2'")
    page.get_by_role("button", name="Render the zoom").click()
    job = page.get_by_role("article", name="clip-zoom").first
    expect(job).to_contain_text("Done: 25 frames", timeout=LONG)
    (film,) = studio.films.glob("clip-zoom*.mp4")
    made = pixels_of(film)
    photo = cv2.cvtColor(cv2.imread(str(studio.photo)), cv2.COLOR_BGR2RGB)
    assert difference(made[-1], photo) < difference(made[0], photo) / 3
    # As the next test expects to find it.
    job.get_by_role("button", name="Remove").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete the file").click()
    expect(page.get_by_role("article", name="clip-zoom")).to_have_count(0)
    assert not film.exists()
    page.get_by_label("The end").select_option("")
    reset_all(page)
    expect(command).to_have_text("dreamvideo zoom clip.mp4 -o clip-zoom.mp4")


def test_a_render_is_found_again_paused_gone_on_with_and_watched(
    browse: Browse, studio: Running
) -> None:
    page = opened(browse, studio, studio.clip)
    page.get_by_role("button", name="Render the film").click()
    job = page.get_by_role("article", name="clip-dream.mp4")
    expect(job).to_contain_text(re.compile(r"Dreaming: frame [1-9]"), timeout=LONG)
    page.reload()
    expect(job).to_contain_text(re.compile(r"Dreaming: frame [1-9]"))
    expect(page.get_by_text("It will begin after clip-dream.mp4")).to_be_visible()
    job.get_by_role("button", name="Pause").click()
    expect(job).to_contain_text(re.compile(rf"Paused: \d+ of {FRAMES} frames are kept"))
    output = studio.films / "clip-dream.mp4"
    assert job_folder(output).is_dir() and not output.exists()
    job.get_by_role("button", name="Stop").click()
    keep = page.get_by_role("dialog").get_by_role("button", name="Keep the frames")
    expect(keep).to_have_class(re.compile("primary"))
    keep.click()
    job.get_by_role("button", name="Resume").click()
    expect(job).to_contain_text(f"Done: {FRAMES} frames", timeout=LONG)
    assert not job_folder(output).exists() and len(pixels_of(output)) == FRAMES
    film = job.locator("video")
    assert film.evaluate("e => e.play().then(() => e.videoWidth)") == 96
    with page.expect_download() as download:
        job.get_by_role("link", name="Download").click()
    assert Path(download.value.path()).read_bytes() == output.read_bytes()
    assert download.value.suggested_filename == "clip-dream.mp4"


def test_a_render_that_is_stopped_leaves_nothing(browse: Browse, studio: Running) -> None:
    page = opened(browse, studio, studio.clip)
    page.get_by_role("radio", name="Zoom").check(force=True)
    page.get_by_role("button", name="Render the zoom").click()
    job = page.get_by_role("article", name="clip-zoom.mp4")
    job.get_by_role("button", name="Stop").click()
    expect(job).to_contain_text("Stopped; its frames are deleted", timeout=LONG)
    assert not list(studio.films.glob("clip-zoom*"))


def test_the_keyboard_alone_is_enough(browse: Browse, studio: Running) -> None:
    page = opened(browse, studio, studio.photo)

    def reach(name: str) -> None:
        for _ in range(60):
            held = page.evaluate(
                "(() => { const e = document.activeElement;"
                "return e.getAttribute('aria-label') || e.textContent || ''; })()"
            )
            if held.startswith(name):
                return
            page.keyboard.press("Tab")
        raise AssertionError(f"{name} is not reached")

    reach("default")
    page.keyboard.press("ArrowDown")
    expect(page.locator("#command")).to_contain_text("--preset breathing")
    reach("Steps")
    for _ in range(3):
        page.keyboard.press("ArrowLeft")
    expect(page.locator("#command")).to_contain_text("--steps 11")
    reach("Render the still")
    page.keyboard.press("Enter")
    job = page.get_by_role("article", name="photo-dream.png")
    expect(job).to_contain_text("Done", timeout=LONG)
    made = job.locator("img:not(.live)")
    expect(made).to_have_attribute("alt", "The dream photo-dream.png")
    assert made.evaluate("e => e.decode().then(() => e.naturalWidth)") == 96


def test_a_reload_shows_the_chosen_look_and_renders_are_removed(
    browse: Browse, studio: Running
) -> None:
    page = opened(browse, studio, studio.photo)
    page.set_viewport_size({"width": 1280, "height": 800})
    page.get_by_role("button", name="Render the still").click()
    job = page.get_by_role("article").first
    expect(job).to_contain_text("Done", timeout=LONG)
    box = job.get_by_role("heading").bounding_box()
    assert box is not None and box["y"] + box["height"] < 800
    last = page.locator(".look").last
    last.locator("input").check(force=True)
    page.reload()
    chosen = page.locator(".look:has(input:checked)")
    page.wait_for_function("document.querySelector('.look-grid').scrollTop > 0")
    inside = "e => { const a = e.getBoundingClientRect(), b = e.parentElement"
    inside += ".getBoundingClientRect(); return a.top >= b.top - 1 && a.bottom <= b.bottom + 1; }"
    assert chosen.evaluate(inside)
    before = page.get_by_role("article").count()
    job.get_by_role("button", name="Remove").click()
    keep = page.get_by_role("dialog").get_by_role("button", name="Keep it")
    expect(keep).to_have_class(re.compile("primary"))
    page.get_by_role("dialog").get_by_role("button", name="Remove from the list").click()
    expect(page.get_by_role("article")).to_have_count(before - 1)
    assert list(studio.films.glob("photo-dream*.png"))


@pytest.mark.parametrize("width", [390, 1600])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_and_can_be_read(browse: Browse, studio: Running, width: int, scheme: str) -> None:
    assert scheme in ("light", "dark")
    page = browse.open(studio.address, width=width, scheme="dark" if scheme == "dark" else "light")
    expect(page.get_by_role("heading", name="dreamvideo studio")).to_be_visible()
    expect(page.locator("body.body--dark")).to_have_count(1 if scheme == "dark" else 0)
    assert sideways(page) == 0
    unnamed = page.locator(
        "img:not([alt]), video:not([aria-label], [aria-hidden]), [role=slider]:not([aria-label])"
    )
    assert unnamed.count() == 0
    # Everything that is clicked is large enough to be hit, and every control says what it does.
    small = page.evaluate(
        "[...document.querySelectorAll('button, a, summary, select, input, .look, .kind')].filter("
        "e => e.offsetParent && e.getBoundingClientRect().height < 24).map(e => e.outerHTML)"
    )
    assert not small
    described = page.locator(".slider input").evaluate_all(
        "all => all.map(e => (e.getAttribute('aria-description') || '').length)"
    )
    assert len(described) > 8 and min(described) > 15


def test_what_is_no_picture_is_refused_in_a_line(
    browse: Browse, studio: Running, tmp_path: Path
) -> None:
    browse.expected += ["415", "413"]
    page = browse.open(studio.address)
    (tmp_path / "cat.png").write_text("no picture\n" * 100)
    page.set_input_files("#upload", tmp_path / "cat.png")
    expect(page.locator("#upload-line")).to_contain_text("cat.png: ")
    (tmp_path / "large.png").write_bytes(bytes(3_000_001))
    page.set_input_files("#upload", tmp_path / "large.png")
    expect(page.locator("#upload-line")).to_contain_text("larger than 3 MB; --max-upload")
    assert "no picture" not in " ".join(
        path.read_text(errors="replace") for path in studio.temporary.rglob("*.png")
    )


@pytest.mark.slow
def test_previews_outlive_their_process(browse: Browse, studio: Running) -> None:
    page = opened(browse, studio, studio.photo)
    (child,) = [number for number in studio.children if "spawn_main" in command_of(number)]
    os.kill(child, signal.SIGKILL)
    assert eventually(lambda: child not in studio.children)
    with another_picture(page):
        page.get_by_role("slider", name="Fine detail").press("ArrowRight")
    expect(page.locator("#command")).to_contain_text("--detail 0.65")
    dreamt(page)


def command_of(number: int) -> str:
    return Path(f"/proc/{number}/cmdline").read_bytes().replace(b"\0", b" ").decode()


@pytest.mark.parametrize(
    "path", ["/", "/?token=wrong", "/studio/look/ink", "/_nicegui_ws/socket.io/"]
)
def test_nobody_comes_in_without_the_token(studio: Running, path: str) -> None:
    base = studio.address.partition("/?")[0]
    with pytest.raises(HTTPError) as refused:
        urlopen(f"{base}{path}", timeout=20)
    assert refused.value.code == 403


def test_another_name_for_this_machine_is_refused(studio: Running) -> None:
    asked = Request(studio.address, headers={"Host": "evil.example"})
    with pytest.raises(HTTPError) as refused:
        urlopen(asked, timeout=20)
    assert refused.value.code == 403


def test_its_end_leaves_neither_process_nor_file(shelf: Path, tmp_path: Path) -> None:
    process, _, temporary = begin(tmp_path, str(shelf / "photo.png"))
    assert list(temporary.glob("dreamvideo-studio-*"))
    assert eventually(lambda: bool(children_of(process.pid)))
    children = children_of(process.pid)
    process.send_signal(signal.SIGINT)
    assert process.wait(60) == 0
    assert eventually(lambda: not any(Path(f"/proc/{child}").exists() for child in children))
    assert not list(temporary.glob("dreamvideo-studio-*"))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["temporary"]


def test_a_port_that_is_taken_is_told(cli: Cli) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ended = cli("studio", "--no-browser", "--port", port)
    assert (ended.code, ended.out) == (2, "")
    assert re.fullmatch(rf"dreamvideo: --port {port}: .* in use; choose another one\n", ended.err)


def test_without_its_extra_it_says_what_to_install(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "nicegui", None)
    ended = cli("studio")
    assert (ended.code, ended.out) == (1, "")
    assert ended.err == (
        "dreamvideo: the studio needs nicegui, which is not installed: in a clone of dreamvideo, "
        'run pip install -e ".[studio]"\n'
    )


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["nothing.mp4"], "nothing.mp4: no such file"),
        (["--folder", "nowhere"], "nowhere: no such folder"),
        (["--max-upload", "much"], "--max-upload 'much': write a size as 5MB"),
    ],
)
def test_mistakes_are_told_in_one_line(cli: Cli, arguments: list[str], line: str) -> None:
    ended = cli("studio", "--no-browser", *arguments)
    assert ended.code in (1, 2) and ended.out == ""
    assert ended.err.startswith(f"dreamvideo: {line}") and ended.err.count("\n") == 1
