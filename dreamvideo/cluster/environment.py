"""What decides the bits of a frame on a machine, and in what two machines differ."""

from __future__ import annotations

import hashlib
import os
import platform
from collections.abc import Mapping
from functools import cache
from importlib import metadata, resources
from pathlib import Path

from dreamvideo.render.job.manifest import FORMAT, list_versions
from dreamvideo.settings import Look, look_to_toml

# TensorFlow and oneDNN choose how they compute by these.
_INSTRUCTIONS = ("avx", "avx2", "fma", "avx512f", "avx512_vnni", "avx512_bf16", "amx_tile", "asimd")


@cache
def signature() -> dict[str, str]:
    """What has to be the same wherever frames of one film are made, by name."""
    return {
        **list_versions(),
        "python": ".".join(platform.python_version_tuple()[:2]),
        "distributed": metadata.version("distributed"),
        "the bundled network": _digest(_weights()),
        "what settings there are": _digest([look_to_toml(Look()).encode()]),
        "the job's format": str(FORMAT),
        # With the default that a start of TensorFlow gives it.
        "TF_ENABLE_ONEDNN_OPTS": os.environ.get("TF_ENABLE_ONEDNN_OPTS", "1"),
    }


def processor() -> str:
    """The instructions of this machine that decide how networks are computed; empty if unknown."""
    try:
        text = Path("/proc/cpuinfo").read_text("ascii", "replace")
    except OSError:
        return ""
    flags = {word for line in text.splitlines() if ":" in line for word in line.split()}
    return " ".join(name for name in _INSTRUCTIONS if name in flags)


def difference(ours: Mapping[str, str], theirs: Mapping[str, str]) -> str:
    """The first thing in which a worker differs, in words; empty if there is none."""
    for name in dict.fromkeys([*ours, *theirs]):
        here, there = ours.get(name, "none"), theirs.get(name, "none")
        if here != there:
            return f"{name} is {there} there and {here} here"
    return ""


def _weights() -> list[bytes]:
    folder = resources.files("dreamvideo") / "dream" / "weights"
    files = sorted((file for file in folder.iterdir() if file.is_file()), key=lambda f: f.name)
    return [file.read_bytes() for file in files if not file.name.endswith((".py", ".md"))]


def _digest(parts: list[bytes]) -> str:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part)
    return digest.hexdigest()[:12]
