"""How much of each pixel belongs to the look's own dream and to each region's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from dreamvideo.motion.flow import Motion
from dreamvideo.paint.masks import Masker, MaskPictures, Size, settle_mask
from dreamvideo.settings import Look

Map = NDArray[np.float32]
Frame = NDArray[np.float32]


@dataclass(frozen=True)
class RegionMasks:
    """The mask of a look and those of its regions, opened once for a render."""

    mask: Masker
    regions: tuple[Masker, ...]

    @classmethod
    def of(
        cls,
        look: Look,
        size: Size,
        rate: Fraction = Fraction(25),
        pictures: MaskPictures | None = None,
    ) -> RegionMasks:
        """Open the masks of a look.

        Args:
            look: The look.
            size: (width, height) of the frames.
            rate: Frames per second.
            pictures: Pictures of that size to use in place of the file of the look's own mask.

        Raises:
            MediaError: A mask's file cannot be read.
        """
        regions = tuple(Masker.of(region, size, rate) for region in look.regions)
        return cls(Masker.of(look.mask, size, rate, pictures), regions)

    @property
    def needs_motion(self) -> bool:
        """Whether shares depend on how the source moves; a still picture then makes no sense."""
        return any(masker.needs_motion for masker in (self.mask, *self.regions))

    @property
    def covers_all(self) -> bool:
        """Whether the look's own dream covers everything."""
        return self.mask.covers_all and not self.regions

    def shares(
        self,
        time: Fraction,
        source: Frame,
        motion: Motion | None = None,
        *,
        now: Look,
        before: Map | None = None,
    ) -> tuple[Map, ...]:
        """Return the share of the look's own dream, then each region's.

        They are H x W and sum to at most 1. The look's mask bounds the regions too. Where regions
        overlap the first is on top; the rest belongs to the look's own dream, or is not dreamt, as
        ``mask.rest`` says.

        Args:
            time: As for ``Masker.share``, like the following.
            source: H x W x 3 in [-1, 1].
            motion: Motion since the frame before.
            now: The look at this time.
            before: H x W, the share of the frame before.
        """
        whole = self.mask.share(time, source, motion, now=now.mask, before=before)
        if not self.regions:
            return (whole,)
        given = [
            masker.share(time, source, motion, now=region)
            for masker, region in zip(self.regions, now.regions, strict=True)
        ]
        *own, rest = layer_masks(given)
        if now.mask.rest == "source":
            rest = np.zeros_like(rest)
        return tuple(settle_mask(whole * share) for share in (rest, *own))

    def close(self) -> None:
        """Close mask films."""
        for masker in (self.mask, *self.regions):
            masker.close()


def layer_masks(shares: Sequence[Map]) -> list[Map]:
    """Return each share's visible part where they overlap, the first on top, and last the rest.

    They sum to 1 everywhere.
    """
    rest = np.ones_like(shares[0])
    own = []
    for share in shares:
        own.append(share * rest)
        rest = rest * (1 - share)
    return [*own, rest]
