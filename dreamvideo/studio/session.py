"""The state of a session: source, choice, previews and renders.

It lives in the server, so that a page that is reloaded, or opened twice, finds it unchanged.
"""

from __future__ import annotations

import secrets
import shutil
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from importlib import resources
from itertools import count
from pathlib import Path
from typing import Any

from dreamvideo.dream.dreamer import make_octave_schedule
from dreamvideo.errors import DreamVideoError, UsageError
from dreamvideo.media.identify import Song, SourceFile, identify_file
from dreamvideo.media.probe import probe
from dreamvideo.media.read import read_frame_at
from dreamvideo.media.sound import SoundTrack, measure_sound
from dreamvideo.render.progress import Progress
from dreamvideo.render.zoom.start_image import MOST_WIDTH
from dreamvideo.schedules import TimePoint
from dreamvideo.settings import Look, look_values, make_look, preset_paths, presets
from dreamvideo.settings.curves import cut_schedules
from dreamvideo.studio import messages
from dreamvideo.studio.form_state import MASK, Choice, Kind, Slider, Value
from dreamvideo.studio.jobs import Jobs
from dreamvideo.studio.kept_pictures import drop_unused, keep_arrival, keep_mask
from dreamvideo.studio.own_tiles import OwnTiles
from dreamvideo.studio.preview_client import Previewer
from dreamvideo.studio.uploads import private_folder

MOST_UPLOAD = 500_000_000
# Seconds of a moving preview.
MOVING = 2.0
# The share of a moving preview's time that dreaming takes; the rest is encoding.
_DREAMING = 0.95
# As many looks tried, and changes to undo, are kept.
MOST_TRIED = 12
_MOST_UNDONE = 200
# Seconds within which further moves of a slider are the same change.
_GESTURE = 1.0
# The dice roll 1 to this: enough variety, and short enough to note down.
_MOST_ROLLED = 9999


@dataclass(frozen=True)
class SeenFrame:
    """What the page shows of the frame: JPEGs, told apart by ``serial``.

    ``done`` of ``total`` steps are dreamt; ``error`` is why there is no dream.
    """

    source: bytes = b""
    dream: bytes = b""
    serial: int = 0
    done: int = 0
    total: int = 0
    error: str = ""

    @property
    def is_busy(self) -> bool:
        """Whether a better picture is coming."""
        return not self.error and (self.total == 0 or self.done < self.total)


@dataclass(frozen=True)
class Moving:
    """A moving preview: in progress (``words``), finished (``ticket``), or neither.

    ``share`` of it is done, 0 .. 1.
    """

    words: str = ""
    share: float = 0.0
    ticket: int = 0
    error: str = ""


@dataclass(frozen=True)
class Tried:
    """A look that has been seen on the present source: ``picture`` is its frame, as JPEG."""

    number: int
    choice: Choice
    picture: bytes = field(repr=False)


@dataclass
class Studio:
    """One session. ``version`` increases with every change that a page should show.

    ``kept`` are the masks and arrivals that were made in it; ``sound`` is the clip's, once it
    has been measured.
    """

    folder: Path
    most_upload: int = MOST_UPLOAD
    private: Path = field(default_factory=private_folder)
    material: SourceFile | None = None
    choice: Choice = field(default_factory=Choice)
    at: float = 0.0
    seen: SeenFrame = SeenFrame()
    moving: Moving = Moving()
    is_warm: bool = False
    complaint: str = ""
    version: int = 0
    tried: tuple[Tried, ...] = ()
    own_tiles: bool = True
    kept: set[Path] = field(default_factory=set)
    sound: SoundTrack | None = None

    def __post_init__(self) -> None:
        self._lock = threading.RLock()
        self._tickets = count(1)
        self._past: list[Choice] = []
        self._future: list[Choice] = []
        self._gesture, self._gesture_at = "", 0.0
        self._picture = self._film = 0
        self._heard: SourceFile | None = None
        self.jobs = Jobs(self.folder, self.touch)
        self.previewer = Previewer(self._hear)
        self.own_looks = presets.describe_presets(presets.user_preset_paths())
        self.tiles = OwnTiles(self._list_looks, self.touch, Previewer)
        self.jobs.find_earlier()

    def touch(self) -> None:
        """Mark the session as changed."""
        with self._lock:
            self.version += 1

    def pace_tiles(self) -> None:
        """Let the looks' own pictures be made while nothing else is dreamt."""
        material = self.material
        if self.own_tiles and material is not None:
            busy = self.seen.is_busy or bool(self.moving.words) or self.jobs.running is not None
            at = float(material.duration) / 3
            self.tiles.pace((material.path, at), busy=busy or not self.is_warm)

    def close(self) -> list[str]:
        """End all processes and delete private files.

        Returns commands that resume unfinished renders.
        """
        try:
            self.tiles.close()
            self.previewer.close()
            return self.jobs.close()
        finally:
            shutil.rmtree(self.private, ignore_errors=True)
            rendered = (job.order.values.get("mask", {}).get("mask") for job in self.jobs.all)
            to = (job.order.choice.to for job in self.jobs.all)
            drop_unused(self.kept, [*rendered, *to, self.choice.changes.get(MASK), self.choice.to])

    def take(self, material: SourceFile) -> None:
        """Change the source; a private copy that is no longer needed is deleted."""
        with self._lock:
            old, self.material = self.material, material
            self.at = float(material.duration) / 3 if material.kind == "film" else 0.0
            kind: Kind = "video" if material.kind == "film" else "image"
            kept = {k: v for k, v in self.choice.changes.items() if not k.startswith("mask.")}
            whole: dict[str, Any] = dict.fromkeys(("start", "end", "size", "at"))
            self.choice = replace(self.choice, kind=kind, changes=kept, name="", **whole)
            self.seen = replace(SeenFrame(), serial=self.seen.serial + 1)
            self.moving = Moving()
            self.complaint = ""
            self.tried = ()
            self.sound = None
            self._past, self._future, self._gesture = [], [], ""
        unfinished = (job for job in self.jobs.all if job.state not in ("done", "stopped"))
        needed = [job.material for job in unfinished]
        if old is not None and old.is_private and old not in needed:
            shutil.rmtree(old.path.parent, ignore_errors=True)
        self.touch()
        self.ask()

    def take_file(self, path: Path) -> None:
        """Change the source to a file of this machine. Raises MediaError."""
        self.take(identify_file(path))

    def choose(self, choice: Choice, gesture: str = "") -> None:
        """Change the choice; the frame is dreamt again if that affects it.

        Args:
            choice: The new choice.
            gesture: Changes of the same gesture in quick succession are undone together.
        """
        with self._lock:
            if choice == self.choice:
                # What was typed may have to be replaced by what was made of it.
                self.touch()
                return
            now = time.monotonic()
            goes_on = gesture and gesture == self._gesture and now - self._gesture_at < _GESTURE
            if not goes_on:
                self._past = [*self._past[-_MOST_UNDONE:], self.choice]
            self._gesture, self._gesture_at = gesture, now
            self._future = []
        self._change(choice)

    def play(self, song: Song | None, *, click: bool = False, bpm: float | None = None) -> None:
        """Change the song; a moving preview that is shown is made again with it."""
        self.choose(replace(self.choice, song=song, click=click, bpm=bpm))
        if self.moving.ticket or self.moving.words:
            self.ask_moving()

    @property
    def can_undo(self) -> bool:
        """Whether a change of the choice can be undone."""
        return bool(self._past)

    @property
    def can_redo(self) -> bool:
        """Whether an undone change can be made again."""
        return bool(self._future)

    def undo(self) -> None:
        """Undo the last change of the choice, if there is one."""
        self._step(undo=True)

    def redo(self) -> None:
        """Make an undone change again, if there is one."""
        self._step(undo=False)

    def _step(self, *, undo: bool) -> None:
        with self._lock:
            back, on = (self._past, self._future) if undo else (self._future, self._past)
            if not back:
                return
            choice = back.pop()
            on.append(self.choice)
            self._gesture = ""
        self._change(choice)

    def restore(self, tried: Tried) -> None:
        """Choose a look that was tried; what else is chosen stays."""
        then = tried.choice
        self.choose(
            replace(self.choice, preset=then.preset, changes=then.changes, set_aside=then.set_aside)
        )

    def _change(self, choice: Choice) -> None:
        with self._lock:
            before, self.choice = self.choice, choice
        self.touch()
        if _picture_of(choice) != _picture_of(before):
            self.ask()

    def move(self, slider: Slider, value: float | None) -> None:
        """Move a slider; None resets it to the look's value."""
        self.choose(self.choice.change(slider, value), slider.key if value is not None else "")

    def change(self, key: str, value: Value | None) -> None:
        """Change a setting of the look; None resets it to the look's value."""
        self.choose(self.choice.with_change(key, value), key if value is not None else "")

    @property
    def mask(self) -> str | None:
        """The file, or the drawing, of the mask; None if there is none."""
        try:
            return self.choice.look.mask.mask
        except DreamVideoError:
            return None

    def take_mask(self, upload: SourceFile) -> str:
        """Dream within a painted mask; return its file's name.

        Raises:
            UsageError: It is larger than the frame, or there is no frame.
            MediaError: It is no PNG picture, or cannot be written.
        """
        if self.material is None:
            raise UsageError("choose a photo or a clip first")
        path = keep_mask(upload, self.material, self.kept)
        # Each stroke is undone by itself.
        self.choose(self.choice.with_change(MASK, str(path)))
        return path.name

    @property
    def begin(self) -> float:
        """Where the film to be made begins in the clip; a zoom begins where its frame is."""
        return self.moment if self.choice.kind == "zoom" else self.choice.start or 0.0

    @property
    def length(self) -> float:
        """Length of the film to be made, in seconds. Raises UsageError for an invalid look."""
        if self.choice.kind == "zoom":
            return self.choice.look.zoom.seconds
        whole = float(self.material.duration) if self.material else 0.0
        return max((whole if self.choice.end is None else self.choice.end) - self.begin, 0.001)

    def listen(self) -> None:
        """Measure the sound of the clip, once, in the background."""
        material = self.material
        if material is not None and material.kind == "film" and material is not self._heard:
            self._heard = material
            threading.Thread(target=self._measure, args=(material,), daemon=True).start()

    def _measure(self, material: SourceFile) -> None:
        with suppress(DreamVideoError):
            sound = measure_sound(probe(material.path))
            with self._lock:
                self.sound = sound if material is self.material else self.sound
            self.touch()

    def take_arrival(self, upload: SourceFile) -> str:
        """Let the zoom end on a picture; return its file's name. Raises MediaError."""
        path = keep_arrival(upload, self.kept)
        self.choose(replace(self.choice, to=str(path), loop=False))
        return path.name

    def roll(self, slider: Slider) -> None:
        """Set a seed to a random number."""
        now = self.choice.changes.get(slider.key)
        rolled = secrets.randbelow(_MOST_ROLLED) + 1
        # The same number again would look like a button that does nothing.
        rolled = rolled if rolled != now else rolled % _MOST_ROLLED + 1
        self.choose(self.choice.change(slider, rolled))

    def go_to(self, at: float) -> None:
        """Go to another time of the clip, in seconds; a zoom starts from its frame."""
        if self.choice.kind == "zoom":
            self.choose(replace(self.choice, at=at), "at")
            return
        with self._lock:
            self.at = at
        self.touch()
        self.ask()

    def ask(self) -> None:
        """Request the frame for the current state; supersedes earlier requests."""
        material = self.material
        if material is None:
            return
        with self._lock:
            self._picture, self._film = next(self._tickets), 0
            if self.moving.words:
                self.moving = Moving()
            self.seen = replace(self.seen, done=0, total=0, error="")
            try:
                values = look_values(self.choice.look)
            except DreamVideoError as error:
                self._picture_heard(messages.Failed(self._picture, str(error)))
                return
            at, moment = self.moment, self.moment - self.begin
            wanted = messages.PictureWanted(
                self._picture, material.path, values, at, moment, self.length
            )
            is_warm = self.is_warm
        self.touch()
        self.previewer.ask(wanted)
        if not is_warm:
            # The preview process does not respond while it loads its network.
            threading.Thread(target=self._show_source, args=(wanted,), daemon=True).start()

    def ask_again(self) -> None:
        """Request the frame if a moving preview has superseded it."""
        with self._lock:
            self._film = 0
            if self.moving.words:
                self.moving = Moving()
            unfinished = self.seen.is_busy
        self.touch()
        if unfinished:
            self.ask()

    def ask_moving(self) -> None:
        """Request a short, small film from the current time on."""
        material = self.material
        if material is None:
            return
        with self._lock:
            self._film = next(self._tickets)
            zooms = self.choice.kind == "zoom"
            try:
                values = look_values(self._look_from_here())
            except DreamVideoError as error:
                self.moving = Moving(error=str(error))
                self.touch()
                return
            at, sound = self.choice.at if zooms else self.at, self.choice.sound
            wanted = messages.FilmWanted(
                self._film, material.path, values, at, MOVING, zooms, self.private, sound
            )
            self.moving = Moving("Preparing")
        self.touch()
        self.previewer.ask(wanted)

    def _look_from_here(self) -> Look:
        """Return the look of a moving preview, whose numbers change as from this time on."""
        look = self.choice.look
        if self.choice.kind == "zoom" or self.material is None:
            return look
        # A preview begins early enough to be whole.
        begin = min(self.at, max(0.0, float(self.material.duration) - MOVING)) - self.begin
        rate = float(self.material.rate)
        return cut_schedules(look, TimePoint(max(begin, 0.0), self.length, rate), MOVING)

    def save_preset(self, name: str) -> Path:
        """Save the look among the user's presets, and choose it. Raises DreamVideoError."""
        choice = self.choice
        path = presets.save_user_preset(choice.look, name)
        held = choice.own_changes
        changes = {key: value for key, value in choice.changes.items() if key not in held}
        self.own_looks = presets.describe_presets(presets.user_preset_paths())
        self.tiles.list_again()
        self.choose(replace(choice, preset=name, changes=changes))
        return path

    @property
    def command(self) -> str:
        """The command line that renders the choice. Raises UsageError."""
        material = self.material
        if material is None:
            return ""
        return self.choice.command(material.name, self.output.name)

    @property
    def output(self) -> Path:
        """The file that the choice would be rendered to; needs a source. Raises UsageError."""
        assert self.material is not None
        return self.jobs.choose_output(self.choice, self.material)

    @property
    def octaves(self) -> int:
        """Number of octaves that the look derives from the picture's size."""
        material = self.material
        if material is None:
            return 3
        width, height = material.width, material.height
        if self.choice.kind == "zoom":
            scale = min(1.0, MOST_WIDTH / max(width, height))
            width, height = round(width * scale), round(height * scale)
        try:
            return len(make_octave_schedule(self.choice.look.dream, height, width).sizes)
        except DreamVideoError:
            return 1

    @property
    def moment(self) -> float:
        """The time of the current frame; a zoom starts with a clip's last one, or another one."""
        material = self.material
        if material is None or self.choice.kind != "zoom":
            return self.at
        if self.choice.at is not None:
            return self.choice.at
        return max(0.0, float(material.duration - 1 / material.rate))

    def _list_looks(self) -> dict[str, Mapping[str, Any]]:
        # A look without a picture needs a download, which nobody has asked for.
        bundled = [name for name in preset_paths() if name in look_pictures()]
        found: dict[str, Mapping[str, Any]] = {}
        for name in ("", *bundled, *self.own_looks):
            # One of the user's may have been deleted meanwhile.
            with suppress(DreamVideoError):
                found[name] = look_values(make_look([name] if name else []))
        return found

    def _show_source(self, wanted: messages.PictureWanted) -> None:
        with suppress(DreamVideoError):
            picture = messages.encode_picture(read_frame_at(wanted.path, wanted.at))
            self._hear(messages.SourceSeen(wanted.ticket, picture))

    def _hear(self, answer: messages.Answer) -> None:
        with self._lock:
            if isinstance(answer, messages.Loaded):
                self.is_warm = answer.yes
            elif answer.ticket == self._picture:
                self._picture_heard(answer)
            elif answer.ticket == self._film:
                self._film_heard(answer)
            elif answer.ticket == 0 and isinstance(answer, messages.Failed):
                self.complaint = answer.line
        self.touch()

    def _picture_heard(self, answer: messages.Answer) -> None:
        seen = self.seen
        if isinstance(answer, messages.SourceSeen):
            self.seen = replace(seen, source=answer.picture, serial=seen.serial + 1)
        elif isinstance(answer, messages.PictureGrown):
            done, total = answer.done, answer.total
            self.seen = replace(
                seen, dream=answer.picture, serial=seen.serial + 1, done=done, total=total
            )
            if done == total:
                self._remember(answer.picture)
        elif isinstance(answer, messages.Failed):
            # The dream so far is another look's.
            self.seen = replace(seen, dream=b"", serial=seen.serial + 1, error=answer.line)

    def _remember(self, picture: bytes) -> None:
        look = _picture_of(self.choice)
        others = [each for each in self.tried if _picture_of(each.choice) != look]
        newest = Tried(next(self._tickets), self.choice, picture)
        self.tried = (newest, *others[: MOST_TRIED - 1])

    def _film_heard(self, answer: messages.Answer) -> None:
        moving = self.moving
        if isinstance(answer, messages.FilmGrown):
            share = max(moving.share, _overall(answer.progress))
            self.moving = replace(moving, words=str(answer.progress), share=share)
        elif isinstance(answer, messages.FilmMade):
            self.moving = Moving(ticket=answer.ticket)
        elif isinstance(answer, messages.Failed):
            self.moving = Moving(error=answer.line)


def _overall(progress: Progress) -> float:
    """Return how much of a film is done."""
    if progress.stage == "encoding":
        return _DREAMING + (1 - _DREAMING) * progress.share
    return _DREAMING * progress.share if progress.stage == "dreaming" else 0.0


def _picture_of(choice: Choice) -> object:
    """Return the part of a choice that affects a single frame."""
    groups = ("dream", "mask", "colour")
    changes = {k: v for k, v in choice.own_changes.items() if k.partition(".")[0] in groups}
    return choice.kind, choice.preset, changes, choice.stages, choice.kind == "zoom" and choice.at


def sample_paths() -> Mapping[str, Path]:
    """Return the bundled pictures and clips by name."""
    folder = Path(str(resources.files("dreamvideo") / "studio" / "samples"))
    return {path.stem: path for path in sorted(folder.glob("*")) if path.suffix in (".jpg", ".mp4")}


def look_pictures() -> Mapping[str, Path]:
    """Return the pictures of bundled looks by name; a look may have none."""
    folder = Path(str(resources.files("dreamvideo") / "studio" / "looks"))
    return {path.stem: path for path in sorted(folder.glob("*.jpg"))}
