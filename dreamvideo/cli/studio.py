"""``studio``: a page in the browser to find a look and to render it."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from dreamvideo.cli.app import Debug, app
from dreamvideo.errors import DreamVideoError, UsageError
from dreamvideo.parsing import parse_bytes


@app.command()
def studio(
    source: Annotated[
        Path | None,
        typer.Argument(
            help="A picture or a clip to start with; others can be dropped into the page.",
            show_default="none",
        ),
    ] = None,
    *,
    port: Annotated[
        int,
        typer.Option("--port", min=0, max=65_535, help="Port on 127.0.0.1; 0: any free one."),
    ] = 0,
    opens: Annotated[
        bool,
        typer.Option(
            "--open/--no-browser", help="Open the page in the browser, or only print its address."
        ),
    ] = True,
    folder: Annotated[
        Path | None,
        typer.Option(
            "--folder", help="Where films are written.", show_default="the current folder"
        ),
    ] = None,
    max_upload: Annotated[
        str,
        typer.Option("--max-upload", help="Largest upload, for example 2GB."),
    ] = "500MB",
    own_tiles: Annotated[
        bool,
        typer.Option(
            "--own-tiles/--no-own-tiles",
            help="Dream each look's picture from your own source, when nothing else is dreamt.",
        ),
    ] = True,
    debug: Debug = False,
) -> None:
    """Find a look by eye in a page on this machine only; render, pause and watch it there."""
    missing = [name for name in ("nicegui", "uvicorn", "fastapi") if find_spec(name) is None]
    if missing:
        raise DreamVideoError(
            f"the studio needs {missing[0]}, which is not installed: in a clone of dreamvideo, run "
            'pip install -e ".[studio]"'
        )
    try:
        most = parse_bytes(max_upload)
    except ValueError as error:
        raise UsageError(f"--max-upload {max_upload!r}: {error}") from None

    from dreamvideo.studio.server import serve

    def say(line: str) -> None:
        print(line)
        sys.stdout.flush()

    serve(
        source,
        port=port,
        opens=opens,
        folder=folder or Path(),
        most_upload=most,
        own_tiles=own_tiles,
        say=say,
    )
