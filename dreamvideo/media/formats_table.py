"""The table of what can be written, as Markdown: ``python -m dreamvideo.media.formats_table``."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from dreamvideo.media.codecs import CODECS, choose_depth, codecs_for, holds_alpha
from dreamvideo.media.containers import CONTAINERS, Container
from dreamvideo.media.folder import FORMATS, OPAQUE

_HEAD = """\
| Extension | `--codec`, default first | `--depth` | Sound that is copied, else | Transparency |
|---|---|---|---|---|"""
_SOUND = {
    "aac": "AAC",
    "mp3": "MP3",
    "ac3": "AC-3",
    "eac3": "E-AC-3",
    "alac": "ALAC",
    "opus": "Opus",
    "libopus": "Opus",
    "flac": "FLAC",
    "mp2": "MP2",
    "vorbis": "Vorbis",
}


def formats_table() -> str:
    """Return the table: a row for each extension of films, and one for folders of pictures."""
    rows = [_HEAD, *(_film_row(ending, container) for ending, container in CONTAINERS.items())]
    depths = _by_value((form, _listed(map(str, sorted(bits)))) for form, bits in FORMATS.items())
    clear = [form for form in FORMATS if form not in OPAQUE]
    rows.append(_row("none: a folder", _coded(FORMATS), depths, "none", f"with {_coded(clear)}"))
    return "\n".join(rows)


def _film_row(ending: str, container: Container) -> str:
    names = codecs_for(ending)
    depths = _by_value((name, _listed(map(str, CODECS[name].depths))) for name in names)
    place = Path(f"a{ending}")
    clear = [n for n in names if holds_alpha(CODECS[n], place, choose_depth(CODECS[n], None))]
    some = f"with {_coded(clear)}" if clear else "none"
    kept = "kept" if clear == names else some
    sound = _sound(container)
    if container.muxer == "mov":
        sound += "; for editors only PCM"
    return _row(f"`{ending}`", _coded(names), depths, sound, kept)


def _sound(container: Container) -> str:
    if container.sound_encoder is None:
        return "none"
    other = _name(container.sound_encoder)
    if container.sound is None:
        return f"everything that Matroska takes, else {other}"
    copied = list(dict.fromkeys(map(_name, container.sound)))
    return other if copied == [other] else f"{_listed(copied)}, else {other}"


def _name(sound: str) -> str:
    return "PCM" if sound.startswith("pcm_") else _SOUND[sound]


def _by_value(pairs: Iterable[tuple[str, str]]) -> str:
    """Return what each name has, those with the same together; without names if all have it."""
    groups: dict[str, list[str]] = {}
    for name, value in pairs:
        groups.setdefault(value, []).append(name)
    if len(groups) == 1:
        return next(iter(groups))
    return "; ".join(f"{value} with {_coded(names)}" for value, names in groups.items())


def _coded(names: Iterable[str]) -> str:
    """Return names as code; of a family's, such as prores-hq, only the first has its whole name."""
    words, family = [], ""
    for name in names:
        first, dash, variant = name.partition("-")
        words.append(f"`-{variant}`" if dash and first == family else f"`{name}`")
        family = first
    return _listed(words)


def _listed(words: Iterable[str]) -> str:
    return ", ".join(words)


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    print(formats_table())
