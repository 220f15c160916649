"""Settle a render's precision: as given, as the look records it, or as ``--fast`` chooses."""

from __future__ import annotations

from typing import Literal, NamedTuple

from dreamvideo.dream.mixture import list_entries
from dreamvideo.processors import read_processor_flags
from dreamvideo.render.planning.worker_count import GPUS
from dreamvideo.settings import Look, MachineSettings
from dreamvideo.settings.derive import derive_dream
from dreamvideo.settings.machine import Precision
from dreamvideo.settings.terms import AUTO

Kind = Literal["film", "picture", "zoom"]
# Processors that multiply bfloat16 themselves.
BFLOAT16_FLAGS = frozenset({"amx_bf16", "avx512_bf16"})
# Networks whose step was measured to be faster in bfloat16 on such processors. EfficientNet's many
# small convolutions are slower.
BFLOAT16_NETWORKS = frozenset({"inception-v3"})


class Settled(NamedTuple):
    """A look and machine settings whose precision is settled, and a line about ``--fast``.

    The look records the precision unless it is float32; ``line`` is empty without ``--fast``.
    """

    look: Look
    machine: MachineSettings
    line: str


def settle_precision(look: Look, machine: MachineSettings, kind: Kind) -> Settled:
    """Choose the precision: the machine settings' own, else the look's, else float32.

    Args:
        look: The look; its precision is ``auto`` if ``--fast`` made it.
        machine: The machine settings.
        kind: What is dreamt, for the line.

    Raises:
        UsageError: The look names a preset or a network that does not exist.
        WeightsError: A network's file cannot be read.
    """
    precision, reason = machine.precision, "as given"
    if precision == AUTO:
        precision, reason = look.precision or "float32", ""
    if precision == AUTO:
        precision, reason = choose_precision(look, machine)
    line = _describe(look, kind, precision, reason) if look.precision == AUTO else ""
    recorded = None if precision == "float32" else precision
    if look.precision != recorded:
        look = look.model_copy(update={"precision": recorded})
    return Settled(look, machine.model_copy(update={"precision": precision}), line)


def choose_precision(look: Look, machine: MachineSettings) -> tuple[Precision, str]:
    """Return bfloat16 if it is faster here with all of a look's networks, else float32.

    Args:
        look: The look.
        machine: The device.

    Returns:
        The precision, and in a few words why.
    """
    parts = (*look.journey, *look.regions)
    dreams = (look.dream, *(derive_dream(part, look.dream) for part in parts))
    networks = [entry.name for dream in dreams for entry in list_entries(dream.model)]
    others = [name for name in networks if name not in BFLOAT16_NETWORKS]
    if machine.device == "gpu" or (
        machine.device == "auto" and any(path.exists() for path in GPUS)
    ):
        return "float32", "bfloat16 is untested on GPUs"
    if others:
        return "float32", f"bfloat16 is not known to be faster with {others[0]}"
    if not BFLOAT16_FLAGS & read_processor_flags():
        return "float32", "this processor does not multiply bfloat16"
    return "bfloat16", "faster with this processor and network"


def _describe(look: Look, kind: Kind, precision: Precision, reason: str) -> str:
    words = []
    if kind == "film":
        words.append(f"cadence {look.coherence.cadence}")
    if kind != "zoom":
        words.append(f"dream size {look.dream.dream_size}")
    if kind == "film":
        if look.coherence.carried_steps is not None:
            words.append(f"carried steps {look.coherence.carried_steps}")
        words.append(f"flow width {look.coherence.flow_width}")
    return f"fast: {', '.join([*words, f'precision {precision} ({reason})'])}"
