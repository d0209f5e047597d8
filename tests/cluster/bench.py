#!/usr/bin/env python3
"""What the network costs: localbatch on two hosts with a link of limited rate (hosts.sh).

1. The average of ResNet-18's parameters ('localbatch bench sync') in turn with MPI_Allreduce of as
   many floats, A B A B, and both against the time that the link needs for the bytes.
2. Training runs of two workers, one on each host with one core, for several H: seconds, share of
   communication and bytes, from the run's own timing.csv and rounds.csv without their first round.
3. The same in PyTorch over gloo (tests/oracle/pytorch_distributed.py), in turn with ours.
4. What 'localbatch plan' predicts for the runs of 2, from the rate of the link and the speed of a run
   with another H.

Prints Markdown and writes allreduce.csv, training.csv and plan.csv, one row a run. Needs root.
"""

import argparse
import csv
import functools
import json
import math
import pathlib
import statistics
import subprocess
import sys
import tempfile

from hosts import ORACLE, Hosts, adopt_orphans, check_placement, oracle

WORKERS = 2
BATCHES = {"resnet20": 64, "resnet18": 32}
DEPTHS = {"resnet20": 20, "resnet18": 18}
PARAMETERS = {"resnet20": 272474, "resnet18": 11173962}
# Samples per second of two cores, about: only the length of a run follows from them.
RATES = {
    "localbatch": {"resnet20": 1400, "resnet18": 130},
    "PyTorch": {"resnet20": 450, "resnet18": 45},
}
FEWEST_ROUNDS = 3

EXPERIMENT = """
experiment: cluster
workers: {workers}
max_samples: {samples}
dataset:               {{name: cifar10, root: {root}}}
augmentation:          {{pad_crop: 4, flip: true}}
model:                 {{name: resnet, depth: {depth}}}
inner_optimizer:       {{name: sgd, momentum: 0.9, weight_decay: 5.0e-4}}
learning_rate:         {{name: constant, peak: 0.01}}
sync_interval:         {{name: constant, H: {sync_interval}}}
batch_size:            {{initial: {batch}, max: {batch}, micro_batch: {batch}}}
batch_size_controller: {{name: fixed}}
evaluation:            {{every_samples: 1000000000}}
"""


def run_allreduce(hosts, arguments):
    floats = PARAMETERS["resnet18"]
    output, load = hosts.run(
        arguments.plain, floats, arguments.repetitions, 1e9 * (arguments.gigabits or 1)
    )
    report = json.loads(output)
    check_placement(report["ranks"])
    return {**report, "program": "MPI_Allreduce", "foreign_load": load}


def run_sync(hosts, arguments):
    with tempfile.TemporaryDirectory() as desk:
        file = pathlib.Path(desk) / "sync.json"
        command = [arguments.program, "bench", "sync", "--model", "resnet18", "--threads", 1]
        _, load = hosts.run(*command, "--seconds", arguments.sync_seconds, "--json", file)
        (report,) = json.loads(file.read_text())["sync"]
    return {**report, "program": "localbatch bench sync", "foreign_load": load}


def compare_allreduce(hosts, arguments):
    runs = []
    for _ in range(arguments.pairs):
        runs += [run_sync(hosts, arguments), run_allreduce(hosts, arguments)]
    columns = ["program", "median_seconds", "best_seconds", "foreign_load"]
    write(arguments.output / "allreduce.csv", columns, runs)

    ours, plain = ([run["median_seconds"] for run in runs[first::2]] for first in (0, 1))
    limit = runs[1]["link_seconds"] if arguments.gigabits else None
    print("| average of ResNet-18's parameters | seconds (range) | best | times the link's limit |")
    print("|---|---|---|---|")
    for name, medians, first in (("localbatch bench sync", ours, 0), ("MPI_Allreduce", plain, 1)):
        best = min(run["best_seconds"] for run in runs[first::2])
        middle = statistics.median(medians)
        times = f"{middle / limit:.2f}" if limit else "-"
        span = f"{min(medians):.3f} - {max(medians):.3f}"
        print(f"| {name} | {middle:.3f} ({span}) | {best:.3f} | {times} |")
    ratios = oracle.adjacent_ratios(ours, plain)
    print(
        f"\nlocalbatch takes {statistics.median(ratios):.2f} times as long as MPI_Allreduce "
        f"({min(ratios):.2f} - {max(ratios):.2f})"
        + (f"; the link's limit is {limit:.3f} s\n" if limit else "\n"),
        flush=True,
    )


def count_rounds(program, network, sync_interval, arguments):
    """As many as take about the seconds asked for, beside the first."""
    compute = WORKERS * BATCHES[network] * sync_interval / RATES[program][network]
    synchronize = 2 * 32 * PARAMETERS[network] / (1e9 * (arguments.gigabits or 10))
    return max(FEWEST_ROUNDS, math.ceil(arguments.seconds / (compute + synchronize)))


def train(hosts, network, sync_interval, rounds, desk, program, root, *words):
    """A run of so many rounds beside the first, which does not count; `words` are for its command line."""
    of_round = WORKERS * BATCHES[network] * sync_interval
    desk.mkdir(exist_ok=True)
    file = desk / "cluster.yaml"
    text = EXPERIMENT.format(
        workers=WORKERS,
        samples=(1 + rounds) * of_round,
        root=root.resolve(),
        depth=DEPTHS[network],
        sync_interval=sync_interval,
        batch=BATCHES[network],
    )
    file.write_text(text)
    _, load = hosts.run(program, "run", file, "--output", desk, "--force", *words)
    (folder,) = [path.parent for path in desk.rglob("rounds.csv")]
    rows, times = (
        list(csv.DictReader(open(folder / name)))[1:] for name in ("rounds.csv", "timing.csv")
    )

    def total(column):
        return sum(float(row[column]) for row in times)

    seconds = total("total_seconds") - total("evaluation_seconds")
    samples = of_round * len(rows)
    return {
        "program": "localbatch",
        "samples": samples,
        "seconds": seconds,
        "seconds_per_100000_samples": 1e5 * seconds / samples,
        "communication_seconds": total("communication_seconds"),
        "communication_share": total("communication_seconds") / seconds,
        "waiting_seconds": total("waiting_seconds"),
        "bytes_per_round": sum(int(row["method_bytes"]) for row in rows) / len(rows),
        "foreign_load": load,
        "file": file,
        "folder": folder,
    }


def train_localbatch(hosts, network, sync_interval, arguments):
    rounds = count_rounds("localbatch", network, sync_interval, arguments)
    desk = arguments.desk / f"{network}-{sync_interval}"
    return train(hosts, network, sync_interval, rounds, desk, arguments.program, arguments.root)


@functools.lru_cache
def best_setting_of(python, network):
    """The fastest environment for steps of one process with one thread, which is what each host has."""
    name, setting, _ = oracle.best_setting_of(python, network, "f32", threads=1)
    print(f"PyTorch runs {network} with {name}", file=sys.stderr)
    return setting


def train_pytorch(hosts, network, sync_interval, arguments):
    rounds = count_rounds("PyTorch", network, sync_interval, arguments)
    setting = best_setting_of(arguments.python, network)
    command = ["env", *(f"{key}={text}" for key, text in setting.items())]
    command += [arguments.python, ORACLE / "pytorch_distributed.py", "--network", network]
    command += ["--root", arguments.root.resolve(), "--batch", BATCHES[network]]
    output, load = hosts.run(*command, "--sync-interval", sync_interval, "--rounds", rounds)
    return {**json.loads(output), "program": "PyTorch", "foreign_load": load}


def compare_training(hosts, arguments):
    trainers = [train_localbatch] if "localbatch" in arguments.parts else []
    trainers += [train_pytorch] if "pytorch" in arguments.parts else []
    columns = ["network", "sync_interval", "program", "samples", "seconds"]
    columns += ["seconds_per_100000_samples", "communication_share", "bytes_per_round"]
    columns += ["foreign_load"]
    print("| network | H | program | s per 100,000 samples | in communication | MB a worker gives |")
    print("|---|---|---|---|---|---|")
    runs = []
    for network in arguments.networks:
        for sync_interval in arguments.intervals:
            for train in trainers * arguments.rounds:
                run = train(hosts, network, sync_interval, arguments)
                run.update(network=network, sync_interval=sync_interval)
                runs.append(run)
                write(arguments.output / "training.csv", columns, runs)
            show_training(runs, network, sync_interval)
    # Of several runs with the same settings the last one's folder is left.
    last = {(run["network"], run["sync_interval"]): run for run in runs if "folder" in run}
    compare_plans(list(last.values()), arguments)


def show_training(runs, network, sync_interval):
    """One line a program, with medians over its runs."""
    samples_of_round = WORKERS * BATCHES[network] * sync_interval
    for program in RATES:
        mine = [
            run
            for run in runs
            if (run["network"], run["sync_interval"], run["program"])
            == (network, sync_interval, program)
        ]
        if not mine:
            continue
        seconds, share, size = (
            statistics.median(run[key] for run in mine)
            for key in ("seconds_per_100000_samples", "communication_share", "bytes_per_round")
        )
        megabytes = size * 1e5 / samples_of_round / 1e6
        print(
            f"| {network} | {sync_interval} | {program} | {seconds:.1f} | {100 * share:.1f} % "
            f"| {megabytes:.0f} |",
            flush=True,
        )


def predict(run, others, arguments):
    """Seconds of a whole run, predicted and measured. The speed is that of the longest of others."""
    known = max(others, key=lambda other: other["sync_interval"])["folder"]
    report = arguments.desk / "plan.json"
    command = [arguments.program, "plan", run["file"], "--hosts", WORKERS, "--cores", 1]
    command += ["--bandwidth", f"{1e9 * (arguments.gigabits or 10) / 8:.0f}"]
    command += ["--speed-from", known, "--measured", run["folder"], "--json", report]
    subprocess.run([str(word) for word in command], check=True, stdout=subprocess.DEVNULL)
    plan = json.loads(report.read_text())
    return {
        **run,
        "predicted_seconds": plan["run"]["seconds"],
        "measured_seconds": plan["measured_run"]["seconds"],
        "waiting_seconds": plan["measured_run"]["waiting_seconds"],
    }


def compare_plans(runs, arguments):
    print("\n| network | H | predicted seconds | measured | error | waiting |")
    print("|---|---|---|---|---|---|")
    rows = []
    for run in runs:
        network, sync_interval = run["network"], run["sync_interval"]
        others = [
            other
            for other in runs
            if other["network"] == network and other["sync_interval"] != sync_interval
        ]
        if not others:
            continue
        rows.append(predict(run, others, arguments))
        predicted, measured, waiting = (
            rows[-1][f"{name}_seconds"] for name in ("predicted", "measured", "waiting")
        )
        print(
            f"| {network} | {sync_interval} | {predicted:.1f} | {measured:.1f} "
            f"| {100 * (predicted / measured - 1):+.1f} % | {waiting:.1f} |",
            flush=True,
        )
    columns = ["network", "sync_interval", "predicted_seconds", "measured_seconds"]
    write(arguments.output / "plan.csv", [*columns, "waiting_seconds"], rows)


def write(path, columns, rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w", newline="") as file:
        writer = csv.DictWriter(file, columns, extrasaction="ignore", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def parse_arguments():
    def words(text):
        return text.split(",")

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("program", type=pathlib.Path, help="the program localbatch")
    add("plain", type=pathlib.Path, help="the program localbatch_plain_allreduce")
    add("--root", type=pathlib.Path, required=True, help="folder with CIFAR-10")
    add("--parts", type=words, default=words("allreduce,localbatch,pytorch"))
    add("--gigabits", type=float, default=1, help="rate of the link, 0 for no limit")
    add("--mca", nargs=2, action="append", default=[], metavar=("KEY", "VALUE"), help="Open MPI's")
    add("--pairs", type=int, default=5, help="runs of either program in the first part")
    add("--repetitions", type=int, default=7, help="of MPI_Allreduce in a run")
    add("--sync-seconds", type=float, default=5, help="of localbatch bench sync")
    add("--networks", type=words, default=list(BATCHES))
    add("--intervals", type=lambda text: [int(word) for word in words(text)], default=[1, 4, 16, 32])
    add("--rounds", type=int, default=1, help="training runs of either program for each H")
    add("--seconds", type=float, default=40, help="of a training run, about")
    add("--python", help="one that can import torch; default: the first that is found")
    add("--output", type=pathlib.Path, default=pathlib.Path("results/cluster"))
    return parser.parse_args()


def rate_of(arguments):
    return f"{arguments.gigabits}gbit" if arguments.gigabits else "none"


def main():
    arguments = parse_arguments()
    arguments.program, arguments.plain = arguments.program.resolve(), arguments.plain.resolve()
    adopt_orphans()
    candidates = [arguments.python] if arguments.python else ["python3", "/usr/bin/python3"]
    arguments.python, _ = oracle.find_pytorch(candidates)
    if "pytorch" in arguments.parts and not arguments.python:
        print("no PyTorch found: localbatch alone", file=sys.stderr)
        arguments.parts.remove("pytorch")
    with (
        tempfile.TemporaryDirectory() as desk,
        Hosts(WORKERS, rate_of(arguments), arguments.mca) as hosts,
    ):
        arguments.desk = pathlib.Path(desk)
        if "allreduce" in arguments.parts:
            compare_allreduce(hosts, arguments)
        if {"localbatch", "pytorch"} & set(arguments.parts):
            compare_training(hosts, arguments)


if __name__ == "__main__":
    main()
