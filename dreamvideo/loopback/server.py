"""Serve an ASGI application on a port of this machine until a cancel token is set."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn

from dreamvideo.cancel import CancelToken
from dreamvideo.errors import UsageError
from dreamvideo.loopback.guard import NAMES
from dreamvideo.media.paths import describe_os_error

# Seconds that open pages get to disconnect at the end.
GRACE = 1


@contextmanager
def bind(port: int) -> Iterator[socket.socket]:
    """Listen on a port of 127.0.0.1; 0: a free one. Raises UsageError for one in use."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as sock:
        try:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.bind((NAMES[0], port))
            sock.listen(64)
        except OSError as error:
            raise UsageError(
                f"--port {port}: {describe_os_error(error)}; choose another one"
            ) from error
        yield sock


class _Server(uvicorn.Server):
    """A server for which Ctrl-C is the normal way to end."""

    def __init__(
        self, config: uvicorn.Config, token: CancelToken, ready: Callable[[], None]
    ) -> None:
        super().__init__(config)
        self._ready = ready
        self._token = token

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start serving, and report it."""
        await super().startup(sockets)
        self._ready()

    async def on_tick(self, counter: int) -> bool:
        """Return whether to shut down."""
        return self._token.cancelled or await super().on_tick(counter)

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals to the caller, who has started more than the server."""
        yield


def run(app: Any, sock: socket.socket, token: CancelToken, ready: Callable[[], None]) -> None:
    """Serve until the token is set.

    Args:
        app: The ASGI application.
        sock: Where it listens; see ``bind``.
        token: Ends it.
        ready: Called when it answers.
    """
    quiet: dict[str, Any] = {"log_level": "error", "access_log": False, "server_header": False}
    config = uvicorn.Config(app, timeout_graceful_shutdown=GRACE, lifespan="on", **quiet)
    _Server(config, token, ready).run([sock])
