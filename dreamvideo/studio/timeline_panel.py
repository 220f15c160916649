"""The page's timeline: a number's keyframes under the clip, over the waveform of its sound."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import replace
from importlib import resources
from typing import Any

from nicegui import ui

from dreamvideo.dream.models import find_entry
from dreamvideo.errors import DreamVideoError
from dreamvideo.render.zoom.render import ZOOM_FPS
from dreamvideo.schedules import TimePoint
from dreamvideo.schedules.easing import KNOWN
from dreamvideo.settings.curves import Curve, find_curve, list_curves
from dreamvideo.studio.form_state import GROUPS, SLIDERS
from dreamvideo.studio.panels import Panel
from dreamvideo.studio.preview_worker import HEARD
from dreamvideo.studio.session import Studio
from dreamvideo.studio.widgets import box, show

# Points of a curve.
_POINTS = 240
_SLIDERS = {slider.key: slider for slider in SLIDERS}
_FIRST = ("dream.strength", "dream.step_size", "zoom.rate")


class TimelinePanel(Panel):
    """The keyframes of one number of the look, and its text; the page's script draws them."""

    def __init__(self, studio: Studio) -> None:
        super().__init__(studio)
        self.is_open = False
        self.name, self.chosen, self.line = "dream.strength", -1, ""
        html = (resources.files("dreamvideo.studio") / "timeline.html").read_text("utf-8")
        with box("div", "timeline", role="group", aria_label="Keyframes") as self.root:
            ui.html(html, sanitize=False).classes("form")
        self.root.on("edit", lambda e: self._edit(*e.args), js_handler="(e) => emit(e.detail)")
        self.seen: tuple[Any, ...] | None = None

    def refresh(self) -> None:
        """Draw the curve of the number that is chosen."""
        studio, choice = self.studio, self.studio.choice
        open_ = self.is_open and studio.material is not None and choice.kind != "image"
        show(self.root, open_)
        if not open_:
            self.seen = None
            return
        studio.listen()
        if self.seen and self.seen[0] != choice:
            self.line = ""
        now = (choice, studio.material, self.name, self.line, studio.sound, studio.at)
        if now == self.seen:
            return
        self.seen = now
        try:
            told = json.dumps({**self._describe(), "chosen": self.chosen, "line": self.line})
        except DreamVideoError as error:
            told = json.dumps({"line": str(error)})
        ui.run_javascript(f"showTimeline({told})")
        self.chosen = -1

    @property
    def _film(self) -> TimePoint:
        material, choice = self.studio.material, self.studio.choice
        rate = material.rate if material and choice.kind == "video" else ZOOM_FPS
        return TimePoint(length=self.studio.length, rate=float(rate), sound=HEARD)

    @property
    def _layers(self) -> tuple[str, ...]:
        with suppress(DreamVideoError):
            return find_entry(self.studio.choice.look.dream.model).default_layers
        return ()

    def _curve(self) -> Curve:
        choice = self.studio.choice
        own = choice.changes.get(self.name)
        written = own if isinstance(own, str) else None
        return find_curve(choice.look, self.name, self._film, self._layers, written)

    def _describe(self) -> dict[str, Any]:
        studio, film = self.studio, self._film
        listed = list_curves(studio.choice.look, GROUPS[studio.choice.kind], self._layers)
        names = {key: _SLIDERS[key].label if key in _SLIDERS else listed[key] for key in listed}
        first = [key for key in _FIRST if key in names]
        if self.name not in names:
            self.name = first[0]
        curve, sound = self._curve(), studio.sound if studio.choice.kind == "video" else None
        times = [film.length * n / _POINTS for n in range(_POINTS + 1)]
        heard = [sound.at(studio.begin + t) if sound else HEARD for t in times]
        moments = [replace(film, seconds=t, sound=h) for t, h in zip(times, heard, strict=True)]
        slider = _SLIDERS.get(self.name)
        low, high = curve.axis((slider.low, slider.high) if slider else None)
        return {
            "names": [(key, names[key]) for key in dict.fromkeys([*first, *names])],
            **{
                "name": self.name,
                "text": curve.written,
                "keys": curve.sample_keys(film),
                "ways": KNOWN,
            },
            **{"low": low, "high": high, "length": film.length, "rate": film.rate},
            **{"least": curve.bounds.low, "most": curve.bounds.high},
            "own": curve.key in studio.choice.changes,
            "at": (studio.at - studio.begin) / film.length if studio.choice.kind == "video" else -1,
            "values": [curve.value(moment) for moment in moments],
            "wave": [each["loud"] for each in heard[::2]] if sound else [],
        }

    def _edit(self, what: str, *given: Any) -> None:
        """Do what the page's script asks for; a line says what is wrong with it."""
        self.line = ""
        try:
            if what == "pick":
                self.name = given[0]
            elif what == "type":
                self._put(given[0])
            else:
                self._change(what, *given)
        except DreamVideoError as error:
            self.line = str(error)
        except IndexError:
            # Another tab has removed that key meanwhile.
            pass
        # What was typed or dragged may have to be put back.
        self.seen = None
        self.refresh()

    def _change(self, what: str, index: int, *given: Any) -> None:
        curve, film = self._curve(), self._film
        if what == "ease":
            self._put(curve.ease(index, *given))
        elif what == "remove":
            self._put(curve.remove(index))
        elif what == "move":
            self._put(curve.move(film, index, *given), f"{self.name} {index}")
        elif what == "add":
            at, value = given
            text, self.chosen = curve.add(film, self._next(index) if at is None else at, value)
            self._put(text)

    def _next(self, index: int) -> float:
        """Return where to add a key: at the time shown, or, of a zoom, halfway to the next key."""
        if self.studio.choice.kind == "video":
            return self.studio.at - self.studio.begin
        times = [key.when.within(self._film) for key in self._curve().schedule.keys]
        return sum([*times, self.studio.length][index : index + 2]) / 2

    def _put(self, text: str, gesture: str = "") -> None:
        key = self.name.partition("#")[0]
        changed = self.studio.choice.with_text(key, text)
        changed.look.check([replace(self._film, seconds=0.0)])
        self.studio.choose(changed, gesture)
