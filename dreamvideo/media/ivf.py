"""IVF: the simplest container with exact times, to feed ffmpeg and to hold a stored frame."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from fractions import Fraction

IVF_SIGNATURE = b"DKIF"
PNG_CODEC, RGBA_CODEC, MAGICYUV_CODEC = b"MPNG", b"RGBA", b"M8RG"
# Largest side that a header can tell.
MAX_SIDE = 0xFFFF
_HEADER = struct.Struct("<4sHH4sHHIIII")
_FRAME = struct.Struct("<IQ")


def ivf_stream(
    ticks: Sequence[int], clock: Fraction, packets: Iterator[bytes], codec: bytes
) -> Iterator[bytes]:
    """Yield a stream of pictures.

    Args:
        ticks: Times of the pictures in units of ``clock``.
        clock: Seconds per tick.
        packets: The coded pictures.
        codec: Four letters that name how they are coded.
    """
    yield ivf_header(clock, len(ticks), codec)
    for tick, packet in zip(ticks, packets, strict=True):
        yield ivf_frame(tick, packet)


def ivf_header(
    clock: Fraction, count: int = 0, codec: bytes = PNG_CODEC, size: tuple[int, int] = (16, 16)
) -> bytes:
    """Return the header of such a stream.

    Args:
        clock: Seconds per tick.
        count: Number of frames; 0 if unknown.
        codec: Four letters that name how a frame is coded.
        size: (width, height); a PNG or a MagicYUV picture knows its own.
    """
    rate = (clock.denominator, clock.numerator)
    return _HEADER.pack(IVF_SIGNATURE, 0, _HEADER.size, codec, *size, *rate, count, 0)


def ivf_frame(tick: int, packet: bytes) -> bytes:
    """Return one picture of such a stream."""
    return _FRAME.pack(len(packet), tick) + packet


def ivf_picture(packet: bytes, codec: bytes, size: tuple[int, int]) -> bytes:
    """Return a file of one picture of that (width, height)."""
    return ivf_header(Fraction(1), 1, codec, size) + ivf_frame(0, packet)


def read_ivf_header(head: bytes) -> tuple[bytes, tuple[int, int]]:
    """Return codec and (width, height) from a file's header. Raises struct.error if it is cut."""
    _, _, _, codec, width, height, *_ = _HEADER.unpack_from(head)
    return codec, (width, height)


def read_ivf_picture(data: bytes) -> bytes:
    """Return the coded picture of a file of one. Raises ValueError if it is cut short."""
    begin = _HEADER.size + _FRAME.size
    packet = data[begin:]
    if len(data) < begin or _FRAME.unpack_from(data, _HEADER.size)[0] != len(packet):
        raise ValueError("a picture that is cut short")
    return packet
