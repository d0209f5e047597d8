#!/usr/bin/env python3
"""Training steps in PyTorch, as 'localbatch bench train' measures its own.

A step is: gradient to zero, forward, loss, backward, update, on a micro-batch of random samples that
is always the same one. Residual networks get images and SGD with momentum and weight decay, decoders
tokens and AdamW with decay of matrices, after clip_grad_norm_. Set up as PyTorch is fastest on CPUs:
channels_last, ReLU in place, no copies. With --precision bf16 the forward pass runs under autocast.
Prints one JSON object; images_per_second, or tokens_per_second of decoders, is the median over
windows of at most 0.2 s.
"""

import argparse
import json
import os
import statistics
import time

import torch
from torch import nn

import pytorch_decoders
import pytorch_networks

RESIDUAL = ["resnet20", "resnet18", "resnet50"]
LONGEST_WINDOW = 0.2
FEWEST_WINDOWS = 3


LEARNING_RATE = 1e-5  # as lib/bench/measure_training.cpp


def residual_parts(name, batch):
    """The network, its micro-batch, the optimizer and the largest norm of a gradient."""
    network = pytorch_networks.make_network(name)
    network = network.to(memory_format=torch.channels_last).train()
    images = torch.randn(batch, 3, 32, 32).to(memory_format=torch.channels_last)
    labels = torch.randint(0, 10, (batch,))
    optimizer = torch.optim.SGD(
        network.parameters(), lr=LEARNING_RATE, momentum=0.9, weight_decay=5e-4
    )
    return network, images, labels, optimizer, None


def decoder_parts(name, batch):
    """The same of a decoder."""
    sizes = pytorch_decoders.BENCH[name]
    network = pytorch_decoders.make_decoder(sizes).train()
    tokens = torch.randint(0, sizes.vocabulary, (batch, sizes.length))
    targets = torch.randint(0, sizes.vocabulary, (batch * sizes.length,))
    parameters = list(network.parameters())
    groups = [
        {"params": [p for p in parameters if p.dim() > 1], "weight_decay": 0.1},
        {"params": [p for p in parameters if p.dim() == 1], "weight_decay": 0.0},
    ]
    optimizer = torch.optim.AdamW(groups, lr=LEARNING_RATE, betas=(0.9, 0.99))
    return network, tokens, targets, optimizer, 1.0


def make_step(arguments):
    torch.manual_seed(1)
    parts = decoder_parts if arguments.network in pytorch_decoders.BENCH else residual_parts
    network, inputs, targets, optimizer, clip_norm = parts(arguments.network, arguments.batch)
    bf16 = arguments.precision == "bf16"

    def step():
        optimizer.zero_grad(set_to_none=True)
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            loss = nn.functional.cross_entropy(network(inputs).flatten(0, -2), targets)
        loss.backward()
        if clip_norm is not None:
            nn.utils.clip_grad_norm_(network.parameters(), clip_norm)
        optimizer.step()

    return step


def measure(step, units, seconds):
    """The rates of the windows in units per second; the same rule as lib/bench/rate.cpp."""
    window = min(LONGEST_WINDOW, seconds / FEWEST_WINDOWS)
    rates, total = [], 0.0
    while total < seconds or len(rates) < FEWEST_WINDOWS:
        started, steps, elapsed = time.perf_counter(), 0, 0.0
        while elapsed < window:
            step()
            steps += 1
            elapsed = time.perf_counter() - started
        rates.append(units * steps / elapsed)
        total += elapsed
    return rates, total


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--network", choices=[*RESIDUAL, *pytorch_decoders.BENCH], required=True)
    parser.add_argument("--batch", type=int, required=True)
    parser.add_argument("--precision", choices=["f32", "bf16"], default="f32")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--seconds", type=float, default=3.0)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    torch.set_flush_denormal(True)
    step = make_step(arguments)
    step()
    sizes = pytorch_decoders.BENCH.get(arguments.network)
    unit, units = ("tokens", arguments.batch * sizes.length) if sizes else ("images", arguments.batch)
    rates, seconds = measure(step, units, arguments.seconds)
    print(
        json.dumps(
            {
                "network": arguments.network,
                "batch": arguments.batch,
                "precision": arguments.precision,
                f"{unit}_per_second": statistics.median(rates),
                f"best_{unit}_per_second": max(rates),
                "windows": len(rates),
                "seconds": seconds,
                "threads": torch.get_num_threads(),
                "torch": torch.__version__,
            }
        )
    )


if __name__ == "__main__":
    main()
