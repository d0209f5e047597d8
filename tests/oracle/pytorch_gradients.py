#!/usr/bin/env python3
"""Gradients of residual networks by PyTorch in double precision, for tests/nn/oracle_test.cpp.

Weights, images and labels come from the same counter-based random numbers as in the C++ test
(lib/core/random.h), so only gradients have to travel. For every network two files are written:

  <network>.txt  the loss, and for every tensor one line
                 tensor <name> <entries> <norm of the gradient> <error of PyTorch in f32> <samples>
                 followed by one line "<index> <value>" for each sample. The error is
                 |g32 - g64| / |g64|.
  <network>.f64  the whole gradient, tensors one after the other, raw doubles (with --full)

The text files are kept in tests/oracle/reference for machines without PyTorch.
"""

import argparse
import math
import pathlib

import numpy
import torch
from torch import nn

PURPOSE_TEST = 1000
IMAGES, LABELS = 1_000_000, 1_000_001  # streams beside those of the tensors
SAMPLES = 32

# name: (batch, seed); the seeds and the reason for them are repeated in oracle_test.cpp
NETWORKS = {"resnet20": (16, 1), "resnet18": (8, 1), "resnet50": (8, 1)}


def philox(counter, key):
    """Philox4x32-10 on arrays of counters; as in lib/core/random.cpp."""
    low = numpy.uint64(0xFFFFFFFF)
    counter = [numpy.asarray(word, dtype=numpy.uint64) for word in counter]
    key = list(key)
    for _ in range(10):
        product0 = counter[0] * numpy.uint64(0xD2511F53)
        product1 = counter[2] * numpy.uint64(0xCD9E8D57)
        counter = [
            (product1 >> numpy.uint64(32)) ^ counter[1] ^ numpy.uint64(key[0]),
            product1 & low,
            (product0 >> numpy.uint64(32)) ^ counter[3] ^ numpy.uint64(key[1]),
            product0 & low,
        ]
        key = [(key[0] + 0x9E3779B9) % 2**32, (key[1] + 0xBB67AE85) % 2**32]
    return counter


def random_words(seed, owner, count):
    """The first `count` words of RandomStream(seed, Purpose::kTest, owner)."""
    key = [int(word) for word in philox([PURPOSE_TEST, 0, 0, 0], [seed % 2**32, seed >> 32])[:2]]
    words = []
    chunk = 1 << 16  # stays in the cache
    for first in range(0, (count + 3) // 4, chunk):
        position = numpy.arange(first, min(first + chunk, (count + 3) // 4), dtype=numpy.uint64)
        block = philox([position, 0 * position, 0 * position + numpy.uint64(owner), 0 * position], key)
        words.append(numpy.stack(block, axis=1).reshape(-1))
    return numpy.concatenate(words)[:count]


def uniform(seed, owner, count, center, half_width):
    """center + half_width (2u - 1) in f32. No product is rounded before a sum, so a compiler that
    fuses the two gets the same bits."""
    u = (random_words(seed, owner, count) >> numpy.uint64(8)).astype(numpy.float64) * 2.0**-24
    return (center + half_width * (2 * u - 1)).astype(numpy.float32)


class Block(nn.Module):
    """Modules stand in the order in which localbatch lists tensors: the shortcut before the norm
    that adds it."""

    def __init__(self, channels, width, stride, bottleneck):
        super().__init__()
        out = 4 * width if bottleneck else width
        self.bottleneck = bottleneck
        if bottleneck:
            self.conv1 = nn.Conv2d(channels, width, 1, bias=False)
            self.bn1 = nn.BatchNorm2d(width)
            self.conv2 = nn.Conv2d(width, width, 3, stride, 1, bias=False)
            self.bn2 = nn.BatchNorm2d(width)
            self.conv3 = nn.Conv2d(width, out, 1, bias=False)
        else:
            self.conv1 = nn.Conv2d(channels, width, 3, stride, 1, bias=False)
            self.bn1 = nn.BatchNorm2d(width)
            self.conv2 = nn.Conv2d(width, width, 3, 1, 1, bias=False)
        self.downsample = nn.Sequential()
        if stride != 1 or channels != out:
            self.downsample = nn.Sequential(
                nn.Conv2d(channels, out, 1, stride, bias=False), nn.BatchNorm2d(out)
            )
        if bottleneck:
            self.bn3 = nn.BatchNorm2d(out)
        else:
            self.bn2 = nn.BatchNorm2d(out)

    def forward(self, x):
        y = relu(self.bn1(self.conv1(x)))
        if self.bottleneck:
            y = relu(self.bn2(self.conv2(y)))
            y = self.bn3(self.conv3(y))
        else:
            y = self.bn2(self.conv2(y))
        return relu(y + self.downsample(x))


class ResNet(nn.Module):
    def __init__(self, blocks, width, bottleneck, num_classes=10):
        super().__init__()
        self.conv1 = nn.Conv2d(3, width, 3, 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        channels = width
        self.stages = len(blocks)
        for stage, count in enumerate(blocks):
            layer = nn.Sequential()
            for index in range(count):
                stride = 2 if stage > 0 and index == 0 else 1
                layer.append(Block(channels, width, stride, bottleneck))
                channels = 4 * width if bottleneck else width
            setattr(self, f"layer{stage + 1}", layer)
            width *= 2
        self.fc = nn.Linear(channels, num_classes)

    def forward(self, x):
        x = relu(self.bn1(self.conv1(x)))
        for stage in range(self.stages):
            x = getattr(self, f"layer{stage + 1}")(x)
        return self.fc(x.mean((2, 3)))


def relu(x):
    """Keeps the signs of what it saw, so that two precisions can be compared."""
    relu.masks.append(x.detach() > 0)
    return torch.relu(x)


relu.masks = []


def make_network(name):
    return {
        "resnet20": lambda: ResNet([3, 3, 3], 16, False),
        "resnet18": lambda: ResNet([2, 2, 2, 2], 64, False),
        "resnet50": lambda: ResNet([3, 4, 6, 3], 64, True),
    }[name]()


def fill(network, seed):
    """As fill_parameters in oracle_test.cpp."""
    for index, (name, parameter) in enumerate(network.named_parameters()):
        if parameter.dim() > 1:
            fan_in = parameter.numel() // parameter.shape[0]
            center, half_width = 0.0, math.sqrt(6.0 / fan_in)
        elif name.endswith(".weight"):
            center, half_width = 1.0, 0.5
        else:
            center, half_width = 0.0, 0.125
        values = uniform(seed, index, parameter.numel(), center, half_width)
        parameter.data.copy_(torch.from_numpy(values).view(parameter.shape))


def gradients(name, seed, batch, dtype):
    network = make_network(name)
    fill(network, seed)
    network = network.to(dtype).train()
    images = uniform(seed, IMAGES, batch * 3 * 32 * 32, 0.0, 1.7).reshape(batch, 3, 32, 32)
    # 2^32 mod 10 = 6: below(10) rejects products whose low word is below 6, once in 7e8 draws.
    labels = (random_words(seed, LABELS, batch) * numpy.uint64(10)) >> numpy.uint64(32)
    logits = network(torch.from_numpy(images).to(dtype))
    loss = nn.functional.cross_entropy(logits, torch.from_numpy(labels.astype(numpy.int64)))
    loss.backward()
    tensors = {n: p.grad.double().numpy().reshape(-1) for n, p in network.named_parameters()}
    return loss.item(), tensors


def write(name, folder, full):
    batch, seed = NETWORKS[name]
    _, single = gradients(name, seed, batch, torch.float32)
    loss, double = gradients(name, seed, batch, torch.float64)
    random = numpy.random.RandomState(0)
    lines = [f"loss {loss:.15e}"]
    for tensor, g in double.items():
        norm = numpy.linalg.norm(g)
        error = numpy.linalg.norm(single[tensor] - g) / norm
        samples = range(g.size)
        if g.size > SAMPLES:
            samples = sorted(random.randint(0, g.size, SAMPLES))
        lines.append(f"tensor {tensor} {g.size} {norm:.10e} {error:.3e} {len(samples)}")
        lines.extend(f"{i} {g[i]:.9e}" for i in samples)
    folder.mkdir(parents=True, exist_ok=True)
    if full:
        numpy.concatenate(list(double.values())).tofile(folder / f"{name}.f64")
    (folder / f"{name}.txt").write_text("\n".join(lines) + "\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=pathlib.Path, help="where the files go")
    parser.add_argument("--full", action="store_true", help="write the whole gradients as well")
    arguments = parser.parse_args()
    for name in NETWORKS:
        write(name, arguments.folder, arguments.full)


if __name__ == "__main__":
    main()
