"""The machine that a bench ran on, as far as it matters for its figures."""

from __future__ import annotations

import os
import platform
import re
from pathlib import Path
from typing import Any

from dreamvideo.processors import PROCESSOR, available_processors, read_processor_flags

# Instructions that convolutions are made of, or that TensorFlow's defaults go by.
FLAGS = (
    *("avx2", "fma", "avx512f", "avx512_vnni", "avx_vnni", "avx512_bf16"),
    *("amx_tile", "amx_bf16", "asimd"),
)
SETTINGS = ("TF_ENABLE_ONEDNN_OPTS", "OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_XLA_FLAGS")


def describe() -> dict[str, Any]:
    """Processor, cores, its flags that matter, memory in bytes, system, settings of the user."""
    info = _text(str(PROCESSOR))
    flags = read_processor_flags()
    total = re.search(r"MemTotal:\s+(\d+)", _text("/proc/meminfo"))
    return {
        "processor": _field(info, "model name") or platform.processor() or platform.machine(),
        "cores": available_processors(),
        "flags": [flag for flag in FLAGS if flag in flags],
        "memory": int(total[1]) * 1024 if total else 0,
        "system": f"{platform.system()} {platform.release()}",
        "environment": {name: os.environ[name] for name in SETTINGS if name in os.environ},
        "load": load(),
    }


def load() -> float | None:
    """How many processes wanted to run over the last minute: the bench wants a quiet machine."""
    return round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None


def has_onednn_by_default(machine: dict[str, Any]) -> bool:
    """TensorFlow switches oneDNN on by itself where the processor has one of these."""
    return bool({"avx512_vnni", "avx_vnni", "avx512_bf16", "amx_tile"} & set(machine["flags"]))


def _field(info: str, name: str) -> str:
    found = re.search(rf"^(?:{name})\s*:\s*(.*)$", info, re.MULTILINE)
    return found[1].strip() if found else ""


def _text(path: str) -> str:
    return Path(path).read_text("utf-8", "replace") if Path(path).exists() else ""
