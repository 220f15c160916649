"""The 1,000 classes of ImageNet, the 365 and the 205 of Places: find class numbers by name."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches
from functools import lru_cache
from importlib import resources
from unicodedata import normalize

from dreamvideo.errors import UsageError

CLASSES = 1000
FILES = {
    CLASSES: "imagenet-classes.txt",
    365: "places365-classes.txt",
    205: "places205-classes.txt",
}
# How many classes a network has that this program can dream by name.
KNOWN_COUNTS = frozenset(FILES)


@lru_cache(maxsize=3)
def read_class_names(count: int = CLASSES) -> tuple[tuple[str, ...], ...]:
    """Return the names of every class, by number; the usual name comes first.

    ``count`` is how many classes the network has: 365 and 205 are those of Places, others
    ImageNet's.
    """
    file = resources.files("dreamvideo.dream.weights") / FILES.get(count, FILES[CLASSES])
    return tuple(
        tuple(name.strip() for name in line.split(","))
        for line in file.read_text(encoding="utf-8").splitlines()
    )


def find_class_number(text: str, count: int = CLASSES, own: Sequence[str] = ()) -> int:
    """Return the class that a name or number means, regardless of case.

    A name shared by two classes (``crane``, bird and machine) means the class that has only this
    name or has it first; if both do, the error asks for a number.

    Args:
        text: The name or number.
        count: How many classes the network has, without its own.
        own: Names of classes of its own that it knows beyond these; they are meant first.

    Raises:
        UsageError: The name is unknown; similar names are listed.
    """
    wanted = fold_name(text)
    for number, name in enumerate(own):
        if fold_name(name) == wanted:
            return count + number
    known = read_class_names(count)
    if wanted.isdecimal() and wanted.isascii():
        total = len(known) + len(own)
        if len(wanted) <= 4 and int(wanted) < total:
            return int(wanted)
        raise UsageError(f"--class {text}: classes are numbered 0 to {total - 1}")
    folded = [[fold_name(name) for name in names] for names in known]
    for found in (
        [n for n, names in enumerate(folded) if names == [wanted]],
        [n for n, names in enumerate(folded) if names[0] == wanted],
        [n for n, names in enumerate(folded) if wanted in names],
    ):
        if len(found) == 1:
            return found[0]
        if found:
            listed = " or ".join(f"{n} ({_context(n, known)})" for n in found)
            raise UsageError(f"--class {text!r} names several classes: write {listed}")
    raise UsageError(f"there is no class {text!r}: {_suggestion(wanted, count, own)}")


def find_classes(text: str, count: int = CLASSES, own: Sequence[str] = ()) -> list[tuple[int, str]]:
    """Return (number, names) of all classes with ``text`` in a name, or else similar ones.

    ``count`` is how many classes the network has, without its own.
    """
    wanted = fold_name(text)
    known = [*read_class_names(count), *((name,) for name in own)]
    rows = [(number, ", ".join(names)) for number, names in enumerate(known)]
    within = [row for row in rows if wanted in fold_name(row[1])]
    # A whole word is more likely meant than part of one: cat, not catamount.
    within.sort(key=lambda row: wanted not in _split_words(row[1]))
    if within:
        return within
    return [rows[number] for number in _find_near(wanted, 8, known)]


def _suggestion(wanted: str, count: int, own: Sequence[str]) -> str:
    found = find_classes(wanted, count, own)[:4] if wanted else []
    if not found:
        return "`dreamvideo models --classes WORD` finds names"
    return "did you mean " + ", ".join(names.split(", ")[0] for _, names in found) + "?"


def _find_near(wanted: str, most: int, known: Sequence[tuple[str, ...]]) -> list[int]:
    numbers: dict[str, int] = {}
    for number, names in enumerate(known):
        for name in names:
            for part in (fold_name(name), *_split_words(name)):
                numbers.setdefault(part, number)
    close = get_close_matches(wanted, numbers, n=most, cutoff=0.7)
    return list(dict.fromkeys(numbers[part] for part in close))


def _context(number: int, known: tuple[tuple[str, ...], ...]) -> str:
    """Name the preceding class, which is related: cranes are listed among birds or machines."""
    return f"next to {known[max(0, number - 1)][0]}"


def _split_words(names: str) -> list[str]:
    return fold_name(names).replace(",", " ").split()


def fold_name(text: str) -> str:
    """Return what is compared of a class's name: names that differ only in this are one."""
    return " ".join(normalize("NFC", text).lower().replace("-", " ").replace("_", " ").split())
