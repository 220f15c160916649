"""Inputs that nobody should be given: whole files of every kind, and what can happen to them."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from media_clips import make, tone

FRAMES = 8
# Noise, so that no frame is like the one before it.
_LOOK = f"testsrc2=duration={FRAMES / 10}:rate=10:size=48x32,noise=alls=9:allf=t:all_seed=1"
_PICTURE = ["-f", "lavfi", "-i", _LOOK]
_SOUND = tone(FRAMES / 10)
# How small whole films of many kinds are made; each has FRAMES frames.
FILMS: dict[str, list[str]] = {
    "h264.mp4": [*_SOUND, "-c:v", "libx264", "-g", "4", "-movflags", "+faststart"],
    "index-last.mp4": [*_SOUND, "-c:v", "mpeg4", "-g", "4"],
    "hevc.mov": ["-c:v", "libx265", "-tag:v", "hvc1", "-x265-params", "log-level=none"],
    "still-coded.mov": ["-c:v", "mjpeg"],
    "pieces.mp4": ["-c:v", "mpeg4", "-movflags", "frag_keyframe+empty_moov", "-g", "2"],
    "a.mkv": [*_SOUND, "-c:v", "mpeg4", "-g", "4"],
    "lossless.mkv": ["-c:v", "ffv1"],
    "a.webm": [*_SOUND, "-c:v", "libvpx-vp9", "-deadline", "realtime", "-cpu-used", "8"],
    "a.avi": [*_SOUND, "-c:v", "mpeg4", "-g", "4"],
    "raw.avi": ["-c:v", "rawvideo", "-pix_fmt", "bgr24"],
    "a.ts": [*_SOUND, "-c:v", "mpeg2video", "-r", "25", "-g", "4"],
    "a.flv": ["-c:v", "flv", "-g", "4"],
    "a.wmv": [*_SOUND, "-c:v", "wmv2", "-g", "4"],
    "a.gif": [],
    "a.webp": ["-c:v", "libwebp_anim"],
    "a.apng": ["-f", "apng"],
    "a.y4m": ["-pix_fmt", "yuv420p"],
    "a.ogv": ["-c:v", "libtheora"],
}
PICTURES: dict[str, list[str]] = {
    "a.png": [],
    "a.jpg": [],
    "a.tif": [],
    "a.webp": ["-c:v", "libwebp"],
    "a.bmp": [],
    "a.ppm": [],
    "a.avif": ["-c:v", "libaom-av1", "-still-picture", "1", "-cpu-used", "8"],
    "a.jxl": [],
    "a.exr": ["-pix_fmt", "gbrpf32le"],
    "a.hdr": ["-pix_fmt", "gbrpf32le"],
}


@dataclass(frozen=True)
class Case:
    """One input: the path that a command is given.

    ``whole`` inputs must be dreamt, frame for frame; ``whole=None`` may be dreamt or refused.
    ``still`` is for ``image`` instead of ``video``.
    """

    name: str
    path: Path
    whole: bool | None = None
    still: bool = False


Damage = Callable[[bytes, random.Random], bytes]


def films(folder: Path) -> dict[str, Path]:
    """Whole films by name."""
    folder.mkdir()
    return {name: make(folder / name, *_PICTURE, *how) for name, how in FILMS.items()}


def pictures(folder: Path) -> dict[str, Path]:
    """Whole pictures by name."""
    folder.mkdir()
    one = ["-frames:v", "1", "-update", "1"]
    return {name: make(folder / name, *_PICTURE, *how, *one) for name, how in PICTURES.items()}


def _flipped(bits: int) -> Damage:
    def flip(data: bytes, dice: random.Random) -> bytes:
        broken = bytearray(data)
        for _ in range(bits):
            broken[dice.randrange(len(broken))] ^= 1 << dice.randrange(8)
        return bytes(broken)

    return flip


def _cut(share: float) -> Damage:
    return lambda data, dice: data[: max(1, int(len(data) * share * dice.uniform(0.9, 1.1)))]


def _overwritten(length: int, value: int | None) -> Damage:
    def overwrite(data: bytes, dice: random.Random) -> bytes:
        at = dice.randrange(len(data))
        block = dice.randbytes(length) if value is None else bytes([value]) * length
        return (data[:at] + block + data[at + length :])[: len(data)]

    return overwrite


def _header_flipped(data: bytes, dice: random.Random) -> bytes:
    return _flipped(6)(data[:200], dice) + data[200:]


def _torn_out(data: bytes, dice: random.Random) -> bytes:
    at = dice.randrange(len(data))
    return data[:at] + data[at + dice.randrange(1, 400) :]


def _put_in(data: bytes, dice: random.Random) -> bytes:
    at = dice.randrange(len(data))
    return data[:at] + dice.randbytes(dice.randrange(1, 400)) + data[at:]


def _huge_numbers(data: bytes, dice: random.Random) -> bytes:
    """Some aligned words of the first part become the largest number there is."""
    broken = bytearray(data)
    for _ in range(3):
        at = dice.randrange(0, max(1, min(len(data), 2000) - 4))
        broken[at : at + 4] = dice.choice([b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\xff\xff"])
    return bytes(broken)


DAMAGE: dict[str, Damage] = {
    "one bit": _flipped(1),
    "twenty bits": _flipped(20),
    "three hundred bits": _flipped(300),
    "flipped header": _header_flipped,
    "cut at the beginning": _cut(0.02),
    "cut early": _cut(0.25),
    "cut late": _cut(0.8),
    "zeroed block": _overwritten(500, 0),
    "random block": _overwritten(500, None),
    "ones": _overwritten(40, 255),
    "torn out": _torn_out,
    "put in": _put_in,
    "huge numbers": _huge_numbers,
    "without its head": lambda data, dice: data[dice.randrange(8, 64) :],
    "halves changed": lambda data, _: data[len(data) // 2 :] + data[: len(data) // 2],
    "twice": lambda data, _: data + data,
    "rubbish behind": lambda data, dice: data + dice.randbytes(3000),
}
ENDINGS = (".mp4", ".gif", ".mkv", ".avi", ".png", ".txt", ".mp3", ".m3u8", "", ".webp", ".ts")


def damaged(whole: dict[str, Path], folder: Path, *, still: bool, seed: int) -> Iterator[Case]:
    """Every whole file with every damage; ``seed`` decides where it strikes."""
    folder.mkdir()
    for name, path in whole.items():
        data = path.read_bytes()
        for what, damage in DAMAGE.items():
            target = folder / f"{what.replace(' ', '-')}-{name}"
            target.write_bytes(damage(data, random.Random(f"{seed} {name} {what}")))
            yield Case(f"{name}: {what}", target, still=still)


def misnamed(whole: dict[str, Path], folder: Path, seed: int) -> Iterator[Case]:
    """Whole films with another film's ending."""
    folder.mkdir()
    dice = random.Random(seed)
    for name, path in whole.items():
        ending = dice.choice([e for e in ENDINGS if e != path.suffix])
        target = folder / f"{path.stem}-{path.suffix[1:]}{ending}"
        target.write_bytes(path.read_bytes())
        yield Case(f"{name} called {target.name}", target)


def broken_folders(pictures: dict[str, Path], folder: Path, seed: int) -> Iterator[Case]:
    """Numbered pictures of which one is damaged."""
    folder.mkdir()
    for name, path in pictures.items():
        for what in ("one bit", "cut late", "zeroed block", "flipped header", "huge numbers"):
            place = folder / f"{path.suffix[1:]}-{what.replace(' ', '-')}"
            place.mkdir()
            for number in range(3):
                (place / f"{number:03d}{path.suffix}").write_bytes(path.read_bytes())
            dice = random.Random(f"{seed} {name} {what}")
            broken = place / f"{dice.randrange(3):03d}{path.suffix}"
            broken.write_bytes(DAMAGE[what](path.read_bytes(), dice))
            yield Case(f"folder of {name}: {what}", place)
