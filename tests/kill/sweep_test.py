#!/usr/bin/env python3
"""A sweep that is killed again and again ends with the bytes and the table of one that nobody disturbs.

  sweep_test.py PROGRAM [--kills 8] [--seed 1]

The job, alone, with several cells at a time or under mpirun, gets SIGKILL at random moments, and the
same command is started again; at the end all cells are there, and none that had finished was run again.
"""

import argparse
import os
import random
import signal
import subprocess
import sys
import time

from program_fixture import (QUICK, Job, checkpoints, require, require_same, round_of, run_tests, send_signal)

SWEEP = QUICK.replace("quick", "sweep").replace("640", "24000") + """
sweep:
  sync_interval.H: [4, 8]
  schedule:
    fixed: {batch_size_controller: {name: fixed}}
    test: {batch_size_controller: {name: norm_test, eta: 0.8}}
  seed: [3, 4]
"""
STARTS = ((0, ()), (0, ("--jobs", "2")), (2, ()))  # ranks, options


def cells_of(output):
    folder = output / "sweep"
    return {path.name: path for path in folder.iterdir()} if folder.exists() else {}


def finished_in(output):
    """Cell -> when its results were written."""
    return {name: (path / "summary.json").stat().st_mtime_ns
            for name, path in cells_of(output).items() if (path / "summary.json").exists()}


def table_of(fixture, experiment, output):
    """What a sweep's table says but for seconds; folders' names stand in it."""
    columns = "steps,rounds,average_local_batch_size,bytes,final_test_loss,best_test_loss,samples"
    return subprocess.run([fixture.program, "table", experiment, "--output", output, "--format", "csv",
                           "--columns", columns], capture_output=True, text=True, check=True).stdout


def killed_sweep(fixture, kills, seed):
    generator = random.Random(seed)
    experiment = fixture.write("sweep.yaml", SWEEP)
    fixture.run(experiment, fixture.folder / "whole").require(0)
    whole = cells_of(fixture.folder / "whole")
    require(len(whole) == 8, "eight cells expected", sorted(whole))
    began = time.monotonic()
    fixture.run(experiment, fixture.folder / "timed").require(0)
    seconds = time.monotonic() - began

    output, done = fixture.folder / "out", {}
    for kill in range(kills + 1):
        ranks, options = generator.choice(STARTS)
        job = Job(fixture.program, [experiment, "--output", output, "--checkpoint-rounds", "5", *options],
                  fixture.folder / f"job-{kill}", ranks=ranks)
        if kill < kills:
            time.sleep(generator.uniform(0.2, 0.4 * seconds + 0.2))
            job.kill_all()
            job.process.wait()
        else:
            finished = job.wait(60)
            # More jobs than cores are refused, as the last start they would leave the rest undone.
            if finished.status == 2 and "--jobs" in finished.errors:
                finished = fixture.run(experiment, output)
            finished.require(0)
        now = finished_in(output)
        for name, written in done.items():
            require(now.get(name) == written, f"{name} had finished and was run again")
        done = now
    require(sorted(cells_of(output)) == sorted(whole), "other cells", sorted(cells_of(output)))
    for name, folder in cells_of(output).items():
        require_same(folder, whole[name])
    tables = [table_of(fixture, experiment, where) for where in (output, fixture.folder / "whole")]
    require(tables[0] == tables[1], "other tables", *tables)
    require("missing" not in tables[0] and tables[0].count("\n") > 4, "a whole table", tables[0])


def stopped_jobs(fixture):
    """SIGTERM to a sweep of several cells at a time: status 75, all stop behind a checkpoint, and it goes on"""
    if len(os.sched_getaffinity(0)) < 2:
        return "one core"
    experiment = fixture.write("sweep.yaml", SWEEP.replace("24000", "200000"))
    output = fixture.folder / "out"
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


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("program")
    parser.add_argument("--kills", type=int, default=8)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()

    def test(fixture):
        killed_sweep(fixture, options.kills, options.seed)

    test.__doc__ = (f"a sweep killed {options.kills} times ends with the same bytes and table, "
                    "and no finished cell is run again")
    return run_tests([test, stopped_jobs], options.program, in_memory=True)


if __name__ == "__main__":
    sys.exit(main())
