#!/usr/bin/env python3
"""Gradients of networks by PyTorch in double precision, for tests/nn/oracle_test.cpp and
tests/nn/decoder_oracle_test.cpp.

Weights, inputs and targets come from the same counter-based random numbers as in the C++ tests
(lib/core/random.h), so only gradients have to travel. Files that are newer than the scripts are
kept. For every network two files are written:

  <network>.txt  the loss, of networks with ReLUs the margin (see margin_of), and for every tensor
                 one line
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

import counter_random
import pytorch_decoders
import pytorch_networks
from counter_random import uniform

INPUTS, TARGETS = 1_000_000, 1_000_001  # streams beside those of the tensors
SAMPLES = 32

# name: (images, seed, distance of batch-norm biases from zero); the same in oracle_test.cpp
RESIDUAL = {
    "resnet20": (16, 3, 3.0),
    "resnet20_unbiased": (4, 52, 0.0),
    "resnet18": (8, 1, 3.0),
    "resnet50": (2, 5, 2.5),
}

LLAMA = {"kind": "llama", "layers": 2, "width": 96, "heads": 6, "key_value_heads": 2}
LLAMA |= {"hidden": 200, "vocabulary": 65, "length": 48}
GPT = {"kind": "gpt", "layers": 2, "width": 64, "heads": 4, "hidden": 256, "vocabulary": 65, "length": 48}

# name: (sequences, seed, sizes); the same in decoder_oracle_test.cpp
DECODERS = {
    "llama_tied": (4, 1, pytorch_decoders.Sizes(**LLAMA)),
    "llama_untied": (4, 2, pytorch_decoders.Sizes(**LLAMA, tied=False)),
    "gpt": (4, 3, pytorch_decoders.Sizes(**GPT)),
    "gpt_bias": (4, 4, pytorch_decoders.Sizes(**GPT, bias=True, gelu="tanh")),
}


def relu(x):
    """Keeps what it saw, so that two precisions can be compared."""
    relu.seen.append(x.detach())
    return torch.relu(x)


relu.seen = []


def residual_values(name, shape, index, seed, bias):
    """As parameters_of in oracle_test.cpp."""
    count = math.prod(shape)
    if len(shape) > 1:
        half_width = math.sqrt(6.0 / (count // shape[0]))
        return uniform(seed, index, count, 0.0, half_width / 8 if name == "fc.weight" else half_width)
    if name == "fc.bias":
        return uniform(seed, index, count, 0.0, 0.125)
    if name.endswith(".weight"):
        return uniform(seed, index, count, 1.0, 0.25)
    signs = numpy.where(numpy.arange(count) % 2 == 0, bias, -bias)
    return uniform(seed, index, count, signs, 0.5)


def decoder_values(name, shape, index, seed):
    """As parameters_of in decoder_oracle_test.cpp."""
    if len(shape) > 1:
        return uniform(seed, index, math.prod(shape), 0.0, math.sqrt(3.0 / shape[1]))
    return uniform(seed, index, shape[0], 1.0 if name.endswith(".weight") else 0.0, 0.25)


def fill(network, values_of):
    for index, (name, parameter) in enumerate(network.named_parameters()):
        values = values_of(name, tuple(parameter.shape), index)
        parameter.data.copy_(torch.from_numpy(values).view(parameter.shape))


def make_case(name):
    """The network, its inputs and its targets."""
    if name in RESIDUAL:
        batch, seed, bias = RESIDUAL[name]
        network = pytorch_networks.make_network(name.split("_")[0], relu)
        fill(network, lambda *tensor: residual_values(*tensor, seed, bias))
        inputs = uniform(seed, INPUTS, batch * 3 * 32 * 32, 0.0, 1.7).reshape(batch, 3, 32, 32)
        targets = counter_random.below(seed, TARGETS, batch, 10)
    else:
        sequences, seed, sizes = DECODERS[name]
        network = pytorch_decoders.make_decoder(sizes)
        fill(network, lambda *tensor: decoder_values(*tensor, seed))
        inputs, targets = (
            counter_random.below(seed, stream, sequences * sizes.length, sizes.vocabulary)
            for stream in (INPUTS, TARGETS)
        )
        inputs = inputs.reshape(sequences, sizes.length)
    return network, torch.from_numpy(inputs), torch.from_numpy(targets)


def gradients(network, inputs, targets, dtype, autocast=False):
    """The loss, the gradient by tensor, and what every ReLU saw."""
    network = network.to(dtype).train()
    network.zero_grad(set_to_none=True)
    relu.seen.clear()
    if inputs.is_floating_point():
        inputs = inputs.to(dtype)
    with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
        logits = network(inputs)
    loss = nn.functional.cross_entropy(logits.flatten(0, -2).to(dtype), targets)
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
    case = make_case(name)
    _, half, _ = gradients(*case, torch.float32, autocast=True)
    _, single, single_seen = gradients(*case, torch.float32)
    loss, double, double_seen = gradients(*case, torch.float64)
    random = numpy.random.RandomState(0)
    lines = [f"loss {loss:.15e}"]
    if double_seen:
        lines.append(f"margin {margin_of(single_seen, double_seen):.1f}")
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
        f"{max(errors):.2e}"
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=pathlib.Path, help="where the files go")
    names = ",".join([*RESIDUAL, *DECODERS])
    parser.add_argument("--networks", default=names, help="a list with commas")
    parser.add_argument("--full", action="store_true", help="write the whole gradients as well")
    arguments = parser.parse_args()
    networks = arguments.networks.split(",")
    endings = ["txt", "f64"] if arguments.full else ["txt"]
    outputs = [arguments.folder / f"{name}.{ending}" for name in networks for ending in endings]
    modules = [counter_random, pytorch_decoders, pytorch_networks]
    sources = [pathlib.Path(__file__), *(pathlib.Path(module.__file__) for module in modules)]
    changed = max(source.stat().st_mtime for source in sources)
    if all(o.exists() and o.stat().st_mtime > changed for o in outputs):
        return
    for name in networks:
        write(name, arguments.folder, arguments.full)


if __name__ == "__main__":
    main()
