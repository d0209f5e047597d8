#!/usr/bin/env python3
"""Every call by which a run changes its folder fails once: on a full disk, or a broken one.

  failing_calls_test.py PROGRAM LIBRARY [--verbose]

LIBRARY is built from failing_calls.cpp. For each kind of call the first one fails, then the second,
until a run no longer comes that far. A run that fails says so in one line with call, path and reason,
and goes on as soon as the disk does.
"""

import argparse
import concurrent.futures
import errno
import itertools
import os
import shutil
import sys

from program_fixture import QUICK, ProgramFixture, Failure, checkpoints, require, require_same, run_folder

ROUNDS = ("--checkpoint-rounds", "2")

# call, its errors in turn, whether all later calls fail too
KINDS = (("open", (errno.ENOSPC, errno.EMFILE), False),
         ("write", (errno.EIO, errno.EDQUOT), False),
         ("short_write", (errno.ENOSPC,), False),
         ("fsync", (errno.EIO,), False),
         ("rename", (errno.EIO,), False),
         ("ftruncate", (errno.EIO,), False),
         ("remove", (errno.EIO,), False),
         ("remove", (errno.EIO,), True))

# All of them in runs that begin or go on; what the other scenarios add to that:
DIVERGING, REPLACING, LOCKED = ("open", "rename"), ("remove",), ("open", "remove")

# The probe of a folder that is about to be used, and leftovers that do no harm: no news that they
# could not be removed.
MAY_BE_IGNORED = ("remove",)


class Scenario:
    """Runs that find an empty folder, or one that another run has left."""

    def __init__(self, fixture, library, name, experiment, folder_before=None, status=0, options=(),
                 calls=()):
        self.kinds = [kind for kind in KINDS if not calls or kind[0] in calls]
        self.fixture, self.library, self.name, self.options = fixture, library, name, options
        self.experiment, self.folder_before, self.status = experiment, folder_before, status
        output = fixture.folder / f"{name}-reference"
        finished = fixture.run(experiment, output)
        require(finished.status == status, "the reference does not run", finished)
        self.reference = run_folder(output)

    def start_with(self, call, number, error, lasts, output):
        if self.folder_before:
            shutil.copytree(self.folder_before, output)
        report = self.fixture.folder / f"{output.name}.report"
        environment = {"LD_PRELOAD": str(self.library), "FAILING_FOLDER": str(output),
                       "FAILING_CALL": call, "FAILING_NUMBER": str(number),
                       "FAILING_ERROR": str(error), "FAILING_REPORT": str(report)}
        if lasts:
            environment["FAILING_LASTS"] = "1"
        finished = self.fixture.run(self.experiment, output, *ROUNDS, *self.options,
                                 environment=environment)
        return finished, report.exists()

    def fail(self, call, number, error, lasts):
        """One failing call; whether the run came so far."""
        output = self.fixture.folder / f"{self.name}-{call}{'s' if lasts else ''}-{number}"
        to_keep = self.folder_before and "--force" not in self.options
        before = (checkpoints(run_folder(self.folder_before)) if to_keep else [])[-1:]
        finished, was_hit = self.start_with(call, number, error, lasts, output)
        what = f"{self.name}: {call} {number} fails with {errno.errorcode[error]}"
        if not was_hit:
            require(finished.status == self.status and not finished.lines(), what, finished)
        elif finished.status != self.status or call not in MAY_BE_IGNORED:
            self.require_one_line(call, error, output, finished, what)
        folder = run_folder(output)
        files = os.listdir(folder) if folder else []
        newest = (checkpoints(folder) if folder else [])[-1:]
        require("summary.json" in files or newest >= before, what, "a checkpoint is lost", files)
        if was_hit:
            again = self.fixture.run(self.experiment, output, *ROUNDS, "--resume")
            expected = 0 if "summary.json" in files else self.status
            require(again.status == expected, what, "the run does not go on", again)
            if newest and "summary.json" not in files:
                number = int(newest[0].removeprefix("checkpoint-"))
                require(f"goes on after round {number}\n" in again.out, what, again)
        require_same(run_folder(output), self.reference)
        shutil.rmtree(output)
        return was_hit

    def require_one_line(self, call, error, output, finished, what):
        require(finished.status in (1, 2), what, "status 1 or 2 expected", finished)
        require(len(finished.errors.splitlines()) == len(finished.lines()) == 1, what,
                "one line expected", finished)
        line = finished.lines()[0]
        require(str(output) in line and os.strerror(error) in line, what,
                "path and reason expected", line)
        name = call.removeprefix("short_")
        require(finished.status == 2 or name in line, what, f"'{name}' expected", line)


def interrupted(fixture, experiment, library):
    """Files of a run that has failed between its first and its second checkpoint."""
    for number in itertools.count(20):
        output = fixture.folder / f"before-{number}"
        fixture.run(experiment, output, *ROUNDS, environment={
            "LD_PRELOAD": str(library), "FAILING_FOLDER": str(output), "FAILING_CALL": "write",
            "FAILING_NUMBER": str(number), "FAILING_ERROR": str(errno.EIO)})
        if checkpoints(run_folder(output)):
            rows = (run_folder(output) / "rounds.csv").read_text().count("\n") - 1
            require(rows < 4, "that was too late", rows)
            return output
        shutil.rmtree(output)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("program")
    parser.add_argument("library")
    parser.add_argument("--verbose", action="store_true")
    arguments = parser.parse_args()
    library = os.path.realpath(arguments.library)
    total = 0
    try:
        with ProgramFixture(arguments.program, in_memory=True) as fixture:
            quick = fixture.write("quick.yaml", QUICK.replace("640", "300"))
            diverging = fixture.write("diverging.yaml", QUICK.replace("640", "100000").replace(
                "peak: 0.05", "peak: 1000").replace("quick", "diverging"))
            before = interrupted(fixture, quick, library)
            locked = fixture.folder / "locked"  # killed before it could write anything
            (locked / run_folder(before).relative_to(before)).mkdir(parents=True)
            (run_folder(locked) / "lock").touch()
            scenarios = [Scenario(fixture, library, "begin", quick),
                         Scenario(fixture, library, "go-on", quick, before),
                         Scenario(fixture, library, "diverge", diverging, status=3, calls=DIVERGING),
                         Scenario(fixture, library, "locked", quick, locked, calls=LOCKED),
                         Scenario(fixture, library, "replace", quick, before, options=["--force"],
                                  calls=REPLACING)]
            with concurrent.futures.ThreadPoolExecutor(2) as pool:
                for scenario, (call, errors, lasts) in (
                        (scenario, kind) for scenario in scenarios for kind in scenario.kinds):
                    count = 0
                    while True:  # two at a time
                        attempts = [pool.submit(scenario.fail, call, count + i,
                                                errors[(count + i) % len(errors)], lasts)
                                    for i in (1, 2)]
                        hits = [attempt.result() for attempt in attempts]
                        count += sum(hits)
                        if not all(hits):
                            break
                    total += count
                    if arguments.verbose:
                        print(f"{scenario.name}: {call}{' from then on' if lasts else ''}: {count}",
                              flush=True)
                    require(count > 0 or call in ("ftruncate", "remove"), f"no {call} was counted")
    except Failure as failure:
        print(f"failing_calls_test: {failure}", file=sys.stderr)
        return 1
    print(f"{total} calls have failed, and every run went on")
    return 0


if __name__ == "__main__":
    sys.exit(main())
