#!/usr/bin/env python3
"""Sweeps of several cells at a time that are asked to stop.

  sweep_test.py PROGRAM
"""

import os
import signal
import sys
import time

from program_fixture import QUICK, checkpoints, require, round_of, run_tests, send_signal

SWEEP = QUICK.replace("quick", "sweep").replace("640", "2000000").replace("peak: 0.05", "peak: 0.005") + """
sweep:
  sync_interval.H: [4, 8]
  seed: [3, 4]
"""


def cells_of(output):
    folder = output / "sweep"
    return {path.name: path for path in folder.iterdir()} if folder.exists() else {}


def stopped_jobs(fixture):
    """SIGTERM to a sweep of several cells at a time: status 75, all stop behind a checkpoint, and it goes on"""
    if len(os.sched_getaffinity(0)) < 2:
        return "one core"
    experiment, output = fixture.write("sweep.yaml", SWEEP), fixture.folder / "out"
    job = fixture.start(experiment, output, "--jobs", "2")
    end = time.monotonic() + 30
    while sum(round_of(folder) > 3 for folder in cells_of(output).values()) < 2:
        require(job.process.poll() is None and time.monotonic() < end, "two cells under way expected")
        time.sleep(0.01)
    send_signal(job.process.pid, signal.SIGTERM)
    stopped = job.wait(20)
    stopped.require(75)
    require(stopped.out.count(" stopped after ") == 2, stopped)
    for folder in cells_of(output).values():
        require((folder / "summary.json").exists() or checkpoints(folder), f"{folder}: no checkpoint")
    before = {name: round_of(folder) for name, folder in cells_of(output).items()}
    fixture.run(experiment, output, "--jobs", "2", "--time-limit", "5").require(75)
    for name, rounds in before.items():
        require(round_of(cells_of(output)[name]) >= rounds, f"{name} began anew")
    return None


def stopped_as_cells_start(fixture):
    """SIGTERM or SIGINT to a sweep whose cells have just been started and do not listen yet: status 75, none failed"""
    if len(os.sched_getaffinity(0)) < 2:
        return "one core"
    experiment = fixture.write("sweep.yaml", SWEEP)
    for number, to in ((signal.SIGTERM, "the sweep"), (signal.SIGINT, "all")):
        job = fixture.start(experiment, fixture.folder / number.name, "--jobs", "2")
        end = time.monotonic() + 30
        while " begins\n" not in job.finished().out:
            require(job.process.poll() is None and time.monotonic() < end, "a cell expected", job.finished())
            time.sleep(0.001)
        for process in job.processes() if to == "all" else [job.process.pid]:
            send_signal(process, number)
        stopped = job.wait(20)
        stopped.require(75)
        require("failed" not in stopped.out, stopped)
    return None


TESTS = (stopped_jobs, stopped_as_cells_start)

if __name__ == "__main__":
    sys.exit(run_tests(TESTS, sys.argv[1], in_memory=True))
