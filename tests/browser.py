"""A real Chromium for tests of pages: nothing outside is asked for, nothing goes wrong unseen."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    # A name that a page asks for must not reach a name server either.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",
)
LOOPBACK = {"127.0.0.1", "localhost", "::1"}
INSIDE = {"file", "data", "blob", "about"}
PATIENCE = 15_000


@dataclass
class Browse:
    """Opens pages, each in a fresh profile, and keeps what they asked for and complained of.

    ``requests`` are all addresses asked for, web sockets too; ``errors`` what was logged as an
    error or thrown by scripts. After the test all of the first must be on this machine, and none
    of the second may be there but those that match one of ``expected`` (regular expressions).
    """

    browser: Browser
    requests: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    expected: list[str] = field(default_factory=list)
    _contexts: list[BrowserContext] = field(default_factory=list)

    def open(
        self,
        url: str | None = None,
        *,
        width: int = 1600,
        height: int = 900,
        scheme: Literal["light", "dark"] = "light",
        patience: float = PATIENCE,
    ) -> Page:
        """A page of ``width`` x ``height`` px that waits at most ``patience`` ms for anything."""
        context = self.browser.new_context(
            viewport={"width": width, "height": height},
            color_scheme=scheme,
            accept_downloads=True,
        )
        self._contexts.append(context)
        context.set_default_timeout(patience)
        context.on("request", lambda request: self.requests.append(request.url))
        context.on("weberror", lambda error: self.errors.append(str(error.error)))
        context.on(
            "console",
            lambda said: self.errors.append(said.text) if said.type == "error" else None,
        )
        context.on(
            "page",
            lambda page: page.on("websocket", lambda socket: self.requests.append(socket.url)),
        )
        page = context.new_page()
        if url is not None:
            page.goto(url)
        return page

    @property
    def outside(self) -> list[str]:
        """The addresses asked for that are not on this machine."""
        return [url for url in self.requests if not _inside(url)]

    def close(self) -> None:
        """Close every page, and check what they did."""
        for context in self._contexts:
            context.close()
        assert not self.outside, f"left this machine: {self.outside}"
        bad = [said for said in self.errors if not any(re.search(e, said) for e in self.expected)]
        assert not bad, f"the page complained: {bad}"


def sideways(page: Page) -> int:
    """How many px the page is wider than its window: 0 where nothing has to be scrolled to."""
    wider: int = page.evaluate(
        "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    )
    return wider


# For a file of tests, not for all: while it runs, no other test of the process may run an event
# loop of its own. Each pytest-xdist worker has its own.
@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """Chromium or Chrome, started once for a file of tests."""
    found = next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        pytest.skip(f"no browser: none of {', '.join(NAMES)} is installed")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=list(FLAGS))
        yield browser
        browser.close()


@pytest.fixture
def browse(chromium: Browser) -> Iterator[Browse]:
    """Pages for one test; see ``Browse``."""
    browsing = Browse(chromium)
    yield browsing
    browsing.close()


def _inside(url: str) -> bool:
    parts = urlsplit(url)
    return parts.scheme in INSIDE or parts.hostname in LOOPBACK
