"""What a render would do: (clip, look, machine) -> its parts, its workers, its time; no dream."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from dreamvideo.render.estimate import Estimate, estimate_clip
from dreamvideo.render.footage import Request, footage
from dreamvideo.render.going import Going
from dreamvideo.render.progress import OnProgress
from dreamvideo.render.resources import amount
from dreamvideo.render.scan import segments_of
from dreamvideo.render.segments import Segment
from dreamvideo.render.worth import cores, most_workers, sensible_workers
from dreamvideo.settings import Look, MachineSettings, OutputSettings


@dataclass(frozen=True)
class Foreseen:
    """The parts of a film, how many processes would dream them, and what that takes."""

    segments: tuple[Segment, ...]
    workers: int
    estimate: Estimate

    @property
    def lines(self) -> list[str]:
        """What a user should hear: one line a part, then the whole."""
        told = []
        for segment in self.segments:
            last = segment.first + (segment.count or 1) - 1
            ahead = f", {segment.warm_up} more ahead" if segment.warm_up else ""
            told.append(f"part {segment.index + 1}: frames {segment.first} to {last}{ahead}")
        frames = sum(segment.count or 0 for segment in self.segments)
        whole = f"{frames} frames in {len(self.segments)} parts, {self.workers} at a time"
        minutes = self.estimate.seconds / 60
        return [
            *told,
            f"{whole}: about {minutes:.2g} minutes by one process, "
            f"{amount(self.estimate.disk_bytes)} of disk",
        ]


def foresee(
    clip: Path,
    request: Request,
    look: Look,
    wanted: OutputSettings,
    machine: MachineSettings,
    going: Going,
    on_progress: OnProgress,
) -> Foreseen:
    """Read the whole clip for its scene cuts, and time a few steps. Raises as ``dream_video``."""
    read = footage(clip, request, wanted)
    most = most_workers(machine, look, read)
    segments, _ = segments_of(read, look, going, most, cores(machine), on_progress)
    workers = sensible_workers(most, machine, [segment.count or 0 for segment in segments])
    return Foreseen(segments, workers, estimate_clip(read.info, read.size, look, read.rate))
