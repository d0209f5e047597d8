#!/usr/bin/env python3
"""One rank of three stops at each of its calls of MPI in turn: the job ends, names it, and goes on later.

  stopped_ranks.py PROGRAM LIBRARY [--first 1] [--stride 1] [--seed 1] [--only NUMBER]

LIBRARY is built from stopping_calls.cpp. Attempt n is the n-th call of one rank, which the seed draws, until no rank
has an n-th call. --first leaves out the calls before it, --stride takes every so many-th from there on.
"""

import math
import re
import signal
import sys
import time

from campaign import Campaign, launcher_crashed, parser_of  # first: it says where the fixture is
from program_fixture import QUICK, Failure, ProgramFixture, require, require_same, run_folder, send_signal

RANKS = 3
SHORTEST_LIMIT = 2  # seconds; on a busy machine a start takes longer
SOON, BEYOND = 3, 18  # seconds more for a job to end
MESSAGES = ("MPI_Isend", "MPI_Irecv")
FEW_ROUNDS = QUICK.replace("quick", "stopped").replace("workers: 2", "workers: 3").replace("640", "250")


class StoppedRanks:
    def __init__(self, campaign, fixture, library):
        self.campaign, self.fixture, self.library = campaign, fixture, library
        self.experiment = fixture.write("stopped.yaml", FEW_ROUNDS)
        self.reference = fixture.reference(self.experiment)
        self.limit, self.longest = 0, 0  # at first for ever, as it is not known how long a job takes
        self.calls = [self.calls_of(rank) for rank in range(RANKS)]
        self.ask_to_stop_while_mpi_starts()
        self.limit = max(SHORTEST_LIMIT, math.ceil(1.5 * self.longest))
        campaign.count("seconds of --stall-limit", self.limit)

    def start(self, rank, number, output):
        report = self.fixture.folder / f"{output.name}.report"
        job = self.fixture.start(
            self.experiment, output, "--checkpoint-rounds", "1", "--stall-limit", self.limit, ranks=RANKS,
            environment={"LD_PRELOAD": str(self.library), "STOPPING_RANK": str(rank),
                         "STOPPING_NUMBER": str(number), "STOPPING_REPORT": str(report)})
        return job, report

    def calls_of(self, rank):
        job, report = self.start(rank, 0, self.fixture.folder / f"counted{rank}")
        finished = job.wait()
        finished.require(0)
        self.longest = max(self.longest, finished.seconds)
        return int(report.read_text())

    @staticmethod
    def wait_for_report(job, report):
        end = time.monotonic() + 60
        while not report.exists() and job.process.poll() is None and time.monotonic() < end:
            time.sleep(0.01)

    def ask_to_stop_while_mpi_starts(self):
        """mpirun may wait for ever for a rank that leaves while it is being connected: it leaves behind that."""
        for sent in (signal.SIGUSR1, signal.SIGTERM):
            job, report = self.start(1, 1, self.fixture.folder / "starting")
            self.wait_for_report(job, report)
            rank = job.process_of(1)
            send_signal(rank, sent)
            send_signal(rank, signal.SIGCONT)
            finished = job.wait(60)
            require(finished.status == 75 or launcher_crashed(finished), sent.name, finished)
            require(report.read_text() == "MPI has started", f"{sent.name}: the rank has left before", finished)
            report.unlink()

    def stop(self, rank, number):
        output = self.fixture.folder / f"rank{rank}-call{number}"
        job, report = self.start(rank, number, output)
        self.wait_for_report(job, report)
        stopped_at = time.monotonic()
        call = report.read_text() if report.exists() else "no call"
        what = f"rank {rank} stopped at its call {number}, {call}"
        try:
            finished = job.wait(self.limit + BEYOND)
        except Failure as failure:
            self.campaign.count(f"no end: {call}")
            raise Failure(f"{what}\n{failure}") from None
        if call == "no call":
            finished.require(0)
            return
        self.campaign.count(f"stopped at {call}")
        seconds = time.monotonic() - stopped_at
        self.campaign.count(f"ended {SOON if seconds < self.limit + SOON else BEYOND} s after the limit, or before")
        crashed = launcher_crashed(finished)
        self.campaign.count("mpirun crashed", crashed)
        require(finished.status == 1 or crashed, what, "status 1 expected", finished)
        names_it = rf"no message from rank (\d, )*{rank}\b"
        if call not in MESSAGES:  # who has not come to a call for all cannot be found out
            names_it += "|not all ranks have come"
        named = [line for line in finished.lines() if re.search(names_it, line)]
        require(named, what, "it is not named", finished)
        # Who waits for one that waits may be named as well.
        self.campaign.count("named alone" if len(named) == len(finished.lines()) else "named beside others")
        again = self.fixture.run(self.experiment, output, "--resume", ranks=self.campaign.random(number).choice((0, 2)))
        require(again.status == 0, what, "the run does not go on", again)
        require_same(run_folder(output), self.reference)


def main():
    parser = parser_of(__doc__)
    parser.add_argument("library")
    parser.add_argument("--first", type=int, default=1)
    parser.add_argument("--stride", type=int, default=1)
    options = parser.parse_args()
    campaign = Campaign("stopped ranks", options)
    with ProgramFixture(options.program, in_memory=True) as fixture:
        ranks = StoppedRanks(campaign, fixture, options.library)
        calls = ranks.calls
        for rank, number in enumerate(calls):
            campaign.count(f"calls of rank {rank}", number)

        def attempt(number):
            ranks.stop(campaign.random(number).choice([r for r in range(RANKS) if calls[r] >= number]), number)

        campaign.go(attempt, range(options.first, max(calls) + 1, options.stride))
    return campaign.end()


if __name__ == "__main__":
    sys.exit(main())
