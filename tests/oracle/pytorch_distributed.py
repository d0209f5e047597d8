#!/usr/bin/env python3
"""Training of a residual network in PyTorch on several processes, as 'localbatch run' does it.

H = 1 is DistributedDataParallel, which averages gradients while it still computes others; for H > 1
each process takes H steps alone, then parameters and running statistics are averaged as one array.
gloo carries both. CIFAR-10 with random crops and flips; set up as PyTorch is fastest on CPUs.

Started by mpirun, which tells each process its rank, with MASTER_ADDR set and GLOO_SOCKET_IFNAME if
there are several networks. Rank 0 prints one JSON object. The first round is left out of all
numbers. Communication is what a round takes beyond H local steps: for H > 1 the time in averages,
waiting for others included; for H = 1, where it hides behind the backward pass, a step beyond the median of
steps without it, taken before and after.
"""

import argparse
import json
import os
import pathlib
import statistics
import time

import numpy
import torch
from torch import distributed, nn

import pytorch_networks

PORT = "29531"
STEPS_ALONE = 4
BYTES_OF_IMAGE = 3 * 32 * 32
PADDING = 4


def read_images(root):
    """The training set, as uint8 images and labels."""
    files = sorted(pathlib.Path(root).glob("data_batch_*.bin"))
    records = numpy.concatenate([numpy.fromfile(file, numpy.uint8) for file in files])
    records = torch.from_numpy(records.reshape(-1, 1 + BYTES_OF_IMAGE))
    return records[:, 1:].reshape(-1, 3, 32, 32), records[:, 0].long()


class Worker:
    """One process with its network and its data."""

    def __init__(self, arguments):
        torch.manual_seed(1)
        self.batch = arguments.batch
        network = pytorch_networks.make_network(arguments.network)
        self.network = network.to(memory_format=torch.channels_last).train()
        self.optimizer = torch.optim.SGD(
            self.network.parameters(), lr=arguments.lr, momentum=0.9, weight_decay=5e-4
        )
        self.images, self.labels = read_images(arguments.root)
        torch.manual_seed(2 + distributed.get_rank())

    def draw(self):
        chosen = torch.randint(0, len(self.labels), (self.batch,))
        padded = nn.functional.pad(self.images[chosen], (PADDING,) * 4)
        corners = torch.randint(0, 2 * PADDING + 1, (self.batch, 2)).tolist()
        crops = [image[:, y : y + 32, x : x + 32] for image, (y, x) in zip(padded, corners)]
        images = torch.stack(crops).float().sub_(120.0).div_(63.0)
        flipped = torch.rand(self.batch) < 0.5
        images[flipped] = images[flipped].flip(3)
        return images.to(memory_format=torch.channels_last), self.labels[chosen]

    def step(self, network):
        images, labels = self.draw()
        self.optimizer.zero_grad(set_to_none=True)
        nn.functional.cross_entropy(network(images), labels).backward()
        self.optimizer.step()

    def average(self):
        """Parameters and running statistics, in one array."""
        tensors = [*self.network.parameters(), *self.network.buffers()]
        tensors = [tensor.detach() for tensor in tensors if tensor.is_floating_point()]
        flat = torch.cat([tensor.reshape(-1) for tensor in tensors])
        distributed.all_reduce(flat)
        flat /= distributed.get_world_size()
        begin = 0
        for tensor in tensors:
            tensor.copy_(flat[begin : begin + tensor.numel()].view(tensor.shape))
            begin += tensor.numel()
        return flat.numel() * flat.element_size()


def steps_alone(worker, network):
    """Seconds of steps without communication. The processes' parameters part, which no time shows."""
    seconds = []
    with network.no_sync():
        for _ in range(STEPS_ALONE):
            begin = time.perf_counter()
            worker.step(network)
            seconds.append(time.perf_counter() - begin)
    return seconds


def measure_every_step(worker, rounds):
    """Seconds in all, seconds in communication, and bytes of a round."""
    network = nn.parallel.DistributedDataParallel(
        worker.network, broadcast_buffers=False, gradient_as_bucket_view=True
    )
    steps_alone(worker, network)
    alone = steps_alone(worker, network)
    worker.step(network)
    distributed.barrier()
    begin = time.perf_counter()
    for _ in range(rounds):
        worker.step(network)
    total = time.perf_counter() - begin
    alone += steps_alone(worker, network)
    communication = max(0.0, total - rounds * statistics.median(alone))
    return total, communication, sum(4 * x.numel() for x in network.parameters())


def measure_rounds(worker, sync_interval, rounds):
    """The same, for more than one local step."""
    total, communication = 0.0, 0.0
    for index in range(1 + rounds):
        begin = time.perf_counter()
        for _ in range(sync_interval):
            worker.step(worker.network)
        middle = time.perf_counter()
        size = worker.average()
        end = time.perf_counter()
        if index > 0:
            total += end - begin
            communication += end - middle
    return total, communication, size


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--network", choices=["resnet20", "resnet18", "resnet50"], required=True)
    parser.add_argument("--root", required=True, help="folder with CIFAR-10's binary files")
    parser.add_argument("--batch", type=int, required=True, help="images per process and step")
    parser.add_argument("--sync-interval", type=int, default=1, help="H")
    parser.add_argument("--rounds", type=int, required=True, help="that are measured, of H steps")
    parser.add_argument("--threads", type=int, default=1, help="of each process")
    parser.add_argument("--lr", type=float, default=0.01)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    torch.set_flush_denormal(True)
    rank, size = (int(os.environ[f"OMPI_COMM_WORLD_{word}"]) for word in ("RANK", "SIZE"))
    os.environ.setdefault("MASTER_PORT", PORT)
    distributed.init_process_group("gloo", rank=rank, world_size=size)
    worker = Worker(arguments)
    if arguments.sync_interval == 1:
        total, communication, size_of_round = measure_every_step(worker, arguments.rounds)
    else:
        total, communication, size_of_round = measure_rounds(
            worker, arguments.sync_interval, arguments.rounds
        )
    samples = arguments.rounds * arguments.sync_interval * arguments.batch * size
    if rank == 0:
        line = {
            "network": arguments.network,
            "batch": arguments.batch,
            "sync_interval": arguments.sync_interval,
            "workers": size,
            "samples": samples,
            "seconds": total,
            "seconds_per_100000_samples": 1e5 * total / samples,
            "communication_share": communication / total,
            "bytes_per_round": size_of_round,
            "threads": torch.get_num_threads(),
            "torch": torch.__version__,
        }
        print(json.dumps(line), flush=True)
    distributed.destroy_process_group()


if __name__ == "__main__":
    main()
