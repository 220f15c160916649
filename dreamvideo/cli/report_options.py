"""Options of pages with embedded films, and the page for a render's ``--report``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dreamvideo.errors import DreamVideoError, UsageError
from dreamvideo.settings.embed import Embed

if TYPE_CHECKING:
    from dreamvideo.render.progress import OnProgress
    from dreamvideo.render.result import RenderResult

USUAL = Embed()
Report = Annotated[
    bool,
    typer.Option(
        "--report",
        help="Also make a page about the film and its source, with curves, worst moments and "
        "recipe: OUTPUT.report.html.",
    ),
]
EmbedHeight = Annotated[
    int | None,
    typer.Option(
        "--embed-height",
        min=0,
        max=4320,
        help="Height in px of the films in the page if they have to be compressed again; 0: no "
        "films.",
        show_default=f"{USUAL.height}",
    ),
]
EmbedSize = Annotated[
    str | None,
    typer.Option(
        "--embed-size",
        help="Largest film to embed in the page, for example 30MB.",
        show_default=f"{USUAL.most_bytes // 10**6}MB",
    ),
]


def make_embed(height: int | None, size: str | None) -> Embed:
    """Return how to embed films, from the options. Raises UsageError."""
    from dreamvideo.parsing import parse_bytes

    try:
        most = USUAL.most_bytes if size is None else parse_bytes(size)
    except ValueError as error:
        raise UsageError(f"--embed-size {size}: {error}") from None
    return Embed(USUAL.height if height is None else height, most)


def page_before(
    asked: bool, film: Path, *inputs: Path | None, overwrite: bool, partial: bool
) -> None:
    """Check, before any work, that the page can be written afterwards. Raises UsageError.

    Args:
        asked: Whether ``--report`` is given.
        film: The film that the page is about.
        inputs: Files that the page must not overwrite.
        overwrite: Whether to replace an existing page.
        partial: Whether only a partial film is made, which gets no page.
    """
    if asked and not partial:
        from dreamvideo.report.film import check_report, report_path

        check_report(report_path(film), overwrite, *inputs)


def page_after(
    made: RenderResult,
    source: Path | None,
    on_progress: OnProgress,
    **part: str | None,
) -> Path:
    """Make the page of a film that was just made.

    Args:
        made: The result of the render.
        source: The clip it was dreamt from.
        on_progress: Called with each step of progress.
        part: The part of the source that the film shows: fields of ``Excerpt``.

    Raises:
        DreamVideoError: The page cannot be made; the message says that the film itself is complete.
    """
    from dreamvideo.metrics.pairing import Excerpt
    from dreamvideo.report.film import report_film

    program, *words = sys.argv
    ran = Path(program).stem in ("dreamvideo", "__main__")
    try:
        return report_film(
            made.output,
            source,
            excerpt=Excerpt(**part),
            seconds=made.seconds,
            command=["dreamvideo", *words] if ran else (),
            overwrite=True,
            on_progress=on_progress,
        )
    except DreamVideoError as error:
        raise DreamVideoError(
            f"{made.output} is complete, but its report could not be made ({error}); 'dreamvideo "
            "report' makes it later"
        ) from error
