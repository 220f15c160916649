"""Authorise requests to a server of this machine, by their address, headers and cookies.

A page elsewhere may point its own name at 127.0.0.1 (DNS rebinding) or send requests here from the
browser. So the requested host must be this machine's, the requesting page must be ours, and the
request must carry the token.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass, field
from http.cookies import CookieError, SimpleCookie
from typing import Any
from urllib.parse import parse_qs, urlsplit

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

NAMES = ("127.0.0.1", "localhost")
# The page contains its own scripts, and Vue compiles its templates in the browser.
_POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; "
    "style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; media-src 'self' blob:; "
    "font-src 'self' data:; connect-src 'self' {sockets}; worker-src 'self' blob:; "
    "frame-ancestors 'none'; base-uri 'none'; form-action 'self'; object-src 'none'"
)


@dataclass(frozen=True)
class Gate:
    """What a request must know, and where it must come from: the application's ``name``, a port."""

    port: int
    name: str
    token: str = field(default_factory=lambda: secrets.token_urlsafe(32))

    @property
    def cookie(self) -> str:
        """The cookie's name; browsers do not separate the cookies of two ports."""
        return f"{self.name.replace(' ', '_')}_{self.port}"

    @property
    def hosts(self) -> tuple[str, ...]:
        """Permitted values of the Host header."""
        return tuple(f"{name}:{self.port}" for name in NAMES)

    @property
    def address(self) -> str:
        """Where to open the page."""
        return f"http://{self.hosts[0]}/?token={self.token}"

    def admits(self, headers: dict[str, str], query: str) -> bool:
        """Return whether a request comes from our page on this machine and knows the token."""
        if headers.get("host", "").lower() not in self.hosts or not self.is_ours(headers):
            return False
        return self.knows(asked_token(query)) or self.knows(self.kept_token(headers))

    def is_ours(self, headers: dict[str, str]) -> bool:
        """Return whether our page sent the request; a typed address has no origin."""
        origin = headers.get("origin")
        if origin is not None:
            parts = urlsplit(origin)
            return parts.scheme == "http" and parts.netloc.lower() in self.hosts
        return headers.get("sec-fetch-site", "none") in ("none", "same-origin") or (
            # Following a link to the address is fine: it must know the token anyway.
            headers.get("sec-fetch-mode") == "navigate"
        )

    def knows(self, token: str) -> bool:
        """Return whether this is the token, in constant time."""
        return hmac.compare_digest(token.encode(), self.token.encode())

    def kept_token(self, headers: dict[str, str]) -> str:
        """Return the cookie's value; empty if there is none."""
        try:
            found = SimpleCookie(headers.get("cookie", "")).get(self.cookie)
        except CookieError:
            return ""
        return found.value if found else ""


def asked_token(query: str) -> str:
    """Return the token in an address; empty if there is none."""
    return parse_qs(query).get("token", [""])[0]


class Guard:
    """ASGI middleware that rejects unauthorised requests."""

    def __init__(self, app: App, gate: Gate) -> None:
        self.app = app
        self.gate = gate

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or reject it with 403; adds security headers to the response."""
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        headers = {k.decode("latin-1"): v.decode("latin-1") for k, v in scope["headers"]}
        query = scope.get("query_string", b"").decode("latin-1")
        if not self.gate.admits(headers, query):
            await self._refuse(scope, receive, send)
            return
        if scope["type"] == "websocket":
            await self.app(scope, receive, send)
            return
        keep = scope["path"] == "/" and self.gate.knows(asked_token(query))

        async def added(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", []), *self._headers(keep)]
            await send(message)

        await self.app(scope, receive, added)

    def _headers(self, keep: bool) -> list[tuple[bytes, bytes]]:
        sockets = " ".join(f"ws://{host}" for host in self.gate.hosts)
        made = {
            "content-security-policy": _POLICY.format(sockets=sockets),
            "referrer-policy": "no-referrer",
            "x-content-type-options": "nosniff",
            "x-frame-options": "DENY",
            "cross-origin-resource-policy": "same-origin",
            "cross-origin-opener-policy": "same-origin",
        }
        if keep:
            kept = f"{self.gate.cookie}={self.gate.token}; Path=/; HttpOnly; SameSite=Strict"
            made["set-cookie"] = kept
        return [(name.encode(), value.encode()) for name, value in made.items()]

    async def _refuse(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 1008})
            return
        line = f"{self.gate.name}: open the address that the command has printed, with its token.\n"
        head = [(b"content-type", b"text/plain; charset=utf-8"), (b"cache-control", b"no-store")]
        await send({"type": "http.response.start", "status": 403, "headers": head})
        await send({"type": "http.response.body", "body": line.encode()})
