"""(paces, segments, workers) -> how long each stage of a film takes, and which one holds it up.

A plain model of a render on many machines, from what one machine was measured to do. The client
reads the clip once for its cuts, hands out segments, and joins and encodes the frames; the workers
dream. What the model leaves out: disks, and machines that differ.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from dreamvideo.render.job.segments import Segment
from dreamvideo.render.planning.worker_count import longest_queue

# What a 1 Gbit/s line carries.
LINE = 117e6


@dataclass(frozen=True)
class StageCosts:
    """Seconds that parts of the work take: of a frame, but for the two beginnings.

    On a worker: ``dream`` a frame of a shot, with all that belongs to it; ``fresh`` how much more
    the first of a segment takes; ``start`` a process, until it dreams; ``open`` a segment, until
    its first frame is decoded. On the client: ``scan``, ``join`` and ``encode``; ``begin`` the
    command. ``size`` is what a stored frame has, bytes.
    """

    dream: float
    fresh: float = 0.0
    start: float = 0.0
    open: float = 0.0
    scan: float = 0.0
    join: float = 0.0
    encode: float = 0.0
    begin: float = 0.0
    size: float = 0.0

    def scaled(self, pixels: float) -> StageCosts:
        """The paces for frames of so many times the pixels; beginnings stay as they are."""
        grown = ("dream", "fresh", "scan", "join", "encode", "size")
        return replace(self, **{name: getattr(self, name) * pixels for name in grown})


@dataclass(frozen=True)
class Timeline:
    """Seconds of a film's stages, one after the other; what is shipped travels meanwhile.

    ``again`` is the share of dreamt frames that two segments dream, ``idle`` that of the workers'
    time in which they wait for the last of them.
    """

    begin: float
    scan: float
    start: float
    dream: float
    ship: float
    join: float
    encode: float
    again: float
    idle: float

    @property
    def stages(self) -> dict[str, float]:
        """What the whole is the sum of: of dreaming and shipping the longer."""
        names = ("begin", "scan", "start", "join", "encode")
        found = {name: float(getattr(self, name)) for name in names}
        return {**found, "dream": max(self.dream, self.ship)}

    @property
    def seconds(self) -> float:
        """From the command to the film."""
        return sum(self.stages.values())

    @property
    def bottleneck(self) -> str:
        """The stage that takes longest."""
        found = {**self.stages, "ship" if self.ship > self.dream else "dream": self.stages["dream"]}
        if self.ship > self.dream:
            del found["dream"]
        return max(found, key=lambda name: found[name])


def simulate_timeline(
    pace: StageCosts,
    segments: Sequence[Segment],
    workers: int,
    *,
    line: float | None = None,
    scanned: bool = True,
) -> Timeline:
    """How a film of these segments goes on ``workers`` alike.

    ``line`` is what travels from the workers to the client, bytes a second; None: they share a
    folder. Not ``scanned``: it is dreamt in one go by the process that encodes it.
    """
    frames = sum(segment.count or 0 for segment in segments)
    ahead = sum(segment.warm_up for segment in segments)
    costs = [
        pace.open + pace.fresh + pace.dream * ((segment.count or 0) + segment.warm_up)
        for segment in segments
    ]
    busiest = longest_queue(costs, workers)
    # A frame that was dreamt ahead comes with its source.
    shipped = (frames + 2 * ahead) * pace.size
    return Timeline(
        begin=pace.begin,
        scan=frames * pace.scan if scanned else 0.0,
        start=pace.start,
        dream=busiest,
        ship=shipped / line if line else 0.0,
        join=ahead * pace.join,
        encode=frames * pace.encode,
        again=ahead / (frames + ahead) if frames else 0.0,
        idle=1 - sum(costs) / (busiest * workers) if busiest else 0.0,
    )
