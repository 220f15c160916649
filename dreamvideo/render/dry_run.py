"""Plan a render without dreaming: its segments, its workers and its time."""

from __future__ import annotations

from dataclasses import dataclass

from dreamvideo.formatting import format_bytes, format_count
from dreamvideo.render.job.segments import Segment
from dreamvideo.render.options import RenderOptions
from dreamvideo.render.parallel.shots import plan_segments
from dreamvideo.render.planning.estimate import Estimate, estimate_clip
from dreamvideo.render.planning.worker_count import (
    choose_worker_count,
    count_cores,
    find_max_workers,
)
from dreamvideo.render.progress import OnProgress
from dreamvideo.render.source import ClipRequest, open_clip_range
from dreamvideo.settings import Look, MachineSettings, OutputSettings


@dataclass(frozen=True)
class RenderPlan:
    """The segments of a film, the number of processes, and an estimate of what it takes."""

    segments: tuple[Segment, ...]
    workers: int
    estimate: Estimate

    @property
    def lines(self) -> list[str]:
        """Lines for the user: one per segment, then the total."""
        lines = []
        for segment in self.segments:
            last = segment.first + (segment.count or 1) - 1
            ahead = f", {segment.warm_up} warm-up frames" if segment.warm_up else ""
            lines.append(f"segment {segment.index + 1}: frames {segment.first} to {last}{ahead}")
        frames = sum(segment.count or 0 for segment in self.segments)
        segments = format_count(len(self.segments), "segment")
        whole = f"{format_count(frames, 'frame')} in {segments}, {self.workers} at a time"
        minutes = self.estimate.seconds / 60
        return [
            *lines,
            f"{whole}: about {minutes:.2g} minutes by one process, "
            f"{format_bytes(self.estimate.disk_bytes)} of disk",
        ]


def plan_render(
    request: ClipRequest,
    look: Look,
    wanted: OutputSettings,
    machine: MachineSettings,
    options: RenderOptions,
    on_progress: OnProgress,
) -> RenderPlan:
    """Scan the whole clip for cuts and time a few steps.

    Args:
        request: What to read.
        look: The look.
        wanted: Output settings.
        machine: Device, threads, processes and limits.
        options: How the render is divided.
        on_progress: Called during the scan.

    Raises:
        UsageError: The request makes no sense.
        MediaError: The clip cannot be read.
        WeightsError: The weights cannot be loaded.
    """
    read = open_clip_range(request, wanted)
    most = find_max_workers(machine, look, read)
    segments, _ = plan_segments(read, look, options, most, count_cores(machine), on_progress)
    workers = choose_worker_count(most, machine, [segment.count or 0 for segment in segments])
    return RenderPlan(segments, workers, estimate_clip(read.info, read.size, look, read.rate))
