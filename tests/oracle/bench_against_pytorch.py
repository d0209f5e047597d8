#!/usr/bin/env python3
"""localbatch and PyTorch in turn, A B A B ...: how many times as fast are our training steps?

For each network and precision 'localbatch bench train' and pytorch_step.py run alternately, each in
a process of its own, so that a slow minute of the machine meets both. The ratio of two adjacent
runs is one sample; printed and written is the median of all, and their range. Before that PyTorch
tries the environments of pytorch_settings.py for a second each, and is measured in the best. Rates
are images per second, or tokens per second where the line says so. Without a Python that can import
torch only localbatch is measured. Warnings about other programs on the machine go to standard error.
"""

import argparse
import datetime
import json
import os
import pathlib
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time

import pytorch_settings

ORACLE = pathlib.Path(__file__).resolve().parent
BATCHES = {
    "resnet20": 128,
    "resnet18": 64,
    "resnet50": 32,
    "gpt_4x128": 12,
    "llama_4x128": 16,
    "llama_6x256": 16,
    "gpt_6x384": 16,
    "stories15m": 8,
}
TOO_MUCH_FOREIGN_LOAD = 0.05
SECONDS_OF_A_TRIAL = 1.0


def find_pytorch(candidates):
    """The first Python that can import torch, with its version."""
    for python in candidates:
        try:
            done = subprocess.run(
                [python, "-c", "import torch; print(torch.__version__)"],
                capture_output=True,
                text=True,
            )
        except OSError:
            continue
        if done.returncode == 0:
            return python, done.stdout.strip()
    return None, None


def cpu_seconds():
    """Busy time of the machine and of our finished children, summed over cores."""
    ticks = os.sysconf("SC_CLK_TCK")
    all_cores = pathlib.Path("/proc/stat").read_text().splitlines()[0].split()
    user, nice, system, _idle, _wait, irq, soft_irq, steal = map(int, all_cores[1:9])
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    busy = (user + nice + system + irq + soft_irq + steal) / ticks
    return busy, children.ru_utime + children.ru_stime


def run_watched(command, environment=None):
    """The finished command and the share of the machine that other programs took meanwhile."""
    started, (busy, own) = time.monotonic(), cpu_seconds()
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    wall, (busy_after, own_after) = time.monotonic() - started, cpu_seconds()
    others = (busy_after - busy) - (own_after - own)
    return done, max(0.0, others / (wall * os.cpu_count()))


def run_localbatch(program, network, precision, arguments):
    """One measurement, or nothing where this machine cannot make it."""
    with tempfile.TemporaryDirectory() as folder:
        file = pathlib.Path(folder) / "train.json"
        command = [program, "bench", "train", "--model", network, "--precision", precision]
        command += ["--batch", str(BATCHES[network]), "--threads", str(arguments.threads)]
        command += ["--seconds", str(arguments.seconds), "--json", str(file)]
        done, load = run_watched(command)
        if done.returncode == 2:
            print(done.stderr.strip().splitlines()[-1], file=sys.stderr)
            return None
        if done.returncode != 0:
            sys.exit(f"{' '.join(command)}: status {done.returncode}: {done.stderr.strip()}")
        report = json.loads(file.read_text())
    return {**report["train"][0], "report": report, "foreign_load": load}


def run_pytorch(python, network, precision, threads, seconds, environment):
    command = [python, str(ORACLE / "pytorch_step.py"), "--network", network]
    command += ["--precision", precision, "--batch", str(BATCHES[network])]
    command += ["--threads", str(threads), "--seconds", str(seconds)]
    done, load = run_watched(command, environment)
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)}: status {done.returncode}: {done.stderr.strip()}")
    return {**json.loads(done.stdout), "foreign_load": load}


def best_setting_of(python, network, precision, threads):
    """Name and variables of PyTorch's fastest environment for such steps, and the rates of all."""
    kinds, _ = pytorch_settings.pytorch_settings()

    def rate_in_trial(environment):
        run = run_pytorch(python, network, precision, threads, SECONDS_OF_A_TRIAL, environment)
        return run[f"{unit_of(run)}_per_second"]

    return pytorch_settings.best_setting(kinds, rate_in_trial)


def adjacent_ratios(ours, theirs):
    """Of the runs in the order ours[0], theirs[0], ours[1], theirs[1], ..."""
    ratios = []
    for index, run in enumerate(ours):
        ratios += [run / theirs[near] for near in (index - 1, index) if 0 <= near < len(theirs)]
    return ratios


def unit_of(run):
    """What the rate of a run counts."""
    return "tokens" if run.get("tokens_per_second") is not None else "images"


def compare(program, python, network, precision, arguments):
    """One line of the result, or nothing where this machine cannot make it."""
    ours, theirs, loads = [], [], []
    setting, environment, tried, report = None, None, None, None

    for _ in range(arguments.rounds):
        run = run_localbatch(program, network, precision, arguments)
        if run is None:
            return None
        report = run["report"]
        ours.append(run)
        loads.append(run["foreign_load"])
        if python:
            if not setting:
                setting, variables, tried = best_setting_of(
                    python, network, precision, arguments.threads
                )
                environment = pytorch_settings.environment_of(variables)
            theirs.append(
                run_pytorch(
                    python, network, precision, arguments.threads, arguments.seconds, environment
                )
            )
            loads.append(theirs[-1]["foreign_load"])
    unit = unit_of(ours[0])
    our_rates = [run[f"{unit}_per_second"] for run in ours]
    their_rates = [run[f"{unit}_per_second"] for run in theirs]
    ratios = adjacent_ratios(our_rates, their_rates)
    shares = [run["share_of_peak"] for run in ours if run["share_of_peak"] is not None]

    def middle(values):
        return statistics.median(values) if values else None

    return {
        "network": network,
        "batch": BATCHES[network],
        "precision": precision,
        "unit": unit,
        f"{unit}_per_second": middle(our_rates),
        f"pytorch_{unit}_per_second": middle(their_rates),
        "ratio": middle(ratios),
        "share_of_peak": middle(shares),
        "lowest_ratio": min(ratios, default=None),
        "highest_ratio": max(ratios, default=None),
        "threads": arguments.threads,
        "seconds": arguments.seconds,
        "commit": report["commit"],
        "machine": {"cpu": report["cpu"], "cores": report["cores"], "host": platform.node()},
        "peak_gflops": report["peak_gflops"],
        "torch": theirs[0]["torch"] if theirs else None,
        "pytorch_setting": setting,
        "pytorch_settings_tried": tried,
        "date": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        "foreign_load": max(loads),
        "runs": {
            f"{unit}_per_second": our_rates,
            f"pytorch_{unit}_per_second": their_rates,
            "ratios": ratios,
            "foreign_load": loads,
        },
    }


def show(line):
    def cell(value, text):
        return "-" if value is None else text.format(value)

    rate = f"{line['unit']}_per_second"
    print(
        "{network:>12}{batch:>7}{precision:>11}{unit:>8}/s".format(**line)
        + f"{cell(line[rate], '{:.1f}'):>13}"
        + f"{cell(line['pytorch_' + rate], '{:.1f}'):>11}"
        + f"{cell(line['ratio'], '{:.2f}'):>8}"
        + f"{cell(line['lowest_ratio'], '{:.2f}'):>8}"
        + f"{cell(line['highest_ratio'], '{:.2f}'):>6}"
        + f"{cell(line['share_of_peak'], '{:.0%}'):>11}"
        + f"  {cell(line['pytorch_setting'], '{}')}",
        flush=True,
    )
    if line["foreign_load"] > TOO_MUCH_FOREIGN_LOAD:
        print(
            f"warning: other programs used up to {line['foreign_load']:.0%} of the cores; the line "
            "above does not count",
            file=sys.stderr,
        )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("program", help="the program localbatch")
    parser.add_argument("--rounds", type=int, default=3, help="runs of each of the two")
    parser.add_argument("--seconds", type=float, default=3.0, help="of each run")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--networks", default=",".join(BATCHES), help="a list with commas")
    parser.add_argument("--precisions", default="f32,bf16", help="a list with commas")
    parser.add_argument("--python", help="a Python with PyTorch; default: searched for")
    parser.add_argument("--output", type=pathlib.Path, default=pathlib.Path("bench.json"))
    arguments = parser.parse_args()
    networks, precisions = arguments.networks.split(","), arguments.precisions.split(",")
    for network in networks:
        if network not in BATCHES:
            parser.error(f"--networks: found '{network}', allowed are {', '.join(BATCHES)}")
    if arguments.rounds < 1:
        parser.error(f"--rounds: found {arguments.rounds}, needs at least 1")
    candidates = [arguments.python] if arguments.python else [sys.executable, "/usr/bin/python3"]
    python, torch = find_pytorch(candidates)
    if python:
        print(f"PyTorch {torch} of {python}, {arguments.rounds} rounds of {arguments.seconds} s")
        _, missing = pytorch_settings.pytorch_settings()
        if missing:
            print(f"PyTorch may be faster with Debian's {', '.join(missing)}, not installed here")
    else:
        print(f"no PyTorch found ({', '.join(candidates)}): localbatch alone is measured")
    print(
        f"{'network':>12}{'batch':>7}{'precision':>11}{'unit':>10}{'localbatch':>13}{'PyTorch':>11}"
        f"{'ratio':>8}{'from':>8}{'to':>6}{'% of peak':>11}  PyTorch's best setting"
    )
    lines = []
    for precision in precisions:
        for network in networks:
            line = compare(arguments.program, python, network, precision, arguments)
            if line is None:
                break
            show(line)
            lines.append(line)
    arguments.output.write_text(json.dumps(lines, indent=2) + "\n")
    print(f"written to {arguments.output}")


if __name__ == "__main__":
    main()
