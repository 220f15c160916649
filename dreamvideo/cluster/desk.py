"""A dreaming process of a Dask worker, and the desk where what it says waits to be taken."""

from __future__ import annotations

import subprocess
import sys
import threading
from contextlib import suppress
from typing import IO

from dreamvideo.cluster.wire import LAST, head_of
from dreamvideo.render.processes import describe_exit

PROGRAM = ("-m", "dreamvideo.cluster.hand")
# Bytes that may wait before the process has to; a message may be longer.
LIMIT = 32 << 20
_PIECE = 1 << 20


class Hand:
    """A process that dreams segments of one job, one after the other."""

    def __init__(self, job: bytes) -> None:
        """``job`` is the order that says what of."""
        # In a session of its own: Ctrl-C in a worker's terminal is the worker's affair.
        self._process = subprocess.Popen(
            [sys.executable, *PROGRAM],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
        self.order(job)

    @property
    def says(self) -> IO[bytes]:
        """Where its messages come from."""
        assert self._process.stdout is not None
        return self._process.stdout

    def order(self, order: bytes) -> None:
        """Tell it what to do; if it is gone, that shows in what it says."""
        assert self._process.stdin is not None
        with suppress(OSError):
            self._process.stdin.write(order)
            self._process.stdin.flush()

    def stop(self, patience: float) -> None:
        """Ask it to end; ``patience`` seconds later it must."""
        self._process.terminate()
        timer = threading.Timer(patience, self._process.kill)
        timer.daemon = True
        timer.start()

    def dismiss(self) -> None:
        """End it at once; for one that has nothing to say."""
        self._process.kill()
        self.ended()

    def ended(self) -> str:
        """Wait until it has ended; how it did, in words."""
        code = self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with suppress(OSError):
                    pipe.close()
        return describe_exit(code)


class Desk:
    """A segment that a worker is at: its order, and what was said and not yet taken.

    ``complete``: nothing more will be said; ``how`` the process ended, if it did.
    """

    def __init__(self, key: str) -> None:
        self.key = key
        self.complete = False
        self.how = ""
        self._order: tuple[bytes, bytes] | None = None
        self._hand: Hand | None = None
        self._dropped = False
        self._heard = False
        self._stopped: float | None = None
        self._said = bytearray()
        self._start = 0
        self._changed = threading.Condition()

    @property
    def ordered(self) -> bool:
        """Whether it has its order."""
        return self._order is not None

    @property
    def waiting(self) -> int:
        """How many bytes there are to take."""
        return len(self._said)

    def order(self) -> tuple[bytes, bytes] | None:
        """Wait for the order, of the job and of the segment; None if there will be none."""
        with self._changed:
            self._changed.wait_for(lambda: self._order is not None or self._dropped)
            return None if self._dropped else self._order

    def give(self, job: bytes, segment: bytes) -> None:
        """Lay down the order."""
        with self._changed:
            self._order = job, segment
            self._changed.notify_all()

    def see_through(self, hand: Hand, order: bytes) -> bool:
        """Have a segment dreamt; whether the process is free for another one afterwards."""
        with self._changed:
            self._hand = hand
            if self._stopped is not None:
                hand.stop(self._stopped)
        hand.order(order)
        free = self._relay(hand)
        with self._changed:
            self._hand = None
            free = free and self._stopped is None
        if not free:
            self.how = hand.ended()
        self.complete = True
        return free

    def take(self, offset: int, most: int) -> bytes:
        """What was said from ``offset`` on, at ``most`` so many bytes; what is before it goes."""
        with self._changed:
            del self._said[: max(0, offset - self._start)]
            self._start = max(self._start, offset)
            self._heard = self.complete and not self._said
            self._changed.notify_all()
            return bytes(self._said[:most])

    def wait_until_taken(self) -> None:
        """Wait until all that was said is known to have arrived, or nobody wants it."""
        with self._changed:
            self._changed.wait_for(lambda: self._heard or self._dropped)

    def stop(self, patience: float) -> None:
        """End the process, now or as soon as there is one."""
        with self._changed:
            if self._stopped is None:
                self._stopped = patience
                if self._hand is not None:
                    self._hand.stop(patience)

    def drop(self, patience: float) -> None:
        """Nobody wants any of it any more."""
        with self._changed:
            self._dropped = True
            self._changed.notify_all()
        self.stop(patience)

    def _relay(self, hand: Hand) -> bool:
        """Pass on what is said, to the segment's last message; False if that never came."""
        while True:
            line = hand.says.readline()
            if not line.endswith(b"\n"):
                return False
            kind, size = head_of(line)
            self._say(line)
            while size:
                piece = hand.says.read(min(size, _PIECE))
                if not piece:
                    return False
                self._say(piece)
                size -= len(piece)
            if kind in LAST:
                return True

    def _say(self, data: bytes) -> None:
        with self._changed:
            self._changed.wait_for(lambda: len(self._said) < LIMIT or self._dropped)
            if not self._dropped:
                self._said += data
