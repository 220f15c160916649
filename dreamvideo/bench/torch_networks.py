"""The bench's two networks in PyTorch, up to the layers that it dreams: pixels -> activations.

Plain functions on frozen weights, so that only the gradient to the image is computed: what an
engineer who knows PyTorch would write. Lite0 after Tan and Le, "EfficientNet", ICML 2019, in its
Lite variant; Inception v3 after Szegedy et al., "Rethinking the Inception Architecture", CVPR 2016,
as keras.applications builds it. Runs where only torch and numpy are installed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

EPSILON = 1e-3
# kernel, stride, expansion and skip connection of Lite0's blocks 0 to 10
LITE0_BLOCKS = (
    (3, 1, 1, False),
    (3, 2, 6, False),
    (3, 1, 6, True),
    (5, 2, 6, False),
    (5, 1, 6, True),
    (3, 2, 6, False),
    (3, 1, 6, True),
    (3, 1, 6, True),
    (5, 1, 6, False),
    (5, 1, 6, True),
    (5, 1, 6, True),
)


class Convolutions:
    """Convolution, norm (unless folded) and activation by the layer's name in an archive.

    ``archive`` holds NAME/kernel in TensorFlow's layout with NAME/gamma (1 if it is missing),
    beta, mean and variance. Padding is TensorFlow's "same" unless ``valid`` is asked for.
    """

    def __init__(self, archive: Path, *, folded: bool, channels_last: bool) -> None:
        import torch

        self._torch = torch
        self._format = torch.channels_last if channels_last else torch.contiguous_format
        with np.load(archive, allow_pickle=False) as data:
            arrays = {name: data[name].astype(np.float32) for name in data.files}
        names = sorted({name.split("/")[0] for name in arrays} - {"top"})
        self._layers = {name: self._layer(arrays, name, folded) for name in names}

    def _layer(self, arrays: Mapping[str, Any], name: str, folded: bool) -> tuple[Any, Any, Any]:
        """(kernel, bias, norm): a bias or a norm."""
        torch = self._torch
        kernel = arrays[f"{name}/kernel"]
        # Depthwise: height, width, channels, 1; others: height, width, in, out.
        kernel = kernel.transpose((2, 3, 0, 1) if name.endswith("_depthwise") else (3, 2, 0, 1))
        beta, mean, variance = (arrays[f"{name}/{part}"] for part in ("beta", "mean", "variance"))
        gamma = arrays.get(f"{name}/gamma", np.ones_like(beta))
        bias = norm = None
        if folded:
            scale = gamma / np.sqrt(variance + EPSILON)
            kernel, bias = kernel * scale[:, None, None, None], torch.tensor(beta - mean * scale)
        else:
            norm = tuple(torch.tensor(part) for part in (mean, variance, gamma, beta))
        weight = torch.tensor(np.ascontiguousarray(kernel))
        return weight.contiguous(memory_format=self._format), bias, norm

    def __call__(
        self,
        x: Any,
        name: str,
        stride: int = 1,
        *,
        valid: bool = False,
        activation: str | None = "relu",
    ) -> Any:
        """The layer's output for x (1, channels, height, width)."""
        functional = self._torch.nn.functional
        kernel, bias, norm = self._layers[name]
        padding = (0, 0)
        if not valid:
            below, right = (_same(x.shape[2 + i], kernel.shape[2 + i], stride) for i in (0, 1))
            if below % 2 or right % 2:
                x = functional.pad(
                    x, (right // 2, right - right // 2, below // 2, below - below // 2)
                )
            else:
                padding = (below // 2, right // 2)
        groups = kernel.shape[0] if name.endswith("_depthwise") else 1
        x = functional.conv2d(x, kernel, bias, stride, padding, 1, groups)
        if norm is not None:
            x = functional.batch_norm(x, *norm, training=False, eps=EPSILON)
        return getattr(functional, activation)(x) if activation else x


def _same(size: int, kernel: int, stride: int) -> int:
    """Pixels of padding on both sides together."""
    return int(max((-(-size // stride) - 1) * stride + kernel - size, 0))


Loss = Callable[[Any], Any]


def lite0(conv: Convolutions) -> Loss:
    """The sum of the means of block8_expand and block11_expand, for pixels (1, 3, H, W)."""

    def loss(image: Any) -> Any:
        x = conv(image * (127.5 / 128) + 0.5 / 128, "stem", 2, activation="relu6")
        total = 0.0
        for index, (_, stride, expansion, skip) in enumerate(LITE0_BLOCKS):
            name, before = f"block{index}", x
            if expansion > 1:
                x = conv(x, f"{name}_expand", activation="relu6")
            if index == 8:
                total = x.mean()
            x = conv(x, f"{name}_depthwise", stride, activation="relu6")
            x = conv(x, f"{name}_project", activation=None)
            x = x + before if skip else x
        return total + conv(x, "block11_expand", activation="relu6").mean()

    return loss


def inception_v3(conv: Convolutions) -> Loss:
    """The sum of the means of mixed3 and mixed5, for pixels (1, 3, H, W).

    Convolutions are named conv0, conv1, ... in the order in which Keras builds them.
    """
    import torch

    functional = torch.nn.functional

    def chain(x: Any, first: int, count: int) -> Any:
        for index in range(first, first + count):
            x = conv(x, f"conv{index}")
        return x

    def pool(x: Any) -> Any:
        return functional.max_pool2d(x, 3, 2)

    def average(x: Any) -> Any:
        return functional.avg_pool2d(x, 3, 1, 1, count_include_pad=False)

    def wide(x: Any, first: int) -> Any:
        """Mixed 0 to 2."""
        branches = chain(x, first, 1), chain(x, first + 1, 2), chain(x, first + 3, 3)
        return torch.cat([*branches, chain(average(x), first + 6, 1)], 1)

    def long(x: Any, first: int) -> Any:
        """Mixed 4 and 5."""
        branches = chain(x, first, 1), chain(x, first + 1, 3), chain(x, first + 4, 5)
        return torch.cat([*branches, chain(average(x), first + 9, 1)], 1)

    def loss(image: Any) -> Any:
        x = conv(conv(image, "conv0", 2, valid=True), "conv1", valid=True)
        x = conv(pool(chain(x, 2, 1)), "conv3", valid=True)
        x = pool(conv(x, "conv4", valid=True))
        x = wide(wide(wide(x, 5), 12), 19)
        inner = conv(chain(x, 27, 2), "conv29", 2, valid=True)
        x = torch.cat([conv(x, "conv26", 2, valid=True), inner, pool(x)], 1)
        return x.mean() + long(long(x, 30), 40).mean()

    return loss


NETWORKS: dict[str, Callable[[Convolutions], Loss]] = {
    "efficientnet-lite0": lite0,
    "inception-v3": inception_v3,
}
