"""What a dreaming process says, as bytes: a line of JSON, then as many bytes as it announces.

(kind, values, payload) -> bytes, and back from a stream that arrives in pieces of any size.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, Any

# After these a segment's stream holds nothing more.
LAST = frozenset({"ended", "error"})


@dataclass(frozen=True)
class Message:
    """``kind`` and ``values`` say what the ``payload`` is."""

    kind: str
    values: dict[str, Any]
    payload: bytes = b""

    def packed(self) -> bytes:
        """The message as bytes."""
        head = {"kind": self.kind, "size": len(self.payload), "values": self.values}
        return json.dumps(head).encode() + b"\n" + self.payload


def head_of(line: bytes) -> tuple[str, int]:
    """(kind, bytes of payload to come) of a message's first line."""
    head = json.loads(line)
    return head["kind"], head["size"]


class Unpacker:
    """Puts messages together again."""

    def __init__(self) -> None:
        self._rest = bytearray()

    def feed(self, data: bytes) -> Iterator[Message]:
        """All messages that are whole with this piece."""
        self._rest += data
        while (end := self._rest.find(b"\n")) >= 0:
            head = json.loads(self._rest[:end])
            after = end + 1 + head["size"]
            if len(self._rest) < after:
                return
            payload = bytes(self._rest[end + 1 : after])
            del self._rest[:after]
            yield Message(head["kind"], head["values"], payload)


def read(file: IO[bytes]) -> Message | None:
    """The next message of a file; None at its end, also in the middle of one."""
    line = file.readline()
    if not line.endswith(b"\n"):
        return None
    head = json.loads(line)
    payload = file.read(head["size"])
    if len(payload) < head["size"]:
        return None
    return Message(head["kind"], head["values"], payload)
