#!/usr/bin/env python3
"""Every call by which a command changes files fails once: on a full disk, or a broken one.

  failing_calls.py PROGRAM LIBRARY [--stride 1] [--seed 1] [--only NUMBER]

LIBRARY is built from failing_calls.cpp. For each kind of call the first one fails, then the second, until a command no
longer comes that far. One that fails says so in one line with call, path and reason, and does what it should as soon as
the disk does. --stride tries every so many-th of all these, from a place that the seed draws.
"""

import errno
import itertools
import os
import pathlib
import shutil
import subprocess
import sys

from campaign import Campaign, parser_of  # first: it says where the fixture is
from program_fixture import (QUICK, Finished, ProgramFixture, checkpoints, files_of, require, require_same,
                             run_folder)

ROUNDS = ("--checkpoint-rounds", "2")

# call, its errors in turn, whether all later calls fail too
KINDS = (("open", (errno.ENOSPC, errno.EMFILE), False),
         ("write", (errno.EIO, errno.EDQUOT), False),
         ("short_write", (errno.ENOSPC,), False),
         ("fsync", (errno.EIO,), False),
         ("rename", (errno.EIO,), False),
         ("ftruncate", (errno.EIO,), False),
         ("remove", (errno.EIO,), False),
         ("remove", (errno.EIO,), True),
         ("close", (errno.EIO, errno.EDQUOT), False),
         ("mkdir", (errno.ENOSPC, errno.EROFS), False))

# All of them in runs that begin or go on; what the other scenarios add to that:
DIVERGING, REPLACING, LOCKED = ("open", "rename"), ("remove",), ("open", "remove")
ON_RANKS, OF_SWEEPS, OF_COMMANDS = ("open", "write", "fsync", "rename"), ("open", "mkdir"), (
    "open", "write", "short_write", "fsync", "rename", "close", "mkdir")

# The probe of a folder that is about to be used, and leftovers that do no harm: no news that they could not be
# removed. What is closed without a word was synced before, is only read, or is the lock.
MAY_BE_IGNORED = ("remove", "close")


class Scenario:
    """A command that finds an empty folder, or one that another has left."""

    def __init__(self, fixture, library, name, calls=()):
        self.fixture, self.library, self.name = fixture, library, name
        self.kinds = [kind for kind in KINDS if not calls or kind[0] in calls]

    def environment(self, folder, **settings):
        """Variables for the library, and the file that it reports to."""
        report = pathlib.Path(f"{folder}.report")
        variables = {f"FAILING_{name.upper()}": str(value) for name, value in settings.items() if value}
        return {"LD_PRELOAD": self.library, "FAILING_FOLDER": str(folder), "FAILING_REPORT": str(report),
                **variables}, report

    def calls(self):
        """Kind of call -> how many there are when none fails, in the process that has most of them."""
        folder = self.fixture.folder / f"{self.name}-counted"
        environment, report = self.environment(folder)
        self.start(folder, environment)
        found = {}
        for line in report.read_text().splitlines():
            call, count = line.split()
            found[call] = max(int(count), found.get(call, 0))
        return found

    def fail(self, call, number, error, lasts):
        """One failing call; whether the command came so far."""
        folder = self.fixture.folder / f"{self.name}-{call}{'s' if lasts else ''}-{number}"
        environment, report = self.environment(folder, call=call, number=number, error=error, lasts=lasts)
        finished = self.start(folder, environment)
        path = report.read_text() if report.exists() else None
        what = f"{self.name}: {call} {number} fails with {errno.errorcode[error]}: {path}"
        if path is None:
            require(finished.status == self.status and not finished.lines(), what, finished)
        elif finished.status != self.status or call not in MAY_BE_IGNORED:
            self.require_one_line(call, error, folder, finished, what)
        self.look_at(folder, path is not None, what)
        shutil.rmtree(folder, ignore_errors=True)
        return path is not None

    def require_one_line(self, call, error, folder, finished, what):
        require(finished.status in (1, 2), what, "status 1 or 2 expected", finished)
        require(len(finished.lines()) == 1, what, "one line expected", finished)
        line = finished.lines()[0]
        require(str(folder) in line and os.strerror(error) in line, what, "path and reason expected", line)
        require(finished.status == 2 or call.removeprefix("short_") in line, what, f"'{call}' expected", line)


class Runs(Scenario):
    def __init__(self, fixture, library, name, experiment, folder_before=None, status=0, options=(), calls=(), ranks=0):
        super().__init__(fixture, library, name, calls)
        self.experiment, self.folder_before, self.status = experiment, folder_before, status
        self.options, self.ranks = options, ranks
        output = fixture.folder / f"{name}-reference"
        finished = fixture.run(experiment, output)
        require(finished.status == status, "the reference does not run", finished)
        self.reference = output

    def start(self, folder, environment):
        if self.folder_before:
            shutil.copytree(self.folder_before, folder)
        return self.fixture.run(self.experiment, folder, *ROUNDS, *self.options, environment=environment,
                                ranks=self.ranks)

    def require_one_line(self, call, error, folder, finished, what):
        super().require_one_line(call, error, folder, finished, what)
        require(self.ranks or len(finished.errors.splitlines()) == 1, what, "one line expected", finished)

    def look_at(self, folder, was_hit, what):
        """The newest checkpoint is still there, and the run goes on from it to the same bytes."""
        to_keep = self.folder_before and "--force" not in self.options
        before = (checkpoints(run_folder(self.folder_before)) if to_keep else [])[-1:]
        run = run_folder(folder)
        files = os.listdir(run) if run else []
        newest = (checkpoints(run) if run else [])[-1:]
        require("summary.json" in files or newest >= before, what, "a checkpoint is lost", files)
        if was_hit:
            again = self.fixture.run(self.experiment, folder, *ROUNDS, "--resume")
            expected = 0 if "summary.json" in files else self.status
            require(again.status == expected, what, "the run does not go on", again)
            if newest and "summary.json" not in files:
                number = int(newest[0].removeprefix("checkpoint-"))
                require(f"goes on after round {number}\n" in again.out, what, again)
        require_same(run_folder(folder), run_folder(self.reference))


class Sweeps(Runs):
    """One cell fails, with one line on standard error or in its failure.txt; the others are there."""

    def require_one_line(self, call, error, folder, finished, what):
        require(finished.status in (1, 2), what, "status 1 or 2 expected", finished)
        require(os.strerror(error) in finished.errors + finished.out, what, "the reason expected", finished)

    def look_at(self, folder, was_hit, what):
        if was_hit:
            self.fixture.run(self.experiment, folder).require(0)
        cells = sorted(path for path in folder.glob("*/*") if path.is_dir())
        references = sorted(path for path in self.reference.glob("*/*") if path.is_dir())
        require([cell.name for cell in cells] == [cell.name for cell in references], what, "other cells", cells)
        for cell, reference in zip(cells, references):
            require_same(cell, reference)


class Commands(Scenario):
    """What reads runs and writes tables, pictures, pages, forecasts."""

    status = 0

    def __init__(self, fixture, library, words, runs):
        super().__init__(fixture, library, words[0], OF_COMMANDS)
        self.words, self.runs = words, runs
        self.reference = fixture.folder / f"{self.name}-reference"
        self.start(self.reference, {}).require(0)

    def start(self, folder, environment):
        folder.parent.mkdir(exist_ok=True)
        if self.name != "table":  # it makes its folder
            folder.mkdir(exist_ok=True)
        words = [word.format(folder=folder, runs=self.runs) for word in self.words]
        done = subprocess.run([self.fixture.program, *words], capture_output=True, text=True, timeout=60, check=False,
                              cwd=self.fixture.folder, env={**os.environ, **environment})
        return Finished(done.returncode, done.stdout, done.stderr, 0)

    def look_at(self, folder, was_hit, what):
        """Nothing is half-written, and once more gives the same files."""
        if folder.exists():
            left = [name for name in os.listdir(folder) if name.endswith(".new")]
            require(not left, what, "left over", left)
        if was_hit:
            self.start(folder, {}).require(0)
        theirs, ours = files_of(self.reference), files_of(folder)
        require(theirs == ours, what, "other files", sorted(theirs), sorted(ours))


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


def scenarios_of(fixture, library):
    quick = fixture.write("quick.yaml", QUICK.replace("640", "300"))
    diverging = fixture.write("diverging.yaml", QUICK.replace("640", "100000").replace(
        "peak: 0.05", "peak: 1000").replace("quick", "diverging"))
    sweep = fixture.write("sweep.yaml", QUICK.replace("quick", "sweep").replace("640", "300") +
                          "sweep: {seed: [3, 4]}\n")
    before = interrupted(fixture, quick, library)
    locked = fixture.folder / "locked"  # killed before it could write anything
    (locked / run_folder(before).relative_to(before)).mkdir(parents=True)
    (run_folder(locked) / "lock").touch()
    yield Runs(fixture, library, "begin", quick)
    yield Runs(fixture, library, "go-on", quick, before)
    yield Runs(fixture, library, "diverge", diverging, status=3, calls=DIVERGING)
    yield Runs(fixture, library, "locked", quick, locked, calls=LOCKED)
    yield Runs(fixture, library, "replace", quick, before, options=["--force"], calls=REPLACING)
    yield Runs(fixture, library, "ranks", quick, before, calls=ON_RANKS, ranks=2)
    yield Sweeps(fixture, library, "sweep", sweep, calls=OF_SWEEPS)
    runs = fixture.folder / "begin-reference"
    for words in (["table", "{runs}/quick", "--write", "{folder}"],
                  ["report", "{runs}/quick", "--write", "{folder}/page.html"],
                  ["plot", "{runs}/quick", "--y", "loss", "--write", "{folder}"],
                  ["plan", "quick.yaml", "--samples-per-second", "1000", "--json", "{folder}/plan.json"]):
        if words[0] != "plot" or shutil.which("gnuplot"):
            yield Commands(fixture, library, words, runs)


def main():
    parser = parser_of(__doc__)
    parser.add_argument("library", type=os.path.realpath)
    parser.add_argument("--stride", type=int, default=1)
    options = parser.parse_args()
    campaign = Campaign("failing calls", options)
    with ProgramFixture(options.program, in_memory=True) as fixture:
        failures = []
        for scenario in scenarios_of(fixture, options.library):
            calls = scenario.calls()
            for call, errors, lasts in scenario.kinds:
                campaign.count(f"{scenario.name}: {call}{' from then on' if lasts else ''}", calls[call])
                failures += [(scenario, call, number, errors[number % len(errors)], lasts)
                             for number in range(1, calls[call] + 1)]

        def attempt(number):
            scenario, *failure = failures[number - 1]
            campaign.count("calls that failed", scenario.fail(*failure))

        first = campaign.random(0).randint(1, options.stride)
        campaign.go(attempt, range(first, len(failures) + 1, options.stride))
        require(options.only or campaign.tried("calls that failed") > 0.9 * campaign.tried("attempts"),
                "too few calls have failed")
    return campaign.end()


if __name__ == "__main__":
    sys.exit(main())
