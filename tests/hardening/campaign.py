"""What the campaigns share: numbered attempts, several at a time; findings, figures, exit status."""

import argparse
import collections
import concurrent.futures
import pathlib
import random
import re
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "kill"))

from program_fixture import Failure  # noqa: E402  pylint: disable=wrong-import-position

# Of the first findings many characters are printed, of the others what was tried.
LONGEST_FINDING, FINDINGS_IN_FULL = 3000, 30


def parser_of(document):
    """The options that all campaigns have; document: that of the script."""
    parser = argparse.ArgumentParser(description=document.splitlines()[0])
    parser.add_argument("program", type=pathlib.Path)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--at-a-time", type=int, default=2, help="attempts at a time")
    parser.add_argument("--only", type=int, help="this attempt alone, by its number")
    parser.add_argument("--seconds", type=float, help="no new attempt begins later than this")
    parser.add_argument("--known", metavar="REGEX", help="findings with this text are counted, but are none")
    return parser


def launcher_crashed(finished):
    """Open MPI's mpirun 4.1 now and then crashes as it ends a job that a rank has aborted: its status says nothing."""
    return "*** Process received signal ***" in finished.errors and "PMIx_server_finalize" in finished.errors


class Campaign:
    """Counts what was tried, and keeps what was found."""

    def __init__(self, name, options):
        self.name, self.options = name, options
        self.counts, self.findings = collections.Counter(), []
        self.lock, self.began = threading.Lock(), time.monotonic()

    def random(self, number):
        """What an attempt draws follows from the seed and its number alone."""
        return random.Random(f"{self.options.seed} {number}")

    def count(self, what, times=1):
        with self.lock:
            self.counts[what] += times

    def tried(self, what):
        with self.lock:
            return self.counts[what]

    def find(self, number, failure):
        text = "\n".join(str(part) for part in failure.args)[:LONGEST_FINDING]
        if self.options.known and re.search(self.options.known, text):
            self.count("known findings")
            return
        with self.lock:
            self.findings.append(number)
            if len(self.findings) > FINDINGS_IN_FULL:
                text = "; ".join(text.splitlines()[:2])
            print(f"FOUND in attempt {number}: {text}", flush=True)

    def attempt(self, number, function):
        try:
            function(number)
            self.count("attempts")
        except Failure as failure:
            self.count("attempts")
            self.find(number, failure)

    def go(self, function, numbers):
        """function(number), which raises Failure for a finding; several at a time."""
        if self.options.only is not None:
            self.attempt(self.options.only, function)
            return
        with concurrent.futures.ThreadPoolExecutor(self.options.at_a_time) as pool:
            under_way = set()
            for number in numbers:
                if self.options.seconds and time.monotonic() - self.began > self.options.seconds:
                    break
                under_way.add(pool.submit(self.attempt, number, function))
                if len(under_way) >= self.options.at_a_time:
                    done, under_way = concurrent.futures.wait(
                        under_way, return_when=concurrent.futures.FIRST_COMPLETED)
                    for attempt in done:
                        attempt.result()
            for attempt in under_way:
                attempt.result()

    def end(self):
        """Prints the figures; the exit status."""
        print(f"{self.name} (--seed {self.options.seed}), {time.monotonic() - self.began:.0f} s:")
        for what, count in sorted(self.counts.items()):
            print(f"{count:7} {what}")
        print(f"{len(self.findings):7} findings" +
              (f": --only {sorted(self.findings)}" if self.findings else ""), flush=True)
        return 1 if self.findings else 0
