#!/usr/bin/env python3
"""Training steps of residual networks in PyTorch, as 'localbatch bench train' measures its own.

A step is: gradient to zero, forward, loss, backward, SGD with momentum and weight decay, on a
micro-batch of random images that is always the same one. Set up as PyTorch is fastest on CPUs:
channels_last, ReLU in place, no copies. With --precision bf16 the forward pass runs under autocast.
Prints one JSON object; images_per_second is the median over windows of at most 0.2 s.
"""

import argparse
import json
import os
import statistics
import time

import torch
from torch import nn

import pytorch_networks

LONGEST_WINDOW = 0.2
FEWEST_WINDOWS = 3


def make_step(arguments):
    torch.manual_seed(1)
    network = pytorch_networks.make_network(arguments.network)
    network = network.to(memory_format=torch.channels_last).train()
    images = torch.randn(arguments.batch, 3, 32, 32).to(memory_format=torch.channels_last)
    labels = torch.randint(0, 10, (arguments.batch,))
    optimizer = torch.optim.SGD(network.parameters(), lr=1e-3, momentum=0.9, weight_decay=5e-4)
    bf16 = arguments.precision == "bf16"

    def step():
        optimizer.zero_grad(set_to_none=True)
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            loss = nn.functional.cross_entropy(network(images), labels)
        loss.backward()
        optimizer.step()

    return step


def measure(step, batch, seconds):
    """The rates of the windows, in images per second; the same rule as lib/bench/rate.cpp."""
    window = min(LONGEST_WINDOW, seconds / FEWEST_WINDOWS)
    rates, total = [], 0.0
    while total < seconds or len(rates) < FEWEST_WINDOWS:
        started, steps, elapsed = time.perf_counter(), 0, 0.0
        while elapsed < window:
            step()
            steps += 1
            elapsed = time.perf_counter() - started
        rates.append(batch * steps / elapsed)
        total += elapsed
    return rates, total


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--network", choices=["resnet20", "resnet18", "resnet50"], required=True)
    parser.add_argument("--batch", type=int, required=True)
    parser.add_argument("--precision", choices=["f32", "bf16"], default="f32")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--seconds", type=float, default=3.0)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    torch.set_flush_denormal(True)
    step = make_step(arguments)
    step()
    rates, seconds = measure(step, arguments.batch, arguments.seconds)
    print(
        json.dumps(
            {
                "network": arguments.network,
                "batch": arguments.batch,
                "precision": arguments.precision,
                "images_per_second": statistics.median(rates),
                "best_images_per_second": max(rates),
                "windows": len(rates),
                "seconds": seconds,
                "threads": torch.get_num_threads(),
                "torch": torch.__version__,
            }
        )
    )


if __name__ == "__main__":
    main()
