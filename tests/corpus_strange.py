"""Odd names, odd places, things that are no film, playlists that point elsewhere."""

from __future__ import annotations

import io
import os
import shutil
import socket
import stat
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

from corpus import Case
from media_clips import make, tone

NAMES = (
    "with spaces.mp4",
    'it\'s "quoted".mp4',
    "-i",
    "-y.mp4",
    "--help",
    "-",
    "two\nlines.mp4",
    "tab\tand\rreturn.mp4",
    "\x1b[31mred.mp4",
    "größe 高さ 🐶.mp4",
    "e\u0301 combining.mp4",
    "\u202egnp.4pm",
    "100%.mp4",
    "%d%s%n.mp4",
    "$HOME $(touch owned) `touch owned`.mp4",
    "a; touch owned #.mp4",
    "a|touch owned&.mp4",
    "*?[a-z]{b}.mp4",
    "~.mp4",
    "concat:a|b.mp4",
    "http:nowhere.mp4",
    "pipe:0",
    "file:a.mp4",
    "fd:",
    "data:video.mp4",
    "subfile,,start,1,end,9,,:a.mp4",
    "a=b,c=d:e\\f.mp4",
    "[0:v]null[x].mp4",
    "." + "n" * 240 + ".mp4",
    os.fsdecode(b"not \xff utf-8.mp4"),
)
# Addresses that are no file here.
ABSENT = (
    "http://127.0.0.1:{port}/a.mp4",
    "https://127.0.0.1:{port}/a.mp4",
    "tcp://127.0.0.1:{port}",
    "rtsp://127.0.0.1:{port}/a",
    "ftp://127.0.0.1:{port}/a.mp4",
    "concat:{secret}|{secret}",
    "file://{secret}",
    "subfile,,start,0,end,0,,:{secret}",
    "crypto:{secret}",
    "pipe:",
    "lavfi:testsrc",
    "@{secret}",
    "a/../../nowhere.mp4",
    "n" * 300 + ".mp4",
)
PLAYLISTS = {
    "list.m3u8": "#EXTM3U\n#EXT-X-VERSION:3\n#EXTINF:1,\n{target}\n#EXT-X-ENDLIST\n",
    "master.m3u8": "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1000\n{target}\n",
    "key.m3u8": '#EXTM3U\n#EXT-X-KEY:METHOD=AES-128,URI="{target}"\n#EXTINF:1,\n{target}\n',
    "list.ffconcat": "ffconcat version 1.0\nfile '{target}'\nduration 1\n",
    "list.mpd": '<?xml version="1.0"?><MPD type="static" mediaPresentationDuration="PT1S" '
    'xmlns="urn:mpeg:dash:schema:mpd:2011"><Period><AdaptationSet mimeType="video/mp4">'
    '<Representation id="1" bandwidth="1"><BaseURL>{target}</BaseURL></Representation>'
    "</AdaptationSet></Period></MPD>",
    "call.sdp": "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\n"
    "m=video 9999 RTP/AVP 96\na=rtpmap:96 H264/90000\na=control:{target}\n",
    "list.asx": '<asx version="3.0"><entry><ref href="{target}"/></entry></asx>',
    "list.pls": "[playlist]\nFile1={target}\nNumberOfEntries=1\n",
    "list.m3u": "#EXTM3U\n{target}\n",
    "list.ram": "{target}\n",
    "list.xspf": '<?xml version="1.0"?><playlist xmlns="http://xspf.org/ns/0/"><trackList><track>'
    "<location>{target}</location></track></trackList></playlist>",
    "entity.svg": '<?xml version="1.0"?><!DOCTYPE svg [<!ENTITY x SYSTEM "{target}">]>'
    '<svg xmlns="http://www.w3.org/2000/svg" width="64" height="64"><text>&x;</text>'
    '<image href="{target}" width="64" height="64"/></svg>',
    "cpl.xml": '<?xml version="1.0"?><AssetMap xmlns="http://www.smpte-ra.org/schemas/429-9/2007/AM">'
    "<AssetList><Asset><ChunkList><Chunk><Path>{target}</Path></Chunk></ChunkList></Asset>"
    "</AssetList></AssetMap>",
    "redirect.mp4": "RTSPtextRTSP://{target}\n",
    "stream.ffm3u.mp4": '#EXTM3U\n#EXT-X-MAP:URI="{target}"\n#EXTINF:1,\n{target}\n',
    "script.avs": 'AviSource("{target}")\n',
    "script.vpy": "import os; os.system('touch owned')\n",
}


def named(film: Path, folder: Path) -> Iterator[Case]:
    """A whole film under names that mean something to shells, terminals or ffmpeg.

    The paths are relative to ``folder``, so that nothing in front of them protects us.
    """
    for name in NAMES:
        shutil.copy(film, folder / name)
        yield Case(f"named {name!r}", Path(name), whole=True)
    (folder / "http:" / "127.0.0.1").mkdir(parents=True)
    shutil.copy(film, folder / "http:" / "127.0.0.1" / "a.mp4")
    # An ending of pictures and a place for a number: ffmpeg would look for other files.
    shutil.copy(film, folder / "clip%03d.webp")
    shutil.copy(film, folder / "clip001.webp")
    yield Case("named as a pattern of pictures", Path("clip%03d.webp"), whole=False)
    yield Case("in a folder named http:", Path("http:/127.0.0.1/a.mp4"), whole=True)


def absent(secret: Path, port: int) -> Iterator[Case]:
    """Addresses and protocols instead of files."""
    for name in ABSENT:
        said = name.format(port=port, secret=secret)
        yield Case(f"absent {name[:60]!r}", Path(said), whole=False)


def playlists(folder: Path, secret: Path, port: int) -> Iterator[Case]:
    """Texts that ask for another file or for a server, under their own and a film's ending."""
    folder.mkdir()
    targets = {"file": str(secret), "server": f"http://127.0.0.1:{port}/{secret.name}"}
    for name, text in PLAYLISTS.items():
        for what, target in targets.items():
            for ending in ("", ".mp4"):
                path = folder / f"{what}-{name}{ending}"
                path.write_text(text.replace("{target}", target))
                yield Case(f"{name}{ending} that asks for a {what}", path, whole=False)


def no_files(film: Path, folder: Path) -> Iterator[Case]:
    """Pipes, sockets, devices, links, folders; things that wait for ever when they are read."""
    folder.mkdir()
    os.mkfifo(folder / "fifo.mp4")
    with socket.socket(socket.AF_UNIX) as listener:
        before = Path.cwd()
        os.chdir(folder)
        listener.bind("socket.mp4")
        os.chdir(before)
    (folder / "dangling.mp4").symlink_to(folder / "gone.mp4")
    (folder / "loop.mp4").symlink_to(folder / "loop.mp4")
    (folder / "to-device.mp4").symlink_to("/dev/zero")
    (folder / "empty-folder").mkdir()
    (folder / "folder.mp4").mkdir()
    (folder / "below" / "deep").mkdir(parents=True)
    for path in sorted(folder.iterdir()):
        yield Case(path.name, path, whole=False)
    for device in (
        "/dev/zero",
        "/dev/null",
        "/dev/stdin",
        "/dev/full",
        "/dev/tty",
        "/proc/self/mem",
    ):
        yield Case(device, Path(device), whole=False)
    yield Case("/proc/self/environ", Path("/proc/self/environ"), whole=False)
    (folder / "link.mp4").symlink_to(film)
    yield Case("a link to a film", folder / "link.mp4", whole=True)
    locked = Path(shutil.copy(film, folder / "locked.mp4"))
    locked.chmod(0)
    yield Case("without permission", locked, whole=None if os.geteuid() == 0 else False)


def no_films(whole: dict[str, Path], folder: Path) -> Iterator[Case]:
    """Sound, titles, texts, archives, programs, emptiness."""
    folder.mkdir()
    data = next(iter(whole.values())).read_bytes()
    for ending in (".wav", ".mp3", ".ogg", ".flac", ".m4a"):
        yield Case(f"sound {ending}", make(folder / f"sound{ending}", *tone(0.2)), whole=False)
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("a.mp4", data)
    tarred = io.BytesIO()
    with tarfile.open(fileobj=tarred, mode="w:gz") as bundle:
        member = tarfile.TarInfo("a.mp4")
        member.size = len(data)
        bundle.addfile(member, io.BytesIO(data))
    texts = {
        "a.srt": b"1\n00:00:00,000 --> 00:00:01,000\nhello\n",
        "a.vtt": b"WEBVTT\n\n00:00.000 --> 00:01.000\nhello\n",
        "a.ass": b"[Script Info]\nScriptType: v4.00+\n[Events]\nDialogue: 0,0:00:00.00,0:00:01\n",
        "a.zip": packed.getvalue(),
        "a.tar.gz": tarred.getvalue(),
        "a.svg": b'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>',
        "a.html": b"<!DOCTYPE html><title>x</title>" * 50,
        "a.json": b'{"a": [1, 2, 3]}',
        "a.toml": b"[dream]\nsteps = 3\n",
        "a.py": b"import os\nos.system('touch owned')\n" * 30,
        "a.pkl": b"cos\nsystem\n(S'touch owned'\ntR.",
        "a.pdf": b"%PDF-1.7\n1 0 obj<<>>endobj\n" * 20,
        "elf": Path("/proc/self/exe").read_bytes()[:50_000],
        "utf16.mp4": "not a film\n".encode("utf-16") * 200,
        "nul.mp4": bytes(50_000),
        "ones.mp4": b"\xff" * 50_000,
        "one-byte.mp4": b"\0",
        "empty.mp4": b"",
        "empty.gif": b"",
        "empty": b"",
        "ftyp.mp4": b"\0\0\0\x18ftypisom\0\0\0\0isommp42",
        "riff.avi": b"RIFF\xff\xff\xff\xffAVI LIST",
        "gif89a.gif": b"GIF89a",
        "matroska.mkv": b"\x1aE\xdf\xa3\x01\xff\xff\xff\xff\xff\xff\xff",
    }
    for name, content in texts.items():
        (folder / name).write_bytes(content)
        yield Case(f"no film: {name}", folder / name, whole=False)


def odd_folders(pictures: dict[str, Path], folder: Path) -> Iterator[Case]:
    """Series of pictures with strays between them."""
    folder.mkdir()
    png = pictures["a.png"].read_bytes()

    def series(name: str) -> Path:
        place = folder / name
        place.mkdir()
        for number in range(1, 4):
            (place / f"{number:03d}.png").write_bytes(png)
        return place

    strays = series("strays")
    for name in (".DS_Store", "Thumbs.db", "notes.txt", "._001.png"):
        (strays / name).write_bytes(b"stray")
    (strays / "below").mkdir()
    yield Case("a folder with stray files", strays, whole=True)
    odd: dict[str, Callable[[Path], object]] = {
        "folder among them": lambda p: (p / "004.png").mkdir(),
        "fifo among them": lambda p: os.mkfifo(p / "004.png"),
        "dangling link": lambda p: (p / "004.png").symlink_to("gone.png"),
        "link loop": lambda p: (p / "004.png").symlink_to("004.png"),
        "text among them": lambda p: (p / "004.png").write_text("no picture"),
        "empty among them": lambda p: (p / "004.png").touch(),
        "gap": lambda p: (p / "006.png").write_bytes(png),
        "one number twice": lambda p: (p / "01.png").write_bytes(png),
        "long number": lambda p: (p / f"{'9' * 30}.png").write_bytes(png),
        "other digits": lambda p: (p / "\u0664.png").write_bytes(png),
        "no number": lambda p: (p / "cover.png").write_bytes(png),
        "other series": lambda p: shutil.copy(pictures["a.jpg"], p / "001.jpg"),
        "line break in a name": lambda p: (p / "00\n4.png").write_bytes(png),
        "film among them": lambda p: (p / "004.gif").write_bytes(b"GIF89a"),
        "locked": lambda p: (p / "004.png").touch(stat.S_IWUSR),
    }
    for name, spoil in odd.items():
        place = series(name.replace(" ", "-"))
        spoil(place)
        yield Case(f"a folder with {name}", place)
    yield Case("a pattern", series("pattern") / "%03d.png", whole=True)
    for pattern in ("%d.mp4", "%09d.png", "%s.png", "%999999d.png", "%", "x%d/001.png"):
        yield Case(f"a pattern {pattern}", folder / "pattern" / pattern, whole=False)
