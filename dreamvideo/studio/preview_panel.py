"""The page's picture: the frame and its dream as it grows, the scrubber, the moving preview."""

from __future__ import annotations

from functools import partial

from nicegui import run

from dreamvideo.studio import widgets as html
from dreamvideo.studio.form_state import list_changes
from dreamvideo.studio.messages import moving_path
from dreamvideo.studio.paint_panel import PaintPanel
from dreamvideo.studio.panels import Panel
from dreamvideo.studio.session import MOVING, SeenFrame, Studio, Tried, sample_paths
from dreamvideo.studio.timeline_panel import TimelinePanel

_SAMPLES = {"coffee": "A photo: coffee", "chelsea": "A photo: a cat", "bunny": "A clip: a bunny"}


class StagePanel(Panel):
    """A dreamt frame, its source, and the moving preview."""

    def __init__(self, studio: Studio) -> None:
        super().__init__(studio)
        self.shows_source = self.shows_film = self.divides = False
        with html.box("section", "card stage", aria_label="Preview") as self.root:
            with html.box("div", "screen") as self.screen:
                self.image = html.picture(html.BLANK, "The dreamt frame", "frame", id="frame")
                # What was there before: left of the divider, or everywhere while B is held.
                source = "The source frame"
                self.before = html.picture(html.BLANK, source, "frame before", id="before")
                self.divider = html.box("div", "divider", id="divider", role="slider", tabindex="0")
                share = {"aria_valuemin": "0", "aria_valuemax": "100", "aria_valuenow": "50"}
                label = "Divider between the source and the dream"
                html.change(self.divider, aria_label=label, **share)
                self.film = html.film("frame", id="moving", aria_label="Moving preview")
                html.change(self.film, controls=True, autoplay=True, muted=True)
                # A script keeps it in step with its dream.
                self.film_before = html.film("frame before", id="moving-source", muted=True)
                html.change(self.film_before, loop=False, aria_hidden="true", tabindex="-1")
                with html.box("div", "empty") as self.empty:
                    html.words("p", "Drop a photo or a clip anywhere on this page, or start with")
                    self._samples()
            self.bar = html.box("progress", "bar", aria_label="Dreamt so far", max="1")
            with html.box("div", "stage-foot"):
                self.line = html.words("p", "", "line grow", role="status", id="preview-line")
                html.button("Full screen", lambda: None, id="full", title="Or press the key F")
                title = "The source left of a divider that moves"
                self.divide = html.toggle("Divide", self._toggle_divider, title)
                self.paints = html.toggle("Paint a mask", self._toggle_paint, "Where to dream")
                title = "Numbers that change over time"
                self.times = html.toggle("Keyframes", self._toggle_times, title)
                title = "Or hold the key B"
                self.source = html.toggle("Show the source", self._toggle_source, title)
                self.move = html.button("Moving preview", self._toggle_film)
            self.paint = PaintPanel(studio, self.screen)
            with html.box("div", "scrub") as self.scrub:
                html.words("span", "Time", "slider-label")
                self.time = html.Range("scrubber", "Time in the clip", 0, 1, 0.01, self._on_scrub)
                self.clock = html.words("span", "", "slider-value")
            self.timeline = TimelinePanel(studio)
        self.serials: tuple[object, ...] = ()
        self.material: object = None

    def _samples(self) -> None:
        with html.box("div", "begin", role="group", aria_label="Samples"):
            for name, path in sample_paths().items():
                with html.button("", partial(run.io_bound, self.studio.take_file, path)):
                    address = f"/studio/sample/{name}"
                    if path.suffix == ".mp4":
                        html.film("", src=address, autoplay=True, muted=True, aria_hidden="true")
                    else:
                        html.picture(address, "")
                    html.words("span", _SAMPLES.get(name, name))

    def refresh(self) -> None:
        """Show the newest picture and its progress."""
        studio, seen, moving = self.studio, self.studio.seen, self.studio.moving
        material = studio.material
        if self.shows_film and not (moving.words or moving.ticket or moving.error):
            self.shows_film = False
        if material is not self.material:
            self.material = material
            self._fit()
        plays = self.shows_film and moving.ticket > 0
        which = "source" if self.shows_source or not seen.dream else "dream"
        now = (which, seen.serial, moving.ticket, plays)
        if now != self.serials:
            self.serials = now
            address = f"/studio/seen/{which}/{seen.serial}"
            address = address if seen.source or seen.dream else html.BLANK
            alt = "The source frame" if which == "source" else "The dreamt frame"
            html.change(self.image, src=address, alt=alt)
            address = f"/studio/seen/source/{seen.serial}" if seen.source else html.BLANK
            html.change(self.before, src=address)
            pair = plays and moving_path(studio.private, moving.ticket, "source").is_file()
            source = f"/studio/moving/source/{moving.ticket}" if pair else None
            html.change(self.film, src=f"/studio/moving/dream/{moving.ticket}" if plays else None)
            html.change(self.film_before, src=source)
            html.show(self.film, plays)
            html.show(self.film_before, pair)
            html.show(self.image, not plays and material is not None)
        compares = material is not None and not plays and bool(seen.source)
        self.paint.refresh()
        self.timeline.refresh()
        paints, times = self.paint.is_open, self.timeline.is_open
        html.mark(self.root, "open", paints or times)
        if plays:
            divided = self.divides and bool(self.film_before.props.get("src"))
        else:
            divided = self.divides and compares and which == "dream" and not paints
        html.show(self.before, compares)
        html.show(self.divider, divided)
        html.mark(self.screen, "divided", divided)
        html.show(self.empty, material is None)
        for each in (self.divide, self.paints, self.times, self.source, self.move):
            html.change(each, disabled=material is None)
        html.show(self.move, studio.choice.kind != "image")
        html.show(self.times, studio.choice.kind != "image")
        html.show(self.paints, studio.choice.kind != "zoom")
        toggles = {self.divide: self.divides, self.source: self.shows_source}
        for each, yes in {**toggles, self.times: times, self.paints: paints}.items():
            html.press(each, yes)
        self.move.text = "Back to the frame" if self.shows_film else "Moving preview"
        html.show(self.scrub, material is not None and material.kind == "film")
        self.clock.text = f"{studio.moment:.2f} s"
        self.time.show(studio.moment, self.clock.text)
        self._say(seen)

    def _fit(self) -> None:
        material = self.studio.material
        if material is None:
            return
        self.screen.style(f"aspect-ratio: {material.width} / {material.height}")
        length = max(0.0, float(material.duration - 1 / material.rate))
        self.time.bounds(round(length, 4), round(float(1 / material.rate), 4))

    def _say(self, seen: SeenFrame) -> None:
        studio, moving = self.studio, self.studio.moving
        bad, share = seen.error, seen.done / seen.total if seen.total else 0.0
        if studio.material is None:
            text = "" if studio.is_warm else "Loading the network"
        elif self.shows_film and not moving.ticket:
            text, bad, share = moving.words or moving.error, moving.error, moving.share
        elif self.shows_film:
            text = f"{MOVING:g} seconds, small and coarse"
        elif seen.error:
            text = seen.error
        elif self.shows_source:
            text = "The source"
        elif seen.is_busy:
            begun = f"Dreaming: step {seen.done} of {seen.total}" if seen.total else "Dreaming"
            text = begun if studio.is_warm else "Loading the network, once"
        else:
            text = "As the render begins" if studio.choice.kind == "zoom" else "Dreamt"
        text = studio.complaint or text
        self.line.text = text
        html.mark(self.line, "bad", bool(bad or studio.complaint))
        busy = bool(moving.words) if self.shows_film else seen.is_busy
        busy = busy and studio.material is not None
        html.change(self.bar, value=f"{share:.3f}")
        html.mark(self.bar, "idle", not busy)

    def _toggle_source(self) -> None:
        self.shows_source = not self.shows_source
        self._leave_film()
        self.refresh()

    def _toggle_divider(self) -> None:
        self.divides = not self.divides
        if self.divides:
            self.shows_source = False
        self.refresh()

    def _toggle_times(self) -> None:
        self.timeline.is_open = not self.timeline.is_open
        self.refresh()

    def _toggle_paint(self) -> None:
        self.paint.is_open = not self.paint.is_open
        self._leave_film()
        self.refresh()

    def _leave_film(self) -> None:
        if self.shows_film:
            self.shows_film = False
            self.studio.ask_again()

    def _toggle_film(self) -> None:
        if self.shows_film:
            self._leave_film()
        else:
            # The canvas would lie over the film and its controls.
            self.shows_film, self.paint.is_open = True, False
            self.studio.ask_moving()
        self.refresh()

    def _on_scrub(self, value: float) -> None:
        self.shows_film = False
        self.studio.go_to(value)


class TriedPanel(Panel):
    """The looks that have been tried on this source, newest first, each shown by its frame."""

    def __init__(self, studio: Studio) -> None:
        super().__init__(studio)
        with html.section("Looks tried", "tried") as self.section:
            with html.box("div", "actions"):
                self.undo = html.button("Undo", studio.undo, id="undo", title="Ctrl-Z")
                self.redo = html.button("Redo", studio.redo, id="redo", title="Ctrl-Shift-Z")
            self.list = html.box("div", "tried-list", role="group", aria_label="Looks tried")
        self.shown: tuple[Tried, ...] | None = None

    def refresh(self) -> None:
        """Follow the session."""
        studio = self.studio
        html.show(self.section, studio.material is not None)
        html.change(self.undo, disabled=not studio.can_undo)
        html.change(self.redo, disabled=not studio.can_redo)
        if studio.tried == self.shown:
            return
        self.shown = studio.tried
        self.list.clear()
        with self.list:
            for each in studio.tried:
                choice = each.choice
                label = ", ".join([choice.preset or "default", *list_changes(choice)])
                with html.button("", partial(studio.restore, each), "try", title=label) as made:
                    html.picture(f"/studio/tried/{each.number}", "")
                    html.words("span", choice.preset or "default")
                html.change(made, aria_label=f"Back to {label}")
