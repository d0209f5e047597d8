#!/usr/bin/env python3
"""Does a stream of parameters hide the network, and how long does an average of 8 bits take?

1. Training runs of ResNet-18 on two hosts (hosts.sh) with few local steps a round, in turn: over links of no
   limit, over limited ones with workers that stand still while parameters travel, and over these with a
   stream that arrives some local steps later ('streaming'). Seconds without the first round and evaluations.
2. The average of ResNet-18's parameters as int8 ('localbatch bench sync --payload int8') in turn with
   MPI_Allreduce of as many floats.

Prints Markdown and writes overlap.csv and int8.csv, one row a run. Needs root.
"""

import argparse
import json
import pathlib
import statistics
import tempfile

from bench import BATCHES, PARAMETERS, WORKERS, train, write
from hosts import Hosts, adopt_orphans, check_placement

NETWORK = "resnet18"
COLUMNS = ["way", "rate", "repeat", "seconds", "communication_seconds", "waiting_seconds", "foreign_load"]


def compare_streams(hosts, arguments):
    keys = {"fragments": arguments.fragments, "delay": arguments.delay, "keep_late_steps": "true"}
    stream = [word for key, text in keys.items() for word in ("--set", f"streaming.{key}={text}")]
    ways = [("no limit", "none", []), ("still", arguments.rate, []), ("streaming", arguments.rate, stream)]
    rounds = arguments.samples // (WORKERS * BATCHES[NETWORK] * arguments.interval)
    rows = []
    for repeat in range(1, arguments.repeats + 1):
        for way, rate, words in ways:
            hosts.limit(rate)
            place = (arguments.desk / way, arguments.program, arguments.root)
            words = ["--set", "evaluation.max_samples=64", *words]
            words += ["--set", f"communication.parameters={arguments.parameters}"]
            run = train(hosts, NETWORK, arguments.interval, rounds, *place, *words)
            rows.append({**run, "way": way, "rate": rate, "repeat": repeat})
            write(arguments.output / "overlap.csv", COLUMNS, rows)
    print("| links | parameters | s (range) | of it communication | times no limit (range of pairs) |")
    print("|---|---|---|---|---|")
    seconds = {way: [row["seconds"] for row in rows if row["way"] == way] for way, _, _ in ways}
    for way, rate, _ in ways:
        mine = [row for row in rows if row["way"] == way]
        ratios = [own / free for own, free in zip(seconds[way], seconds["no limit"])]
        talk = statistics.median(row["communication_seconds"] for row in mine)
        print(
            f"| {rate} | {'still' if way == 'no limit' else way} | {statistics.median(seconds[way]):.1f} "
            f"({min(seconds[way]):.1f} - {max(seconds[way]):.1f}) | {talk:.1f} "
            f"| {statistics.median(ratios):.2f} ({min(ratios):.2f} - {max(ratios):.2f}) |",
            flush=True,
        )


def compare_averages(hosts, arguments):
    hosts.limit(arguments.rate)
    rows = []
    for _ in range(arguments.pairs):
        file = arguments.desk / "sync.json"
        command = [arguments.program, "bench", "sync", "--model", NETWORK, "--threads", 1]
        _, load = hosts.run(*command, "--payload", "int8", "--seconds", 3, "--json", file)
        (ours,) = json.loads(file.read_text())["sync"]
        rows.append({"program": "int8", "median_seconds": ours["median_seconds"], "foreign_load": load})
        output, load = hosts.run(arguments.plain, PARAMETERS[NETWORK], 7, 1e9)
        plain = json.loads(output)
        check_placement(plain["ranks"])
        rows.append({**plain, "program": "MPI_Allreduce", "foreign_load": load})
        write(arguments.output / "int8.csv", ["program", "median_seconds", "foreign_load"], rows)
    times = [row["median_seconds"] for row in rows]
    ratios = [ours / plain for ours, plain in zip(times[::2], times[1::2])]
    print(
        f"\nan average as int8: {statistics.median(times[::2]):.3f} s, MPI_Allreduce of floats "
        f"{statistics.median(times[1::2]):.3f} s: {statistics.median(ratios):.2f} "
        f"({min(ratios):.2f} - {max(ratios):.2f}) times as long"
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("program", type=pathlib.Path, help="the program localbatch")
    add("plain", type=pathlib.Path, help="the program localbatch_plain_allreduce")
    add("--root", type=pathlib.Path, required=True, help="folder with CIFAR-10")
    add("--rate", default="1gbit")
    add("--interval", type=int, default=4, help="H")
    add("--fragments", type=int, default=1)
    add("--delay", type=int, default=3, help="of the stream, in local steps")
    add("--parameters", default="f32", help="what parameters travel as, in all three runs")
    add("--samples", type=int, default=2560, help="of a run, beside its first round")
    add("--repeats", type=int, default=3, help="of the three runs")
    add("--pairs", type=int, default=5, help="of averages")
    add("--output", type=pathlib.Path, default=pathlib.Path("results/cluster"))
    arguments = parser.parse_args()
    arguments.program, arguments.plain = arguments.program.resolve(), arguments.plain.resolve()
    adopt_orphans()
    with tempfile.TemporaryDirectory() as desk, Hosts(WORKERS, "none") as hosts:
        arguments.desk = pathlib.Path(desk)
        if arguments.repeats:
            compare_streams(hosts, arguments)
        if arguments.pairs:
            compare_averages(hosts, arguments)


if __name__ == "__main__":
    main()
