#!/usr/bin/env python3
"""Runs and sweeps that are killed, stopped or asked to stop again and again end with the bytes of undisturbed ones.

  kills.py PROGRAM [--kills 500] [--seed 1] [--only NUMBER]

An attempt is one run, or one sweep with several cells at a time, that writes checkpoints every round or two, on 1, 2 or
4 ranks. A rank, mpirun or the whole job gets SIGKILL, SIGTERM, SIGINT, or SIGSTOP and then SIGKILL, at a random moment,
before the first round, or just when a file appears that is being written; then it is resumed on another number of
ranks. After a few kills it may finish, and its files are compared with those of the reference.
"""

import fnmatch
import itertools
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import time

from campaign import Campaign, launcher_crashed, parser_of  # first: it says where the fixture is
from program_fixture import (QUICK, ProgramFixture, checkpoints, require, require_same, run_folder, send_signal)

KILL = pathlib.Path(__file__).resolve().parents[1] / "kill"
EXPERIMENTS = {"trace": 3, "adamw": 2, "instruments": 1, "sweep": 2}
MOST_KILLS_OF_A_RUN = 6
PATIENCE = 120  # seconds for a job to end, also on a busy machine; a test has 300
SWEEP = QUICK.replace("quick", "sweep").replace("640", "24000") + """
sweep:
  sync_interval.H: [4, 8]
  schedule:
    fixed: {batch_size_controller: {name: fixed}}
    test: {batch_size_controller: {name: norm_test, eta: 0.8}}
  seed: [3, 4]
"""

# What to wait for before a kill, and how often; "": for a moment that is drawn.
STARTING = "before the first round"
MOMENTS = {"": 5, STARTING: 3, "checkpoint-*.new": 8, "checkpoint-*": 3, "final_parameters.*": 2, "summary.json*": 1,
           "*.yaml.new": 1, ".localbatch-doctor-*": 1, "rounds.csv": 1}
VICTIMS = {"all": 2, "rank": 3, "launcher": 2}
STOP_AND_KILL = "SIGSTOP, SIGKILL"
SIGNALS = {"SIGKILL": 6, "SIGTERM": 3, "SIGINT": 2, "SIGUSR1": 1, STOP_AND_KILL: 2}

# How a job may end that was asked to stop: behind a checkpoint, or finished meanwhile; by the signal itself before the
# program listens; and what mpirun makes of a signal to itself or to a rank that does not listen yet.
ENDS_WHEN_ASKED = (0, 75)
BEFORE_IT_LISTENS = {"SIGTERM": (-15, 143), "SIGINT": (-2, 130), "SIGUSR1": (-10, 138)}
OF_THE_LAUNCHER = (1, 130, 143, -15, -2, -10)


def draw(generator, weights):
    return generator.choices(list(weights), list(weights.values()))[0]


def names_in(folder):
    try:
        return os.listdir(folder)
    except OSError:
        return []


def cells_of(output):
    return {path.name: path for path in output.glob("sweep/*") if path.is_dir()}


def finished_in(output):
    """Cell -> when its results were written."""
    return {name: (path / "summary.json").stat().st_mtime_ns
            for name, path in cells_of(output).items() if (path / "summary.json").exists()}


class Kills:
    """Undisturbed runs of all experiments, and their seconds."""

    def __init__(self, campaign, fixture):
        self.campaign, self.fixture, self.references, self.seconds = campaign, fixture, {}, {}
        for name in EXPERIMENTS:
            experiment = fixture.write(f"{name}.yaml", SWEEP if name == "sweep" else
                                       (KILL / f"{name}.yaml").read_text())
            began = time.monotonic()
            output = fixture.folder / f"reference-{name}"
            fixture.run(experiment, output, seconds=PATIENCE).require(0)
            self.references[name], self.seconds[name] = output, time.monotonic() - began
            if name != "sweep":
                rows = (run_folder(output) / "rounds.csv").read_text().splitlines()[1:]
                sizes = [int(row.split(",")[4]) for row in rows]
                require(len(sizes) > 5 and len(set(sizes)) > 2, f"{name}: too little happens", sizes)

    def attempt(self, number):
        random = self.campaign.random(number)
        name = draw(random, EXPERIMENTS)
        kind = KilledSweep if name == "sweep" else KilledRun
        kind(self, name, number, random).to_the_end()
        self.campaign.count(f"{'sweeps' if name == 'sweep' else 'runs'} with the bytes of the reference")


class KilledJob:
    """One run or sweep from its beginning to its end."""

    def __init__(self, kills, name, number, random):
        self.kills, self.name, self.random = kills, name, random
        self.fixture, self.count = kills.fixture, kills.campaign.count
        self.output = self.fixture.folder / f"{name}-{number}"
        self.experiment = self.fixture.folder / f"{name}.yaml"
        self.ranks = {}  # of the job under way: process -> rank

    def find_ranks(self, job):
        self.ranks = {process: rank for process, rank in job.processes().items() if rank is not None}

    def targets(self, job, victim):
        """Processes that get the signal, and what they are: before there are ranks it is the launcher that gets it.
        Without mpirun launcher and rank are one process."""
        ranks = list(self.ranks)
        if victim == "all":
            return sorted({*ranks, *job.processes()}), victim
        if victim == "rank" and ranks:  # rank 0 writes
            return [self.random.choice([min(ranks, key=self.ranks.get), *ranks])], victim
        return [job.process.pid], "launcher"

    def strike(self, job, sent, victim):
        """Sends a signal, and waits until the whole job has ended; who got it."""
        targets, victim = self.targets(job, victim)
        if sent == STOP_AND_KILL:
            for process in targets:
                send_signal(process, signal.SIGSTOP)
            time.sleep(self.random.uniform(0, 0.3))
            sent = "SIGKILL"
        for process in targets:
            send_signal(process, signal.Signals[sent])
        if victim == "all" and sent == "SIGKILL":
            job.kill_all()
        return job.wait(PATIENCE), victim

    def require_documented(self, finished, sent, victim, ranks):
        """How a job may end that was asked to stop, and says so."""
        self.count("mpirun crashed", launcher_crashed(finished))
        if launcher_crashed(finished):
            return
        if sent in ("SIGKILL", STOP_AND_KILL):
            require(finished.status != 75 or victim == "rank", "killed, and 75", finished)
            return
        allowed = [*ENDS_WHEN_ASKED, *BEFORE_IT_LISTENS[sent]]
        if ranks and victim != "rank":
            allowed += OF_THE_LAUNCHER
        require(finished.status in allowed, f"{sent} to {victim} of {ranks} ranks: one of {allowed} expected", finished)
        if finished.status == 75:  # a sweep may have had nothing to stop
            # Before the first round a rank of mpirun leaves the word to it.
            told = re.search("stopped (after|before)", finished.out) or ranks or self.name == "sweep"
            require(told, f"{sent}: no word of it", finished)
            require(not finished.lines(), f"{sent} to {victim}", finished)

    def struck(self, finished, sent, victim, moment):
        self.count("kills")
        self.count(f"{sent} to {victim}")
        self.count(f"{STARTING}: kills", moment == STARTING)
        self.count(f"status {finished.status} after a signal")


class KilledRun(KilledJob):
    def start(self):
        """A run that goes on, or begins; on how many ranks."""
        ranks = self.random.choice((0, 1, 2, 4))
        every = self.random.choice(("1", "2"))
        return self.fixture.start(self.experiment, self.output, "--checkpoint-rounds", every, "--resume",
                                  ranks=ranks), ranks

    def wait_for_moment(self, job, moment):
        """Whether the job is still alive when the moment comes."""
        before = set(names_in(run_folder(self.output) or self.output))
        seconds = self.kills.seconds[self.name]
        end = time.monotonic() + self.random.uniform(0, 0.4 if moment == STARTING else 1.2 * seconds)
        begins_at = 0 if self.random.random() < 0.5 else self.random.randrange(6)
        seen, folder, self.ranks = set(), None, {}
        while job.process.poll() is None:
            folder = folder or run_folder(self.output)
            if not self.ranks and (folder or moment == STARTING):  # found now, as later there is no time
                self.find_ranks(job)
            if moment in ("", STARTING):
                if time.monotonic() > end:
                    return True
                time.sleep(0.005)
                continue
            names = set(names_in(folder)) if folder else set()
            seen |= {name for name in names - before if fnmatch.fnmatch(name, moment)}
            before = (before | names) & names
            if len(seen) > begins_at:
                time.sleep(self.random.choice((0, 0, 0, 0.0005, 0.005)))
                return True
            time.sleep(0.0002)
        return False

    def require_resumed(self, finished, newest):
        """A run goes on from the newest checkpoint and not from the beginning."""
        if f"{self.name}: " not in finished.out:  # killed before it could say so
            return
        found = re.search(r"goes on after round (\d+)$", finished.out, re.MULTILINE)
        expected = int(newest.removeprefix("checkpoint-")) if newest else None
        require((int(found[1]) if found else None) == expected,
                f"expected to go on after round {expected}", finished)

    def interrupt(self):
        """Starts and kills once; whether the run was still on its way."""
        newest = (checkpoints(run_folder(self.output)) if run_folder(self.output) else [])[-1:]
        moment, victim, sent = (draw(self.random, kind) for kind in (MOMENTS, VICTIMS, SIGNALS))
        job, ranks = self.start()
        alive = self.wait_for_moment(job, moment)
        finished, victim = self.strike(job, sent, victim) if alive else (job.wait(PATIENCE), victim)
        if "another process is writing there" in finished.errors:
            self.count("folder held by another process")
            time.sleep(0.3)
            return True
        if not alive:
            require(finished.status == 0, "the run does not go on", finished)
            return False
        self.require_documented(finished, sent, victim, ranks)
        folder = run_folder(self.output)
        files = names_in(folder) if folder else []
        require("summary.json" in files or checkpoints(folder or self.output)[-1:] >= newest,
                f"{newest} is lost", files, finished)
        # Before the first round there is nothing to save.
        saved = checkpoints(folder or self.output) or "stopped after" not in finished.out
        require(finished.status != 75 or saved, "75 without a checkpoint", files, finished)
        if newest and "had finished already" not in finished.out:
            self.require_resumed(finished, newest[0])
        self.struck(finished, sent, victim, moment)
        half = [file for file in files if file.endswith(".new")]
        self.count("a checkpoint was being written", any("checkpoint" in file for file in half))
        self.count("another file was being written", any("checkpoint" not in file for file in half))
        self.count("there was a checkpoint to go on from", bool(checkpoints(folder or self.output)))
        return True

    def to_the_end(self):
        for _ in range(self.random.randint(2, MOST_KILLS_OF_A_RUN)):
            if not self.interrupt():
                break
        end = time.monotonic() + 10
        while True:
            finished = self.start()[0].wait(PATIENCE)
            if finished.status == 0 or time.monotonic() > end:
                break
            require("another process is writing there" in finished.errors, finished)
            time.sleep(0.3)
        require(finished.status == 0, "the run does not go on", finished)
        require_same(run_folder(self.output), run_folder(self.kills.references[self.name]))
        shutil.rmtree(self.output)


class KilledSweep(KilledJob):
    """No cell that has finished is run again, and the table is that of the reference."""

    def start(self):
        several = len(os.sched_getaffinity(0)) > 1
        ranks, options = self.random.choice(((0, ()), (2, ()), *2 * [(0, ("--jobs", "2") if several else ())]))
        return self.fixture.start(self.experiment, self.output, "--checkpoint-rounds", "5", *options,
                                  ranks=ranks), ranks

    def interrupt(self, done):
        victim, sent = draw(self.random, VICTIMS), draw(self.random, SIGNALS)
        job, ranks = self.start()
        seconds = 0.4 * self.kills.seconds[self.name] + 0.2
        moment = STARTING if self.random.random() < 0.2 else ""
        time.sleep(self.random.uniform(0, 0.3 if moment else seconds))
        self.find_ranks(job)
        if job.process.poll() is None:
            finished, victim = self.strike(job, sent, victim)
            cell_was_hit = victim == "rank" and finished.status == 1  # the others go on
            if not cell_was_hit:
                self.require_documented(finished, sent, victim, ranks)
            self.struck(finished, sent, victim, moment)
        else:
            require(job.wait(PATIENCE).status in (0, 1), job.finished())
        now = finished_in(self.output)
        for name, written in done.items():
            require(now.get(name) == written, f"{name} had finished and was run again")
        return now

    def to_the_end(self):
        done = {}
        for _ in range(self.random.randint(2, MOST_KILLS_OF_A_RUN)):
            done = self.interrupt(done)
        time.sleep(0.3)  # for a lock that the system gives back late
        self.start()[0].wait(PATIENCE).require(0)
        whole = self.kills.references[self.name]
        theirs, ours = cells_of(whole), cells_of(self.output)
        require(sorted(ours) == sorted(theirs), "other cells", sorted(ours))
        for name, folder in ours.items():
            require_same(folder, theirs[name])
        tables = [self.table_of(where) for where in (self.output, whole)]
        require(tables[0] == tables[1], "other tables", *tables)
        require("missing" not in tables[0] and tables[0].count("\n") > 4, "a whole table", tables[0])
        shutil.rmtree(self.output)

    def table_of(self, output):
        """What a sweep's table says but for seconds; folders' names stand in it."""
        columns = "steps,rounds,average_local_batch_size,bytes,final_test_loss,best_test_loss,samples"
        return subprocess.run([self.fixture.program, "table", self.experiment, "--output", output, "--format", "csv",
                               "--columns", columns], capture_output=True, text=True, check=True).stdout


def main():
    parser = parser_of(__doc__)
    parser.add_argument("--kills", type=int, default=500)
    options = parser.parse_args()
    campaign = Campaign("kills", options)
    with ProgramFixture(options.program) as fixture:
        kills = Kills(campaign, fixture)

        def wanted(_):
            return campaign.tried("kills") < options.kills

        campaign.go(kills.attempt, itertools.takewhile(wanted, itertools.count(1)))
    return campaign.end()


if __name__ == "__main__":
    sys.exit(main())
