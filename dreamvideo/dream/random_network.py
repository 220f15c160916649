"""A network that was never trained: its random filters draw patterns instead of things."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from dreamvideo.dream.graph_network import GraphNetwork
from dreamvideo.dream.readers.builder import START, Builder
from dreamvideo.dream.readers.graph import Graph

# Channels of the convolutions of each block.
BLOCKS = ((24, 24), (48, 48), (96, 96, 96), (128, 128, 128))
RANDOM_LAYERS = ("conv3_3:rms", "conv4_3:rms")


@lru_cache(maxsize=4)
def random_network(seed: int) -> GraphNetwork:
    """Return a VGG with random weights that depend on the seed alone.

    Filters have no mean, so that flat areas excite nothing, and each channel is
    another draw.
    """
    random = np.random.default_rng(np.random.SeedSequence((seed, 0)))
    build, x, depth = Builder(), START, 3
    for block, widths in enumerate(BLOCKS, 1):
        for number, width in enumerate(widths, 1):
            kernel = random.normal(0, 1, (width, depth, 3, 3))
            kernel -= kernel.mean((1, 2, 3), keepdims=True)
            kernel *= np.sqrt(2 / (9 * depth))
            bias = random.normal(0, 0.05, width)
            name = f"conv{block}_{number}"
            x = build.conv(name, x, kernel.astype(np.float32), bias.astype(np.float32))
            depth = width
        if block < len(BLOCKS):
            x = build.pool(f"pool{block}", x, 2, 2, kind="Avg")
    title = f"VGG, random weights of seed {seed}"
    return GraphNetwork(Graph(title, build.operations, START, "signed", tuple(build.shown)))
