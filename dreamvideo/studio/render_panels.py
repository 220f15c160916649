"""The lower part of the page: command line and preset of the choice, and the renders."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping

from nicegui import run, ui
from nicegui.elements.mixins.text_element import TextElement

from dreamvideo.desktop import can_open_folders, open_folder
from dreamvideo.errors import DreamVideoError
from dreamvideo.settings import look_to_toml
from dreamvideo.studio import widgets as html
from dreamvideo.studio.panels import Panel
from dreamvideo.studio.render_job import BUSY, RESTING, RenderJob
from dreamvideo.studio.render_worker import BETWEEN
from dreamvideo.studio.session import Studio


class RecipePanel(Panel):
    """The choice as a command line and as a preset file."""

    def __init__(self, studio: Studio) -> None:
        super().__init__(studio)
        with html.section("Command line", "recipe"):
            self.command = self._add_copyable("command", "Copy the command line")
            with html.box("details"):
                html.words("summary", "The look as a preset file (TOML)")
                self.toml = self._add_copyable("toml", "Copy the preset")
            with html.box("div", "copied save"):
                field = html.box("input", "number", id="preset-name", type="text", maxlength="60")
                title, shown = "Name of the preset", "Name of a preset of your own"
                html.change(field, aria_label=title, placeholder=shown)
                # A click may come before what has been typed is known here.
                name = "() => emit(document.getElementById('preset-name').value)"
                save = html.words("button", "Save", "btn", type="button")
                html.change(save, aria_label="Save the look under this name")
                save.on("click", lambda event: self._save(str(event.args)), js_handler=name)
            self.saved = html.words("p", "", "line", role="status")
        self.seen: object = None

    def _add_copyable(self, name: str, label: str) -> TextElement:
        with html.box("div", "copied"):
            with html.box("pre", "code", tabindex="0", aria_label=label.removeprefix("Copy the ")):
                made = html.words("code", "", id=name)
            copy = f"(e) => copyText('{name}', e.currentTarget)"
            html.script_button("Copy", copy, aria_label=label)
        return made

    def _save(self, name: str) -> None:
        try:
            path, bad = self.studio.save_preset(name.strip()), False
            self.saved.text = f"Saved as {path}: --preset {path.stem} finds it"
        except DreamVideoError as error:
            self.saved.text, bad = str(error), True
        html.mark(self.saved, "bad", bad)

    def refresh(self) -> None:
        """Follow the choice."""
        studio = self.studio
        states = [job.state for job in studio.jobs.all]
        now = (studio.choice, studio.material, states)
        if now == self.seen:
            return
        self.seen = now
        try:
            command, toml = studio.command, look_to_toml(studio.choice.look)
        except DreamVideoError as error:
            command, toml = str(error), ""
        self.command.text = command or "Choose a photo or a clip first"
        self.toml.text = toml


class RendersPanel(Panel):
    """The queue and the results, their progress and their controls."""

    def __init__(self, studio: Studio) -> None:
        super().__init__(studio)
        with html.section("Renders", "renders") as self.section:
            with html.box("div", "actions"):
                jobs = studio.jobs
                self.hold = html.button("", lambda: jobs.hold(yes=not jobs.held))
                # A browser asks its user only on a click; the page hides it where that is settled.
                ask = "() => askForNotices()"
                html.script_button("Notify me when done", ask, "quiet", id="ask-notices")
            self.list = html.box("div", "jobs")
        self.cards: dict[int, JobCard] = {}
        self.order: list[int] = []

    def refresh(self) -> None:
        """Follow the renders."""
        jobs = self.studio.jobs
        listed = jobs.listed
        html.show(self.section, bool(listed))
        html.show(self.hold, bool(jobs.queue) or jobs.held)
        self.hold.text = "Go on with the queue" if jobs.held else "Pause the queue"
        for job in listed:
            if job.number not in self.cards:
                with self.list:
                    self.cards[job.number] = JobCard(self.studio, job)
            self.cards[job.number].refresh()
        order = [job.number for job in listed]
        for number in set(self.cards) - set(order):
            self.cards.pop(number).root.delete()
        if order != self.order:
            self.order = order
            for at, number in enumerate(order):
                self.cards[number].root.move(target_index=at)


class JobCard:
    """One render."""

    def __init__(self, studio: Studio, job: RenderJob) -> None:
        self.studio, self.job = studio, job
        jobs = studio.jobs
        # What other sessions have left takes less room.
        style = "job" if job.has_begun else "job earlier"
        with html.box("article", style, aria_label=job.name) as self.root:
            html.words("h3", job.name)
            self.bar = html.box("progress", "bar", aria_label=f"Progress of {job.name}", max="1")
            self.line = html.words("p", "", "line", role="status")
            self.notes = html.words("p", "", "line")
            self.media = html.box("div", "result")
            self.live = html.picture(html.BLANK, f"The newest frame of {job.name}", "made live")
            with html.box("div", "actions"):
                self.up = html.button("Earlier", lambda: jobs.move(job, -1))
                self.down = html.button("Later", lambda: jobs.move(job, 1))
                self.pause = html.button("Pause", lambda: jobs.pause(job))
                self.go_on = html.button("Resume", lambda: self._try(jobs.resume, job), "primary")
                self.stop = html.button("Stop", self._stop)
                address = f"/studio/result/{job.number}?download=true"
                self.save = html.words("a", "Download", "btn primary", href=address)
                html.change(self.save, download=job.name)
                self.use = html.button("Use as source", self._use)
                self.folder = html.button("Open folder", lambda: open_folder(jobs.folder))
                self.off = html.button("Remove", self._remove, "link")
            with html.box("details") as self.details:
                html.words("summary", "Its command line")
                with html.box("pre", "code", tabindex="0"):
                    self.command = html.words("code", "")
        self.state, self.seen, self.seen_at = "", -1, 0.0

    def refresh(self) -> None:
        """Follow the render."""
        job, queue = self.job, self.studio.jobs.queue
        now = time.monotonic()
        self.line.text = job.words(now)
        html.mark(self.line, "bad", job.state == "failed")
        html.change(self.bar, value=f"{job.share:.3f}")
        done = job.progress.done if job.progress else 0
        if job.state in BUSY and done and done != self.seen and now - self.seen_at > BETWEEN:
            self.seen, self.seen_at = done, now
            html.change(self.live, src=f"/studio/live/{job.number}/{done}")
        waits = job.state == "waiting"
        html.change(self.up, disabled=not waits or job in queue[:1])
        html.change(self.down, disabled=not waits or job in queue[-1:])
        if job.state == self.state:
            return
        # A short render may begin and end between two looks.
        if self.state in (*BUSY, "waiting") and job.state in ("done", "failed"):
            self._tell()
        self.state = job.state
        done_, live = job.state == "done", job.state in BUSY
        shown = {
            self.bar: live or (job.state in ("paused", "waiting") and done > 0),
            self.live: live,
            self.up: waits,
            self.down: waits,
            self.pause: waits or (job.can_pause and job.state in ("running", "pausing")),
            self.go_on: job.state in RESTING,
            self.stop: waits or job.state in ("running", "stopping", "paused"),
            self.save: done_,
            self.use: done_,
            self.folder: done_ and can_open_folders(),
            self.off: job.can_be_removed,
            self.details: bool(job.command),
            self.notes: bool(job.notes),
        }
        for element, yes in shown.items():
            html.show(element, yes)
        html.change(self.pause, disabled=job.state == "pausing")
        html.change(self.stop, disabled=job.state == "stopping")
        self.go_on.text = "Resume" if job.state == "paused" else "Retry"
        self.command.text = job.command
        self.notes.text = "; ".join(job.notes)
        self.media.clear()
        if job.state == "done":
            self._show()

    def _show(self) -> None:
        job = self.job
        address = f"/studio/result/{job.number}"
        with self.media:
            if job.order.output.suffix in (".mp4", ".webm"):
                film = html.film("made", aria_label=f"The film {job.name}", src=address)
                html.change(film, controls=True, preload="metadata")
            else:
                html.picture(address, f"The dream {job.name}", "made")
            html.words("p", f"Saved as {job.order.output.absolute()}", "line saved")

    def _tell(self) -> None:
        job = self.job
        line = f"{job.name}: {job.line}"
        ui.notify(line, type="positive" if job.state == "done" else "negative")
        ui.run_javascript(f"tellEnded({json.dumps(line)})")

    def _try(self, act: Callable[..., object], *given: object, **named: object) -> None:
        try:
            act(*given, **named)
        except DreamVideoError as error:
            ui.notify(str(error), type="warning")

    async def _use(self) -> None:
        try:
            await run.io_bound(self.studio.take_file, self.job.order.output)
        except DreamVideoError as error:
            ui.notify(str(error), type="warning")

    def _stop(self) -> None:
        job, jobs = self.job, self.studio.jobs
        if not job.can_pause or job.progress is None:
            self._try(jobs.stop, job)
            return
        _ask(
            f"Stop {job.name} and delete the frames dreamt so far?",
            "Keep the frames",
            {"Stop and delete": lambda: self._try(jobs.stop, job)},
        )

    def _remove(self) -> None:
        job, jobs = self.job, self.studio.jobs
        if job.state != "done":
            jobs.remove(job)
            return
        _ask(
            f"Remove {job.name} from the list? Its file stays, unless you delete it too.",
            "Keep it",
            {
                "Remove from the list": lambda: jobs.remove(job),
                "Delete the file": lambda: self._try(jobs.remove, job, delete=True),
            },
        )


def _ask(question: str, no: str, yes: Mapping[str, Callable[[], object]]) -> None:
    """Ask before something is lost; ``no`` is what Enter and Escape do."""
    with ui.dialog() as dialog, html.box("div", "card ask"):
        html.change(dialog, aria_label=question)
        html.words("p", question)
        with html.box("div", "actions"):
            html.button(no, dialog.close, "primary", autofocus="true")
            for label, act in yes.items():
                html.button(label, act).on("click", dialog.close, args=[])
    dialog.open()
