"""The page's controls: source, look, strength and kind of render."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from nicegui import ui
from nicegui.element import Element
from nicegui.elements.mixins.text_element import TextElement

from dreamvideo.errors import DreamVideoError
from dreamvideo.media.identify import SourceFile, make_safe_name
from dreamvideo.settings.camera import ZOOM_RATE
from dreamvideo.settings.presets import describe_presets, preset_paths, read_preset
from dreamvideo.studio import widgets as html
from dreamvideo.studio.form_state import ENDINGS, KINDS, SLIDERS, Choice, Kind, Slider
from dreamvideo.studio.session import Studio, look_pictures

_KINDS: dict[Kind, tuple[str, str]] = {
    "image": ("Still", "The picture, dreamt"),
    "video": ("Film", "The clip, dreamt, with its sound"),
    "zoom": ("Zoom", "An endless journey into the picture"),
}
_ENDS = {"": "Goes on", "loop": "Loops", "to": "Arrives"}
_SIZES = {"": "As the source", "75%": "75 %", "50%": "50 %: quicker", "25%": "25 %: a sketch"}
_ZOOM_SIZES = {
    "": "640 at most",
    "480": "480 wide",
    "320": "320 wide: quicker",
    "1280": "1280 wide",
}
_RATES = {"": "As the source", "12": "12", "15": "15", "24": "24", "25": "25", "30": "30"}
_ZOOM_RATES = {"": "25", "12": "12", "15": "15", "24": "24", "30": "30"}


class Panel:
    """A part of the page that follows the session."""

    def __init__(self, studio: Studio) -> None:
        self.studio = studio

    def refresh(self) -> None:
        """Update what has changed."""


class SourcePanel(Panel):
    """The source: a file that is dropped or chosen, or a sample."""

    def __init__(self, studio: Studio) -> None:
        super().__init__(studio)
        with html.section("Source", "source"):
            with html.box("label", "drop", for_="upload"):
                html.words("span", "Drop a photo or a clip, or choose one", "drop-words")
                html.box("input", "", id="upload", type="file", aria_label="Photo or clip to dream")
            html.words("p", "", "line", id="upload-line", role="status")
            self.name = html.words("p", "", "source-name")

    def refresh(self) -> None:
        """Show the name of the source."""
        material = self.studio.material
        if material is not None:
            self.name.text = f"{material.path.name}: {material.words}"


class LooksPanel(Panel):
    """Looks, each shown by what it makes of one photograph."""

    def __init__(self, studio: Studio) -> None:
        super().__init__(studio)
        pictures = look_pictures()
        self.inputs: dict[str, Element] = {}
        # Each with the address of the one that is shown until there is one of the user's own.
        self.pictures: dict[str, tuple[Element, str]] = {}
        grid = html.box("div", "look-grid", role="radiogroup", aria_label="Look")
        with html.section("Look", "looks") as part:
            grid.move(part)
        with grid:
            usual = "The usual dream: animals, birds and eyes, in fur and feathers"
            self._tile("", "default", usual, "/studio/look/default")
            for name, text in describe_presets(preset_paths()).items():
                self._tile(name, name, text, f"/studio/look/{name}" if name in pictures else "")
        self.grid = grid

    def _tile(
        self, name: str, label: str, text: str, address: str, instead: str = "needs a download"
    ) -> None:
        chosen = (self.studio.choice.preset or "") == name
        with html.box("label", "look", title=text):
            self.inputs[name] = html.radio("look", name, chosen, lambda: self._pick(name))
            html.change(self.inputs[name], aria_label=f"{label}: {text}")
            self.pictures[name] = html.picture(address or html.BLANK, ""), address
            if not address:
                html.words("span", instead, "no-picture")
            html.words("span", label, "look-name")

    def refresh(self) -> None:
        """Mark the chosen look; looks that were saved meanwhile are added."""
        for name, text in self.studio.own_looks.items():
            if name not in self.inputs:
                with self.grid:
                    self._tile(name, name, text, "", "your own")
        made = self.studio.tiles.made
        for name, each in self.inputs.items():
            html.change(each, checked=name == (self.studio.choice.preset or ""))
            shown, address = self.pictures[name]
            address = f"/studio/own/{made[name].stem}" if name in made else address
            html.change(shown, src=address or html.BLANK)
            html.show(shown, bool(address))

    def _pick(self, name: str) -> None:
        before = self.studio.choice
        self.studio.choose(before.with_preset(name or None))
        if before.preset in self.studio.choice.set_aside:
            label = before.preset or "default"
            ui.notify(f"Your changes to {label} are kept: they return with that look")


class SlidersPanel(Panel):
    """The main numbers of the look."""

    def __init__(self, studio: Studio) -> None:
        super().__init__(studio)
        self.rows: list[tuple[Slider, Element, html.NumberInput, TextElement, Element]] = []
        with html.section("Controls", "controls"):
            for each in SLIDERS:
                self._row(each)
        self.seen: object = None

    def _row(self, slider: Slider) -> None:
        # The page's ids must not contain dots.
        key = slider.key.replace(".", "-")
        with html.box("div", "slider", title=slider.help) as row:
            with html.box("div", "slider-head"):
                html.words("span", slider.label, "slider-label")
                value = html.words("span", "", "slider-value")
                forget = partial(self.studio.move, slider, None)
                back = html.button("reset", forget, "link", aria_label=f"Reset {slider.label}")
            with html.box("div", "seed" if slider.is_seed else ""):
                field = html.NumberInput if slider.is_seed else html.Range
                bounds, move = (slider.low, slider.high, slider.step), partial(self._move, slider)
                made = field(f"slider-{key}", slider.label, *bounds, move)
                if slider.is_seed:
                    label = f"Roll the dice for other {slider.label.lower()}"
                    roll = partial(self.studio.roll, slider)
                    html.button("\N{DIE FACE-5} Roll", roll, aria_label=label)
                html.change(made.element, aria_description=slider.help)
            html.words("p", slider.help, "slider-help", aria_hidden="true")
        self.rows.append((slider, row, made, value, back))

    def _move(self, slider: Slider, to: float) -> None:
        if slider.is_seed:
            # A number typed out of bounds must be shown as it was clamped, whether or not it
            # changed.
            self.seen = None
        self.studio.move(slider, to)

    def _value(self, slider: Slider) -> float:
        own = self.studio.choice.changes.get(slider.key)
        if own is not None and not isinstance(own, str):
            return float(own)
        unset = ZOOM_RATE if slider.name == "rate" else float(self.studio.octaves)
        try:
            return max(slider.value_in(self.studio.choice.look, unset), slider.low)
        except DreamVideoError:
            return slider.low

    def refresh(self) -> None:
        """Show the look's numbers, with their changes."""
        material = self.studio.material
        now = (self.studio.choice, material)
        if now == self.seen:
            return
        self.seen = now
        for slider, row, made, text, back in self.rows:
            html.show(row, self.studio.choice.kind in slider.kinds)
            value = self._value(slider)
            made.bounds(self.studio.choice.most(slider), slider.step)
            own = slider.key in self.studio.choice.changes
            note = "" if own or slider.name != "octaves" else ", from the size"
            if isinstance(self.studio.choice.changes.get(slider.key), str):
                note = ", then changing"
            text.text = f"{html.number_text(value)}{note}"
            made.show(value, text.text)
            html.show(back, own)
            html.show(text, not slider.is_seed)


class KindPanel(Panel):
    """What to render: kind, size and format."""

    def __init__(self, studio: Studio, on_render: Callable[[], None]) -> None:
        super().__init__(studio)
        self.inputs: dict[Kind, Element] = {}
        self.tiles: dict[Kind, Element] = {}
        with html.section("Render", "render"):
            with html.box("div", "kinds", role="radiogroup", aria_label="Kind of render"):
                for kind in KINDS:
                    self._tile(kind)
            self.fields = html.box("div", "fields")
            self.part = html.box("div", "part")
            with self.part:
                self.part_words = html.words("span", "")
                html.button("Begin here", lambda: self._set_range(start=studio.at), "link")
                html.button("End here", lambda: self._set_range(end=studio.at), "link")
                whole = partial(self._replace, start=None, end=None)
                self.whole = html.button("Whole clip", whole, "link")
            with html.box("div", "part") as self.first:
                self.first_words = html.words("span", "")
                last = partial(self._replace, at=None)
                self.last = html.button("Start from the last frame", last, "link")
            self.go = html.button("Render", on_render, "primary wide")
            self.line = html.words("p", "", "line", role="status")
        self.kind: tuple[object, ...] = ()
        self.states: object = None
        # What the field of the name shows.
        self.named: str | None = None

    def _tile(self, kind: Kind) -> None:
        label, text = _KINDS[kind]
        chosen = kind == self.studio.choice.kind
        with html.box("label", "kind", title=text) as self.tiles[kind]:
            self.inputs[kind] = html.radio("kind", kind, chosen, lambda: self._pick(kind))
            html.words("span", label)

    def _pick(self, kind: Kind) -> None:
        self._replace(kind=kind, size=None, fps=None)

    def _set_range(self, start: float | None = None, end: float | None = None) -> None:
        choice = self.studio.choice
        start = choice.start if start is None else start
        end = choice.end if end is None else end
        if start is not None and end is not None and end <= start:
            ui.notify("The end must be after the start", type="warning")
            return
        self._replace(start=start, end=end)

    def refresh(self) -> None:
        """Offer what this source can be rendered to."""
        choice, material = self.studio.choice, self.studio.material
        jobs = self.studio.jobs
        html.change(self.go, disabled=material is None)
        last = jobs.running and (jobs.queue or [jobs.running])[-1]
        after = f"It will begin after {last.name}" if last else ""
        self.line.text = after if material else "Choose a photo or a clip first"
        now = (replace(choice, name=""), material)
        states = [choice.name, *(job.state for job in jobs.all)]
        if now != self.kind or choice.name != self.named:
            self.kind, self.named = now, choice.name
            self._follow(choice, material)
        elif states == self.states:
            return
        self.states = states
        with suppress(DreamVideoError):
            html.change(self.name, placeholder=self.studio.output.stem if material else "")

    def _follow(self, choice: Choice, material: SourceFile | None) -> None:
        unfit = "image" if material is not None and material.kind == "film" else "video"
        for kind, each in self.inputs.items():
            html.change(each, checked=kind == choice.kind, disabled=kind == unfit)
            html.show(self.tiles[kind], kind != unfit)
        html.show(self.part, choice.kind == "video" and material is not None)
        if material is not None:
            end = float(material.duration) if choice.end is None else choice.end
            self.part_words.text = f"From {choice.start or 0:.2f} s to {end:.2f} s"
        html.show(self.first, choice.kind == "zoom" and unfit == "image")
        html.show(self.last, choice.at is not None)
        at = "the last frame" if choice.at is None else f"the frame at {choice.at:.2f} s"
        self.first_words.text = f"Starts from {at}; the slider Time chooses another"
        html.show(self.whole, choice.start is not None or choice.end is not None)
        self.go.text = f"Render the {_KINDS[choice.kind][0].lower()}"
        self._fill()

    def _fill(self) -> None:
        choice = self.studio.choice
        zooms = choice.kind == "zoom"
        self.fields.clear()
        with self.fields:
            with html.box("label", "field own-name"):
                limits = {"id": "output-name", "maxlength": "60"}
                self.name = html.text_field("Name", choice.name, self._rename, **limits)
            endings = {ending: ending.lstrip(".").upper() for ending in ENDINGS[choice.kind]}
            html.select("Format", endings, choice.ending, self._ending)
            sizes = _ZOOM_SIZES if zooms else _SIZES
            html.select("Size", sizes, choice.size or "", lambda v: self._replace(size=v or None))
            if choice.kind != "image":
                rates = _ZOOM_RATES if zooms else _RATES
                rate = choice.fps or ""
                html.select("Frames a second", rates, rate, lambda v: self._replace(fps=v or None))
            if zooms:
                self._fill_zoom()

    def _fill_zoom(self) -> None:
        choice = self.studio.choice
        ends = "loop" if choice.loop else "" if choice.to is None else "to"
        html.select("The end", _ENDS, ends, self._end)
        if ends == "to":
            name = Path(choice.to or "").name
            with html.box("label", "field wide-field"):
                html.words("span", f"Ends on {name}" if name else "Picture to end on")
                html.box("input", id="arrival", type="file", accept="image/*", aria_label="Arrival")
        with html.box("label", "field wide-field"):
            what, shown = "Journey: looks in turn", choice.journey
            html.text_field(what, shown, self._travel, id="journey", placeholder="fur, towers")

    def _end(self, end: str) -> None:
        # An empty name: a picture is yet to be chosen.
        to = (self.studio.choice.to or "") if end == "to" else None
        self._replace(loop=end == "loop", to=to)

    def _travel(self, journey: str) -> None:
        choice = replace(self.studio.choice, journey=journey)
        try:
            for name in choice.stages:
                read_preset(name)
        except DreamVideoError as error:
            ui.notify(str(error), type="warning")
            return
        self.studio.choose(choice)

    def _replace(self, **given: Any) -> None:
        self.studio.choose(replace(self.studio.choice, **given))

    def _rename(self, text: str) -> None:
        choice = self.studio.choice
        name = text.strip().removesuffix(choice.ending).replace("/", "-").replace("\\", "-")
        tame = make_safe_name(f"{name}{choice.ending}").removesuffix(choice.ending) if name else ""
        # What was typed stays, and the focus where it is, unless the name had to be changed.
        self.named = tame if tame == text else None
        self.studio.choose(replace(choice, name=tame))

    def _ending(self, ending: str) -> None:
        choice = self.studio.choice
        self._replace(endings={**choice.endings, choice.kind: ending})
