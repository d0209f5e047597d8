#!/usr/bin/env python3
"""What it costs to measure gradients, in ResNet-20 on the CIFAR-10 files, H = 16, 4 workers.

1. A norm test after every round, by kind of chunks, against the same training without a test: seconds
   of the same rounds in turn, A B C D A B C D. Limits keep the local batch as it is.
2. The norm test between workers with six shadow controllers against none.
3. An audit of 512 samples in every round: its seconds a sample against those of the forward and
   backward passes of the training in the same run, without inner products and with them.

Two ranks with a core each. Rates are those of the middle round, without the first one, which creates
primitives, and without evaluations. Printed are medians over
the ratios of adjacent runs, and their range.
"""

import argparse
import pathlib
import statistics
import tempfile

from bench_against_pytorch import adjacent_ratios
from bench_runs import Runs, median_rate

EXPERIMENT = """
experiment: instruments
workers: 4
max_samples: {samples}
dataset:               {{name: cifar10, root: {root}}}
augmentation:          {{pad_crop: 4, flip: true}}
model:                 {{name: resnet, depth: 20, norm: {norm}}}
inner_optimizer:       {{name: sgd, momentum: 0.9, weight_decay: 5.0e-4}}
learning_rate:         {{name: constant, peak: 0.05}}
sync_interval:         {{name: constant, H: 16}}
batch_size:            {{initial: 64, min: 64, max: 64, micro_batch: {micro_batch}}}
batch_size_controller: {{name: {controller}, monotone: false}}
evaluation:            {{every_samples: 1000000000}}
{more}
"""

SHADOWS = """
shadow_controllers:
  - {name: norm_test, eta: 0.5}
  - {name: norm_test, eta: 1.0}
  - {name: inner_product_test, theta: 0.9}
  - {name: inner_product_test, theta: 0.9, nu: 5.84}
  - {name: gradient_noise_scale}
  - {name: cabs}
"""

BATCH = 64
LIMITS = {"workers": 1.03, "micro_batches": 1.02, "delta": 1.01}
AUDITED = 512  # two micro-batches a worker under batch norm


def show(title, ours, theirs, limit):
    ratios = [1 / ratio for ratio in adjacent_ratios(ours, theirs)]
    print(
        f"{title}: {statistics.median(ratios):.3f} times the seconds "
        f"({min(ratios):.3f} to {max(ratios):.3f}), at most {limit}",
        flush=True,
    )


def compare_chunks(runs, experiment, rounds):
    # Micro-batches of 32, so that a local batch has two chunks; the same for all, to be fair.
    kinds = {"none": ("fixed", "")}
    for chunks in LIMITS:
        kinds[chunks] = ("norm_test", f"gradient_statistics: {{chunks: {chunks}}}")
    rates = {name: [] for name in kinds}
    for _ in range(rounds):
        for name, (controller, more) in kinds.items():
            rows = runs.run(experiment(controller=controller, more=more, micro_batch=BATCH // 2))
            rates[name].append(median_rate(rows, workers=4))
    for name, limit in LIMITS.items():
        show(f"norm test on {name}", rates[name], rates["none"], limit)


def compare_shadows(runs, experiment, rounds):
    alone, watched = [], []
    for _ in range(rounds):
        alone.append(median_rate(runs.run(experiment(controller="norm_test")), workers=4))
        watched.append(median_rate(runs.run(experiment(controller="norm_test", more=SHADOWS)), workers=4))
    show("six shadow controllers", watched, alone, 1.01)


def compare_audits(runs, experiment, rounds, norm):
    for products, limit in (("false", 1.4), ("true", 3.6)):
        more = f"audit: {{every_rounds: 1, samples: {AUDITED}, inner_products: {products}}}"
        ratios = []
        for _ in range(rounds):
            for row in runs.run(experiment(controller="fixed", more=more, norm=norm)):
                trained = BATCH * int(row["sync_interval"])
                audit = float(row["statistics_seconds"]) / (AUDITED / 4)
                ratios.append(audit / (float(row["gradient_seconds"]) / trained))
        print(
            f"audit, {norm}, inner products {products}: {statistics.median(ratios):.2f} times the "
            f"passes over the same samples ({min(ratios):.2f} to {max(ratios):.2f}), at most {limit}",
            flush=True,
        )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("program", help="the program localbatch")
    parser.add_argument("--root", type=pathlib.Path, required=True, help="folder with CIFAR-10")
    parser.add_argument("--rounds", type=int, default=5, help="runs of each kind")
    parser.add_argument("--samples", type=int, default=49152, help="of each run")
    arguments = parser.parse_args()

    def experiment(controller, more="", micro_batch=BATCH, norm="batch_norm"):
        return EXPERIMENT.format(
            samples=arguments.samples,
            root=arguments.root.resolve(),
            norm=norm,
            micro_batch=micro_batch,
            controller=controller,
            more=more,
        )

    with tempfile.TemporaryDirectory() as desk:
        runs = Runs(arguments.program, pathlib.Path(desk))
        compare_chunks(runs, experiment, arguments.rounds)
        compare_shadows(runs, experiment, arguments.rounds)
        for norm in ("batch_norm", "group_norm"):
            compare_audits(runs, experiment, max(1, arguments.rounds // 2), norm)


if __name__ == "__main__":
    main()
