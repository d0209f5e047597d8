#!/usr/bin/env python3
"""Runs that are killed again and again end with the bytes of a run that nobody disturbs.

  kill_test.py PROGRAM [--kills 12] [--seed 1] [--verbose]

Each run writes checkpoints every round or two, on 1, 2 or 4 ranks. A rank, mpirun or the whole job
gets SIGKILL at a random moment, or just when a file appears that is being written; then the run is
resumed on another number of ranks. After a few kills it may finish, and its files are compared with
those of the reference.
"""

import argparse
import collections
import fnmatch
import os
import pathlib
import random
import re
import shutil
import signal
import sys
import time

from program_fixture import (ProgramFixture, Failure, checkpoints, require, require_same, run_folder, send_signal)

HERE = pathlib.Path(__file__).resolve().parent
EXPERIMENTS = ("instruments", "adamw", "trace")
MOST_KILLS_OF_A_RUN = 6

# What to wait for before a kill, and how often; "": for a moment that is drawn.
MOMENTS = {"": 5, "checkpoint-*.new": 8, "checkpoint-*": 3, "final_parameters.*": 2,
           "summary.json*": 1, "*.yaml.new": 1, ".localbatch-doctor-*": 1, "rounds.csv": 1}
VICTIMS = {"all": 2, "rank": 2, "launcher": 1}


def draw(generator, weights):
    return generator.choices(list(weights), list(weights.values()))[0]


def names_in(folder):
    try:
        return os.listdir(folder)
    except OSError:
        return []


class Killer:
    """Runs of all experiments, and how many kills there were of which kind."""

    def __init__(self, fixture, seed, verbose):
        self.fixture, self.verbose = fixture, verbose
        self.random = random.Random(seed)
        self.counts = collections.Counter()
        self.references, self.seconds = {}, {}
        self.ranks = {}  # of the job under way: rank -> process

    def prepare(self, name):
        experiment = self.fixture.folder / f"{name}.yaml"
        shutil.copy(HERE / experiment.name, experiment)
        began = time.monotonic()
        self.references[name] = self.fixture.reference(experiment)
        self.seconds[name] = time.monotonic() - began
        rows = (self.references[name] / "rounds.csv").read_text().splitlines()[1:]
        sizes = [int(row.split(",")[4]) for row in rows]
        require(len(sizes) > 5 and len(set(sizes)) > 2, f"{name}: too little happens", sizes)

    def start(self, name, output, ranks):
        """A run that goes on, or begins; another process may hold the folder for a moment."""
        every = self.random.choice(("1", "2"))
        return self.fixture.start(self.fixture.folder / f"{name}.yaml", output, "--checkpoint-rounds",
                               every, "--resume", ranks=ranks)

    def wait_for_moment(self, job, output, moment, seconds):
        """Whether the job is still alive when the moment comes."""
        before = set(names_in(run_folder(output) or output))
        end = time.monotonic() + self.random.uniform(0, 1.2 * seconds)
        self.ranks = {}
        begins_at = 0 if self.random.random() < 0.5 else self.random.randrange(6)
        seen = set()
        folder = None
        while job.process.poll() is None:
            if not self.ranks and run_folder(output):  # found now, as later there is no time
                self.ranks = {rank: process for process, rank in job.processes().items()
                              if rank is not None}
            if not moment and time.monotonic() > end:
                return True
            folder = folder or run_folder(output)
            names = set(names_in(folder)) if folder else set()
            seen |= {name for name in names - before if moment and fnmatch.fnmatch(name, moment)}
            before |= names
            before = {name for name in before if name in names}
            if len(seen) > begins_at:
                time.sleep(self.random.choice((0, 0, 0, 0.0005, 0.005)))
                return True
            time.sleep(0.0002 if moment else 0.005)
        return False

    def kill(self, job, victim):
        """Kills, and waits until the whole job has ended."""
        ranks = list(self.ranks)
        if victim == "launcher":
            send_signal(job.process.pid, signal.SIGKILL)
        elif victim == "rank" and ranks:  # rank 0 writes
            send_signal(self.ranks[self.random.choice([min(ranks), *ranks])], signal.SIGKILL)
        else:
            for process in self.ranks.values():
                send_signal(process, signal.SIGKILL)
            job.kill_all()
        finished = job.wait(20)
        self.counts[f"killed: {victim}"] += 1
        return finished

    def resumed_round(self, finished, newest, name):
        """A run goes on from the newest checkpoint and not from the beginning."""
        if f"{name}: " not in finished.out:  # killed before it could say so
            return
        found = re.search(r"goes on after round (\d+)$", finished.out, re.MULTILINE)
        expected = int(newest.removeprefix("checkpoint-")) if newest else None
        require((int(found[1]) if found else None) == expected,
                f"expected to go on after round {expected}", finished)

    def interrupt(self, name, output, ranks):
        """Starts and kills once; whether the run was still on its way."""
        newest = (checkpoints(run_folder(output)) if run_folder(output) else [])[-1:]
        moment, victim = draw(self.random, MOMENTS), draw(self.random, VICTIMS)
        job = self.start(name, output, ranks)
        alive = self.wait_for_moment(job, output, moment, self.seconds[name])
        finished = self.kill(job, victim) if alive else job.wait()
        if "another process is writing there" in finished.errors:
            self.counts["folder held by another process"] += 1
            time.sleep(0.3)
            return True
        if not alive:
            require(finished.status == 0, "the run does not go on", finished)
            return False
        folder = run_folder(output)
        files = names_in(folder) if folder else []
        require("summary.json" in files or checkpoints(folder or output)[-1:] >= newest,
                f"{newest} is lost", files, finished)
        if newest and "had finished already" not in finished.out:
            self.resumed_round(finished, newest[0], name)
        self.counts["kills"] += 1
        half = [file for file in files if file.endswith(".new")]
        self.counts["a checkpoint was being written"] += any("checkpoint" in f for f in half)
        self.counts["another file was being written"] += any("checkpoint" not in f for f in half)
        self.counts["there was a checkpoint to go on from"] += bool(checkpoints(folder or output))
        if self.verbose:
            print(f"{output.name}: {ranks} ranks, {victim} at '{moment}': {half}", flush=True)
        return True

    def run(self, number, kills_left):
        """One run from its beginning to its end; how many kills it took."""
        name = EXPERIMENTS[number % len(EXPERIMENTS)]
        output = self.fixture.folder / f"{name}-{number}"
        before = self.counts["kills"]
        most = min(kills_left, self.random.randint(2, MOST_KILLS_OF_A_RUN))
        while self.counts["kills"] - before < most:
            if not self.interrupt(name, output, self.random.choice((0, 1, 2, 4))):
                break
        end = time.monotonic() + 10
        while True:
            finished = self.start(name, output, self.random.choice((0, 1, 2, 4))).wait()
            if finished.status == 0 or time.monotonic() > end:
                break
            require("another process is writing there" in finished.errors, finished)
            time.sleep(0.3)
        require(finished.status == 0, "the run does not go on", finished)
        require_same(run_folder(output), self.references[name])
        shutil.rmtree(output)
        self.counts["runs with the bytes of the reference"] += 1
        return self.counts["kills"] - before


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("program")
    parser.add_argument("--kills", type=int, default=12)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--verbose", action="store_true")
    arguments = parser.parse_args()
    try:
        with ProgramFixture(arguments.program, keep=True) as fixture:
            killer = Killer(fixture, arguments.seed, arguments.verbose)
            for name in EXPERIMENTS:
                killer.prepare(name)
            number = 0
            while killer.counts["kills"] < arguments.kills:
                killer.run(number, arguments.kills - killer.counts["kills"])
                number += 1
    except Failure as failure:
        print(f"kill_test (--seed {arguments.seed}): {failure}", file=sys.stderr)
        return 1
    for what, count in killer.counts.items():
        print(f"{count:6} {what}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
