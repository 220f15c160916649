"""Write a network's operations down: convolutions with their norms and activations, pools."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dreamvideo.dream.readers.graph import Operation

Array = NDArray[np.float32]
START = "input"


class Builder:
    """Operations in order; each method adds some and returns the name of the last.

    What a method calls ``name`` is the result after the activation.
    """

    def __init__(self) -> None:
        self.operations: dict[str, Operation] = {START: Operation(START, "Placeholder")}
        self.shown: list[str] = []

    def conv(
        self,
        name: str,
        x: str,
        kernel: Array,
        bias: Array,
        stride: int = 1,
        *,
        padding: tuple[int, int] | None = None,
        relu: bool = True,
    ) -> str:
        """Convolve, add a bias, and apply a ReLU.

        Args:
            name: Name of the result.
            x: Name of the input.
            kernel: (out, in, h, w), as Caffe and PyTorch have it.
            bias: (out,).
            stride: Stride in both directions.
            padding: Rows and columns of zeros on each side; None: half of the kernel's.
            relu: Whether to apply a ReLU.

        Raises:
            ValueError: The shapes do not fit.
        """
        if kernel.ndim != 4 or bias.shape != kernel.shape[:1]:
            raise ValueError(f"{name} has a kernel of shape {kernel.shape}")
        _, _, high, wide = kernel.shape
        around = (high // 2, wide // 2) if padding is None else padding
        same = stride == 1 and (2 * around[0] + 1, 2 * around[1] + 1) == (high, wide)
        options: dict[str, Any] = {"strides": [1, stride, stride, 1], "padding": "VALID"}
        if same:
            options["padding"] = "SAME"
        elif max(around):
            rows = [around[0], around[0], around[1], around[1]]
            options |= {"padding": "EXPLICIT", "explicit_paddings": [0, 0, *rows, 0, 0]}
        self._constant(f"{name}|kernel", np.ascontiguousarray(kernel.transpose(2, 3, 1, 0)))
        self._constant(f"{name}|bias", bias)
        end = f"{name}|sum" if relu else name
        self._add(f"{name}|conv", "Conv2D", (x, f"{name}|kernel"), options)
        self._add(end, "BiasAdd", (f"{name}|conv", f"{name}|bias"))
        if relu:
            self._add(name, "Relu", (end,))
        return self._show(name)

    def pool(
        self,
        name: str,
        x: str,
        side: int,
        stride: int,
        *,
        around: int | None = None,
        border: int = 0,
        kind: str = "Max",
    ) -> str:
        """Pool: with ``around`` the last window may reach over the border, as Caffe pools.

        Args:
            name: Name of the result.
            x: Name of the input.
            side: Side of the window.
            stride: Stride in both directions.
            around: Rows of padding on each side; None: ``border``, and only whole windows.
            border: Rows of padding on each side.
            kind: ``Max`` or ``Avg``.
        """
        options = {"ksize": [1, side, side, 1], "strides": [1, stride, stride, 1]}
        self._add(
            name,
            f"{kind}Pool",
            (x,),
            {**options, "around": around, "border": border, "padding": "VALID"},
        )
        return self._show(name)

    def lrn(self, name: str, x: str) -> str:
        """Normalise over five neighbouring channels, as GoogLeNet does."""
        self._add(
            name, "LRN", (x,), {"depth_radius": 2, "alpha": 1e-4 / 5, "beta": 0.75, "bias": 1}
        )
        return self._show(name)

    def concat(self, name: str, parts: Sequence[str]) -> str:
        """Join results along the channels."""
        self._constant(f"{name}|axis", np.int32(3))
        self._add(name, "ConcatV2", (*parts, f"{name}|axis"))
        return self._show(name)

    def add_relu(self, name: str, a: str, b: str) -> str:
        """Add two results and apply a ReLU."""
        self._add(f"{name}|sum", "AddV2", (a, b))
        self._add(name, "Relu", (f"{name}|sum",))
        return self._show(name)

    def _show(self, name: str) -> str:
        self.shown.append(name)
        return name

    def _constant(self, name: str, array: Any) -> None:
        self.operations[name] = Operation(name, "Const", array=np.asarray(array))

    def _add(
        self,
        name: str,
        kind: str,
        inputs: tuple[str, ...],
        options: Mapping[str, Any] | None = None,
    ) -> None:
        self.operations[name] = Operation(name, kind, inputs, options or {})


def fold_norm(arrays: Mapping[str, Array], conv: str, norm: str, epsilon: float) -> tuple[Any, Any]:
    """Return kernel and bias of a PyTorch convolution with the batch norm after it.

    Args:
        arrays: The arrays of a state.
        conv: Name of the convolution.
        norm: Name of the norm.
        epsilon: The norm's epsilon.

    Raises:
        ValueError: An array is missing or does not fit.
    """
    kernel = take(arrays, f"{conv}.weight").astype(np.float64)
    count = (kernel.shape[0],)
    gamma, beta, mean, variance = (
        take(arrays, f"{norm}.{part}", count).astype(np.float64)
        for part in ("weight", "bias", "running_mean", "running_var")
    )
    scale = gamma / np.sqrt(np.maximum(variance, 0) + epsilon)
    before = arrays.get(f"{conv}.bias")
    shift = beta - mean * scale + (0 if before is None else before * scale)
    folded = kernel * scale.reshape(-1, *[1] * (kernel.ndim - 1))
    return folded.astype(np.float32), shift.astype(np.float32)


def take(arrays: Mapping[str, Any], name: str, shape: tuple[int, ...] | None = None) -> Array:
    """Return an array. Raises ValueError if it is missing, or not of that shape."""
    found = arrays.get(name)
    if found is None:
        raise ValueError(f"{name[:60]} is missing")
    if shape is not None and found.shape != shape:
        raise ValueError(f"{name[:60]} has the shape {found.shape}, not {shape}")
    return np.asarray(found)
