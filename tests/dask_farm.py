"""A real Dask cluster on loopback for the tests: a scheduler, and workers that dream a swirl."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

HERE = Path(__file__).parent
# Seconds in which a process of Dask has to start, on a machine that may be busy.
STARTING = 180


class Cluster:
    """A scheduler at ``address``, and its workers; nothing of it is left after the block."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.address = ""
        self.scheduler_file = folder / "scheduler.json"
        self.workers: list[subprocess.Popen[bytes]] = []
        self.log = folder / "frames.log"
        self._started: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> Cluster:
        options = ["--port", "0", "--no-dashboard", "--scheduler-file", str(self.scheduler_file)]
        # Should the tests themselves be killed.
        options += ["--idle-timeout", "300"]
        self.scheduler = self._start("scheduler", *options)
        until = time.monotonic() + STARTING
        while not self.address:
            assert time.monotonic() < until, "the scheduler does not start"
            time.sleep(0.05)
            with suppress(OSError, ValueError):
                self.address = json.loads(self.scheduler_file.read_text("utf-8"))["address"]
        return self

    def __exit__(self, *_: object) -> None:
        for process in reversed(self._started):
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def worker(self, *options: str, **environment: str) -> subprocess.Popen[bytes]:
        """Start a worker of one thread; it joins when it is ready."""
        name = f"w{len(self._started)}"
        folder = self.folder / name
        folder.mkdir()
        places = ["--local-directory", str(folder), "--preload", "swirling"]
        plain = ["--nthreads", "1", "--no-dashboard", "--name", name]
        # With a nanny it starts later, and would start again when it is killed.
        patience = str(STARTING) if "--nanny" in options else "5"
        plain += ["--death-timeout", patience, *([] if "--nanny" in options else ["--no-nanny"])]
        process = self._start("worker", self.address, *plain, *places, *options, **environment)
        self.workers.append(process)
        return process

    def wait_for(self, count: int) -> None:
        """So many workers have joined since it began."""
        until = time.monotonic() + STARTING
        log = self.folder / "0.log"
        while log.read_text("utf-8").count("Register worker") < count:
            assert time.monotonic() < until, "the workers do not start"
            time.sleep(0.05)

    @property
    def staged(self) -> list[Path]:
        """What its workers keep of renders."""
        return list(self.folder.glob("w*/**/dream-*"))

    @property
    def dreamt(self) -> list[int]:
        """The numbers of the frames that its workers have dreamt, in turn."""
        return [int(line) for line in self.log.read_text().split()] if self.log.exists() else []

    @property
    def dreaming(self) -> list[int]:
        """The dreaming processes that there are of it."""
        started = self.log.with_suffix(".pids")
        found = []
        for number in started.read_text().split() if started.exists() else []:
            with suppress(OSError):
                if (
                    f"SWIRLING_LOG={self.log}".encode()
                    in Path(f"/proc/{number}/environ").read_bytes()
                ):
                    found.append(int(number))
        return found

    def _start(self, *words: str, **environment: str) -> subprocess.Popen[bytes]:
        own = {
            "PYTHONPATH": os.pathsep.join([str(HERE), os.environ.get("PYTHONPATH", "")]),
            "SWIRLING_LOG": str(self.log),
            "SWIRLING_PAUSE": "0.05",
        }
        with (self.folder / f"{len(self._started)}.log").open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "dask", *words, "--host", "127.0.0.1"],
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                env={**os.environ, **own, **environment},
            )
        self._started.append(process)
        return process
