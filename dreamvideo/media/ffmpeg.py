"""The only module that runs ffmpeg, as a checked process that is always reaped."""

from __future__ import annotations

import functools
import os
import re
import selectors
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType

from imageio_ffmpeg import get_ffmpeg_exe

from dreamvideo import cancel
from dreamvideo.errors import MediaError
from dreamvideo.media.paths import escape_text

PROTOCOLS = "file,pipe"
# Containers only: no playlists or scripts (hls, dash, concat) that make ffmpeg open further files,
# no text formats that would turn a renamed .txt into a picture, and no image2, which takes a % or *
# in a name for a pattern of other files.
DEMUXERS = (
    "3dostr,4xm,amv,apng,asf,av1,avi,bink,cavsvideo,cdxl,cine,dhav,dirac,dnxhd,dv,dxa,ea,evc,"
    "ffvhuff,film_cpk,flic,flv,gif,gxf,h261,h263,h264,hevc,hnm,idcin,ipmovie,ivf,jpegxl_anim,"
    "live_flv,lxf,m4v,matroska,webm,mjpeg,mov,mp4,mpeg,mpegts,mpegvideo,mpjpeg,mtv,mv,mvi,mxf,"
    "nsv,nut,nuv,obu,ogg,pva,rm,roq,rpl,sga,smk,smjpeg,svag,swf,thp,ty,vc1,vc1test,vivo,vmd,vvc,"
    "wc3movie,webp_anim,wtv,xmv,yop,yuv4mpegpipe,"
    # Known, so that the message can say what the file is instead of a film:
    "aac,ac3,aiff,caf,flac,mp3,wav,w64,png_pipe,jpeg_pipe,webp_pipe,tiff_pipe,bmp_pipe,"
    "gif_pipe,jpegxl_pipe,qoi_pipe,psd_pipe,exr_pipe"
)
# Four times the largest film that is promised; a broken header may declare anything.
MAX_PIXELS = 8192 * 8192
ACCURATE = "accurate_rnd+full_chroma_int+full_chroma_inp"

_LEVEL = re.compile(r"^((?:\[[^\]]* @ 0x[0-9a-f]+\] )*)\[(\w+)\] (.*)$")
# It would be followed by the whole list.
_UNLISTED = re.compile(r"^Format not on whitelist .*")
_BAD = ("error", "fatal", "panic")
# For raw frames, whose times are read elsewhere: nothing in the file is wrong.
_HARMLESS = re.compile(r"non monotonically increasing dts to muxer")
_EMPTY_WORDS = re.compile(
    r"^(Conversion failed|Task finished with error|Terminating thread|Nothing was written|Exiting|"
    r"Error opening (in|out)put file|Could not open encoder|Decode error rate|"
    r"Cannot determine format of input|"
    r"Error (while )?(filtering|initializing filters|opening encoder|sending frames|processing)|"
    r"(Invalid argument|Invalid data found when processing input|Input/output error|End of file|"
    r"Device or resource busy)$)"
)
# Reasons for a failed encoding that lie with the disk or the machine.
NOT_THE_SOURCE = re.compile(r"No space left|killed by signal|Permission denied|Read-only file")
_PREFIXES = re.compile(r"^(Error opening input: |Error submitting packet to decoder: )")


@functools.cache
def executable() -> str:
    """Return the path of the bundled ffmpeg, or ``IMAGEIO_FFMPEG_EXE``. Raises MediaError."""
    try:
        return str(get_ffmpeg_exe())
    except RuntimeError as error:
        raise MediaError(f"no ffmpeg found: reinstall imageio-ffmpeg ({error})") from error


def local_url(path: Path) -> str:
    """Return a name that ffmpeg can only take for a local file, whatever the file is called."""
    return "file:" + str(path.absolute())


def input_file(path: Path, *options: str) -> list[str]:
    """Return arguments that open one local media file, preceded by its input options."""
    limits = ["-protocol_whitelist", PROTOCOLS, "-format_whitelist", DEMUXERS]
    limits += ["-max_pixels", str(MAX_PIXELS)]
    return [*limits, *options, "-i", local_url(path)]


def metadata_file(path: Path) -> list[str]:
    """Return arguments that open a file of tags and chapters in ffmpeg's own format."""
    return ["-protocol_whitelist", PROTOCOLS, "-f", "ffmetadata", "-i", local_url(path)]


def raw_sound_file(path: Path, rate: int, channels: int) -> list[str]:
    """Return arguments that open a file of bare samples (32-bit floats)."""
    form = ["-f", "f32le", "-ar", str(rate), "-ac", str(channels)]
    return ["-protocol_whitelist", PROTOCOLS, *form, "-i", local_url(path)]


class Process:
    """A running ffmpeg in its own session, so that Ctrl-C stops the render, not the encoder.

    Use it as a context manager: leaving it in any way kills and reaps what is still running.
    ``on_line`` gets every line of ffmpeg's log, on another thread.
    """

    def __init__(
        self,
        arguments: Sequence[str],
        *,
        feed: bool = False,
        on_line: Callable[[str], None] | None = None,
        on_end: Callable[[], None] | None = None,
        detail: str = "verbose",
        output: int | None = None,
    ) -> None:
        """Start ffmpeg.

        Args:
            arguments: Its arguments.
            feed: Whether to open its standard input.
            on_line: Called with every line of its log, on another thread.
            on_end: Called when its log ends, on that thread.
            detail: Its log level.
            output: A file descriptor that its standard output goes to, instead of to us.

        Raises:
            MediaError: It does not start.
        """
        self.complaints: deque[str] = deque(maxlen=64)
        self.complaint_count = 0
        self._on_line = on_line
        self._on_end = on_end
        try:
            self._process = subprocess.Popen(
                [
                    executable(),
                    "-nostdin",
                    "-nostats",
                    "-hide_banner",
                    "-loglevel",
                    f"level+{detail}",
                    *arguments,
                ],
                # A buffer has a lock, which its reader's thread may hold when the interpreter
                # exits.
                bufsize=0,
                stdin=subprocess.PIPE if feed else subprocess.DEVNULL,
                stdout=subprocess.PIPE if output is None else output,
                stderr=subprocess.PIPE,
                env={**os.environ, "AV_LOG_FORCE_NOCOLOR": "1", "SVT_LOG": "1"},
                start_new_session=True,
            )
        except OSError as error:
            raise MediaError(f"ffmpeg does not start: {error}") from error
        if feed and sys.platform != "win32":
            assert self._process.stdin is not None
            os.set_blocking(self._process.stdin.fileno(), False)
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()

    def __enter__(self) -> Process:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        self._listener.join()
        for pipe in (self._process.stdin, self._process.stdout, self._process.stderr):
            if pipe is not None:
                with suppress(BrokenPipeError):
                    pipe.close()

    def read_into(self, buffer: memoryview) -> int:
        """Read some of its raw output; return how many bytes, 0 at the end. Raises Interrupted."""
        assert self._process.stdout is not None
        cancel.wait_for_pipe(self._process.stdout, selectors.EVENT_READ)
        return int(self._process.stdout.readinto(buffer))  # type: ignore[attr-defined]

    def pieces(self, size: int) -> Iterator[bytes]:
        """Yield its raw output in pieces of that many bytes; the last one may be shorter."""
        piece = bytearray(size)
        got = 0
        while more := self.read_into(memoryview(piece)[got:]):
            got += more
            if got == size:
                yield bytes(piece)
                got = 0
        if got:
            yield bytes(piece[:got])

    def read_all(self) -> bytes:
        """Return its raw output. Raises Interrupted."""
        return b"".join(self.pieces(1 << 16))

    def feed(self, chunks: Iterable[bytes]) -> None:
        """Write all chunks to its standard input and close it; stops if ffmpeg ends.

        Raises Interrupted.
        """
        pipe = self._process.stdin
        assert pipe is not None
        for chunk in chunks:
            left = memoryview(chunk)
            while left:
                cancel.wait_for_pipe(pipe, selectors.EVENT_WRITE)
                # Not around ``chunks``: what they report to can be a broken pipe as well.
                try:
                    # None: another look at the pipe finds it full.
                    left = left[pipe.write(left) or 0 :]
                except BrokenPipeError:
                    return
        with suppress(BrokenPipeError):
            pipe.close()

    def kill(self) -> None:
        """Kill it at once; its output so far is incomplete."""
        self._process.kill()

    def wait(self) -> int:
        """Return the exit code, once ffmpeg has ended and all of its log was read.

        Raises Interrupted.
        """
        while True:
            cancel.check()
            with suppress(subprocess.TimeoutExpired):
                code = self._process.wait(cancel.TICK)
                break
        self._listener.join()
        return code

    def reason(self) -> str:
        """Return ffmpeg's last meaningful messages in one line."""
        meaningful = [line for line in self.complaints if not _EMPTY_WORDS.match(line)]
        last = list(dict.fromkeys(meaningful))[-2:] or list(self.complaints)[-1:]
        code = self._process.poll() or 0
        if code < 0:
            last.append(f"ffmpeg was killed by signal {-code}")
        return "; ".join(last) or "ffmpeg gave no reason"

    def _listen(self) -> None:
        for raw in self._read_log_lines():
            line = raw.decode("utf-8", "replace").rstrip("\r")
            match = _LEVEL.match(line)
            if match and _HARMLESS.search(match[3]):
                continue
            if match and (match[2] in _BAD or "corrupt" in match[3]):
                self.complaint_count += 1
                words = _PREFIXES.sub("", match[3]).strip()
                self.complaints.append(
                    escape_text(_UNLISTED.sub("not a supported film format", words))
                )
            if self._on_line:
                self._on_line(line)
        if self._on_end:
            self._on_end()

    def _read_log_lines(self) -> Iterator[bytes]:
        """Yield the raw lines of its log."""
        assert self._process.stderr is not None
        rest = b""
        while data := self._process.stderr.read(1 << 16):
            *lines, rest = (rest + data).split(b"\n")
            yield from lines
        if rest:
            yield rest


def run(
    arguments: Sequence[str],
    *,
    subject: str,
    feed: Iterable[bytes] | None = None,
    detail: str = "verbose",
) -> tuple[list[str], bytes]:
    """Run ffmpeg to its end; return its log lines and its standard output.

    Args:
        arguments: Its arguments.
        subject: What the error is about.
        feed: Written to its standard input.
        detail: Its log level.

    Raises:
        Interrupted: This process was asked to stop; ffmpeg is killed.
        MediaError: The exit code is not 0; the message is "``subject``: ffmpeg's reason".
    """
    lines: list[str] = []
    fed = feed is not None
    with Process(arguments, feed=fed, on_line=lines.append, detail=detail) as process:
        if feed is not None:
            process.feed(feed)
        output = process.read_all()
        code = process.wait()
        if code != 0:
            raise MediaError(f"{subject}: {process.reason()}")
    return lines, output
