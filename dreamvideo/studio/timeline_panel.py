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
from dreamvideo.schedules.editing import add_key, ease_key, move_key, remove_key
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
        keys = []
        for key in curve.schedule.keys:
            seconds = key.when.within(film)
            value = curve.value(replace(film, seconds=seconds))
            keys.append((seconds, value, key.way, isinstance(key.value[curve.part], float)))
        return {
            "names": [(key, names[key]) for key in dict.fromkeys([*first, *names])],
            **{"name": self.name, "text": curve.written, "keys": keys, "ways": KNOWN},
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
        schedule = curve.schedule
        if what == "ease":
            self._put(curve.format(ease_key(schedule, index, given[0])))
        elif what == "remove" and len(schedule.keys) == 1:
            self._put("")
        elif what == "remove":
            self._put(curve.format(remove_key(schedule, index)))
        elif what == "move":
            key, (seconds, value) = schedule.keys[index], given
            at = key.when.within(film) if seconds is None else seconds
            values = key.value
            if value is not None and isinstance(values[curve.part], float):
                values = curve.with_value(values, _round(curve.bounds.hold(value)))
            moved = move_key(schedule, film, index, at, values)
            self._put(curve.format(moved), f"{self.name} {index}")
        elif what == "add":
            at, value = given
            moment = replace(film, seconds=self._next(index) if at is None else at)
            value = curve.value(moment) if value is None else value
            values = curve.with_value(schedule.at(moment), _round(value))
            added, self.chosen = add_key(schedule, film, moment.seconds, values)
            self._put(curve.format(added))

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


def _round(value: float) -> float:
    return float(f"{value:.4g}")
