#!/usr/bin/env python3
"""At one point, do workers and audits find the same noise of the mean gradient?

A learning rate of 1e-30 keeps four workers at the initial point. Every round draws new local batches and is
audited with samples of its own: single ones under group norm, micro-batches of a local batch each under batch
norm. Means over the rounds, with the standard errors that their scatter gives, have to agree within three
standard errors of their difference. Under batch norm the last column has what comes out if the samples of a
micro-batch are taken for independent ones. From the top of the repository:

    experiments/audit/fixed_point.py build/release/apps/localbatch --root data/cifar-10-batches-bin
"""

import argparse
import csv
import itertools
import math
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

EXPERIMENT = """
experiment: fixed-point
seed: {seed}
workers: 4
max_samples: 1000000000
dataset:               {{name: cifar10, root: {root}}}
augmentation:          {{pad_crop: 4, flip: true}}
model:                 {{name: resnet, depth: {depth}, norm: {norm}}}
precision:             {precision}
learning_rate:         {{name: constant, peak: 1.0e-30}}
sync_interval:         {{name: constant, H: 1}}
batch_size:            {{initial: {batch}, max: {batch}, micro_batch: {batch}}}
audit:                 {{every_rounds: 1, samples: {audited}, inner_products: false, samples_in_batch: {in_batch}}}
shadow_controllers:
  - {{name: norm_test}}
"""

DEPTHS, NORMS, PRECISIONS = [20, 18], ["batch_norm", "group_norm"], ["f32", "bf16"]


def rows_of(folder):
    """The rows that are complete."""
    for path in folder.glob("*/*/audits.csv"):
        text = path.read_text()
        return list(csv.DictReader(text[: text.rfind("\n") + 1].splitlines()))
    return []


def audit(program, root, seed, rounds, depth, norm, precision, batch):
    """The audits of so many rounds. The run is ended then: nobody asks for an evaluation."""
    with tempfile.TemporaryDirectory() as desk:
        file = pathlib.Path(desk) / "experiment.yaml"
        file.write_text(
            EXPERIMENT.format(root=root.resolve(), seed=seed, depth=depth, norm=norm, precision=precision,
                              batch=batch, audited=8 * batch, in_batch=str(norm == "batch_norm").lower())
        )
        results = pathlib.Path(desk) / "results"
        with subprocess.Popen([program, "run", file, "--output", results], stdout=subprocess.DEVNULL) as run:
            try:
                while len(rows_of(results)) < rounds:
                    if run.poll() is not None:
                        sys.exit(f"the run ended with status {run.returncode} before round {rounds}")
                    time.sleep(0.2)
            finally:
                run.kill()
        return rows_of(results)[:rounds]


def mean(rows, column):
    values = [float(row[column]) for row in rows]
    return statistics.mean(values), statistics.stdev(values) / math.sqrt(len(values))


def shown(value):
    return f"{value[0]:.4g} ± {value[1]:.2g}"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("program", help="the program localbatch")
    parser.add_argument("--root", type=pathlib.Path, required=True, help="folder with CIFAR-10")
    parser.add_argument("--rounds20", type=int, default=40, help="of ResNet-20")
    parser.add_argument("--rounds18", type=int, default=12, help="of ResNet-18")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--depth", nargs="+", type=int, choices=DEPTHS, default=DEPTHS)
    parser.add_argument("--norm", nargs="+", choices=NORMS, default=NORMS)
    parser.add_argument("--precision", nargs="+", choices=PRECISIONS, default=PRECISIONS)
    arguments = parser.parse_args()

    print("| network | norm | arithmetic | b | rounds | variance between workers | of the audit | apart by "
          "| squared norm without noise, workers | of the audit | apart by | samples in batch |")
    print("|---|---|---|---|---|---|---|---|---|---|---|---|", flush=True)
    agrees = True
    for depth, norm, precision in itertools.product(arguments.depth, arguments.norm, arguments.precision):
        rounds, batch = (arguments.rounds20, 32) if depth == 20 else (arguments.rounds18, 16)
        rows = audit(arguments.program, arguments.root, arguments.seed, rounds, depth, norm, precision, batch)
        cells = [f"ResNet-{depth}", norm.replace("_", " "), precision, str(batch), str(rounds)]
        for column in ("variance", "unbiased_squared_norm"):
            ours, theirs = mean(rows, column), mean(rows, "exact_" + column)
            apart = (ours[0] - theirs[0]) / math.hypot(ours[1], theirs[1])
            agrees = agrees and abs(apart) < 3
            cells += [shown(ours), shown(theirs), f"{apart:+.1f}"]
        in_batch = norm == "batch_norm"
        cells.append(shown(mean(rows, "samples_in_batch_variance")) if in_batch else "")
        print("| " + " | ".join(cells) + " |", flush=True)
    print("all agree within three standard errors" if agrees else "something is further apart than three standard errors")
    return 0 if agrees else 1


if __name__ == "__main__":
    sys.exit(main())
