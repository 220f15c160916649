"""Optical flow between frames: where each pixel came from, and how far to trust it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from dreamvideo.imaging import (
    REFERENCE_WIDTH,
    average_channels,
    blur,
    blur_in_proportion,
    resize,
    to_grey,
    to_levels,
)
from dreamvideo.motion.warp import inside, warp
from dreamvideo.settings.coherence import FLOW_WIDTH

Quality = Literal["fast", "medium", "fine"]

_MIN_SIDE = 32
_GRAIN_SIGMA = 0.7
"""Removes a quarter of the error that grain causes and costs clean pictures nothing."""

_FILL_COLUMNS = 28
_FILL_CELLS = _FILL_COLUMNS**2
_FILL_REACH = 2.8
"""Standard deviation in cells over which a flow is filled from its surroundings."""
_FILL_COLOUR = 0.12
"""The same in colour, of [-1, 1]."""
_TEXTURE = 0.5
"""Squared slope, in (levels of 255 per px)^2, above which a place's own flow counts more."""
_FAR = 0.02
"""Weight of the motion of most of the picture against cells that are near and alike."""
_RESIDUAL_SIGMA = 4.0
_IDENTITY = np.array([1, 0, 1], np.float32)
"""As xx, xy, yy."""
_ROUNDS, _APART = 3, 1.0
"""How often the surroundings are reconsidered, and from how many px on a cell moves otherwise."""
_TOLERANCES = (8, 4, 2, 1, 1, 1)
"""Distances in px from that motion from which on a cell moves otherwise, while it is fitted."""
_WORSE = 0.01
"""Increase of the residual, in [-1, 1], that a filled flow may bring; none at twice as much."""


@dataclass(frozen=True)
class Motion:
    """Backward flow (H x W x 2, px, current -> previous) and confidence (H x W, in [0, 1])."""

    flow: NDArray[np.float32]
    confidence: NDArray[np.float32]


def no_motion(shape: tuple[int, ...]) -> Motion:
    """Return the motion of a first frame or a cut: nothing of the previous frame can be trusted."""
    height, width = shape[:2]
    return Motion(np.zeros((height, width, 2), np.float32), np.zeros((height, width), np.float32))


def motion_between(
    current: NDArray[np.float32],
    previous: NDArray[np.float32],
    *,
    quality: Quality = "fine",
    max_width: int = FLOW_WIDTH,
    fill: bool = True,
) -> Motion:
    """Estimate the backward flow between two frames, and its confidence.

    A repeated frame has exactly zero flow and confidence 1. Safe to call from several threads, and
    the result is the same on any number of cores.

    Args:
        current: H x W x 3 in [-1, 1].
        previous: H x W x 3 in [-1, 1].
        quality: Quality of the backward flow; the forward flow, which only serves as a check, is at
            most ``medium``.
        max_width: Largest width in pixels to estimate at; the result is scaled up.
        fill: Whether the flow of what has no texture comes from its surroundings.
    """
    if np.array_equal(current, previous):
        return _stillness(current.shape)
    witness: Quality = "medium" if quality == "fine" else quality
    now, before = _small(current, max_width), _small(previous, max_width)
    backward, forward = _dis(now, before, quality), _dis(before, now, witness)
    if fill:
        backward, forward = _fill_both(now, before, backward, forward)
    return _motion(now, before, backward, forward, current.shape)


def motions_between(
    current: NDArray[np.float32],
    previous: NDArray[np.float32],
    *,
    quality: Quality = "fine",
    max_width: int = FLOW_WIDTH,
    fill: bool = True,
) -> tuple[Motion, Motion]:
    """Estimate motion in both directions: ``motion_between``, and its reverse.

    Args:
        current: H x W x 3 in [-1, 1].
        previous: H x W x 3 in [-1, 1].
        quality: Quality of both flows.
        max_width: Largest width in pixels to estimate at.
        fill: Whether the flow of what has no texture comes from its surroundings.
    """
    if np.array_equal(current, previous):
        return _stillness(current.shape), _stillness(current.shape)
    now, before = _small(current, max_width), _small(previous, max_width)
    backward, forward = _dis(now, before, quality), _dis(before, now, quality)
    if fill:
        backward, forward = _fill_both(now, before, backward, forward)
    shape = current.shape
    return (
        _motion(now, before, backward, forward, shape),
        _motion(before, now, forward, backward, shape),
    )


def chain_motions(latest: Motion, earlier: Motion) -> Motion:
    """Chain two motions: ``latest`` to a frame, and ``earlier`` from there."""
    flow = latest.flow + warp(earlier.flow, latest.flow, interpolation="linear")
    trust = latest.confidence * warp(earlier.confidence, latest.flow, interpolation="linear")
    trust[~inside(flow)] = 0
    return Motion(flow, trust)


def _find_fill(
    flow: NDArray[np.float32],
    trust: NDArray[np.float32],
    frame: NDArray[np.float32],
    other: NDArray[np.float32],
) -> NDArray[np.float32]:
    """Return the change that gives undetermined parts of a flow the motion around them.

    Patches without texture have no motion of their own: dense inverse search leaves them where they
    were, or follows the grain, and of a straight edge it only finds the motion across. There each
    cell takes the flow that fits the structure tensors of all cells best, weighted by their
    distance and by how alike their colours are (normalized convolution, Knutsson and Westin, CVPR
    1993, with the structure tensor as certainty), and, where nothing near is like it, the motion of
    most of the picture. What is textured keeps its flow, and so does what would fit worse.

    Args:
        flow: H x W x 2, px, from ``frame`` to ``other``.
        trust: H x W in [0, 1]; what is not trusted does not count, and is filled.
        frame: H x W x 3 in [-1, 1], the frame on whose grid the flow lies.
        other: The same of the other frame.

    Returns:
        H x W x 2, px; smooth.
    """
    height, width = flow.shape[:2]
    columns = min(_FILL_COLUMNS, max(2, width // 4))
    # The work grows with the square of the cells, so a tall picture must not have more of them.
    cell = max(width / columns, (width * height / _FILL_CELLS) ** 0.5)
    size = (max(2, round(width / cell)), max(2, round(height / cell)))
    tensor = _structure_tensor(frame) * (trust * trust)[..., None]
    cells = _measure_cells(tensor, flow, size)
    surroundings = _find_surroundings(cells, frame, size, width / REFERENCE_WIDTH)
    wide = resize(surroundings, (height, width), "linear")
    window = 2 * round(cell) + 1
    texture = cv2.boxFilter(tensor, -1, (window, window))
    change = _solve(texture + _TEXTURE * _IDENTITY, (wide - flow) * np.float32(_TEXTURE))
    worse = _residual(frame, other, flow + change) - _residual(frame, other, flow)
    added = change * np.clip(2 - worse / np.float32(_WORSE), 0, 1)[..., None]
    return np.asarray(added, np.float32)


def _measure_cells(
    tensor: NDArray[np.float32], flow: NDArray[np.float32], size: tuple[int, int]
) -> NDArray[np.float32]:
    """Average the structure tensor (xx, xy, yy) and its product with the flow over cells.

    A strong edge counts as one, not as a thousand weak ones, and grain counts for nothing.

    Args:
        tensor: H x W x 3.
        flow: H x W x 2, px.
        size: (columns, rows).

    Returns:
        columns * rows x 5.
    """
    xx, xy, yy = cv2.split(tensor)
    x, y = cv2.split(flow)
    moments = cv2.merge((xx * x + xy * y, xy * x + yy * y))
    parts = (resize(part, size[::-1], "area") for part in (tensor, moments))
    cells = np.concatenate([part.reshape(size[0] * size[1], -1) for part in parts], axis=1)
    strength = cells[:, :1] + cells[:, 2:3]
    return np.asarray(cells * strength / (strength + 8 * _TEXTURE) ** 2, np.float32)


def _find_surroundings(
    cells: NDArray[np.float32], frame: NDArray[np.float32], size: tuple[int, int], scale: float
) -> NDArray[np.float32]:
    """Return the motion of what surrounds each cell and is like it: rows x columns x 2, px.

    Args:
        cells: From ``_measure_cells``.
        frame: H x W x 3 in [-1, 1].
        size: (columns, rows).
        scale: Width of the frame as a multiple of 320 px.
    """
    colours = resize(frame, size[::-1], "area")
    # An outline moves with what is in front, but the cells next to it resemble what is behind.
    squares = resize(frame * frame, size[::-1], "area")
    variance = cv2.blur(squares, (3, 3)) - cv2.blur(colours, (3, 3)) ** 2
    mixed = variance.sum(-1).reshape(-1, 1) / np.float32(_FILL_COLOUR**2)
    votes = cells / (1 + mixed) ** 2
    alike = _similarity(colours)
    far = np.concatenate(
        [np.tile(_IDENTITY, (len(cells), 1)), _dominant_motion(cells, size, scale)], axis=1
    ) * np.float32(_FAR)
    own = _cell_flows(cells)
    # Not by BLAS, which rounds differently with another number of threads.
    around = np.einsum("ij,jk->ik", alike, votes) + far
    for _ in range(_ROUNDS):
        # What moves otherwise than most of them is another thing.
        near = _square_distances(_solve(around[:, :3], around[:, 3:]), own)
        near /= np.float32(_APART * scale) ** 2
        near += 1
        np.divide(alike, near, out=near)
        around = np.einsum("ij,jk->ik", near, votes) + far
    return _solve(around[:, :3], around[:, 3:]).reshape(size[1], size[0], 2)


def _fill_both(
    current: NDArray[np.float32],
    previous: NDArray[np.float32],
    backward: NDArray[np.float32],
    forward: NDArray[np.float32],
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Fill the flow in both directions, each trusted as far as the other confirms it.

    What is added is smooth, so it is found at ``REFERENCE_WIDTH`` in wider pictures.
    """
    size = _working_size(current.shape, REFERENCE_WIDTH)[::-1]
    now, before = resize(current, size, "area"), resize(previous, size, "area")
    there, back = _flow_at(backward, now.shape), _flow_at(forward, now.shape)
    to_before = _find_fill(there, estimate_confidence(now, before, there, back), now, before)
    to_now = _find_fill(back, estimate_confidence(before, now, back, there), before, now)
    shape = current.shape
    return backward + _flow_at(to_before, shape), forward + _flow_at(to_now, shape)


def _structure_tensor(frame: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return xx, xy, yy of the slopes, H x W x 3 in (levels of 255 per px of 320 wide)^2."""
    scale = frame.shape[1] / REFERENCE_WIDTH
    grey = blur(to_levels(to_grey(frame)), scale)
    x = cv2.Scharr(grey, cv2.CV_32F, 1, 0, scale=scale / 32)
    y = cv2.Scharr(grey, cv2.CV_32F, 0, 1, scale=scale / 32)
    return np.asarray(cv2.merge((x * x, x * y, y * y)), np.float32)


def _residual(
    frame: NDArray[np.float32], other: NDArray[np.float32], flow: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Return how little a frame resembles the other one moved along a flow: H x W."""
    difference = average_channels(cv2.absdiff(frame, warp(other, flow, interpolation="linear")))
    return blur_in_proportion(difference, _RESIDUAL_SIGMA)


def _dominant_motion(
    cells: NDArray[np.float32], size: tuple[int, int], scale: float
) -> NDArray[np.float32]:
    """Return the motion of most of the picture's edge at each cell: columns * rows x 2, px.

    That of a camera: pan, zoom and roll. An affine motion would be free to bend towards a subject
    where only one side of the picture has texture. Iteratively reweighted least squares from the
    median; what moves otherwise loses its weight.

    Args:
        cells: From ``_measure_cells``.
        size: (columns, rows).
        scale: Width of the frame as a multiple of 320 px.
    """
    y, x = np.mgrid[-1 : 1 : size[1] * 1j, -1 : 1 : size[0] * 1j].reshape(2, -1)
    outer = np.maximum(abs(x), abs(y)) ** 2
    y *= size[1] / size[0]
    one, zero = np.ones_like(x), np.zeros_like(x)
    basis = np.stack([np.stack([one, zero, x, -y], 1), np.stack([zero, one, y, x], 1)], 1)
    tensors = cells[:, [0, 1, 1, 2]].reshape(-1, 2, 2).astype(np.float64)
    strength = tensors[:, 0, 0] + tensors[:, 1, 1] + 1e-9
    flows = _cell_flows(cells).astype(np.float64)
    # What has no texture is mostly background, and subjects are in the middle.
    start = _weighted_median(flows, outer * strength)
    motion = np.array([*start, 0, 0])
    fitted = basis.transpose(0, 2, 1) @ tensors
    for tolerance in _TOLERANCES:
        off = basis @ motion - flows
        squared = np.einsum("ni,nij,nj->n", off, tensors, off) / strength
        weight = outer / (1 + squared / (tolerance * scale) ** 2) ** 2
        left = np.einsum("n,nij,njk->ik", weight, fitted, basis) + 1e-6 * np.eye(4)
        right = np.einsum("n,nij,nj->i", weight, basis.transpose(0, 2, 1), cells[:, 3:])
        motion = np.linalg.solve(left, right + 1e-6 * motion)
    return np.asarray(basis @ motion, np.float32)


def _weighted_median(
    values: NDArray[np.float64], weight: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the weighted median of each column of N x K values."""
    order = np.argsort(values, axis=0)
    reached = np.cumsum(weight[order], axis=0)
    middle = (reached < reached[-1:] / 2).sum(0)
    columns = np.arange(values.shape[1])
    chosen: NDArray[np.float64] = values[order[middle, columns], columns]
    return chosen


def _cell_flows(cells: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the flow of each cell of ``_measure_cells``, the least that fits: N x 2, px."""
    strength = cells[:, :1] + cells[:, 2:3] + np.float32(1e-9)
    return _solve(cells[:, :3] + np.float32(1e-3) * strength * _IDENTITY, cells[:, 3:])


def _square_distances(
    vectors: NDArray[np.float32], others: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Return the squared distance of each of N x 2 vectors to each of M x 2: N x M."""
    across, down = (vectors[:, axis, None] - others[None, :, axis] for axis in (0, 1))
    across *= across
    down *= down
    across += down
    return across


def _similarity(cells: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return how much each cell of H x W x 3 counts for each other: HW x HW, 1 for itself."""
    height, width = cells.shape[:2]
    places = np.mgrid[:height, :width].transpose(1, 2, 0) / _FILL_REACH
    features = np.concatenate([places, cells / _FILL_COLOUR], axis=2, dtype=np.float32)
    flat = features.reshape(height * width, -1)
    squares = (flat * flat).sum(1)
    distances = squares[:, None] + squares[None] - 2 * np.einsum("ik,jk->ij", flat, flat)
    alike: NDArray[np.float32] = np.exp(np.minimum(-0.5 * distances, 0))
    return alike


def _solve(tensors: NDArray[np.float32], right: NDArray[np.float32]) -> NDArray[np.float32]:
    """Solve a symmetric 2 x 2 system (xx, xy, yy in the last axis) at each place."""
    xx, xy, yy = tensors[..., 0], tensors[..., 1], tensors[..., 2]
    x, y = right[..., 0], right[..., 1]
    determinant = np.maximum(xx * yy - xy * xy, np.float32(1e-12))
    solved = np.stack([yy * x - xy * y, xx * y - xy * x], axis=-1) / determinant[..., None]
    return np.asarray(solved, np.float32)


def _stillness(shape: tuple[int, ...]) -> Motion:
    still = no_motion(shape)
    return Motion(still.flow, np.ones_like(still.confidence))


def _small(frame: NDArray[np.float32], max_width: int) -> NDArray[np.float32]:
    """Shrink a frame to the size at which flow is estimated."""
    return resize(frame, _working_size(frame.shape, max_width)[::-1], "area")


def _motion(
    current: NDArray[np.float32],
    previous: NDArray[np.float32],
    backward: NDArray[np.float32],
    forward: NDArray[np.float32],
    shape: tuple[int, ...],
) -> Motion:
    trust = estimate_confidence(current, previous, backward, forward)
    return Motion(_flow_at(backward, shape), _confidence_at(trust, shape))


def estimate(
    current: NDArray[np.float32],
    previous: NDArray[np.float32],
    *,
    quality: Quality = "fine",
    max_width: int = FLOW_WIDTH,
) -> NDArray[np.float32]:
    """Estimate the backward flow, H x W x 2 in pixels, current -> previous.

    Dense inverse search (Kroeger et al., ECCV 2016) on grey frames.

    Args:
        current: H x W x 3 in [-1, 1].
        previous: H x W x 3 in [-1, 1].
        quality: ``fine`` refines variationally at full scale; ``medium`` and ``fast`` are OpenCV's
            presets at about a third and a tenth of its time, and 1.7 and 2.3 times its error.
        max_width: Largest width in pixels to estimate at.
    """
    size = _working_size(current.shape, max_width)
    flow = _dis(resize(current, size[::-1], "area"), resize(previous, size[::-1], "area"), quality)
    return _flow_at(flow, current.shape)


def estimate_confidence(
    current: NDArray[np.float32],
    previous: NDArray[np.float32],
    backward: NDArray[np.float32],
    forward: NDArray[np.float32],
) -> NDArray[np.float32]:
    """Estimate how far ``backward`` can be trusted at each pixel: H x W, 1 = fully, 0 = not at all.

    Combines three graded checks: the forward flow leads back to the pixel (relative form of
    Sundaram, Brox and Keutzer, ECCV 2010); the warped previous frame looks the same (discounting a
    change of brightness of the whole frame); and something of the previous frame arrives there at
    all. What lies outside the previous frame has confidence 0. Blurs and thresholds are those of a
    frame 320 px wide and scale with the width.

    Args:
        current: H x W x 3 in [-1, 1].
        previous: H x W x 3 in [-1, 1].
        backward: H x W x 2, px, current -> previous.
        forward: H x W x 2, px, previous -> current.
    """
    scale = current.shape[1] / REFERENCE_WIDTH
    back = warp(forward, backward, interpolation="linear")
    lengths = _square(back) + _square(backward)
    mismatch = _square(back + backward) / (0.01 * lengths + 0.5 * scale**2)
    difference = _difference(current, warp(previous, backward, interpolation="linear"), mismatch)
    change = blur(difference, scale) / 0.2
    doubt = np.maximum(np.minimum(mismatch / 4, 1.5) / 2 + change / 2, change)
    trust = np.minimum(np.clip(1.5 - doubt, 0, 1), np.clip((arrivals(forward) - 0.3) / 0.4, 0, 1))
    trust[~inside(backward)] = 0
    return np.clip(blur(trust, scale), 0, 1)


def _difference(
    current: NDArray[np.float32], moved: NDArray[np.float32], mismatch: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Return the mean absolute difference of the channels after matching the brightness."""
    settled = mismatch < 1
    if settled.mean() > 0.1:
        (level, spread), (wanted, spread_wanted) = (
            _levels(moved, settled),
            _levels(current, settled),
        )
        gain = np.float32(np.clip(spread_wanted / max(spread, 1e-3), 0.25, 4))
        moved = (moved - np.float32(level)) * gain + np.float32(wanted)
    return average_channels(cv2.absdiff(current, moved))


def _levels(image: NDArray[np.float32], where: NDArray[np.bool_]) -> tuple[float, float]:
    """Return mean and deviation of all values of H x W x 3 within a mask."""
    means, deviations = cv2.meanStdDev(image, mask=where.view(np.uint8))
    mean = float(means.mean())
    return mean, float(np.sqrt(max(0.0, (deviations**2 + means**2).mean() - mean**2)))


def _square(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return squared lengths: H x W of H x W x 2."""
    x, y = vectors[..., 0], vectors[..., 1]
    length: NDArray[np.float32] = x * x + y * y
    return length


def arrivals(forward: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return how many pixels of the previous frame land on each current one (bilinear)."""
    height, width = forward.shape[:2]
    # A border of one pixel collects what lands outside; further out a pixel has no effect.
    x = np.clip(forward[..., 0] + np.arange(1, width + 1, dtype=np.float32), 0, width + 0.999)
    y = np.clip(
        forward[..., 1] + np.arange(1, height + 1, dtype=np.float32)[:, None], 0, height + 0.999
    )
    left, top = x.astype(np.intp), y.astype(np.intp)
    share_x, share_y = x - left, y - top
    row = width + 2
    corner = (top * row + left).ravel()
    total = np.zeros((height + 2) * row)
    for step, share in (
        (0, (1 - share_x) * (1 - share_y)),
        (1, share_x * (1 - share_y)),
        (row, (1 - share_x) * share_y),
        (row + 1, share_x * share_y),
    ):
        total += np.bincount(corner + step, share.ravel(), total.size)
    return total.reshape(height + 2, row)[1:-1, 1:-1].astype(np.float32)


def _dis(
    current: NDArray[np.float32], previous: NDArray[np.float32], quality: Quality
) -> NDArray[np.float32]:
    # A DIS object holds buffers, so threads must not share one; creating one takes microseconds.
    if quality == "fast":
        dis = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_FAST)
    else:
        dis = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    if quality == "fine":
        dis.setFinestScale(0)
        # Saves a fifth of the time for a thirtieth more error.
        dis.setPatchStride(4)
        dis.setVariationalRefinementAlpha(60)
        dis.setVariationalRefinementIterations(10)
    flow: NDArray[np.float32] = dis.calc(_grey(current), _grey(previous), None)
    return flow


def _grey(frame: NDArray[np.float32]) -> NDArray[np.uint8]:
    grey = blur(to_grey(frame), _GRAIN_SIGMA)
    levels: NDArray[np.uint8] = np.clip(np.rint(to_levels(grey)), 0, 255).astype(np.uint8)
    return levels


def _working_size(shape: tuple[int, ...], max_width: int) -> tuple[int, int]:
    """Return (width, height) to estimate at: narrow enough to be fast, large enough for DIS."""
    height, width = shape[:2]
    shrink = min(1.0, max_width / width)
    return max(_MIN_SIDE, round(width * shrink)), max(_MIN_SIDE, round(height * shrink))


def _flow_at(flow: NDArray[np.float32], shape: tuple[int, ...]) -> NDArray[np.float32]:
    height, width = shape[:2]
    if flow.shape[:2] == (height, width):
        return flow
    factors = np.array([width / flow.shape[1], height / flow.shape[0]], np.float32)
    wide: NDArray[np.float32] = cv2.resize(flow, (width, height), interpolation=cv2.INTER_LINEAR)
    return wide * factors


def _confidence_at(trust: NDArray[np.float32], shape: tuple[int, ...]) -> NDArray[np.float32]:
    wide: NDArray[np.float32] = cv2.resize(
        trust, (shape[1], shape[0]), interpolation=cv2.INTER_LINEAR
    )
    return wide
