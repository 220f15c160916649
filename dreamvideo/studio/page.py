"""The page: lays out its panels, which follow the session on the server."""

from __future__ import annotations

from contextlib import suppress
from importlib import resources

from nicegui import ui

from dreamvideo.errors import DreamVideoError
from dreamvideo.studio.music_panel import MusicPanel
from dreamvideo.studio.panels import KindPanel, LooksPanel, Panel, SlidersPanel, SourcePanel
from dreamvideo.studio.preview_panel import StagePanel, TriedPanel
from dreamvideo.studio.render_panels import RecipePanel, RendersPanel
from dreamvideo.studio.session import Studio
from dreamvideo.studio.widgets import box, button, words

# Seconds between checks of the session.
EVERY = 0.15
# What the keyboard does beyond Tab, Space, Enter and the arrow keys of each control.
_KEYS = {
    "B": "Show the source while it is held",
    "F": "Fill the screen with the preview, and back",
    "M": "Sound of the moving preview on and off",
    "Ctrl Z": "Undo",
    "Ctrl Shift Z": "Redo, as Ctrl Y",
    "\N{LEFTWARDS ARROW} \N{RIGHTWARDS ARROW}": "Move the divider or slider that has the focus",
    "Home End": "Move it to either end",
    "Esc": "Leave the full screen, or close this list",
    "?": "This list",
}
_SCHEMES: dict[str, bool | None] = {"auto": None, "light": False, "dark": True}


def build(studio: Studio) -> None:
    """Build one page."""
    folder = resources.files("dreamvideo.studio")
    ui.add_head_html(f"<style>{(folder / 'page.css').read_text('utf-8')}</style>")
    for script in ("page.js", "paint.js", "timeline.js"):
        ui.add_body_html(f"<script>{(folder / script).read_text('utf-8')}</script>")
    ui.colors(primary="#6d3bd1")
    _head()
    with box("div", "studio"):
        with box("div", "left"):
            source, looks = SourcePanel(studio), LooksPanel(studio)
        stage = StagePanel(studio)
        with box("div", "right"):
            sliders = SlidersPanel(studio)
            kind = KindPanel(studio, lambda: _render(studio))
            music = MusicPanel(studio)
        with box("div", "below"):
            renders, tried = RendersPanel(studio), TriedPanel(studio)
            recipe = RecipePanel(studio)
    panels: list[Panel] = [source, looks, stage, sliders, kind, music, renders, tried, recipe]
    seen = -1

    def follow() -> None:
        nonlocal seen
        studio.pace_tiles()
        running = studio.jobs.running is not None
        if seen != studio.version:
            seen = studio.version
            for panel in panels:
                panel.refresh()
        elif running:
            renders.refresh()

    follow()
    ui.timer(EVERY, follow)


def _head() -> None:
    scheme = ui.dark_mode(None)

    async def kept() -> None:
        # A busy machine answers late, a page that was closed meanwhile never.
        with suppress(TimeoutError):
            code = "showChosenLook(); return window.studioScheme"
            name = await ui.run_javascript(code, timeout=60)
            scheme.value = _SCHEMES.get(name)
            shown.text = f"Theme: {name}"

    def turn() -> None:
        names = list(_SCHEMES)
        now = next(name for name, value in _SCHEMES.items() if value is scheme.value)
        name = names[(names.index(now) + 1) % len(names)]
        scheme.value = _SCHEMES[name]
        shown.text = f"Theme: {name}"
        ui.run_javascript(f"localStorage.setItem('dreamvideo-scheme', '{name}')")

    with box("header", "head"):
        words("h1", "dreamvideo studio")
        words("p", "Everything stays on this machine", "tagline")
        button("Keys", lambda: None, "quiet", id="show-keys", title="Or press the key ?")
        shown = button("Theme: auto", turn, "quiet", id="scheme")
    with box("dialog", "card keys", id="keys", aria_label="Keyboard"):
        words("h2", "Keyboard")
        with box("dl"):
            for key, what in _KEYS.items():
                words("dt", key)
                words("dd", what)
        button("Close", lambda: None, "wide", id="hide-keys")
    ui.timer(0.05, kept, once=True)


def _render(studio: Studio) -> None:
    if studio.material is None:
        return
    try:
        studio.jobs.render(studio.choice, studio.material)
    except DreamVideoError as error:
        ui.notify(str(error), type="negative")
