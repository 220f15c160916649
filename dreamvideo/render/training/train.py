"""Teach the bundled network a folder of pictures: epochs, checkpoints, the file of the result."""

from __future__ import annotations

import hashlib
import io
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dreamvideo.cancel import Interrupted, check
from dreamvideo.dream.runtime import settle_threads
from dreamvideo.dream.trained import ENDING, blend_weights, encode_trained
from dreamvideo.dream.training import Pupil
from dreamvideo.errors import DreamVideoError, UsageError, leave
from dreamvideo.formatting import format_count
from dreamvideo.media.paths import check_place, escape_text, replace_atomically
from dreamvideo.render.progress import OnProgress, Progress, silent
from dreamvideo.render.training.lessons import (
    MOST,
    Lessons,
    Picture,
    crop,
    crop_all,
    fog,
    read_lessons,
)
from dreamvideo.settings.training import TrainingSettings
from dreamvideo.version import __version__

Arrays = Mapping[str, NDArray[Any]]
Features = NDArray[np.float32]

# Crops to learn from: of all own classes, of each of them at least, and of all others; but at least
# one of each picture, up to a number. Crops to test with: of a class, and of all own classes.
OWN_CROPS, LEAST_CROPS, OTHER_CROPS, MOST_CROPS = 120, 30, 90, 1000
ASIDE_CROPS, MOST_ASIDE = 24, 120
# Steps of learning in an epoch, and the crops of own pictures, others and dreams of one step.
STEPS, OWN, OTHERS, DREAMS = 24, 8, 4, 6
# In each epoch as many dreams begin and go on from the epoch before, by this many steps.
BEGUN, DREAM_STEPS = 6, 6
# Dreams that are learnt from are of this many epochs.
MEMORY = 4
# What dreams begin with: a share of them with noise, the others with pictures.
NOISE = 0.2
# Epochs without progress after which it ends.
PATIENCE = 4


@dataclass(frozen=True)
class Trained:
    """What was taught.

    Attributes:
        output: The network's file, for ``--model``.
        classes: Names of the own classes.
        pictures: How many were learnt from or tested with.
        epochs: Epochs that were taught.
        best: The epoch that was kept.
        found: Share of the crops kept aside, own and others, whose class it finds.
        notes: Notes for the user.
    """

    output: Path
    classes: tuple[str, ...]
    pictures: int
    epochs: int
    best: int
    found: float
    notes: tuple[str, ...] = ()


@dataclass
class _Course:
    """How far a course is; all that the next epoch depends on besides the pupil."""

    epoch: int = 0
    best: int = 0
    loss: float = float("inf")
    found: float = 0.0
    seconds: float = 0.0


def default_network(folder: Path) -> Path:
    """Name a folder's network: ``art/coins`` -> ``art/coins.safetensors``."""
    named = folder.resolve() if folder.name in ("", "..") else folder
    return named.parent / f"{named.name or 'own'}{ENDING}"


def checkpoint_path(output: Path) -> Path:
    """Return where a course is kept until its network is written: ``.coins.training.npz``."""
    return output.with_name(f".{output.stem}.training.npz")


def train(
    folder: Path | str,
    output: Path | str | None = None,
    settings: TrainingSettings | None = None,
    *,
    against: Path | str | None = None,
    threads: int | None = None,
    overwrite: bool = False,
    on_progress: OnProgress = silent,
) -> Trained:
    """Teach the bundled network to dream pictures of one's own.

    Its upper half learns to respond to them more than to anything else, its own dreams included.
    What was taught before an interruption is kept next to the output: the same call goes on from
    there.

    Args:
        folder: The pictures: those of each class in a subfolder, or all in the folder itself.
        output: The file to write (``.safetensors``), for ``--model``; None: next to the folder.
        settings: How long and how strongly.
        against: A folder of pictures that it is to respond to less.
        threads: Processor cores to use; None: all.
        overwrite: Whether to replace an output that exists.
        on_progress: Called for each picture and each step.

    Raises:
        UsageError: The folder holds too few pictures, or the output cannot be written there.
        DreamVideoError: No epoch gave finite numbers.
        MediaError: The output cannot be written.
    """
    folder, against = Path(folder), None if against is None else Path(against)
    settings = settings or TrainingSettings()
    target = default_network(folder) if output is None else Path(output)
    if target.suffix.lower() != ENDING:
        raise UsageError(f"{escape_text(target)}: a network's file ends in {ENDING}")
    check_place(target, overwrite)
    if threads is not None:
        settle_threads(threads)
    lessons = read_lessons(folder, against, settings.seed, on_progress)
    teacher = _Teacher(lessons, settings, checkpoint_path(target), on_progress)
    try:
        teacher.teach()
    except Interrupted as error:
        if teacher.course.epoch:
            kept = f"{teacher.course.epoch} of {settings.epochs} epochs are kept"
            leave(error, kept)
        raise
    data = encode_trained(blend_weights(teacher.best_weights(), settings.blend), lessons.classes)
    with replace_atomically(target) as part:
        part.write_bytes(data)
    teacher.checkpoint.unlink(missing_ok=True)
    course = teacher.course
    count = sum(map(len, (*lessons.taught, *lessons.aside)))
    return Trained(
        target,
        lessons.classes,
        count,
        course.epoch,
        course.best,
        course.found,
        tuple(teacher.notes),
    )


class _Teacher:
    """Teaches epoch after epoch, and keeps the pupil as it was after the best one."""

    def __init__(
        self,
        lessons: Lessons,
        settings: TrainingSettings,
        checkpoint: Path,
        on_progress: OnProgress,
    ) -> None:
        self.checkpoint, self.course, self.notes = checkpoint, _Course(), list[str]()
        if lessons.unread:
            self.notes.append(
                f"left out: {format_count(len(lessons.unread), 'picture')} that could not be read"
            )
        if lessons.dropped:
            count = format_count(lessons.dropped, "picture")
            self.notes.append(f"left out: {count} beyond the {MOST} that are learnt from")
        self._lessons, self._settings, self._listen = lessons, settings, on_progress
        self._pupil = Pupil(len(lessons.classes), settings.strength)
        self._best: Arrays = {}
        # Pictures that go on being dreamt, and the features of dreams, the latest last.
        self._pool: Features | None = None
        self._dreams: list[Features] = []

    def teach(self) -> None:
        """Teach until the epochs, the minutes or the progress are over. Raises Interrupted."""
        settings = self._settings
        self._see()
        self._resume()
        course = self.course
        steps, began = settings.epochs * STEPS, time.monotonic() - course.seconds
        if not course.epoch:
            self._listen(Progress("training", "step", 0, steps))
        while course.epoch < settings.epochs:
            why = self._reason_to_end()
            if why:
                self.notes.append(f"ended after {format_count(course.epoch, 'epoch')}: it {why}")
                self._listen(Progress("training", "step", steps, steps))
                break
            self._teach_epoch()
            course.epoch += 1
            course.seconds = time.monotonic() - began
            loss, found = self._test()
            if loss < course.loss:
                course.loss, course.found, course.best = loss, found, course.epoch
                self._best = self._pupil.weights()
            self._save()

    def _reason_to_end(self) -> str:
        course, minutes = self.course, self._settings.minutes
        if course.epoch - course.best >= PATIENCE:
            return "made no more progress"
        return f"has taken {minutes:g} minutes" if course.seconds >= 60 * minutes else ""

    def best_weights(self) -> dict[str, tuple[NDArray[np.float32], NDArray[np.float32]]]:
        """Return kernel and bias by layer after the best epoch. Raises DreamVideoError."""
        if not self._best:
            raise DreamVideoError("the training has diverged: begin anew with a lower --strength")
        return self._pupil.complete(self._best)

    def _see(self) -> None:
        """Compute the features of all crops, which do not change."""
        lessons, random = self._lessons, np.random.default_rng((self._settings.seed, 1))
        count = max(LEAST_CROPS, OWN_CROPS // len(lessons.classes))
        tests = min(ASIDE_CROPS, MOST_ASIDE // len(lessons.classes))

        def see(pictures: list[Picture], least: int) -> Features:
            number = max(least, min(len(pictures), MOST_CROPS))
            return self._pupil.see(crop_all(pictures, number, random))

        # One class after another: crops take ten times the memory of their features.
        self._own = [see(pictures, count) for pictures in lessons.taught]
        self._others = see(lessons.others, OTHER_CROPS)
        tested = [crop_all(each, tests, random) for each in (*lessons.aside, lessons.others)]
        self._tests = np.concatenate([self._pupil.see(crops) for crops in tested])
        self._labels = np.repeat(np.arange(len(tested), dtype=np.int32), tests)

    def _teach_epoch(self) -> None:
        settings, course = self._settings, self.course
        random = np.random.default_rng((settings.seed, 2, course.epoch))
        others = self._lessons.others
        begun = [
            fog(random)
            if random.random() < NOISE
            else crop(others[random.integers(len(others))], random)
            for _ in range(BEGUN)
        ]
        before = [] if self._pool is None else [self._pool[-BEGUN:]]
        self._pool = self._pupil.dream(np.concatenate([*before, np.stack(begun)]), DREAM_STEPS)
        self._dreams = [*self._dreams[1 - MEMORY :], self._pupil.see(self._pool)]
        dreams = np.concatenate(self._dreams)
        classes = len(self._own)
        for step in range(STEPS):
            check()
            labels = random.integers(classes, size=OWN, dtype=np.int32)
            own = [self._own[n][random.integers(len(self._own[n]))] for n in labels]
            rest = self._others[random.integers(len(self._others), size=OTHERS)]
            dreamt = dreams[random.integers(len(dreams), size=DREAMS)]
            none = np.full(OTHERS + DREAMS, classes, np.int32)
            loss = self._pupil.teach(
                np.concatenate([np.stack(own), rest, dreamt]), np.concatenate([labels, none])
            )
            done = course.epoch * STEPS + step + 1
            detail = f"epoch {course.epoch + 1}"
            if course.best:
                detail += f", {course.found:.0%} of test crops recognised"
            total = settings.epochs * STEPS
            self._listen(Progress("training", "step", done, total, loss=loss, detail=detail))

    def _test(self) -> tuple[float, float]:
        return self._pupil.weigh(self._tests, self._labels)

    def _fingerprint(self) -> str:
        """Return what a checkpoint must have been made from to be gone on with."""
        settings = self._settings.model_dump_json(exclude={"epochs", "minutes", "blend"})
        text = f"{__version__} {settings} {self._lessons.classes} {self._lessons.digest}"
        return hashlib.sha256(text.encode()).hexdigest()

    def _save(self) -> None:
        course = self.course
        numbers = [course.epoch, course.best, course.loss, course.found, course.seconds]
        arrays: dict[str, Any] = {
            "fingerprint": np.array(self._fingerprint()),
            "course": np.array(numbers, np.float64),
            "pool": self._pool,
            **{f"dreams {n}": each for n, each in enumerate(self._dreams)},
            **{f"pupil {name}": value for name, value in self._pupil.state().items()},
            **{f"best {name}": value for name, value in self._best.items()},
        }
        buffer = io.BytesIO()
        np.savez(buffer, **arrays)
        with replace_atomically(self.checkpoint, sync=False) as part:
            part.write_bytes(buffer.getbuffer())

    def _resume(self) -> None:
        """Go on from the checkpoint, if it is whole and of the same pictures and settings."""
        found: dict[str, NDArray[Any]] = {}
        # What is damaged raises all kinds of errors.
        with suppress(Exception), np.load(self.checkpoint, allow_pickle=False) as stored:
            found = {name: stored[name] for name in stored.files}
        if not found:
            return
        if str(found.get("fingerprint")) != self._fingerprint():
            self.notes.append("the pictures or settings have changed: began anew")
            return
        self._pupil.restore(_members(found, "pupil "))
        self._best = _members(found, "best ")
        self._pool = found["pool"]
        self._dreams = list(_members(found, "dreams ").values())
        epoch, best, loss, share, seconds = (float(each) for each in found["course"])
        self.course = _Course(int(epoch), int(best), loss, share, seconds)
        done, total = int(epoch) * STEPS, self._settings.epochs * STEPS
        note = f"goes on after epoch {int(epoch)}"
        self._listen(Progress("training", "step", min(done, total), total, note=note))


def _members(found: Arrays, prefix: str) -> dict[str, NDArray[Any]]:
    return {n.removeprefix(prefix): a for n, a in found.items() if n.startswith(prefix)}
