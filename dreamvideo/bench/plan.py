"""What the benchmark measures."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from dreamvideo.bench.googlenet import GOOGLENET
from dreamvideo.bench.step_worker import LAYERS
from dreamvideo.processors import available_processors
from dreamvideo.render.planning.worker_count import GPUS

# Called with a line about what is measured next.
Log = Callable[[str], None]
# (height, width) in pixels
DEFAULT_SIZE = (360, 640)
CURVE_SIZE = (720, 1280)
ALL_SIZES = ((225, 375), DEFAULT_SIZE, (720, 1280))
BUNDLED_NETWORK = "efficientnet-lite0"
ONEDNN = "TF_ENABLE_ONEDNN_OPTS"
CUDA_DEVICES = "CUDA_VISIBLE_DEVICES"


@dataclass(frozen=True)
class Program:
    """A program that takes the step, or a variant of one.

    Attributes:
        label: Its name in tables.
        module: The worker.
        variant: What the worker is asked to prepare.
        environment: Changes to the worker's environment; None removes a variable.
    """

    label: str
    module: str
    variant: str = ""
    environment: Mapping[str, str | None] = field(default_factory=dict)


OURS, COMPILED = "ours", "torch-compiled"
PROGRAMS = {
    OURS: Program("dreamvideo", "ours", "float32"),
    "ours-bfloat16": Program("dreamvideo --precision bfloat16", "ours", "bfloat16"),
    "reference": Program("TensorFlow's recipe", "reference", "", {ONEDNN: None}),
    "reference-onednn-on": Program(
        "TensorFlow's recipe, oneDNN on", "reference", "", {ONEDNN: "1"}
    ),
    "reference-onednn-off": Program(
        "TensorFlow's recipe, oneDNN off", "reference", "", {ONEDNN: "0"}
    ),
    "torch-eager": Program("PyTorch, eager", "pytorch", "eager"),
    "torch-folded": Program("PyTorch, norms folded, channels last", "pytorch", "folded"),
    COMPILED: Program("PyTorch, torch.compile", "pytorch", "compiled"),
}
DEFAULT_PROGRAMS = tuple(name for name in PROGRAMS if name != COMPILED)
# Timed as well where there is a GPU.
GPU_PROGRAMS = {
    "ours-float16": Program("dreamvideo --precision float16", "ours", "float16"),
    "ours-cpu": Program("dreamvideo --device cpu", "ours", "float32", {CUDA_DEVICES: "-1"}),
}
KNOWN_PROGRAMS = {**PROGRAMS, **GPU_PROGRAMS}


def has_driver() -> bool:
    """Return whether a GPU's driver is loaded; TensorFlow may still not find the GPU."""
    return any(path.exists() for path in GPUS)


def find_torch() -> str | None:
    """Return this interpreter if it has torch."""
    return sys.executable if find_spec("torch") else None


@dataclass(frozen=True)
class Plan:
    """What to measure.

    Attributes:
        sections: Some of ``run.SECTIONS``.
        networks: Names of networks.
        sizes: (height, width) of the steps' images, in ascending order.
        threads: Threads of a program, for the steps.
        programs: Names of the programs whose steps are compared.
        rounds: How many times each program's steps are timed; films are timed half as often.
        batch_seconds: About how long one timing of steps takes.
        torch: An interpreter that has torch; None: PyTorch is left out.
        clip: The clip to render; None: a synthetic one.
        frames: How many frames of it.
        film_size: (height, width) of the film.
        long_film: Number of frames of the film whose memory is compared with that of a short one.
        curve_size: (height, width) of the films of the curve.
        curve_frames: How many frames they have.
        describe_gpu: Whether to describe the GPU for its user to send in.
    """

    sections: tuple[str, ...] = ("steps", "cores", "film")
    networks: tuple[str, ...] = tuple(LAYERS)
    sizes: tuple[tuple[int, int], ...] = (DEFAULT_SIZE,)
    threads: tuple[int, ...] = field(
        default_factory=lambda: tuple(sorted({1, available_processors()}))
    )
    programs: tuple[str, ...] = DEFAULT_PROGRAMS
    rounds: int = 5
    batch_seconds: float = 0.4
    torch: str | None = field(default_factory=find_torch)
    clip: Path | None = None
    frames: int = 36
    film_size: tuple[int, int] = DEFAULT_SIZE
    long_film: int = 300
    curve_size: tuple[int, int] = CURVE_SIZE
    curve_frames: int = 12
    describe_gpu: bool = field(default_factory=has_driver)

    def list_programs(self, network: str) -> list[str]:
        """Return the programs that have a network: Keras, the reference's, has no GoogLeNet."""
        left_out = "reference" if network == GOOGLENET else None
        return [name for name in self.programs if KNOWN_PROGRAMS[name].module != left_out]


def make_full_plan(**given: Any) -> Plan:
    """Return a plan of half an hour or more: all sizes, more rounds, torch.compile."""
    full = {
        "sections": ("steps", "cores", "film", "curve"),
        "sizes": ALL_SIZES,
        "rounds": 9,
        "programs": tuple(PROGRAMS),
    }
    return Plan(**{**full, **given})


def make_quick_plan(**given: Any) -> Plan:
    """Return a plan of a minute or two: the bundled network, one thread, a short film."""
    quick = {
        "sections": ("steps", "film"),
        "networks": (BUNDLED_NETWORK,),
        "threads": (1,),
        "rounds": 3,
        "batch_seconds": 0.2,
        "frames": 10,
        "long_film": 60,
    }
    return Plan(**{**quick, **given})
