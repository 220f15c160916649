"""The pictures that a network is taught: read from a folder, cropped, kept aside to test it."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dreamvideo.cancel import check
from dreamvideo.dream.classes import fold_name
from dreamvideo.errors import MediaError, UsageError
from dreamvideo.imaging import resize
from dreamvideo.media.endings import READ_ENDINGS
from dreamvideo.media.paths import escape_text
from dreamvideo.media.pixels import to_float
from dreamvideo.media.stills import flatten, open_still, to_depth
from dreamvideo.render.progress import OnProgress, Progress

Picture = NDArray[np.uint8]
Crops = NDArray[np.float32]

# Side of a crop, in pixels, and the shorter side at which pictures are held.
SIDE, HELD_SIDE = 128, 192
# Of a class: the fewest pictures, and how many are kept aside, at least one.
FEWEST, ASIDE = 4, 6
# Most pictures of all classes together (about 250 MB), and most classes.
MOST, MOST_CLASSES = 2000, 100
# A crop's side as a share of the picture's, its contrast, and its shift of each colour.
SHARE, CONTRAST, SHIFT = (0.6, 1.0), (0.8, 1.2), 0.15
# What separates classes where --class names them.
NOT_IN_NAMES = (",", ":", "->")
GREY = (127.0, 127.0, 127.0)


@dataclass
class Lessons:
    """Pictures by class.

    Attributes:
        classes: Names of the classes.
        taught: Pictures of each class to learn from.
        aside: Pictures of each class to test with.
        others: Pictures of anything else.
        unread: One line about each picture that could not be read.
        dropped: How many pictures were too many.
        digest: Of all pixels, in order.
    """

    classes: tuple[str, ...]
    taught: list[list[Picture]] = field(default_factory=list)
    aside: list[list[Picture]] = field(default_factory=list)
    others: list[Picture] = field(default_factory=list)
    unread: list[str] = field(default_factory=list)
    dropped: int = 0
    digest: str = ""


def read_lessons(folder: Path, against: Path | None, seed: int, on_progress: OnProgress) -> Lessons:
    """Read all pictures of a folder: its subfolders are classes, or it is one class itself.

    Args:
        folder: The folder.
        against: A folder of pictures that are not to be dreamt, in addition to those of the
            package: dreams of the bundled network, and photographs.
        seed: Decides which are kept aside, and which are taken of too many.
        on_progress: Called for each picture; one that cannot be read is noted.

    Raises:
        UsageError: There are too few pictures, or classes of one name.
    """
    found = _find_classes(folder)
    rest = [] if against is None else _pictures_in(_check_folder(against), deep=True)
    if against is not None and not rest:
        raise UsageError(f"{escape_text(against)}: holds no pictures")
    random = np.random.default_rng((seed, 0))
    share = MOST // (len(found) + bool(rest))
    lists = [_pick(paths, share, random) for paths in (*found.values(), rest)]
    lessons = Lessons(tuple(found))
    lessons.dropped = sum(map(len, (*found.values(), rest))) - sum(map(len, lists))
    reader = _Reader(sum(map(len, lists)), lessons, on_progress)
    for name, paths in zip(found, lists, strict=False):
        pictures = reader.read(paths)
        if len(pictures) < FEWEST:
            count = "one picture is" if len(pictures) == 1 else f"{len(pictures)} pictures are"
            raise UsageError(
                f"{escape_text(folder)}: {count} too few to learn {escape_text(name)!r} from: "
                f"it takes {FEWEST} that can be read, better twenty"
            )
        pictures = [pictures[n] for n in random.permutation(len(pictures))]
        aside = max(1, len(pictures) // ASIDE)
        lessons.aside.append(pictures[:aside])
        lessons.taught.append(pictures[aside:])
    lessons.others = [*reader.read(lists[-1]), *_own_pictures()]
    lessons.digest = reader.digest.hexdigest()
    return lessons


def _find_classes(folder: Path) -> dict[str, list[Path]]:
    """Return the pictures of each class by its name."""
    _check_folder(folder)
    loose = _pictures_in(folder)
    inside = sorted(each for each in folder.iterdir() if each.is_dir() and each.name[0] != ".")
    found = {each.name: _pictures_in(each, deep=True) for each in inside}
    found = {name: paths for name, paths in found.items() if paths}
    if loose and found:
        raise UsageError(
            f"{escape_text(folder)}: holds pictures and folders of pictures: put all of them into "
            "folders, one a class, or none"
        )
    if loose:
        found = {folder.resolve().name or "own": loose}
    if not found:
        raise UsageError(
            f"{escape_text(folder)}: holds no pictures: put about twenty there, or a folder of "
            "them for each class"
        )
    if len(found) > MOST_CLASSES:
        raise UsageError(
            f"{escape_text(folder)}: holds {len(found)} folders of pictures: {MOST_CLASSES} "
            "classes can be learnt"
        )
    names: dict[str, str] = {}
    for name in found:
        other = names.setdefault(fold_name(name), name)
        if other != name:
            raise UsageError(
                f"{escape_text(folder)}: {escape_text(other)!r} and {escape_text(name)!r} are one "
                "class: rename one of these folders"
            )
        if not (name.isprintable() and fold_name(name)) or any(m in name for m in NOT_IN_NAMES):
            raise UsageError(
                f"{escape_text(folder if loose else folder / name)}: a class's name has no comma, "
                "colon, arrow or control characters: rename the folder"
            )
    return found


def _check_folder(folder: Path) -> Path:
    if not folder.exists():
        raise UsageError(f"{escape_text(folder)}: no such folder")
    if not folder.is_dir():
        raise UsageError(f"{escape_text(folder)}: is no folder: name one that holds pictures")
    return folder


def _pictures_in(folder: Path, *, deep: bool = False) -> list[Path]:
    """Return the pictures in a folder, and with ``deep`` in those inside it, by their names."""
    found = []
    for path in folder.rglob("*") if deep else folder.iterdir():
        check()
        if (
            path.suffix.lower() in READ_ENDINGS
            and not any(part.startswith(".") for part in path.relative_to(folder).parts)
            and path.is_file()
        ):
            found.append(path)
    return sorted(found)


def _pick(paths: list[Path], most: int, random: np.random.Generator) -> list[Path]:
    if len(paths) <= most:
        return paths
    return [paths[n] for n in sorted(random.permutation(len(paths))[:most])]


class _Reader:
    """Reads pictures, and notes those that cannot be read."""

    def __init__(self, total: int, lessons: Lessons, on_progress: OnProgress) -> None:
        self.digest = hashlib.sha256()
        self._total, self._done = total, 0
        self._lessons, self._listen = lessons, on_progress

    def read(self, paths: Sequence[Path]) -> list[Picture]:
        """Return the pictures that can be read, shrunk to what crops are taken from."""
        pictures = []
        for path in paths:
            check()
            self._done += 1
            note = ""
            try:
                pictures.append(_read_small(path))
                self.digest.update(str(pictures[-1].shape).encode() + pictures[-1].tobytes())
            except MediaError as error:
                note = f"left out: {error}"
                self._lessons.unread.append(str(error))
            self._listen(Progress("reading", "picture", self._done, self._total, note=note))
        self.digest.update(b"end")
        return pictures


def _read_small(path: Path) -> Picture:
    still = open_still(path, least=(HELD_SIDE, HELD_SIDE))
    return _shrink(np.asarray(to_depth(flatten(still.pixels, still.alpha, GREY), 8), np.uint8))


def _shrink(pixels: Picture) -> Picture:
    high, wide = pixels.shape[:2]
    # A panorama is held by its middle, so that none takes much memory.
    reach = 4 * min(high, wide)
    top, left = max(0, high - reach) // 2, max(0, wide - reach) // 2
    pixels = np.ascontiguousarray(pixels[top : top + reach, left : left + reach])
    high, wide = pixels.shape[:2]
    scale = HELD_SIDE / min(high, wide)
    if scale >= 1:
        return pixels
    return resize(pixels, (max(1, round(high * scale)), max(1, round(wide * scale))), "area")


def _own_pictures() -> list[Picture]:
    """Return the pictures of the package: photographs, and dreams of its looks."""
    inside = resources.files("dreamvideo") / "studio"
    pictures = []
    for folder in ("looks", "samples"):
        for each in sorted((inside / folder).iterdir(), key=lambda entry: entry.name):
            if each.name.endswith(".jpg"):
                with resources.as_file(each) as path:
                    pictures.append(_read_small(path))
    return pictures


def crop(picture: Picture, random: np.random.Generator) -> Crops:
    """Return a random square of a picture: SIDE x SIDE x 3 in [-1, 1], perhaps mirrored.

    Its contrast and colours vary a little.
    """
    high, wide = picture.shape[:2]
    side = max(1, int(min(high, wide) * random.uniform(*SHARE)))
    top, left = random.integers(high - side + 1), random.integers(wide - side + 1)
    part = picture[top : top + side, left : left + side]
    if random.random() < 0.5:
        part = part[:, ::-1]
    values = to_float(resize(np.ascontiguousarray(part), (SIDE, SIDE), "linear"))
    varied = values * random.uniform(*CONTRAST) + random.uniform(-SHIFT, SHIFT, (1, 1, 3))
    return np.asarray(np.clip(varied, -1, 1), np.float32)


def crop_all(pictures: Sequence[Picture], count: int, random: np.random.Generator) -> Crops:
    """Return ``count`` crops of pictures in turn: (count, SIDE, SIDE, 3)."""
    return np.stack([crop(pictures[n % len(pictures)], random) for n in range(count)])


def fog(random: np.random.Generator) -> Crops:
    """Return smooth coloured noise, SIDE x SIDE x 3 in [-1, 1]."""
    coarse = random.normal(0, 0.4, (SIDE // 8, SIDE // 8, 3)).astype(np.float32)
    return np.asarray(np.clip(resize(coarse, (SIDE, SIDE), "cubic"), -1, 1), np.float32)
