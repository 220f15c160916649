"""Take pictures of the studio and of a report with a browser."""

from __future__ import annotations

import multiprocessing
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dreamvideo.errors import DreamVideoError
from dreamvideo.imaging import shrink_to_width
from dreamvideo.media.stills import read_still
from dreamvideo.pictures.clone import Clone

if TYPE_CHECKING:
    from playwright.sync_api import Page

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = ("--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-dev-shm-usage")
STUDIO_SIZE, REPORT_SIZE = (1440, 1100), (1000, 1017)
# The largest width at which they are shown.
SCREEN_WIDTH = 1280
SEED = 7
# Milliseconds that the page may take for a frame, seconds that a server may take to start or end.
PATIENCE, GRACE = 600_000, 120


def why_no_screens() -> str | None:
    """Return what is missing to take pictures of pages; None if nothing is."""
    for module in ("playwright", "nicegui"):
        if find_spec(module) is None:
            return f'{module} is not installed: pip install -e ".[test]"'
    if _browser() is None:
        return f"no browser: none of {', '.join(BROWSERS)} is installed"
    return None


def make_studio_screen(clone: Clone) -> None:
    """Take a picture of the studio with a look, a dreamt frame, sliders and a running render."""
    films = clone.scratch / "films"
    films.mkdir(exist_ok=True)
    with _studio(clone.root, films) as address, _page(STUDIO_SIZE) as page:
        page.goto(address)
        number = page.get_by_role("spinbutton", name="Creatures")
        number.fill(str(SEED))
        number.press("Enter")
        page.locator("#command").filter(has_text=f"--creatures {SEED}").wait_for()
        _dreamt(page)
        page.get_by_role("button", name="Render the film").click()
        job = page.get_by_role("article", name="bunny-dream.mp4")
        job.get_by_text(re.compile(r"Dreaming: frame ([2-9]|[1-9]\d)")).wait_for()
        _take(clone, page, "samples/showcase/studio.jpg")
        job.get_by_role("button", name="Stop").click()
        page.get_by_role("dialog").get_by_role("button", name="Stop").click()


def make_report_screen(clone: Clone) -> None:
    """Take a picture of the report of the README's first film."""
    page_file = clone.scratch / "bunny-dream.report.html"
    clone.dream("report", clone.bunny(), "samples/bunny.mp4", "-o", page_file)
    with _page(REPORT_SIZE) as page:
        page.goto(page_file.as_uri())
        page.wait_for_function(
            "Array.from(document.querySelectorAll('video')).every(e => e.readyState >= 2)"
        )
        page.evaluate(
            "Promise.all(Array.from(document.querySelectorAll('video'), e => new Promise(done => "
            "{ e.onseeked = done; e.currentTime = e.duration * 0.45; })))"
        )
        _take(clone, page, "samples/showcase/report.jpg")


def _dreamt(page: Page) -> None:
    page.wait_for_function("document.getElementById('preview-line').textContent == 'Dreamt'")


def _take(clone: Clone, page: Page, name: str) -> None:
    shot = clone.scratch / "screen.png"
    # A click scrolls to its target.
    page.evaluate("window.scrollTo(0, 0)")
    page.screenshot(path=shot)
    clone.save(name, shrink_to_width(read_still(shot), SCREEN_WIDTH))


@contextmanager
def _page(size: tuple[int, int]) -> Iterator[Page]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=_browser(), args=list(FLAGS))
        try:
            page = browser.new_page(viewport={"width": size[0], "height": size[1]})
            page.set_default_timeout(PATIENCE)
            yield page
        finally:
            browser.close()


@contextmanager
def _studio(root: Path, films: Path) -> Iterator[str]:
    """Run the studio in its own process; gives its address."""
    context = multiprocessing.get_context("spawn")
    answers: Any = context.SimpleQueue()
    process = context.Process(target=_serve, args=(root, films, answers))
    process.start()
    try:
        line: str = answers.get()
        if not line.startswith("dreamvideo studio: "):
            raise DreamVideoError(f"the studio did not start: {line}")
        yield line.partition(": ")[2]
    finally:
        process.terminate()
        process.join(GRACE)
        if process.is_alive():
            process.kill()


def _serve(root: Path, films: Path, answers: Any) -> None:
    from dreamvideo.studio.server import serve

    # The page shows the source as it was named, and no private path belongs in the README.
    os.chdir(root)
    try:
        source = Path("samples/bunny.mp4")
        serve(source, opens=False, folder=films, own_tiles=False, say=answers.put)
    except DreamVideoError as error:
        answers.put(str(error))


def _browser() -> str | None:
    return next(filter(None, map(shutil.which, BROWSERS)), None)
