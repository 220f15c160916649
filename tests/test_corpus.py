"""Rubbish in bulk: every input ends in one clear line, in time, in memory, with nothing left.

The whole corpus is marked slow; ``DREAMVIDEO_CORPUS_SEEDS`` says how many times its dice are
thrown. What runs always is a sample of it.
"""

from __future__ import annotations

import gc
import os
import random
import re
import resource
import shutil
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import FrameType

import pytest
from corpus import Case, broken_folders, damaged, films, misnamed, pictures
from corpus_giants import giants
from corpus_strange import absent, named, no_files, no_films, odd_folders, playlists
from tiny import QUICK, Cli, Ended

SAMPLE = 60
SECONDS = 240
# The largest frame that ffmpeg is let decode takes 400 MB in the widest format.
CHILD_BYTES = 1_500_000_000
GROWTH_BYTES = 400_000_000


class Hanging(BaseException):
    """An input took too long."""


@dataclass
class Bench:
    """Where the corpus is and what may be touched: nothing but ``out``."""

    desk: Path
    out: Path
    temporary: Path
    secret: Path
    requests: list[str] = field(default_factory=list)


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    for name in ("desk", "out", "temporary"):
        (tmp_path / name).mkdir()
    monkeypatch.chdir(tmp_path / "desk")
    monkeypatch.setenv("TMPDIR", str(tmp_path / "temporary"))
    monkeypatch.setattr("tempfile.tempdir", None)
    yield Bench(
        tmp_path / "desk", tmp_path / "out", tmp_path / "temporary", tmp_path / "secret.mp4"
    )


@contextmanager
def server(requests: list[str]) -> Iterator[int]:
    """A web server on this machine that notes who asks; its port."""

    class Noting(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            requests.append(self.path)
            self.send_error(404)

        def log_message(self, format: str, *arguments: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Noting) as listening:
        thread = threading.Thread(target=listening.serve_forever)
        thread.start()
        try:
            yield listening.server_address[1]
        finally:
            listening.shutdown()
            thread.join()


def corpus(bench: Bench, port: int, seeds: int) -> Iterator[Case]:
    """All inputs; the dice of the damage are thrown ``seeds`` times."""
    place = bench.desk.parent
    moving, still = films(place / "films"), pictures(place / "pictures")
    good = moving["h264.mp4"]
    bench.secret.write_bytes(good.read_bytes())
    yield from named(good, bench.desk)
    yield from absent(bench.secret, port)
    yield from playlists(place / "playlists", bench.secret, port)
    yield from no_files(good, place / "no-files")
    yield from no_films(moving, place / "no-films")
    yield from odd_folders(still, place / "odd")
    yield from giants(moving, still, place / "giants")
    for seed in range(seeds):
        yield from misnamed(moving, place / f"misnamed{seed}", seed)
        yield from broken_folders(still, place / f"folders{seed}", seed)
        yield from damaged(moving, place / f"damaged{seed}", still=False, seed=seed)
        yield from damaged(still, place / f"stills{seed}", still=True, seed=seed)


@contextmanager
def watchdog() -> Iterator[None]:
    """No input may take longer than this."""

    def bark(number: int, frame: FrameType | None) -> None:
        raise Hanging

    before = signal.signal(signal.SIGALRM, bark)
    signal.alarm(SECONDS)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def around(bench: Bench) -> tuple[object, ...]:
    """What must be the same after a command: files, processes, threads, open files."""
    places = (bench.desk, bench.temporary, bench.desk.parent)
    gc.collect()
    return (
        [sorted(p.name for p in place.iterdir()) for place in places],
        [
            task.read_text()
            for task in Path("/proc/self/task").glob("*/children")
            if task.read_text()
        ],
        sorted(thread.name for thread in threading.enumerate()),
        open_files(),
    )


def open_files() -> int:
    """How many files are open, but for those of /proc that ``ChildMemory`` reads."""
    count = 0
    for number in Path("/proc/self/fd").iterdir():
        with suppress(OSError):
            count += not str(number.readlink()).startswith("/proc/")
    return count


def memory() -> int:
    """Bytes that this process holds now."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


class ChildMemory:
    """Peak memory of the programs that this process starts, while the block runs.

    Not ``RUSAGE_CHILDREN``: a child's maximum there includes what its parent held when it was
    forked, so it grows with the test process.
    """

    def __init__(self) -> None:
        self.peak = 0
        self._ended = threading.Event()
        self._own = Path("/proc/self/exe").resolve()

    def __enter__(self) -> ChildMemory:
        self._thread = threading.Thread(target=self._watch, name="child memory")
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._ended.wait(0.01):
            for task in Path("/proc/self/task").glob("*/children"):
                with suppress(OSError):
                    for child in task.read_text().split():
                        self._look_at(Path("/proc") / child)

    def _look_at(self, child: Path) -> None:
        with suppress(OSError):
            # Until it runs another program, a child's memory is this process's.
            if (child / "exe").resolve() == self._own:
                return
            for line in (child / "status").read_text().splitlines():
                if line.startswith("VmHWM:"):
                    self.peak = max(self.peak, int(line.split()[1]) * 1024)


def commands(case: Case, bench: Bench, *, all_of_it: bool) -> Iterator[list[str]]:
    """Command lines for one input; two frames of a film are enough for a sample."""
    name = str(case.path)
    if all_of_it or len(name) % 3 == 0:
        yield ["info", "--no-estimate", "--", name]
    small = ["--size", "32x32", *QUICK]
    if case.still or name.endswith(".gif"):
        yield ["image", "-o", f"{bench.out}/a.png", *small, "--", name]
    if not case.still:
        part = [] if all_of_it else ["--end", "2f"]
        yield ["video", "-o", f"{bench.out}/a.mp4", *small, *part, "--", name]


def faults(case: Case, arguments: Sequence[str], ended: Ended, bench: Bench) -> Iterator[str]:
    """What is wrong with how a command ended."""
    lines = ended.err.splitlines()
    complaints = [line for line in lines if line.startswith("dreamvideo: ")]
    if ended.code not in (0, 1, 2, 3):
        yield f"exit code {ended.code}"
    if "Traceback" in ended.err or "unexpected" in ended.err:
        yield "a traceback"
    if complaints != lines[-1:] if ended.code else complaints:
        yield "not one line"
    if any(len(line) > 1500 or not line.isprintable() for line in lines):
        yield "a line that no terminal takes"
    yield from _wrong_result(case, arguments[0] == "info", ended, bench)


def _wrong_result(case: Case, only_asked: bool, ended: Ended, bench: Bench) -> Iterator[str]:
    left = sorted(path.name for path in bench.out.iterdir())
    if "resume with: " in ended.err:
        # Frames were finished before it failed; they are kept, and nothing else.
        left = [name for name in left if not name.endswith(".dreamjob")] if left else ["no job"]
    if left and (ended.code or only_asked):
        yield f"leaves {left}"
    if case.whole is not None and (ended.code == 0) != case.whole:
        yield "is not told from the other kind"
    if only_asked or ended.code:
        return
    if not left:
        yield "says that it has made what is not there"
    if case.whole and not re.search(r": (2|3|8) frames", ended.out):
        yield "has not all frames"


def go_through(
    cases: Sequence[Case], cli: Cli, bench: Bench, *, all_of_it: bool
) -> tuple[Counter[str], list[str]]:
    """Give every case to its commands; exit codes counted, and what went wrong."""
    codes: Counter[str] = Counter()
    wrong: list[str] = []
    log = os.environ.get("DREAMVIDEO_CORPUS_LOG")
    for case in cases:
        for arguments in commands(case, bench, all_of_it=all_of_it):
            before, began, held = around(bench), time.monotonic(), memory()
            try:
                with watchdog():
                    ended = cli(*arguments)
            except Hanging:
                wrong.append(f"{case.name}: {arguments[0]} hangs")
                continue
            codes[f"{arguments[0]} {ended.code}"] += 1
            found = list(faults(case, arguments, ended, bench))
            shutil.rmtree(bench.out)
            bench.out.mkdir()
            if memory() - held > GROWTH_BYTES:
                found.append("takes much memory")
            if around(bench) != before:
                found.append(f"leaves something behind: {before} -> {around(bench)}")
            wrong += [f"{case.name}: {arguments[0]}: {what}: {ended}" for what in found]
            if log:
                with Path(log).open("a", errors="backslashreplace") as file:
                    spent = time.monotonic() - began
                    file.write(f"{spent:.2f} {case.name}: {arguments[0]}: {ended}\n")
    return codes, wrong


def run_corpus(cli: Cli, bench: Bench, seeds: int, sample: int | None) -> tuple[int, Counter[str]]:
    with server(bench.requests) as port:
        cases = list(corpus(bench, port, seeds))
        random.Random(7).shuffle(cases)
        cases = cases[:sample]
        first = next(iter((bench.desk.parent / "films").iterdir()))
        cli("video", "-o", bench.out / "a.mp4", "--size", "32x32", *QUICK, first)
        (bench.out / "a.mp4").unlink()
        # What is loaded by now is no garbage of a case: it need not be looked through each time.
        gc.freeze()
        try:
            with ChildMemory() as children:
                codes, wrong = go_through(cases, cli, bench, all_of_it=sample is None)
        finally:
            gc.unfreeze()
    assert bench.requests == []
    assert not wrong, f"{len(wrong)} faults:\n" + "\n".join(wrong)
    assert 1_000_000 < children.peak < CHILD_BYTES
    return len(cases), codes


@pytest.mark.integration
def test_a_sample_of_rubbish(cli: Cli, bench: Bench) -> None:
    count, codes = run_corpus(cli, bench, 1, SAMPLE)
    assert count == SAMPLE and codes["info 1"] > 3 and codes["video 0"] > 9


@pytest.mark.slow
def test_all_rubbish(cli: Cli, bench: Bench, capfd: pytest.CaptureFixture[str]) -> None:
    began = time.monotonic()
    count, codes = run_corpus(cli, bench, int(os.environ.get("DREAMVIDEO_CORPUS_SEEDS", "1")), None)
    assert count >= 300
    with capfd.disabled():
        print(f"\n{count} inputs, {time.monotonic() - began:.0f} s: {dict(sorted(codes.items()))}")
