"""The stages of a zoom: one dreamer, or several that take over from one another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dreamvideo.dream.dreamer import Dreamer, make_octave_schedule
from dreamvideo.errors import UsageError
from dreamvideo.imaging import smoothstep
from dreamvideo.render.frames.planner import DEFAULT_MACHINE, MakeDreamer, make_dreamer
from dreamvideo.schedules import parse_time_point
from dreamvideo.settings import Look, MachineSettings, Stage
from dreamvideo.settings.derive import derive_dream

WHOLE = Stage()


@dataclass(frozen=True)
class StageDreamer:
    """The dreamer of a stage.

    Attributes:
        dreamer: The dreamer.
        begins: When it starts, in seconds.
        fade: Length of the transition in seconds, centred on ``begins``.
        stage: The stage it was made from.
    """

    dreamer: Dreamer
    begins: float = 0.0
    fade: float = 0.0
    stage: Stage = WHOLE

    @property
    def is_balanced(self) -> bool:
        """Whether its gradients are balanced across frequency bands."""
        settings = self.dreamer.settings
        return settings.balance == "opponent" and not settings.laplacian


def make_stage_dreamers(
    look: Look,
    height: int,
    width: int,
    machine: MachineSettings = DEFAULT_MACHINE,
    make: MakeDreamer = make_dreamer,
    *,
    listens: bool = False,
) -> tuple[StageDreamer, ...]:
    """Return the dreamers of the look's journey; without one, of the look's own dream.

    Args:
        look: The look.
        height: Height of the film in pixels.
        width: Width of the film in pixels.
        machine: Device, threads and limits.
        make: Makes the dreamers.
        listens: Whether the film has sound to follow.

    Raises:
        UsageError: A stage makes no sense or the picture is too small for its network; raised
            before any network is loaded.
        WeightsError: The weights cannot be loaded.
    """
    if look.sounds and not listens:
        raise UsageError("a zoom has no sound for `audio:` to follow; give it one with --sound")
    journey = look.journey or (WHOLE,)
    times = find_stage_starts(journey, look.zoom.seconds)
    dreams = [derive_dream(stage, look.dream) for stage in journey]
    for dream in dreams:
        make_octave_schedule(dream, height, width)
    # A dream that recurs is loaded only once.
    dreamers = {dream: make(dream, look, machine) for dream in dreams}
    return tuple(
        StageDreamer(dreamers[dream], begins, stage.fade, stage)
        for dream, begins, stage in zip(dreams, times, journey, strict=True)
    )


def find_stage_starts(journey: Sequence[Stage], length: float) -> tuple[float, ...]:
    """Return when each stage starts, in seconds: as it says, otherwise evenly spread.

    The first one must start the film. Raises UsageError.
    """
    times = [index * length / len(journey) for index in range(len(journey))]
    for index, stage in enumerate(journey):
        if stage.at is not None:
            time, relative = parse_time_point(stage.at)
            times[index] = time * length if relative else time
    if times[0] != 0:
        raise UsageError(f"journey: the first stage begins the film, not {journey[0].at} into it")
    if sorted(set(times)) != times or times[-1] >= length:
        shown = ", ".join(f"{time:g} s" for time in times)
        raise UsageError(f"journey: stages must begin one after another within the film: {shown}")
    return tuple(times)


def stage_weights(
    parts: Sequence[StageDreamer], seconds: float, length: float, closed: bool
) -> list[float]:
    """Return the weight of each stage at a time; they sum to 1.

    Args:
        parts: The stages.
        seconds: The time.
        length: Length of the film in seconds.
        closed: Whether the last stage gives way to the first at the end.
    """
    left = 1.0
    weights = [0.0] * len(parts)
    for index in range(len(parts) - 1, 0, -1):
        weights[index] = left * _fade_in(seconds, parts[index].begins, parts[index].fade)
        left -= weights[index]
    weights[0] = left
    if closed:
        arrived = _fade_in(seconds, length, parts[0].fade)
        staying = 1 - _fade_in(seconds + length, length, parts[0].fade)
        weights = [weight * (1 - arrived - staying) for weight in weights]
        weights[0] += arrived
        weights[-1] += staying
    return weights


def _fade_in(seconds: float, begins: float, fade: float) -> float:
    if fade <= 0:
        return float(seconds >= begins)
    return float(smoothstep((seconds - begins) / fade + 0.5))
