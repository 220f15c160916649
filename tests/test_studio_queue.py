"""The studio's queue and own tiles in a real browser; the test plays what renders and dreams.

So nothing has to be waited for, and every state of a render can be looked at.
"""

from __future__ import annotations

import os
import re
import shutil
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import uvicorn
from axe_playwright_python.sync_playwright import Axe
from browser import Browse, browse, chromium, sideways
from playwright.sync_api import Page, expect
from test_studio import LONG, eventually
from test_studio_jobs import FakeChild
from test_studio_session import FakePreviewer

from dreamvideo.imaging import encode_jpeg
from dreamvideo.loopback.guard import Gate
from dreamvideo.media.identify import Song, identify_file
from dreamvideo.media.stills import store_frame
from dreamvideo.render.job.job import job_folder
from dreamvideo.render.progress import Progress
from dreamvideo.studio import jobs, own_tiles, session
from dreamvideo.studio.messages import PictureGrown, PictureWanted, Rest
from dreamvideo.studio.render_worker import Broken, Done, Grown, Left
from dreamvideo.studio.server import application
from dreamvideo.studio.session import Studio

__all__ = ["browse", "chromium"]
# Notices of the desktop, kept for the test; the page is in the background.
NOTICES = """
window.notices = [];
window.Notification = class { constructor(title, {body}) { window.notices.push(body); } };
Notification.permission = 'default';
Notification.requestPermission = async () => { Notification.permission = 'granted'; };
Object.defineProperty(document, 'hidden', {get: () => true});
"""


@dataclass
class Served:
    """A studio in this process, its page's address, and its render processes, which do nothing."""

    studio: Studio
    address: str
    children: list[FakeChild]

    def restart(self, **given: Any) -> None:
        """End the session, and begin another one for the same folder."""
        self.studio.close()
        self.children.clear()
        self.studio.__init__(self.studio.folder, **given)  # type: ignore[misc]
        self.studio.is_warm = True

    def begin(self, **given: Any) -> None:
        """Begin a session whose folder is empty."""
        self.studio.jobs.all, self.studio.jobs.queue = [], []
        for path in self.studio.folder.iterdir():
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink()
        self.restart(**given)

    @property
    def queue(self) -> list[str]:
        return [f"{job.name} {job.state}" for job in self.studio.jobs.listed]


class OnlyFrames(FakePreviewer):
    """A preview process that needs no time."""

    def ask(self, wanted: Any) -> None:
        super().ask(wanted)
        if isinstance(wanted, PictureWanted) and not self.background:
            pixels = np.full((72, 96, 3), 90, np.uint8)
            picture = encode_jpeg(pixels, 90)
            threading.Thread(
                target=self.hear, args=(PictureGrown(wanted.ticket, picture, 1, 1),)
            ).start()


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("queue")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(jobs, "ChildProcess", FakeChild)
        patch.setattr(FakeChild, "made", [])
        patch.setattr(session, "Previewer", OnlyFrames)
        patch.setattr(own_tiles, "IDLE", 0.0)
        opener = folder / "bin" / "xdg-open"
        opener.parent.mkdir()
        opener.write_text(f'#!/bin/sh\nprintf %s "$1" > {folder}/opened\n')
        opener.chmod(0o755)
        patch.setenv("PATH", f"{opener.parent}{os.pathsep}{os.environ['PATH']}")
        patch.setenv("DISPLAY", ":99")
        patch.delenv("SSH_CONNECTION", raising=False)
        patch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
        patch.setenv("XDG_CONFIG_HOME", str(folder / "config"))
        films = folder / "films"
        films.mkdir()
        studio = Studio(films, own_tiles=False)
        studio.is_warm = True
        # On machines that have other things to do.
        expect.set_options(timeout=LONG)
        with serving(studio) as address:
            yield Served(studio, address, FakeChild.made)
        expect.set_options(timeout=5_000)
        studio.close()


@contextmanager
def serving(studio: Studio) -> Iterator[str]:
    """Serve the page on a thread; its address."""
    with socket.create_server(("127.0.0.1", 0)) as sock:
        gate = Gate(sock.getsockname()[1], "dreamvideo studio")
        config = uvicorn.Config(
            application(studio, gate), log_level="error", lifespan="on", timeout_graceful_shutdown=1
        )
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, args=([sock],))
        thread.start()
        yield gate.address
        server.should_exit = True
        thread.join()


def opened(browse: Browse, served: Served, source: Path, **given: Any) -> Page:
    served.studio.take(identify_file(source))
    page = browse.open(patience=LONG, **given)
    page.add_init_script(NOTICES)
    page.goto(served.address)
    expect(page.locator("#preview-line")).to_have_text("Dreamt")
    return page


def listed(page: Page) -> list[str]:
    return [str(each.get_attribute("aria-label")) for each in page.get_by_role("article").all()]


def test_a_queue_is_ordered_watched_held_and_found_again(
    browse: Browse, served: Served, shelf: Path
) -> None:
    served.begin(own_tiles=False)
    page = opened(browse, served, shelf / "clip.mp4")
    name = page.get_by_role("textbox", name="Name", exact=True)
    expect(name).to_have_attribute("placeholder", "clip-dream")
    name.fill("my/film.mp4")
    name.press("Enter")
    expect(name).to_have_value("my-film")
    expect(page.locator("#command")).to_contain_text("-o my-film.mp4")
    render = page.get_by_role("button", name="Render the film")
    render.click()
    film = page.get_by_role("article", name="my-film.mp4")
    expect(film).to_contain_text("Preparing")
    expect(page.get_by_text("It will begin after my-film.mp4")).to_be_visible()
    render.click()
    expect(page.get_by_role("article", name="my-film-2.mp4")).to_contain_text("Waiting")
    page.get_by_role("radio", name="Zoom").check(force=True)
    render = page.get_by_role("button", name="Render the zoom")
    expect(render).to_be_visible()
    name.fill("")
    name.press("Enter")
    expect(name).to_have_attribute("placeholder", "clip-zoom")
    render.click()
    zoom = page.get_by_role("article", name="clip-zoom.mp4")
    expect(zoom).to_contain_text("Waiting for its turn")
    expect(zoom.get_by_role("button", name="Later")).to_be_disabled()
    zoom.get_by_role("button", name="Earlier").click()
    expect(zoom.get_by_role("button", name="Earlier")).to_be_disabled()
    order = ["my-film.mp4", "clip-zoom.mp4", "my-film-2.mp4"]
    assert eventually(lambda: listed(page) == order)

    # The frame being dreamt, and the time left.
    output = served.studio.folder / "my-film.mp4"
    frames = job_folder(output) / "frames"
    frames.mkdir(parents=True)
    (frames.parent / "manifest.json").touch()
    store_frame(frames / "00000001.frame", np.full((48, 64, 3), 120, np.uint8))
    served.children[0].hear(Progress("dreaming", "frame", 1, 8))
    served.children[0].hear(Progress("dreaming", "frame", 2, 8))
    expect(film).to_contain_text(re.compile(r"Dreaming: frame 2 of 8, \d+:\d\d left"))
    page.wait_for_function("document.querySelector('img.live').naturalWidth == 64")
    expect(film.get_by_role("img", name="The newest frame of my-film.mp4")).to_be_visible()

    page.get_by_role("button", name="Pause the queue").click()
    served.children[0].close()
    expect(film).to_contain_text("Waiting. 3 of 8 frames are kept")
    page.reload()
    expect(page.get_by_role("button", name="Go on with the queue")).to_be_visible()
    assert eventually(lambda: listed(page) == order)
    page.close()
    served.restart(own_tiles=False)
    page = opened(browse, served, shelf / "clip.mp4")
    assert eventually(lambda: listed(page) == order) and not served.children
    page.get_by_role("button", name="Go on with the queue").click()
    film = page.get_by_role("article", name="my-film.mp4")
    expect(film).to_contain_text("Preparing")
    # A pause lets the next one begin.
    film.get_by_role("button", name="Pause").click()
    served.children[0].hear(Left("3 of 8 frames are kept"))
    served.children[0].ended(0)
    expect(film).to_contain_text("Paused: 3 of 8 frames are kept")
    assert served.queue == [
        "clip-zoom.mp4 running",
        "my-film-2.mp4 waiting",
        "my-film.mp4 paused",
    ]
    served.children[1].hear(Broken("the disk is full", ""))
    served.children[1].ended(0)
    zoom = page.get_by_role("article", name="clip-zoom.mp4")
    expect(zoom).to_contain_text("the disk is full")
    zoom.get_by_role("button", name="Retry").click()
    expect(zoom).to_contain_text("Waiting")
    page.get_by_role("article", name="my-film-2.mp4").get_by_role("button", name="Stop").click()
    served.children[2].close()
    expect(zoom).to_contain_text("Preparing")
    zoom.get_by_role("button", name="Stop").click()
    served.children[3].close()
    film.get_by_role("button", name="Stop").click()
    expect(page.locator(".job", has_text="Stopped")).to_have_count(3)
    assert not job_folder(output).exists()
    for left in (2, 1, 0):
        page.get_by_role("button", name="Remove").first.click()
        expect(page.get_by_role("article")).to_have_count(left)
    expect(page.get_by_role("region", name="Renders")).to_be_hidden()


def test_a_result_is_told_of_used_shown_in_its_folder_and_removed(
    browse: Browse, served: Served, shelf: Path
) -> None:
    served.begin(own_tiles=False)
    page = opened(browse, served, shelf / "photo.png", width=1280, height=800)
    render = page.get_by_role("button", name="Render the still")
    for number in (0, 1):
        render.click()
        assert eventually(lambda: len(served.children) == 1 + number)  # noqa: B023
        if number == 0:
            page.get_by_role("button", name="Notify me when done").click()
            expect(page.get_by_role("button", name="Notify me when done")).to_be_hidden()
        job = served.studio.jobs.running
        assert job is not None
        # What the page has not seen begin, it does not tell of.
        card = page.get_by_role("article", name=job.name)
        expect(card).to_contain_text("Preparing")
        child = served.children[number]
        child.hear(Progress("dreaming", "step", 3, 9))
        child.hear(Grown(encode_jpeg(np.full((30, 40, 3), 60, np.uint8), 90)))
        page.wait_for_function(
            "[...document.querySelectorAll('img.live')].some(e => e.naturalWidth == 40)"
        )
        store_frame(job.order.output, np.full((48, 64, 3), 150, np.uint8))
        child.hear(Done(1, ("a note",)))
        child.ended(0)
        expect(page.locator(".q-notification").last).to_contain_text(f"{job.name}: Done: ")
        card = page.get_by_role("article").first
        expect(card).to_contain_text(re.compile("Done: .*a note", re.S))
    said = page.evaluate("window.notices")
    assert [line.partition(":")[0] for line in said] == ["photo-dream.png", "photo-dream-2.png"]
    assert sideways(page) == 0
    first = page.get_by_role("article", name="photo-dream.png")
    second = page.get_by_role("article", name="photo-dream-2.png")
    second.get_by_role("button", name="Open folder").click()
    opener = served.studio.folder.parent / "opened"
    assert eventually(opener.exists)
    assert opener.read_text() == str(served.studio.folder)
    second.get_by_role("button", name="Use as source").click()
    expect(page.locator(".source-name")).to_contain_text("photo-dream-2.png: 64 x 48")

    dialog = page.get_by_role("dialog")
    first.get_by_role("button", name="Remove").click()
    keep = dialog.get_by_role("button", name="Keep it")
    expect(keep).to_have_class(re.compile("primary"))
    keep.click()
    expect(dialog).to_have_count(0)
    first.get_by_role("button", name="Remove").click()
    dialog.get_by_role("button", name="Remove from the list").click()
    expect(first).to_have_count(0)
    second.get_by_role("button", name="Remove").click()
    dialog.get_by_role("button", name="Delete the file").click()
    expect(second).to_have_count(0)
    expect(dialog).to_have_count(0)
    assert [path.name for path in served.studio.folder.glob("*.png")] == ["photo-dream.png"]


def test_the_looks_are_shown_on_the_own_picture(
    browse: Browse, served: Served, shelf: Path
) -> None:
    served.begin(own_tiles=True)
    page = opened(browse, served, shelf / "photo.png")
    shown = page.locator(".look img")
    expect(shown.nth(1)).to_have_attribute("src", "/studio/look/breathing")
    tiles = served.studio.tiles

    def asked() -> PictureWanted:
        found: list[PictureWanted] = []

        def there() -> bool:
            previewer = tiles._previewer
            newest: list[Any] = previewer.asked[-1:] if isinstance(previewer, FakePreviewer) else []
            found[:] = [each for each in newest if isinstance(each, PictureWanted)]
            return bool(found) and found[0].ticket not in seen

        assert eventually(there)
        seen.add(found[0].ticket)
        return found[0]

    seen: set[int] = set()
    for width in (40, 41):
        picture = encode_jpeg(np.full((30, width, 3), 60, np.uint8), 90)
        ticket = asked().ticket
        tiles._hear(PictureGrown(ticket, picture, 1, 1))
    page.wait_for_function(
        "[...document.querySelectorAll('.look img')].slice(0, 2).map(e => e.naturalWidth)"
        ".join() == '40,41'"
    )
    assert re.fullmatch(r"/studio/own/[0-9a-f]{32}", shown.nth(0).get_attribute("src") or "")
    expect(shown.nth(2)).to_have_attribute("src", re.compile("/studio/look/"))
    # A render rests the tiles; a reload shows those that are there.
    asked()
    page.get_by_role("button", name="Render the still").click()
    previewer = tiles._previewer
    assert isinstance(previewer, FakePreviewer)
    assert eventually(lambda: previewer.asked[-1] == Rest())
    page.reload()
    expect(shown.nth(1)).to_have_attribute("src", re.compile("/studio/own/"))
    assert previewer.asked[-1] == Rest()
    served.studio.jobs.stop(served.studio.jobs.all[0])
    served.children[0].close()
    asked()


EACH: list[tuple[int, str]] = [(390, "light"), (390, "dark"), (1280, "light"), (1920, "dark")]


@pytest.mark.parametrize(("width", "scheme"), EACH)
def test_a_full_queue_fits_and_can_be_hit(
    browse: Browse, served: Served, shelf: Path, width: int, scheme: Any
) -> None:
    served.begin(own_tiles=False)
    page = opened(browse, served, shelf / "clip.mp4", width=width, height=800, scheme=scheme)
    studio = served.studio
    for _ in range(3):
        studio.jobs.render(studio.choice, identify_file(shelf / "clip.mp4"))
    served.children[0].hear(Progress("dreaming", "frame", 2, 8))
    expect(page.get_by_role("article")).to_have_count(3)
    first = page.get_by_role("article").first
    expect(first).to_contain_text("Dreaming: frame 2 of 8")
    if width == 1280:
        # How far it is, is seen without scrolling.
        line = first.get_by_text("Dreaming: frame 2 of 8").bounding_box()
        assert line is not None and line["y"] + line["height"] < 800
    assert sideways(page) == 0
    small = page.evaluate(
        "[...document.querySelectorAll('button, a, summary, select, input, .look, .kind')].filter("
        "e => e.offsetParent && e.getBoundingClientRect().height < 24).map(e => e.outerHTML)"
    )
    assert not small
    if folder := os.environ.get("STUDIO_SCREENSHOTS"):
        page.screenshot(path=f"{folder}/queue-{width}-{scheme}.png", full_page=True)
    for job in reversed(studio.jobs.listed):
        studio.jobs.stop(job)
    served.children[0].close()


def test_changes_return_with_their_look_and_looks_are_tried_again_and_saved(
    browse: Browse, served: Served, shelf: Path
) -> None:
    served.begin(own_tiles=False)
    page = opened(browse, served, shelf / "photo.png", width=1280, height=800)
    command = page.locator("#command")
    page.get_by_role("slider", name="Strength").press("Home")
    expect(command).to_contain_text("--strength 0 ")
    page.get_by_role("radio", name="ink:").check(force=True)
    expect(command).to_contain_text("--preset ink")
    expect(command).not_to_contain_text("--strength")
    expect(page.get_by_text("Your changes to default are kept")).to_be_visible()
    page.get_by_role("button", name="Back to ink").wait_for()
    page.get_by_role("radio", name="default:").check(force=True)
    expect(command).to_contain_text("--strength 0 ")
    page.get_by_role("button", name="Back to ink").click()
    expect(command).to_contain_text("--preset ink")
    page.get_by_role("button", name="Undo").click()
    expect(command).to_contain_text("--strength 0 ")
    # A song that is dropped on a still waits until there is a film to hear it with.
    page.set_input_files("#upload-sound", shelf / "tone.mp3")
    expect(page.get_by_text("A still has no sound")).to_be_visible()
    expect(command).not_to_contain_text("--sound")
    page.get_by_role("radio", name="Zoom").check(force=True)
    expect(command).to_contain_text("--sound tone.mp3")
    field, save = page.locator("#preset-name"), page.get_by_role("button", name="Save the look")
    field.fill("two words")
    save.click()
    expect(page.get_by_text("'two words': a preset's name is letters")).to_be_visible()
    # The button may be hit while the field still has the focus.
    field.fill("by-hand")
    save.click()
    expect(page.get_by_text("--preset by-hand finds it")).to_be_visible()
    expect(page.get_by_role("radio", name="by-hand:")).to_be_checked()
    expect(command).to_contain_text("--preset by-hand")


def complaints(page: Page) -> list[str]:
    """What axe finds wrong with the page at rest: rule and elements.

    What fades in or out is half transparent, which axe takes for too little contrast.
    """
    page.wait_for_function(
        "document.getAnimations().every("
        "each => each.playState != 'running' || each.effect.getTiming().iterations == Infinity)"
    )
    found = Axe().run(page).response["violations"]
    return [f"{each['id']}: {[node['target'] for node in each['nodes']]}" for each in found]


@pytest.mark.parametrize(("width", "scheme"), EACH)
def test_axe_finds_nothing(
    browse: Browse, served: Served, shelf: Path, width: int, scheme: Any
) -> None:
    served.begin(own_tiles=False)
    page = browse.open(served.address, width=width, scheme=scheme, patience=LONG)
    expect(page.get_by_role("group", name="Samples")).to_be_visible()
    assert complaints(page) == []
    page.get_by_role("button", name="Keys").click()
    expect(page.get_by_role("dialog")).to_be_visible()
    assert complaints(page) == []
    page.keyboard.press("Escape")
    studio = served.studio
    studio.take(identify_file(shelf / "clip.mp4"))
    studio.play(Song(shelf / "tone.mp3", "tone.mp3", Fraction(1)))
    studio.jobs.render(studio.choice, identify_file(shelf / "clip.mp4"))
    studio.jobs.render(studio.choice, identify_file(shelf / "clip.mp4"))
    served.children[0].hear(Progress("dreaming", "frame", 2, 8))
    expect(page.get_by_role("article")).to_have_count(2)
    for name in ("Divide", "Keyframes", "Paint a mask"):
        page.get_by_role("button", name=name).click()
        expect(page.get_by_role("button", name=name)).to_have_attribute("aria-pressed", "true")
    expect(page.locator("#paint-canvas")).to_be_visible()
    expect(page.locator(".timeline .curve")).to_have_attribute("points", re.compile(","))
    assert complaints(page) == []
    # By the keyboard: the panels that have opened may still push the button down.
    page.get_by_role("button", name="Stop").first.press("Enter")
    expect(page.get_by_role("button", name="Keep the frames")).to_be_visible()
    assert complaints(page) == []
    page.get_by_role("button", name="Keep the frames").click()
    expect(page.get_by_role("dialog")).to_have_count(0)
    studio.choose(replace(studio.choice, kind="zoom", to=""))
    expect(page.locator("#journey")).to_be_visible()
    assert complaints(page) == []
    for job in reversed(studio.jobs.listed):
        studio.jobs.stop(job)
    served.children[0].close()
