#!/usr/bin/env python3
"""What a run costs beside its training steps, measured on real runs in turn with something else.

1. Steps of ResNet-20 inside 'localbatch run' (CIFAR-10 files, augmentation, two workers on two ranks
   with a core each) against 'localbatch bench train' on two cores with the same micro-batch.
2. A local batch that changes after every round against a fixed one of the same mean. Both runs make
   the norm test after every round; limits keep the one at its mean. The learning rate is so small
   that the gradient, and with it what the test asks for, stays that of the start.

Rates leave out the first round, which creates primitives, and evaluations. Printed are medians over
the ratios of adjacent runs, and their range.
"""

import argparse
import csv
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile

from bench_against_pytorch import adjacent_ratios

MICRO_BATCH = 128

STEP = """
experiment: step
workers: 2
max_samples: {samples}
precision: {precision}
dataset:               {{name: cifar10, root: {root}}}
augmentation:          {{pad_crop: 4, flip: true}}
model:                 {{name: resnet, depth: 20}}
inner_optimizer:       {{name: sgd, momentum: 0.9, weight_decay: 5.0e-4}}
learning_rate:         {{name: constant, peak: 0.05}}
sync_interval:         {{name: constant, H: 8}}
batch_size:            {{initial: {micro_batch}, max: {micro_batch}, micro_batch: {micro_batch}}}
batch_size_controller: {{name: fixed}}
"""

CHANGING = """
experiment: changing
workers: 4
max_samples: {samples}
dataset:               {{name: cifar10, root: {root}}}
augmentation:          {{pad_crop: 4, flip: true}}
model:                 {{name: resnet, depth: 20}}
inner_optimizer:       {{name: sgd, momentum: 0.9}}
learning_rate:         {{name: constant, peak: 1.0e-6}}
sync_interval:         {{name: constant, H: 4}}
batch_size:            {{initial: {initial}, min: {least}, max: {most}, micro_batch: {micro_batch}}}
batch_size_controller: {{name: norm_test, eta: {eta}, monotone: false}}
"""


class Runs:
    """Runs of one program, each in a folder of its own under `desk`."""

    def __init__(self, program, desk):
        self.program, self.desk, self.count = program, desk, 0

    def run(self, experiment):
        """The rows of rounds.csv with those of timing.csv, without the first."""
        self.count += 1
        file, output = self.desk / f"{self.count}.yaml", self.desk / f"results-{self.count}"
        file.write_text(experiment)
        command = ["mpirun", "-np", "2", "--bind-to", "core", self.program, "run", str(file)]
        call(command + ["--output", str(output)])
        (folder,) = [path.parent for path in output.rglob("rounds.csv")]
        tables = [list(csv.DictReader(open(folder / name))) for name in ("rounds.csv", "timing.csv")]
        return [{**round_row, **timing_row} for round_row, timing_row in zip(*tables)][1:]

    def bench(self, precision, seconds):
        """Images per second of a training step on two cores."""
        file = self.desk / "bench.json"
        command = [self.program, "bench", "train", "--model", "resnet20", "--threads", "2"]
        command += ["--batch", str(MICRO_BATCH), "--precision", precision]
        call(command + ["--seconds", str(seconds), "--json", str(file)])
        return json.loads(file.read_text())["train"][0]["images_per_second"]


def call(command):
    # Open MPI refuses root, and more ranks than cores, unless it is told that both are meant.
    allowed = {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}
    done = subprocess.run(
        command, capture_output=True, text=True, env={**os.environ, **allowed}
    )
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)}: status {done.returncode}: {done.stderr.strip()}")


def samples_of(row, workers):
    return workers * int(row["local_batch_size"]) * int(row["sync_interval"])


def seconds_of(row):
    return float(row["total_seconds"]) - float(row["evaluation_seconds"])


def median_rate(rows, workers):
    """Samples per second in the middle one of equal rounds, which a pause of the machine leaves alone."""
    return statistics.median(samples_of(row, workers) / seconds_of(row) for row in rows)


def rate(rows, workers):
    """Samples per second."""
    return sum(samples_of(row, workers) for row in rows) / sum(map(seconds_of, rows))


def mean_batch(rows):
    steps = sum(int(row["sync_interval"]) for row in rows)
    return sum(samples_of(row, 1) for row in rows) / steps


def show(title, ours, theirs):
    ratios = adjacent_ratios(ours, theirs)
    print(
        f"{title}: {statistics.median(ours):.1f} against {statistics.median(theirs):.1f} samples/s, "
        f"ratio {statistics.median(ratios):.3f} ({min(ratios):.3f} to {max(ratios):.3f})",
        flush=True,
    )


def compare_steps(runs, arguments, precision):
    experiment = STEP.format(
        samples=arguments.samples,
        precision=precision,
        root=arguments.root.resolve(),
        micro_batch=MICRO_BATCH,
    )
    ours, theirs = [], []
    for _ in range(arguments.rounds):
        ours.append(rate(runs.run(experiment), workers=2))
        theirs.append(runs.bench(precision, arguments.seconds))
    show(f"step in a run, {precision}, against bench", ours, theirs)


def compare_batches(runs, arguments):
    def experiment(initial, least, most):
        return CHANGING.format(
            samples=arguments.samples,
            root=arguments.root.resolve(),
            micro_batch=MICRO_BATCH,
            initial=initial,
            least=least,
            most=most,
            eta=arguments.eta,
        )

    changing, fixed = [], []
    for _ in range(arguments.rounds):
        rows = runs.run(experiment(160, 64, 256))
        mean = round(mean_batch(rows))
        changing.append(rate(rows, workers=4))
        fixed.append(rate(runs.run(experiment(mean, mean, mean)), workers=4))
    sizes = [int(row["local_batch_size"]) for row in rows]
    print(f"local batches of the last run: {len(set(sizes))} sizes in {len(sizes)} rounds, mean {mean}")
    show("changing against fixed local batch", changing, fixed)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("program", help="the program localbatch")
    parser.add_argument("--root", type=pathlib.Path, required=True, help="folder with CIFAR-10")
    parser.add_argument("--rounds", type=int, default=5, help="runs of each of the two")
    parser.add_argument("--samples", type=int, default=24576, help="of each run")
    parser.add_argument("--seconds", type=float, default=5, help="of each bench")
    parser.add_argument("--eta", type=float, default=0.3, help="of the norm test")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as desk:
        runs = Runs(arguments.program, pathlib.Path(desk))
        for precision in ("f32", "bf16"):
            compare_steps(runs, arguments, precision)
        compare_batches(runs, arguments)


if __name__ == "__main__":
    main()
