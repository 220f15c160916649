"""A real Dask cluster on loopback for the tests: a scheduler, and workers that dream a swirl."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

HERE = Path(__file__).parent


class Cluster:
    """Its scheduler, at ``address``; nothing of it is left after the block."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.address = ""
        self._file = folder / "scheduler.json"
        self._started: list[subprocess.Popen[bytes]] = []
        self._names = 0

    @property
    def scheduler_file(self) -> Path:
        return self._file

    def __enter__(self) -> Cluster:
        self._start(
            "scheduler",
            "--host",
            "127.0.0.1",
            "--port",
            "0",
            "--no-dashboard",
            "--scheduler-file",
            str(self._file),
        )
        until = time.monotonic() + 60
        while not self.address:
            assert time.monotonic() < until, "the scheduler does not start"
            time.sleep(0.05)
            if self._file.exists() and self._file.stat().st_size:
                self.address = json.loads(self._file.read_text("utf-8"))["address"]
        return self

    def __exit__(self, *_: object) -> None:
        for process in reversed(self._started):
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def worker(
        self, *options: str, environment: Mapping[str, str] = {}, preload: str = "swirling.py"
    ) -> subprocess.Popen[bytes]:
        """Start a worker with one thread; it joins when it is ready."""
        self._names += 1
        folder = self.folder / f"worker-{self._names}"
        folder.mkdir()
        return self._start(
            "worker",
            self.address,
            "--host",
            "127.0.0.1",
            "--nthreads",
            "1",
            "--no-nanny",
            "--no-dashboard",
            "--name",
            f"w{self._names}",
            "--local-directory",
            str(folder),
            "--preload",
            str(HERE / preload),
            *options,
            cwd=folder,
            environment=environment,
        )

    def _start(
        self, *words: str, cwd: Path | None = None, environment: Mapping[str, str] = {}
    ) -> subprocess.Popen[bytes]:
        log = (self.folder / f"{words[0]}-{len(self._started)}.log").open("wb")
        process = subprocess.Popen(
            [sys.executable, "-m", "dask", *words],
            cwd=cwd or self.folder,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            env={**os.environ, "SWIRLING_HAND": str(HERE / "swirling_hand.py"), **environment},
        )
        log.close()
        self._started.append(process)
        return process
