#!/usr/bin/env python3
"""Gradients of residual networks by PyTorch in double precision, for tests/nn/oracle_test.cpp.

Weights, images and labels come from the same counter-based random numbers as in the C++ test
(lib/core/random.h), so only gradients have to travel. Files that are newer than the scripts are
kept. For every network two files are written:

  <network>.txt  the loss, the margin (see margin_of), and for every tensor one line
                 tensor <name> <entries> <norm of the gradient> <error of PyTorch in f32>
                        <error of PyTorch with bf16 autocast> <samples>
                 followed by one line "<index> <value>" for each sample. An error is
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

import pytorch_networks

PURPOSE_TEST = 1000
IMAGES, LABELS = 1_000_000, 1_000_001  # streams beside those of the tensors
SAMPLES = 32

# name: (images, seed, distance of batch-norm biases from zero); the same in oracle_test.cpp
NETWORKS = {
    "resnet20": (16, 3, 3.0),
    "resnet20_unbiased": (4, 52, 0.0),
    "resnet18": (8, 1, 3.0),
    "resnet50": (2, 5, 2.5),
}


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


def relu(x):
    """Keeps what it saw, so that two precisions can be compared."""
    relu.seen.append(x.detach())
    return torch.relu(x)


relu.seen = []


def fill(network, seed, bias):
    """As fill_parameters in oracle_test.cpp."""
    for index, (name, parameter) in enumerate(network.named_parameters()):
        count = parameter.numel()
        if parameter.dim() > 1:
            half_width = math.sqrt(6.0 / (count // parameter.shape[0]))
            classifier = name == "fc.weight"
            values = uniform(seed, index, count, 0.0, half_width / 8 if classifier else half_width)
        elif name == "fc.bias":
            values = uniform(seed, index, count, 0.0, 0.125)
        elif name.endswith(".weight"):
            values = uniform(seed, index, count, 1.0, 0.25)
        else:
            signs = numpy.where(numpy.arange(count) % 2 == 0, bias, -bias)
            values = uniform(seed, index, count, signs, 0.5)
        parameter.data.copy_(torch.from_numpy(values).view(parameter.shape))


def gradients(network, images, labels, dtype, autocast=False):
    """The loss, the gradient by tensor, and what every ReLU saw."""
    network = network.to(dtype).train()
    network.zero_grad(set_to_none=True)
    relu.seen.clear()
    with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
        logits = network(torch.from_numpy(images).to(dtype))
    loss = nn.functional.cross_entropy(logits.to(dtype), labels)
    loss.backward()
    tensors = {n: p.grad.double().numpy().reshape(-1) for n, p in network.named_parameters()}
    return loss.item(), tensors, list(relu.seen)


def margin_of(single, double):
    """The smallest |input| of a ReLU in units of the f32 error of its layer (rms)."""
    return min(
        float(b.abs().min() / (a.double() - b).square().mean().sqrt())
        for a, b in zip(single, double)
    )


def write(name, folder, full):
    batch, seed, bias = NETWORKS[name]
    images = uniform(seed, IMAGES, batch * 3 * 32 * 32, 0.0, 1.7).reshape(batch, 3, 32, 32)
    # below(10) would reject products whose low word is below 2^32 mod 10 = 6: once in 7e8 draws.
    labels = (random_words(seed, LABELS, batch) * numpy.uint64(10)) >> numpy.uint64(32)
    labels = torch.from_numpy(labels.astype(numpy.int64))
    network = pytorch_networks.make_network(name.split("_")[0], relu)
    fill(network, seed, bias)
    _, half, _ = gradients(network, images, labels, torch.float32, autocast=True)
    _, single, single_seen = gradients(network, images, labels, torch.float32)
    loss, double, double_seen = gradients(network, images, labels, torch.float64)
    margin = margin_of(single_seen, double_seen)
    random = numpy.random.RandomState(0)
    lines = [f"loss {loss:.15e}", f"margin {margin:.1f}"]
    errors = []
    for tensor, g in double.items():
        norm = numpy.linalg.norm(g)
        errors.append(numpy.linalg.norm(single[tensor] - g) / norm)
        half_error = numpy.linalg.norm(half[tensor] - g) / norm
        samples = range(g.size)
        if g.size > SAMPLES:
            samples = sorted(random.randint(0, g.size, SAMPLES))
        lines.append(f"tensor {tensor} {g.size} {norm:.10e} {errors[-1]:.3e} {half_error:.3e} {len(samples)}")
        lines.extend(f"{i} {g[i]:.9e}" for i in samples)
    folder.mkdir(parents=True, exist_ok=True)
    if full:
        numpy.concatenate(list(double.values())).tofile(folder / f"{name}.f64")
    (folder / f"{name}.txt").write_text("\n".join(lines) + "\n")
    print(
        f"{name}: error of PyTorch in f32: median {numpy.median(errors):.2e}, largest "
        f"{max(errors):.2e}; margin {margin:.1f}"
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=pathlib.Path, help="where the files go")
    parser.add_argument("--full", action="store_true", help="write the whole gradients as well")
    arguments = parser.parse_args()
    outputs = [arguments.folder / f"{name}.txt" for name in NETWORKS]
    if arguments.full:
        outputs += [arguments.folder / f"{name}.f64" for name in NETWORKS]
    sources = [pathlib.Path(__file__), pathlib.Path(pytorch_networks.__file__)]
    changed = max(source.stat().st_mtime for source in sources)
    if all(o.exists() and o.stat().st_mtime > changed for o in outputs):
        return
    for name in NETWORKS:
        write(name, arguments.folder, arguments.full)


if __name__ == "__main__":
    main()
