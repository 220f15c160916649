"""The studio's queue in a real browser: order, pause, retry, a restart, what is done with results.

One studio is restarted halfway; the second one also shows the looks on the own picture.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
from pathlib import Path

import cv2
import pytest
from browser import Browse, browse, chromium
from media_clips import make
from playwright.sync_api import Page, expect
from synthetic import glide, scene
from test_studio import LONG, begin, dreamt, eventually

from dreamvideo.media.pixels import to_bytes
from dreamvideo.media.stills import store_frame

pytestmark = pytest.mark.integration

__all__ = ["browse", "chromium"]
FRAMES = 40
# Notices of the desktop, kept for the test; the page is in the background.
NOTICES = """
window.notices = [];
window.Notification = class { constructor(title, {body}) { window.notices.push(body); } };
Notification.permission = 'default';
Notification.requestPermission = async () => Notification.permission = 'granted';
Object.defineProperty(document, 'hidden', {get: () => true});
"""


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a photo, a clip, a place for films, and a desktop that notes what it opens."""
    shots = tmp_path / "shots"
    shots.mkdir()
    for number, frame in enumerate(scene(72, 96, glide(FRAMES, 0.5 + 0.25j)).frames):
        store_frame(shots / f"{number:04d}.png", to_bytes(frame))
    make(tmp_path / "clip.mp4", "-i", str(shots / "%04d.png"), "-pix_fmt", "yuv420p")
    store_frame(tmp_path / "photo.png", to_bytes(scene(72, 96, glide(1), seed=5).frames[0]))
    opener = tmp_path / "bin" / "xdg-open"
    opener.parent.mkdir()
    opener.write_text(f'#!/bin/sh\nprintf %s "$1" > {tmp_path}/opened\n')
    opener.chmod(0o755)
    (tmp_path / "films").mkdir()
    monkeypatch.setenv("PATH", f"{opener.parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("DISPLAY", ":99")
    monkeypatch.delenv("SSH_CONNECTION", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path


def take(page: Page, source: Path) -> None:
    page.set_input_files("#upload", source)
    expect(page.locator(".source-name")).to_contain_text(source.name)


def listed(page: Page) -> list[str]:
    return [str(each.get_attribute("aria-label")) for each in page.get_by_role("article").all()]


def test_a_queue_from_the_first_render_to_the_last(browse: Browse, home: Path) -> None:
    films = home / "films"
    process, address, temporary = begin(home, "--folder", str(films), "--no-own-tiles")
    page = browse.open(patience=LONG)
    page.add_init_script(NOTICES)
    page.goto(address)
    take(page, home / "clip.mp4")
    name = page.get_by_role("textbox", name="Name", exact=True)
    expect(name).to_have_attribute("placeholder", "clip-dream")
    name.fill("my/film.mp4")
    name.press("Enter")
    expect(name).to_have_value("my-film")
    expect(page.locator("#command")).to_contain_text("-o my-film.mp4")
    render = page.get_by_role("button", name="Render the film")
    render.click()
    film = page.get_by_role("article", name="my-film.mp4")
    expect(film).to_be_visible()
    render.click()
    expect(page.get_by_role("article", name="my-film-2.mp4")).to_contain_text("Waiting")
    take(page, home / "photo.png")
    expect(name).to_have_value("")
    page.get_by_role("button", name="Render the still").click()
    still = page.get_by_role("article", name="photo-dream.png")
    expect(still).to_contain_text("Waiting for its turn")
    still.get_by_role("button", name="Earlier").click()
    expect(still.get_by_role("button", name="Earlier")).to_be_disabled()
    order = ["my-film.mp4", "photo-dream.png", "my-film-2.mp4"]
    assert eventually(lambda: listed(page) == order)
    # The frame being dreamt, and the time left.
    expect(film).to_contain_text(re.compile(r"Dreaming: frame \d+ of 40, \d+:\d\d left"))
    live = film.locator("img.live")
    page.wait_for_function("document.querySelector('img.live').naturalWidth == 96")
    expect(live).to_be_visible()
    page.get_by_role("button", name="Pause the queue").click()
    expect(film).to_contain_text("Waiting. ")
    page.reload()
    assert eventually(lambda: listed(page) == order)
    page.close()
    process.send_signal(signal.SIGINT)
    assert process.wait(60) == 0
    # The photo and the clip were dropped in: they are kept for what still waits.
    assert (films / "photo.png").read_bytes() == (home / "photo.png").read_bytes()
    shutil.rmtree(temporary)

    process, address, _ = begin(home, "--folder", str(films))
    page = browse.open(patience=LONG)
    page.add_init_script(NOTICES)
    page.goto(address)
    assert eventually(lambda: listed(page) == order)
    page.get_by_role("button", name="Notify me when done").click()
    expect(page.get_by_role("button", name="Notify me when done")).to_be_hidden()
    second = page.get_by_role("article", name="my-film-2.mp4")
    second.get_by_role("button", name="Stop").click()
    expect(second).to_contain_text("Stopped")
    page.get_by_role("button", name="Go on with the queue").click()
    film, still = (page.get_by_role("article", name=each) for each in order[:2])
    expect(film).to_contain_text("Done: 40 frames")
    expect(page.get_by_role("alert")).to_contain_text("my-film.mp4: Done: 40 frames")
    expect(still).to_contain_text("Done")
    assert page.evaluate("window.notices[0]").startswith("my-film.mp4: Done: 40 frames")
    second.get_by_role("button", name="Retry").click()
    expect(second).to_contain_text(re.compile("Preparing|Dreaming"))
    second.get_by_role("button", name="Stop").click()
    dialog = page.get_by_role("dialog")
    expect(second.or_(dialog)).to_contain_text([re.compile("Stopped|delete")])
    if dialog.is_visible():
        dialog.get_by_role("button", name="Stop and delete").click()
    expect(second).to_contain_text("Stopped")
    second.get_by_role("button", name="Remove").click()
    expect(second).to_have_count(0)
    # Results: their folder, as a source, off the list, deleted.
    still.get_by_role("button", name="Open folder").click()
    assert eventually((home / "opened").exists)
    assert (home / "opened").read_text() == str(films)
    still.get_by_role("button", name="Use as source").click()
    expect(page.locator(".source-name")).to_contain_text("photo-dream.png: 96 x 72")
    dreamt(page)
    film.get_by_role("button", name="Remove").click()
    page.get_by_role("dialog").get_by_role("button", name="Keep it").click()
    expect(page.get_by_role("dialog")).to_have_count(0)
    still.get_by_role("button", name="Remove").click()
    page.get_by_role("dialog").get_by_role("button", name="Remove from the list").click()
    expect(still).to_have_count(0)
    film.get_by_role("button", name="Remove").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete the file").click()
    expect(film).to_have_count(0)
    assert (films / "photo-dream.png").exists() and not (films / "my-film.mp4").exists()

    # The looks, on the picture that is the source now.
    first = page.locator(".look img").first
    expect(first).to_have_attribute("src", re.compile(r"/studio/own/[0-9a-f]{32}"))
    assert first.evaluate("e => e.decode().then(() => e.naturalWidth)") == 96
    tile = next((home / "cache" / "dreamvideo" / "looks").glob("*.jpg"))
    made, source = cv2.imread(str(tile)), cv2.imread(str(films / "photo-dream.png"))
    assert made is not None and source is not None
    assert made.shape == source.shape and float(cv2.absdiff(made, source).mean()) > 3
    process.terminate()
    assert process.wait(60) == 0
