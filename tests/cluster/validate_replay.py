#!/usr/bin/env python3
"""Are the seconds right that 'localbatch plan --replay' predicts for other networks?

A run with a norm test, whose local batch grows on the way, is made on hosts with links of no limit
(hosts.sh): the recording. For each rate of the links, 'bench sync --fit' measures them, the replay
predicts the seconds of the run there, and the same run is made there and measured. All of it is
repeated in turn; a row has the medians over the repeats, and the error is that of the medians.

Prints Markdown and writes replays.csv, one row a repeat. Needs root.
"""

import argparse
import csv
import json
import pathlib
import statistics
import subprocess
import sys
import tempfile

from hosts import Hosts, adopt_orphans

EXPERIMENT = """
experiment: replay
seed: 1
workers: {hosts}
threads_per_worker: 1
max_samples: {samples}
dataset:               {{name: cifar10, root: {root}}}
augmentation:          {{pad_crop: 4, flip: true}}
model:                 {{name: resnet, depth: 20}}
inner_optimizer:       {{name: sgd, momentum: 0.9, weight_decay: 5.0e-4}}
learning_rate:         {{name: constant, peak: 0.05}}
sync_interval:         {{name: constant, H: 4}}
batch_size:            {{initial: 16, max: 256, micro_batch: 64}}
batch_size_controller: {{name: norm_test, eta: 0.8}}
evaluation:            {{every_samples: 1000000000, max_samples: 256}}
"""
COLUMNS = ["hosts", "rate", "repeat", "rounds", "first_local_batch", "last_local_batch"]
COLUMNS += ["bytes_per_second", "latency_seconds", "predicted_seconds", "measured_seconds"]
COLUMNS += ["predicted_communication_seconds", "measured_communication_seconds", "foreign_load"]


def rows_of(path):
    with open(path) as file:
        return list(csv.DictReader(file))


def total(rows, column):
    return sum(float(row[column]) for row in rows)


def train(hosts, arguments, name):
    """The folder of the run, and what others took of the machine meanwhile."""
    output = arguments.desk / f"{hosts.count}-{name}"
    _, load = hosts.run(
        arguments.program, "run", arguments.desk / f"{hosts.count}.yaml", "--output", output, "--force"
    )
    (folder,) = [path.parent for path in output.rglob("rounds.csv")]
    return folder, load


def fit_network(hosts, arguments):
    file = arguments.desk / f"{hosts.count}-{hosts.rate}.network"
    command = [arguments.program, "bench", "sync", "--fit", "--threads", 1, "--output", file]
    hosts.run(*command, "--seconds", arguments.fit_seconds)
    return file


def replay(recording, network, arguments):
    file = arguments.desk / "replay.json"
    command = [arguments.program, "plan", "--replay", recording, "--cores", 1]
    command += ["--network-file", network, "--json", file]
    subprocess.run([str(word) for word in command], check=True, stdout=subprocess.DEVNULL)
    report = json.loads(file.read_text())
    (run,) = report["runs"]
    return report, run


def measure(hosts, repeat, recording, rate, arguments):
    hosts.limit(rate)
    report, predicted = replay(recording, fit_network(hosts, arguments), arguments)
    folder, load = train(hosts, arguments, rate)
    if (folder / "rounds.csv").read_bytes() != (recording / "rounds.csv").read_bytes():
        sys.exit(f"{folder} and {recording} are different runs")
    rounds, timing = rows_of(folder / "rounds.csv"), rows_of(folder / "timing.csv")
    return {
        "hosts": hosts.count,
        "rate": rate,
        "repeat": repeat,
        "rounds": len(rounds),
        "first_local_batch": rounds[0]["local_batch_size"],
        "last_local_batch": rounds[-1]["local_batch_size"],
        "bytes_per_second": report["bandwidth_bytes_per_second"],
        "latency_seconds": report["latency_seconds"],
        "predicted_seconds": predicted["predicted_seconds"],
        "measured_seconds": total(timing, "total_seconds"),
        "predicted_communication_seconds": predicted["predicted_communication_seconds"],
        "measured_communication_seconds": total(timing, "communication_seconds"),
        "foreign_load": load,
    }


def show(rows):
    rounds, first, last = (
        rows[-1][name] for name in ("rounds", "first_local_batch", "last_local_batch")
    )
    predicted, measured, sent, talked = (
        statistics.median(row[name] for row in rows)
        for name in COLUMNS
        if name.endswith("_seconds") and name != "latency_seconds"
    )
    print(
        f"| {rows[0]['hosts']} | {rows[0]['rate']} | {rounds} | {first} to {last} | {predicted:.1f} "
        f"| {measured:.1f} | {100 * (predicted / measured - 1):+.1f} % | {sent:.1f} | {talked:.1f} |",
        flush=True,
    )


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("program", type=pathlib.Path, help="the program localbatch")
    add("--root", type=pathlib.Path, required=True, help="folder with CIFAR-10")
    add("--hosts", type=int, nargs="+", default=[2, 3, 4])
    add("--rates", nargs="+", default=["1gbit", "100mbit"])
    add("--repeats", type=int, default=3)
    add("--samples", type=int, default=24000, help="of a run")
    add("--fit-seconds", type=float, default=2, help="of bench sync --fit")
    add("--output", type=pathlib.Path, default=pathlib.Path("results/cluster"))
    return parser.parse_args()


def main():
    arguments = parse_arguments()
    arguments.program = arguments.program.resolve()
    adopt_orphans()
    arguments.output.mkdir(parents=True, exist_ok=True)
    print("| hosts | links | rounds | local batch | predicted s | measured | error | of it sending | measured |")
    print("|---|---|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as desk, open(
        arguments.output / "replays.csv", "w", newline=""
    ) as file:
        arguments.desk = pathlib.Path(desk)
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        for count in arguments.hosts:
            text = EXPERIMENT.format(
                hosts=count, samples=arguments.samples, root=arguments.root.resolve()
            )
            (arguments.desk / f"{count}.yaml").write_text(text)
            rows = {rate: [] for rate in arguments.rates}
            with Hosts(count) as hosts:
                for repeat in range(1, arguments.repeats + 1):
                    hosts.limit("none")
                    recording, _ = train(hosts, arguments, "recording")
                    for rate in arguments.rates:
                        rows[rate].append(measure(hosts, repeat, recording, rate, arguments))
                        writer.writerow(rows[rate][-1])
                        file.flush()
            for rate in arguments.rates:
                show(rows[rate])


if __name__ == "__main__":
    main()
