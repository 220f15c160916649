"""How a film was made: recipe, commands and versions, and the differences of two recipes."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dreamvideo.errors import DreamVideoError
from dreamvideo.media.probe import MediaInfo
from dreamvideo.metrics.pairing import Excerpt
from dreamvideo.render.job.job import Job, job_folder, read_job
from dreamvideo.render.recipe import read_recorded_look
from dreamvideo.report.review import Seconds
from dreamvideo.settings import Look, look_to_toml
from dreamvideo.settings.presets import look_values

Difference = tuple[str, str, str]
UNSET = "not set"


@dataclass(frozen=True)
class Recipe:
    """How a film was made, as far as it is recorded; ``why_not`` is the reason if it is not.

    ``command`` is the line that was run, "" if unknown; ``again`` are lines that make such a film
    from this one.
    """

    look: Look | None
    version: str = ""
    command: str = ""
    again: tuple[str, ...] = ()
    why_not: str = ""

    @property
    def toml(self) -> str:
        """The look as a preset's text; "" if unknown."""
        return look_to_toml(self.look) if self.look is not None else ""


def read_recipe(
    film: MediaInfo, source: MediaInfo | None, excerpt: Excerpt, command: Sequence[str] = ()
) -> Recipe:
    """Read how a film was made, from its own tags or its kept job.

    Args:
        film: The film.
        source: Its source, if any.
        excerpt: The part of the source that it shows.
        command: The words of the command that has just made it.
    """
    ran = shlex.join(command)
    try:
        version, look = read_recorded_look(film.path)
    except DreamVideoError as error:
        job = find_kept_job(film.path)
        if job is None:
            return Recipe(None, command=ran, why_not=str(error))
        version, look = job.manifest.versions.get("dreamvideo", ""), job.manifest.decoded_look
    return Recipe(look, version, ran, _format_again(film, source, excerpt))


def find_kept_job(film: Path) -> Job | None:
    """Return the job folder that ``--keep-job`` left next to a film."""
    try:
        return read_job(film) if job_folder(film).exists() else None
    except (DreamVideoError, OSError):
        return None


def read_seconds(film: Path) -> Seconds:
    """Return the time each frame took, from a kept job's records; empty if there are none."""
    job = find_kept_job(film)
    records = [record for part in job.segment_stores() for record in part.records] if job else []
    return tuple(record.seconds for record in sorted(records, key=lambda r: r.time))


def find_recorded_source(film: Path) -> tuple[Path | None, Excerpt]:
    """Return the clip that a film was made from, according to its kept job or its name.

    The default name of the film of ``cat.mp4`` is ``cat-dream.mp4``, in the same folder.
    """
    job = find_kept_job(film)
    request = job.manifest.request if job else {}
    if request.get("clip"):
        parts = {name: request.get(name) for name in ("start", "end", "fps", "fit")}
        return Path(str(request["clip"])), Excerpt(**parts)
    name = film.stem.removesuffix("-dream")
    if name == film.stem or not name:
        return None, Excerpt()
    found = [p for p in sorted(film.absolute().parent.iterdir()) if p.stem == name and p.suffix]
    clips = [path for path in found if path.suffix.lower() not in (".html", ".toml", ".json")]
    return (clips[0] if len(clips) == 1 else None), Excerpt()


def find_differences(a: Recipe, b: Recipe) -> list[Difference]:
    """Return (setting, of a, of b) where two looks differ; empty if one is unknown."""
    if a.look is None or b.look is None:
        return []
    one, other = (dict(_flatten(look_values(r.look))) for r in (a, b) if r.look is not None)
    names = dict.fromkeys([*one, *other])
    both = ((name, one.get(name, UNSET), other.get(name, UNSET)) for name in names)
    found = [row for row in both if row[1] != row[2]]
    if a.version != b.version:
        found.append(("dreamvideo", a.version, b.version))
    return found


def _format_again(film: MediaInfo, source: MediaInfo | None, excerpt: Excerpt) -> tuple[str, ...]:
    if source is None:
        return (shlex.join(["dreamvideo", "info", str(film.path), "--recipe"]) + " > look.toml",)
    words = ["dreamvideo", "video", str(source.path), "--preset", "look.toml", *excerpt.options]
    if (film.width, film.height) != (source.width, source.height):
        words += ["--size", f"{film.width}x{film.height}"]
    return (
        shlex.join(["dreamvideo", "info", str(film.path), "--recipe"]) + " > look.toml",
        shlex.join([*words, "-o", f"{film.path.stem}-again{film.path.suffix}"]),
    )


def _flatten(values: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, str]]:
    for name, value in values.items():
        if name == "description":
            continue
        if isinstance(value, Mapping):
            yield from _flatten(value, f"{before}{name}.")
        else:
            yield before + name, str(value)
