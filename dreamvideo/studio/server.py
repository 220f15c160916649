"""The page's server: local only, protected by a token, and ended with everything it has started."""

from __future__ import annotations

import asyncio
import webbrowser
from base64 import b64decode
from collections.abc import Callable
from pathlib import Path

from fastapi import FastAPI, Request
from fastapi.responses import FileResponse, JSONResponse, PlainTextResponse, Response
from nicegui import ui

from dreamvideo.cancel import ENDING_A_SESSION, CancelToken, check, handle_signals
from dreamvideo.errors import DreamVideoError, MediaError, UsageError
from dreamvideo.formatting import format_bytes
from dreamvideo.loopback.guard import Gate, Guard
from dreamvideo.loopback.server import bind, run
from dreamvideo.media.identify import Song, identify_file
from dreamvideo.studio.messages import moving_path
from dreamvideo.studio.page import build
from dreamvideo.studio.session import MOST_UPLOAD, Studio, look_pictures, sample_paths
from dreamvideo.studio.uploads import take

# One transparent pixel.
_NOTHING = b64decode("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7")
_NO_STORE = {"cache-control": "no-store"}


def serve(
    source: Path | None = None,
    *,
    port: int = 0,
    opens: bool = True,
    folder: Path = Path(),
    most_upload: int = MOST_UPLOAD,
    own_tiles: bool = True,
    say: Callable[[str], None] = print,
) -> None:
    """Serve the page until Ctrl-C.

    Args:
        source: A file to open.
        port: Port; 0: a free one.
        opens: Whether to open the page in a browser.
        folder: Where films are written.
        most_upload: Largest upload in bytes.
        own_tiles: Whether the looks' pictures are dreamt from the user's own source.
        say: Called with the page's address, and at the end with what is unfinished.

    Raises:
        UsageError: The port or folder cannot be used.
        MediaError: The source cannot be read.
    """
    material = None if source is None else identify_file(source)
    if not folder.is_dir():
        raise UsageError(f"{folder}: no such folder to write films into")
    token = CancelToken()
    with handle_signals(token, ENDING_A_SESSION), bind(port) as sock:
        # An earlier signal, while this module was imported, went to the command's own token.
        check()
        gate = Gate(sock.getsockname()[1], "dreamvideo studio")
        studio = Studio(folder, most_upload, own_tiles=own_tiles)
        try:
            studio.previewer.start()
            if material is not None:
                studio.take(material)

            def announce() -> None:
                say(f"dreamvideo studio: {gate.address}")
                if opens:
                    webbrowser.open(gate.address)

            run(application(studio, gate), sock, token, announce)
        finally:
            left = studio.close()
    for command in left:
        say(f"unfinished, resume with: {command}")


def application(studio: Studio, gate: Gate) -> Guard:
    """Return the whole application, guarded."""
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)
    _pictures(app, studio)
    _films(app, studio)
    _uploads(app, studio)

    @ui.page("/", title="dreamvideo studio", language="en-US", favicon=_ICON)
    def main() -> None:
        build(studio)

    # NiceGUI's access from outside this machine (on_air) stays off; Tailwind is not needed.
    ui.run_with(app, tailwind=False, show_welcome_message=False, on_air=None)
    return Guard(app, gate)


def _pictures(app: FastAPI, studio: Studio) -> None:
    @app.get("/studio/seen/{which}/{serial}")
    def seen(which: str, serial: int) -> Response:
        return _picture(studio.seen.source if which == "source" else studio.seen.dream)

    @app.get("/studio/mask/{name}")
    def mask(name: str) -> Response:
        path = Path(studio.mask or "")
        shown = path.name == name and path.suffix == ".png" and path.is_file()
        return FileResponse(path, headers=_NO_STORE) if shown else _missing()

    @app.get("/studio/tried/{number}")
    def tried(number: int) -> Response:
        return _picture(next((e.picture for e in studio.tried if e.number == number), b""))

    looks = look_pictures()

    @app.get("/studio/look/{name}")
    def look(name: str) -> Response:
        return FileResponse(looks[name]) if name in looks else _missing()

    @app.get("/studio/own/{stem}")
    def own(stem: str) -> Response:
        found = [path for path in studio.tiles.made.values() if path.stem == stem]
        return FileResponse(found[0]) if found and found[0].is_file() else _missing()

    samples = sample_paths()

    @app.get("/studio/sample/{name}")
    def sample(name: str) -> Response:
        return FileResponse(samples[name]) if name in samples else _missing()


def _films(app: FastAPI, studio: Studio) -> None:
    @app.get("/studio/moving/{which}/{ticket}")
    def moving(which: str, ticket: int) -> Response:
        if which not in ("source", "dream"):
            return _missing()
        path = moving_path(studio.private, ticket, which)
        return _file(path) if path.is_file() else _missing()

    @app.get("/studio/live/{number}/{serial}")
    def live(number: int, serial: int) -> Response:
        job = studio.jobs.get(number)
        return _picture(b"" if job is None else job.read_live())

    @app.get("/studio/result/{number}")
    def result(number: int, download: bool = False) -> Response:
        job = studio.jobs.get(number)
        if job is None or job.state != "done" or not job.order.output.is_file():
            return _missing()
        return _file(job.order.output, job.name if download else None)


def _uploads(app: FastAPI, studio: Studio) -> None:
    @app.post("/studio/upload")
    async def upload(request: Request, name: str, use: str = "source") -> Response:
        declared = request.headers.get("content-length", "")
        if declared.isdigit() and int(declared) > studio.most_upload:
            line = f"larger than {format_bytes(studio.most_upload)}; --max-upload allows more"
            return JSONResponse({"error": line}, 413)
        try:
            limit, song = studio.most_upload, use == "song"
            taken = await take(request.stream(), name, studio.private, limit, song=song)
            if use in ("mask", "arrival") and not isinstance(taken, Song):
                keep = studio.take_mask if use == "mask" else studio.take_arrival
                return JSONResponse({use: await asyncio.to_thread(keep, taken)})
            if use in ("mask", "arrival"):
                raise MediaError(f"{taken.name}: is no picture")
            if isinstance(taken, Song):
                studio.play(taken)
            else:
                studio.take(taken)
        except DreamVideoError as error:
            code = 415 if isinstance(error, MediaError) else 507
            code = 413 if isinstance(error, UsageError) else code
            return JSONResponse({"error": str(error)}, code)
        return JSONResponse({"serial": studio.seen.serial})


def _picture(jpeg: bytes) -> Response:
    # A page may request one just after another source was chosen.
    return Response(jpeg or _NOTHING, media_type="image/jpeg", headers=_NO_STORE)


def _file(path: Path, download: str | None = None) -> Response:
    return FileResponse(path, filename=download, headers=_NO_STORE)


def _missing() -> Response:
    return PlainTextResponse("not there (any more)", 404, headers=_NO_STORE)


_ICON = (
    "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 32 32'><circle cx='16' cy='16' r='15' "
    "fill='#6d3bd1'/><path d='M3 16c6-9 20-9 26 0-6 9-20 9-26 0z' fill='#fff'/>"
    "<circle cx='16' cy='16' r='5' fill='#16102b'/></svg>"
)
