"""The worker that takes steps in PyTorch: the reference's network as plain functions.

It runs where only torch and NumPy are installed. Weights are constants, so only the gradient with
respect to the image is computed.
"""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from dreamvideo.bench.googlenet import BLOCKS, GOOGLENET
from dreamvideo.bench.step_worker import LAYERS, STEP_SIZE, Ascend, Image, serve_steps

Operation = Callable[..., Any]


def prepare(variant: str, network: str, folder: Path) -> Ascend:
    """Return gradient ascent as one who knows PyTorch would write it.

    Args:
        variant: ``eager``; ``folded``, with batch norms folded and in channels-last memory format;
            ``compiled``, the latter with ``torch.compile``.
        network: Its name.
        folder: Holds the network's files (``reference.export``).
    """
    torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    folded = variant != "eager"
    memory = torch.channels_last if folded else torch.contiguous_format
    with np.load(folder / f"{network}.npz", allow_pickle=False) as data:
        arrays = dict(data)
    if network == GOOGLENET:
        loss = make_googlenet_loss(arrays, LAYERS[network], folded=folded)
    else:
        layers = json.loads((folder / f"{network}.json").read_text("utf-8"))
        loss = make_loss(layers, arrays, LAYERS[network], folded=folded)
    step = compile_step(loss) if variant == "compiled" else make_step(loss)

    def ascend(image: Image, steps: int) -> Image:
        x = torch.tensor(image.transpose(2, 0, 1)[None]).contiguous(memory_format=memory)
        for _ in range(steps):
            x = step(x)
        return np.asarray(x[0].numpy().transpose(1, 2, 0))

    return ascend


def make_step(loss: Operation) -> Operation:
    """Return one step, executed operation by operation."""

    def step(x: Any) -> Any:
        x = x.detach().requires_grad_(True)
        (gradient,) = torch.autograd.grad(loss(x), x)
        with torch.no_grad():
            return torch.clamp(x + gradient / (gradient.std() + 1e-8) * STEP_SIZE, -1, 1)

    return step


def compile_step(loss: Operation) -> Operation:
    """Return one step, forward, gradient and update, as one function compiled for each size.

    Compiling only the loss is slower, and so is one function for all sizes.
    """
    gradient_of = torch.func.grad(loss)

    def step(x: Any) -> Any:
        gradient = gradient_of(x)
        return torch.clamp(x + gradient / (gradient.std() + 1e-8) * STEP_SIZE, -1, 1)

    compiled: Operation = torch.compile(step, dynamic=False)
    return compiled


def make_loss(
    layers: Sequence[Mapping[str, Any]],
    arrays: Mapping[str, Any],
    outputs: Sequence[str],
    *,
    folded: bool,
) -> Operation:
    """Return the sum of the mean activations of some layers, for pixels (1, 3, H, W).

    Args:
        layers: Keras layers in order, with the names of their inputs.
        arrays: Their weights, NAME/INDEX.
        outputs: Names of the layers whose activations count.
        folded: Whether to fold each batch norm into the convolution before it.
    """
    operations = [(each, make_operation(each, layers, arrays, folded)) for each in layers[1:]]
    # Activations are released after their last use, as in handwritten code.
    last = {name: each["name"] for each in layers for name in each["inputs"]}

    def loss(image: Any) -> Any:
        values = {layers[0]["name"]: image}
        total = 0.0
        for layer, operation in operations:
            name, inputs = layer["name"], layer["inputs"]
            values[name] = operation(*(values[each] for each in inputs))
            if name in outputs:
                total = total + values[name].mean()
            for each in inputs:
                if last[each] == name:
                    values.pop(each, None)
        return total

    return loss


def make_googlenet_loss(
    arrays: Mapping[str, Any], outputs: Sequence[str], *, folded: bool
) -> Operation:
    """Return the sum of the mean activations of blocks of GoogLeNet, as Caffe computes it.

    Args:
        arrays: Its weights (``googlenet.export_googlenet``).
        outputs: Names of the blocks' results that count.
        folded: Whether kernels are in channels-last format, and neighbouring channels summed by a
            convolution, which is faster than PyTorch's own normalisation.
    """
    memory = torch.channels_last if folded else torch.contiguous_format
    tensors = {
        name: torch.tensor(array).contiguous(memory_format=memory)
        if array.ndim == 4
        else torch.tensor(array)
        for name, array in arrays.items()
    }
    bands = {
        depth: torch.ones(depth, depth)
        .tril(2)
        .triu(-2)[..., None, None]
        .contiguous(memory_format=memory)
        for depth in (64, 192)
    }
    mean = torch.tensor((103.939, 116.779, 123.68)).reshape(1, 3, 1, 1)

    def conv(name: str, x: Any, stride: int = 1) -> Any:
        kernel = tensors[f"{name}/0"]
        padding = kernel.shape[-1] // 2
        return functional.relu(functional.conv2d(x, kernel, tensors[f"{name}/1"], stride, padding))

    def pool(x: Any, stride: int = 2, padding: int = 0) -> Any:
        return functional.max_pool2d(x, 3, stride, padding, ceil_mode=True)

    def norm(x: Any) -> Any:
        if not folded:
            return functional.local_response_norm(x, 5, 1e-4, 0.75, 1.0)
        root = torch.rsqrt(functional.conv2d(x * x, bands[x.shape[1]]) * (1e-4 / 5) + 1)
        return x * (root * torch.sqrt(root))

    def loss(image: Any) -> Any:
        x = (image.flip(1) + 1) * 127.5 - mean
        x = norm(pool(conv("conv1/7x7_s2", x, 2)))
        x = pool(norm(conv("conv2/3x3", conv("conv2/3x3_reduce", x))))
        total, left = 0.0, set(outputs)
        for block in BLOCKS:
            own = f"inception_{block}"
            parts = [
                conv(f"{own}/1x1", x),
                conv(f"{own}/3x3", conv(f"{own}/3x3_reduce", x)),
                conv(f"{own}/5x5", conv(f"{own}/5x5_reduce", x)),
                conv(f"{own}/pool_proj", pool(x, 1, 1)),
            ]
            x = torch.cat(parts, 1)
            if f"{own}/output" in left:
                total = total + x.mean()
                left.remove(f"{own}/output")
            if not left:
                break
            if block in ("3b", "4e"):
                x = pool(x)
        return total

    return loss


def make_operation(
    layer: Mapping[str, Any],
    layers: Sequence[Mapping[str, Any]],
    arrays: Mapping[str, Any],
    folded: bool,
) -> Operation:
    """Return the function of one layer. The arguments are those of ``make_loss``."""
    name, kind, config = layer["name"], layer["class_name"], layer["config"]
    if kind == "Rescaling":
        return lambda x: x * config["scale"] + config["offset"]
    if kind == "BatchNormalization":
        if folded:
            return lambda x: x
        mean, variance, gamma, beta = read_norm(layer, arrays)
        return lambda x: functional.batch_norm(
            x, mean, variance, gamma, beta, training=False, eps=config["epsilon"]
        )
    if not kind.endswith("Conv2D"):
        return OPERATIONS[kind]
    kernel, bias = torch.tensor(arrays[f"{name}/0"]), None
    # Depthwise: height, width, channels, 1; others: height, width, in, out.
    kernel = kernel.permute((2, 3, 0, 1) if kind == "DepthwiseConv2D" else (3, 2, 0, 1))
    if folded:
        norm = next(each for each in layers if each["inputs"] == [name])
        mean, variance, gamma, beta = read_norm(norm, arrays)
        scale = gamma / torch.sqrt(variance + norm["config"]["epsilon"])
        kernel, bias = kernel * scale[:, None, None, None], beta - mean * scale
    memory = torch.channels_last if folded else torch.contiguous_format
    kernel = kernel.contiguous(memory_format=memory)
    stride, same = config["strides"][0], config["padding"] == "same"
    return lambda x: convolve(x, kernel, bias, stride, same)


# Pooling in Inception v3: "valid" if of maxima, "same" if of means.
OPERATIONS: dict[str, Operation] = {
    "ReLU": functional.relu6,
    "Activation": functional.relu,
    "Add": torch.add,
    "Concatenate": lambda *inputs: torch.cat(inputs, 1),
    "MaxPooling2D": lambda x: functional.max_pool2d(x, 3, 2),
    "AveragePooling2D": lambda x: functional.avg_pool2d(x, 3, 1, 1, count_include_pad=False),
}


def read_norm(layer: Mapping[str, Any], arrays: Mapping[str, Any]) -> list[Any]:
    """Return mean, variance, gamma (1 where the layer has none) and beta."""
    count = 4 if layer["config"]["scale"] else 3
    *gamma, beta, mean, variance = (
        torch.tensor(arrays[f"{layer['name']}/{index}"]) for index in range(count)
    )
    return [mean, variance, gamma[0] if gamma else torch.ones_like(beta), beta]


def convolve(x: Any, kernel: Any, bias: Any, stride: int, same: bool) -> Any:
    """Convolve; ``same`` pads as TensorFlow does, which can be asymmetric."""
    padding = (0, 0)
    if same:
        (height, width), (rows, columns) = x.shape[2:], kernel.shape[2:]
        down = max((-(-height // stride) - 1) * stride + rows - height, 0)
        right = max((-(-width // stride) - 1) * stride + columns - width, 0)
        if down % 2 or right % 2:
            x = functional.pad(x, (right // 2, right - right // 2, down // 2, down - down // 2))
        else:
            padding = (down // 2, right // 2)
    groups = x.shape[1] // kernel.shape[1]
    return functional.conv2d(x, kernel, bias, stride, padding, 1, groups)


def versions() -> dict[str, str]:
    """Return the versions in use."""
    return {"torch": str(torch.__version__), "python of torch": platform.python_version()}


if __name__ == "__main__":
    serve_steps(prepare, versions)
