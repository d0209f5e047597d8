#!/usr/bin/env python3
"""Signals, time limits, lost and hanging ranks: exit status, message, and how the run goes on.

  stops_test.py PROGRAM
"""

import json
import signal
import sys
import time

from program_fixture import LONG, QUICK, require, require_same, round_of, run_folder, run_tests, send_signal

ROUNDS = ("--checkpoint-rounds", "3")
AT_ONCE = 10  # seconds


def wait_for(holds, seconds=30):
    end = time.monotonic() + seconds
    while not holds():
        require(time.monotonic() < end, "what a test waits for does not come")
        time.sleep(0.02)


def resident_megabytes(process):
    try:
        for line in open(f"/proc/{process}/status", encoding="utf-8"):
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) / 1024
    except OSError:  # it has ended
        pass
    return 0


def go_on(fixture, experiment, output, reference, ranks=0):
    finished = fixture.run(experiment, output, *ROUNDS, ranks=ranks)
    finished.require(0)
    require("goes on after round" in finished.out, finished)
    require_same(run_folder(output), reference)


def signals_stop_behind_a_checkpoint(fixture):
    """SIGTERM, SIGINT, SIGUSR1: status 75, and the same command goes on"""
    experiment = fixture.write("long.yaml", LONG)
    reference = fixture.reference(experiment)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1):
        output = fixture.folder / number.name
        job, folder = fixture.start_in_the_middle(experiment, output)
        send_signal(job.process.pid, number)
        finished = job.wait(AT_ONCE)
        finished.require(75)
        require(f"stopped after round {round_of(folder)}; the same command goes on from there\n" in
                finished.out, finished)
        go_on(fixture, experiment, output, reference, ranks=2)


def a_signal_to_one_rank_or_the_launcher(fixture):
    """SIGUSR1 to mpirun, SIGTERM to one rank: all ranks stop after the same round, status 75"""
    experiment = fixture.write("long.yaml", LONG)
    reference = fixture.reference(experiment)
    for number, rank in ((signal.SIGUSR1, None), (signal.SIGTERM, 2)):
        output = fixture.folder / number.name
        job, _ = fixture.start_in_the_middle(experiment, output, ranks=4)
        send_signal(job.process.pid if rank is None else job.process_of(rank), number)
        finished = job.wait(AT_ONCE)
        finished.require(75)
        require("stopped after round" in finished.out, finished)
        go_on(fixture, experiment, output, reference)


def two_interrupts_end_at_once(fixture):
    """SIGINT twice: ends at once without a checkpoint, status 130, and a later run goes on"""
    experiment = fixture.write("long.yaml", LONG)
    reference = fixture.reference(experiment)
    job, _ = fixture.start_in_the_middle(experiment, fixture.folder / "out", *ROUNDS)
    for _ in range(20):  # on a busy machine several may arrive as one
        send_signal(job.process.pid, signal.SIGINT)
        time.sleep(0.0005)
    finished = job.wait(AT_ONCE)
    require(finished.status == 130 and not finished.errors, finished)
    go_on(fixture, experiment, fixture.folder / "out", reference)


def time_limit_stops_after_a_round(fixture):
    """--time-limit and the end of a Slurm job: status 75 while there is time for a checkpoint"""
    experiment = fixture.write("quick.yaml", QUICK)
    reference = fixture.reference(experiment)
    output = fixture.folder / "out"
    slurm = {"SLURM_JOB_END_TIME": str(int(time.time()) + 5)}
    for number, (options, environment) in enumerate(
            ((["--time-limit", "1"], {}), (["--time-limit", "0:05"], {}), ([], slurm)), start=1):
        finished = fixture.run(experiment, output, *options, environment=environment)
        finished.require(75)
        require(f"stopped after round {number};" in finished.out, finished)
    fixture.run(experiment, output, "--time-limit", "soon").require(2, "found 'soon', expected seconds")
    go_on(fixture, experiment, output, reference)


def a_lost_rank_ends_the_job(fixture):
    """one of four ranks is killed: the job ends within seconds with another status, and goes on"""
    experiment = fixture.write("long.yaml", LONG)
    reference = fixture.reference(experiment)
    for rank in (0, 3):
        output = fixture.folder / f"rank{rank}"
        job, _ = fixture.start_in_the_middle(experiment, output, *ROUNDS, ranks=4)
        send_signal(job.process_of(rank), signal.SIGKILL)
        finished = job.wait(AT_ONCE)
        require(finished.status not in (0, 75), finished)
        go_on(fixture, experiment, output, reference, ranks=2)


def a_hanging_rank_is_named(fixture):
    """one of three ranks hangs: --stall-limit names it and ends the job"""
    experiment = fixture.write("long.yaml", LONG)
    reference = fixture.reference(experiment)
    for rank in (0, 1):
        output = fixture.folder / f"rank{rank}"
        job, _ = fixture.start_in_the_middle(experiment, output, *ROUNDS, "--stall-limit", "3", ranks=3)
        send_signal(job.process_of(rank), signal.SIGSTOP)
        finished = job.wait(AT_ONCE)
        require(finished.status == 1, finished)
        named = [line for line in finished.lines() if f"no message from rank {rank} for 3 s" in line]
        require(named, f"rank {rank} is not named", finished)
        go_on(fixture, experiment, output, reference)


# Some ten seconds of generating images: to be interrupted before anything is trained.
SLOW_DATA = """
experiment: slow
workers: 2
max_samples: 640
dataset:       {name: synthetic, train_samples: 200000, test_samples: 10}
model:         {name: softmax_regression}
learning_rate: {name: constant, peak: 0.01}
"""


def a_rank_that_hangs_before_training_is_named(fixture):
    """a rank hangs while MPI starts, or while it reads data: the others end the job, status 1"""
    slow = fixture.write("slow.yaml", SLOW_DATA)
    quick = fixture.write("quick.yaml", SLOW_DATA.replace("200000", "100"))

    def start(first, second):
        output, limit = fixture.folder / "out", ("--stall-limit", "3")
        return fixture.start(first, output, *limit, ":", "-np", "1", fixture.program, "run", second, "--output",
                             output, *limit, ranks=1)

    job = start(quick, slow)
    send_signal(job.process_of(1), signal.SIGSTOP)
    finished = job.wait(2 * AT_ONCE)
    require(finished.status == 1, finished)
    require(any("hangs" in line for line in finished.lines()), finished)

    job = start(quick, slow)
    reading = job.process_of(1)
    wait_for(lambda: resident_megabytes(reading) > 100)
    send_signal(reading, signal.SIGSTOP)
    finished = job.wait(2 * AT_ONCE)
    require(finished.status == 1, finished)
    require(finished.lines() == ["localbatch: rank 0: no message from rank 1 for 3 s: it hangs, or does not reach "
                                 "the others"], finished)
    require(not (fixture.folder / "out").exists(), "something was written")


def signals_work_before_the_first_round(fixture):
    """SIGTERM while data are read: status 75 at once, with and without MPI, nothing is written"""
    slow = fixture.write("slow.yaml", SLOW_DATA)
    for ranks in (0, 2):
        job = fixture.start(slow, fixture.folder / "out", ranks=ranks)
        rank = job.process_of(0)
        wait_for(lambda: resident_megabytes(rank) > 100)
        begin = time.monotonic()
        send_signal(rank, signal.SIGTERM)
        finished = job.wait(AT_ONCE)
        require(finished.status == 75 and time.monotonic() - begin < 5, finished)
        require(ranks or "stopped before the first round has ended" in finished.out, finished)
        require(ranks or finished.lines() == [], finished)
        require(not (fixture.folder / "out").exists(), "something was written")


def divergence_is_recorded(fixture):
    """a learning rate that is too large: status 3, the last round and the summary say so"""
    text = QUICK.replace("640", "100000").replace("peak: 0.05", "peak: 1000")
    experiment = fixture.write("quick.yaml", text)
    for ranks in (0, 2):
        output = fixture.folder / f"out{ranks}"
        finished = fixture.run(experiment, output, "--checkpoint-rounds", "1", ranks=ranks)
        finished.require(3)
        folder = run_folder(output)
        last = round_of(folder)
        require(f"diverged in round {last}: " in finished.out, finished)
        require(json.loads((folder / "summary.json").read_text())["outcome"] == "diverged", folder)
        loss = (folder / "rounds.csv").read_text().splitlines()[-1].split(",")[7]
        require(loss in ("inf", "nan", "-nan"), loss)
    require_same(run_folder(output), run_folder(fixture.folder / "out0"))


TESTS = (signals_stop_behind_a_checkpoint, a_signal_to_one_rank_or_the_launcher,
         two_interrupts_end_at_once, time_limit_stops_after_a_round, a_lost_rank_ends_the_job,
         a_hanging_rank_is_named, a_rank_that_hangs_before_training_is_named,
         signals_work_before_the_first_round, divergence_is_recorded)

if __name__ == "__main__":
    sys.exit(run_tests(TESTS, sys.argv[1], in_memory=False))
