"""The lower part of the page: command line and preset of the choice, and the renders."""

from __future__ import annotations

import time

from nicegui import ui
from nicegui.elements.mixins.text_element import TextElement

from dreamvideo.errors import DreamVideoError
from dreamvideo.studio.jobs import BUSY, RenderJob
from dreamvideo.studio.panels import Panel
from dreamvideo.studio.session import Studio
from dreamvideo.studio.widgets import (
    box,
    button,
    change,
    picture,
    section,
    show,
    with_attributes,
    words,
)


class RecipePanel(Panel):
    """The choice as a command line and as a preset file."""

    def __init__(self, studio: Studio) -> None:
        super().__init__(studio)
        with section("Command line", "recipe"):
            self.command = self._add_copyable("command", "Copy the command line")
            with box("details"):
                words("summary", "The look as a preset file (TOML)")
                self.toml = self._add_copyable("toml", "Copy the preset")
            with box("div", "copied save"):
                box(
                    "input",
                    "number",
                    id="preset-name",
                    type="text",
                    maxlength="60",
                    aria_label="Name of the preset",
                    placeholder="Name of a preset of your own",
                )
                save = with_attributes(words("button", "Save", "btn"), {"type": "button"})
                with_attributes(save, {"aria-label": "Save the look under this name"})
                save.on(
                    "click",
                    lambda event: self._save(str(event.args)),
                    js_handler="() => emit(document.getElementById('preset-name').value)",
                )
            self.saved = words("p", "", "line")
            with_attributes(self.saved, {"role": "status"})
        self.seen: object = None

    def _add_copyable(self, name: str, label: str) -> TextElement:
        with box("div", "copied"):
            with box("pre", "code", tabindex="0", aria_label=label.removeprefix("Copy the ")):
                made = words("code", "")
                with_attributes(made, {"id": name})
            copy = with_attributes(words("button", "Copy", "btn"), {"type": "button"})
            with_attributes(copy, {"aria-label": label})
            copy.on("click", js_handler=f"(e) => copyText('{name}', e.currentTarget)")
        return made

    def _save(self, name: str) -> None:
        try:
            path, bad = self.studio.save_preset(name.strip()), False
            self.saved.text = f"Saved as {path}: --preset {path.stem} finds it"
        except DreamVideoError as error:
            self.saved.text, bad = str(error), True
        self.saved.classes(**{"add" if bad else "remove": "bad"})

    def refresh(self) -> None:
        """Follow the choice."""
        studio = self.studio
        states = [job.state for job in studio.jobs.all]
        now = (studio.choice, studio.material, states)
        if now == self.seen:
            return
        self.seen = now
        try:
            command, toml = studio.command, studio.toml
        except DreamVideoError as error:
            command, toml = str(error), ""
        self.command.text = command or "Choose a photo or a clip first"
        self.toml.text = toml


class RendersPanel(Panel):
    """All renders of the session, their progress and their controls."""

    def __init__(self, studio: Studio) -> None:
        super().__init__(studio)
        with section("Renders", "renders") as self.section:
            self.list = box("div", "jobs")
        self.cards: dict[int, JobCard] = {}

    def refresh(self) -> None:
        """Follow the renders."""
        jobs = self.studio.jobs.all
        show(self.section, bool(jobs))
        for job in reversed(jobs):
            if job.number not in self.cards:
                with self.list:
                    self.cards[job.number] = JobCard(self.studio, job)
                    self.cards[job.number].root.move(target_index=0)
            self.cards[job.number].refresh()
        there = {job.number for job in jobs}
        for number in [number for number in self.cards if number not in there]:
            self.cards.pop(number).root.delete()


class JobCard:
    """One render."""

    def __init__(self, studio: Studio, job: RenderJob) -> None:
        self.studio, self.job = studio, job
        jobs = studio.jobs
        # What other sessions have left takes less room.
        style = "job" if job.has_begun else "job earlier"
        with box("article", style, aria_label=job.name) as self.root:
            words("h3", job.name)
            self.media = box("div", "result")
            self.bar = box("progress", "bar", aria_label=f"Progress of {job.name}", max="1")
            self.line = words("p", "", "line")
            with_attributes(self.line, {"role": "status"})
            self.notes = words("p", "", "line")
            with box("div", "actions"):
                self.pause = button("Pause", lambda: jobs.pause(job))
                self.go_on = button("Resume", self._resume, "primary")
                self.stop = button("Stop", self._stop)
                self.save = with_attributes(
                    words("a", "Download", "btn primary"),
                    {"href": f"/studio/result/{job.number}?download=true", "download": job.name},
                )
                self.off = button(
                    "Remove from the list", lambda: jobs.remove(job), "link", title="Its file stays"
                )
            with box("details") as self.details:
                words("summary", "Its command line")
                with box("pre", "code", tabindex="0"):
                    self.command = words("code", "")
        self.state = ""

    def refresh(self) -> None:
        """Follow the render."""
        job = self.job
        self.line.text = job.words(time.monotonic())
        self.line.classes(**{"add" if job.state == "failed" else "remove": "bad"})
        change(self.bar, value=f"{job.share:.3f}")
        if job.state == self.state:
            return
        self.state = job.state
        show(self.bar, job.state in BUSY or job.state == "paused")
        show(self.pause, job.can_pause and job.state in ("running", "pausing"))
        change(self.pause, disabled=job.state != "running")
        show(self.go_on, job.state in ("paused", "failed"))
        show(self.stop, job.state in ("running", "stopping", "paused"))
        change(self.stop, disabled=job.state == "stopping")
        show(self.save, job.state == "done")
        show(self.off, job.can_be_removed)
        self.command.text = job.command
        show(self.details, bool(job.command))
        self.notes.text = "; ".join(job.notes)
        show(self.notes, bool(job.notes))
        if job.state == "done":
            self._show()

    def _show(self) -> None:
        job = self.job
        self.media.clear()
        address = f"/studio/result/{job.number}"
        with self.media:
            if job.order.output.suffix in (".mp4", ".webm"):
                film = box("video", "made", aria_label=f"The film {job.name}", src=address)
                with_attributes(film, {"controls": True, "loop": True, "playsinline": True})
                with_attributes(film, {"preload": "metadata"})
            else:
                picture(address, f"The dream {job.name}", "made")
            words("p", f"Saved as {job.order.output.absolute()}", "line saved")

    def _resume(self) -> None:
        try:
            self.studio.jobs.resume(self.job)
        except DreamVideoError as error:
            ui.notify(str(error), type="warning")

    def _stop(self) -> None:
        job = self.job
        if not job.can_pause or job.progress is None:
            self._end()
            return

        def end() -> None:
            self._end()
            dialog.close()

        with ui.dialog() as dialog, box("div", "card ask"):
            words("p", f"Stop {job.name} and delete the frames dreamt so far?")
            with box("div", "actions"):
                button("Keep the frames", dialog.close, "primary", autofocus="true")
                button("Stop and delete", end)
        dialog.open()

    def _end(self) -> None:
        try:
            self.studio.jobs.stop(self.job)
        except DreamVideoError as error:
            ui.notify(str(error), type="warning")
