"""Who is let into the studio: our page on this machine, with its token, and nobody else."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from dreamvideo.loopback.guard import Gate, Guard, Message, Receive, Scope, Send

GATE = Gate(4711, "dreamvideo studio", "sesame")
HOST = "127.0.0.1:4711"
COOKIE = "dreamvideo_studio_4711=sesame"


def answer(kind: str = "http", path: str = "/", query: str = "", **headers: str) -> list[Message]:
    """What comes back for a request with these headers (``_`` for ``-``)."""
    sent: list[Message] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if kind == "websocket":
            await send({"type": "websocket.accept"})
        else:
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b"inside"})

    async def receive() -> Message:
        return {"type": f"{kind}.connect"}

    async def send(message: Message) -> None:
        sent.append(message)

    given = {"host": HOST, **{n.replace("_", "-"): text for n, text in headers.items()}}
    scope: Scope = {
        "type": kind,
        "path": path,
        "query_string": query.encode(),
        "headers": [(name.encode(), text.encode()) for name, text in given.items()],
    }
    asyncio.run(Guard(app, GATE)(scope, receive, send))
    return sent


def status(**request: Any) -> int:
    return int(answer(**request)[0]["status"])


def headers_of(sent: list[Message]) -> dict[str, str]:
    return {name.decode(): text.decode() for name, text in sent[0]["headers"]}


def test_the_token_opens_the_page_and_is_kept_as_a_cookie() -> None:
    sent = answer(query="token=sesame")
    assert sent[0]["status"] == 200
    kept = headers_of(sent)["set-cookie"]
    assert kept.startswith(COOKIE) and "HttpOnly" in kept and "SameSite=Strict" in kept
    assert status(path="/studio/result/1", cookie=f"a=b; {COOKIE}") == 200


@pytest.mark.parametrize(
    "request_",
    [
        {},
        {"query": "token=wrong"},
        {"query": "token="},
        {"query": "token=sesam%C3%A9"},
        {"cookie": "dreamvideo_studio_4712=sesame"},
        {"cookie": "dreamvideo_studio_4711=wrong"},
        {"query": "token=sesame", "host": "evil.example:4711"},
        {"query": "token=sesame", "host": "127.0.0.1:80"},
        {"query": "token=sesame", "host": "127.0.0.1"},
        {"cookie": COOKIE, "origin": "http://evil.example"},
        {"cookie": COOKIE, "origin": "null"},
        {"cookie": COOKIE, "origin": "https://127.0.0.1:4711"},
        {"cookie": COOKIE, "origin": "http://127.0.0.1:4712"},
        {"cookie": COOKIE, "sec_fetch_site": "cross-site", "sec_fetch_mode": "no-cors"},
        {"cookie": COOKIE, "sec_fetch_site": "same-site", "sec_fetch_mode": "no-cors"},
    ],
)
def test_all_else_is_refused(request_: dict[str, str]) -> None:
    sent = answer(**request_)
    assert sent[0]["status"] == 403
    assert b"inside" not in sent[1]["body"] and b"sesame" not in sent[1]["body"]
    assert answer("websocket", **request_) == [{"type": "websocket.close", "code": 1008}]


def test_our_own_pages_requests_pass() -> None:
    assert status(cookie=COOKIE, origin=f"http://{HOST}") == 200
    assert status(host="localhost:4711", cookie=COOKIE, origin="http://localhost:4711") == 200
    assert status(cookie=COOKIE, sec_fetch_site="same-origin", sec_fetch_mode="no-cors") == 200
    opened = answer("websocket", cookie=COOKIE, origin=f"http://{HOST}")
    assert opened == [{"type": "websocket.accept"}]


def test_pages_may_load_and_tell_nothing_elsewhere() -> None:
    sent = headers_of(answer(cookie=COOKIE))
    policy = dict(each.strip().split(" ", 1) for each in sent["content-security-policy"].split(";"))
    assert policy["default-src"] == "'self'" and policy["frame-ancestors"] == "'none'"
    assert "http" not in sent["content-security-policy"]
    assert sent["referrer-policy"] == "no-referrer"
    assert "set-cookie" not in sent


def test_every_session_has_its_own_token() -> None:
    first, second = Gate(1, "studio"), Gate(1, "studio")
    assert first.token != second.token and len(first.token) > 30
    assert first.address == f"http://127.0.0.1:1/?token={first.token}"
