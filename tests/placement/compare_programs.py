#!/usr/bin/env python3
"""Two programs compute the same bytes, on any number of ranks and whatever kills the second one.

  compare_programs.py OLD NEW [--files FILE...] [--samples N] [--jobs J] [--reference FOLDER]
  compare_programs.py OLD --reference FOLDER [--files FILE...] [--samples N] [--jobs J]

OLD runs every experiment file on one rank: the reference. NEW runs it on one rank, on three, and
once on two that get SIGKILL in the middle, after a checkpoint, and goes on with another number of
ranks. The curves and the final parameters that OLD has left must be there, with the same bytes, and
no others. A reference that is kept is found again by OLD's bytes and those of the file; the second
command makes it in advance.
"""

import argparse
import concurrent.futures
import hashlib
import os
import pathlib
import re
import shutil
import signal
import sys
import tempfile
import time

from results import TREE, Results, require_same
from program_fixture import Failure, Job, checkpoints, require  # of tests/kill, where results.py looks too

FILES = ("experiments/demo.yaml", "experiments/methods/*.yaml", "experiments/theory/*.yaml",
         "tests/kill/*.yaml", "tests/placement/*.yaml")
MOST_SECONDS = 3600  # of one run
ATTEMPTS = 5  # to kill a run before it has finished


class Skipped(Exception):
    """Why nothing can be said about a file."""


def cut(text, samples):
    """With a shorter budget, and everything counted in samples in proportion, data and evaluations
    too, so that stages and epochs stay. A problem without a network takes a second: no need."""
    budget = re.search(r"^max_samples: *(\d+)", text, re.MULTILINE)
    if "\nmodel:" not in text or not samples or not budget or int(budget[1]) <= samples:
        return text

    def in_proportion(number):
        whole = int(number[0])
        return str(max(min(whole, 1), round(whole * samples / int(budget[1]))))

    return re.sub(r"\b\w+_samples: *\d+|\bmilestones: *\[[^]]*\]",
                  lambda found: re.sub(r"\d+", in_proportion, found[0]), text)


def data_folders(text):
    """As they stand in a file, from the top of a tree on."""
    return re.findall(r"\broot: *([^\s,}]+)", text)


def kill_in_the_middle(job, output, half_of_curve):
    """Whether a run that has written a checkpoint and half of its rounds was killed."""
    folder = None
    while job.process.poll() is None:
        folder = folder or next((path for path in output.glob("*/*") if path.is_dir()), None)
        curve = folder / "rounds.csv" if folder else None
        is_half = curve and curve.exists() and curve.stat().st_size >= half_of_curve
        if is_half and checkpoints(folder):
            os.killpg(job.process.pid, signal.SIGKILL)
            job.kill_all()  # ranks, of which mpirun makes groups of their own
            return job.wait().status < 0 and not (folder / "summary.json").exists()
        time.sleep(0.001)
    return False


class Comparison:
    """What a call is about, and its jobs under way."""

    def __init__(self, options, scratch):
        self.old, self.new = options.old.resolve(), options.new and options.new.resolve()
        self.old_tree, self.new_tree = options.old_tree.resolve(), options.new_tree.resolve()
        self.samples, self.scratch = options.samples, scratch
        self.references = options.reference or scratch / "reference"
        self.passed, self.failed, self.jobs, self.stopped = 0, 0, [], False

    def start(self, program, file, output, ranks, *options):
        require(not self.stopped, "interrupted")
        job = Job(program, [file, "--output", output, *options], f"{output}-{ranks}-ranks",
                  ranks if ranks > 1 else 0)
        self.jobs.append(job)
        return job

    def stop(self):
        self.stopped = True
        for job in self.jobs:
            if job.process.poll() is None:
                job.kill_all()

    def finish(self, job, output):
        finished = job.wait(MOST_SECONDS)
        require(finished.status in (0, 3), finished)  # 3: diverged, which the other must do too
        return finished, Results.of_run(finished.status, output)

    def prepared(self, name, trees, folder):
        """A copy of the file in the first tree that has it, which can be read from anywhere."""
        files = [tree / name for tree in trees if (tree / name).exists()]
        if not files:
            raise Skipped(f"not in {trees[0]}")
        text = cut(files[0].read_text(), self.samples)
        for root in data_folders(text):
            found = [tree / root for tree in (*trees, self.old_tree) if (tree / root).exists()]
            if not found:
                raise Skipped(f"{root} is not there")
            text = text.replace(root, str(found[0].resolve()))
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "experiment.yaml").write_text(text)
        return folder / "experiment.yaml"

    def reference(self, name, folder):
        """Of the old program, from its earlier run if there was one."""
        file = self.prepared(name, (self.old_tree, self.new_tree), folder)
        key = hashlib.sha256(self.old.read_bytes() + file.read_bytes()).hexdigest()[:12]
        kept = self.references / f"{pathlib.Path(name).stem}-{key}"
        if kept.exists():
            return Results.kept_in(kept)
        job = self.start(self.old, file, folder / "old", 1)
        try:
            _, results = self.finish(job, folder / "old")
        except Failure:
            for data in data_folders(file.read_text()):
                if job.process.returncode == 2 and data in job.finished().errors:
                    raise Skipped(job.finished().lines()[0]) from None
            raise
        results.keep(kept)
        return results

    def undisturbed(self, file, output, _, ranks):
        return self.finish(self.start(self.new, file, output, ranks), output)[1]

    def killed(self, file, output, reference, ranks, ranks_then):
        """Half of a run, of which a checkpoint holds a third, and the rest of it."""
        curve = reference.cells[0]["rounds.csv"]
        every = (curve.count(b"\n") - 1) // 3
        require(every > 0, "fewer than three rounds: nothing to kill")
        options = ("--checkpoint-seconds", 0, "--checkpoint-rounds", every)
        for _ in range(ATTEMPTS):
            job = self.start(self.new, file, output, ranks, *options)
            if kill_in_the_middle(job, output, len(curve) // 2):
                break
            require(job.wait().status in (0, 3, -signal.SIGKILL), job.finished())
            shutil.rmtree(output, ignore_errors=True)
        else:
            raise Failure("never killed in the middle", job.finished())
        job = self.start(self.new, file, output, ranks_then, *options)
        finished, results = self.finish(job, output)
        require(re.search(r"goes on after round \d+$", finished.out, re.MULTILINE),
                "begins anew after the kill", finished)
        return results

    def modes(self, workers):
        """Name, function that runs the new program so, and its numbers of ranks."""
        three, two = min(3, workers), min(2, workers)
        then = three if three > two else 1
        yield "1 rank", self.undisturbed, (1,)
        if three > 1:
            yield f"{three} ranks", self.undisturbed, (three,)
        yield f"{two} killed, {then} then", self.killed, (two, then)

    def compare(self, name):
        """All modes of one file."""
        folder = self.scratch / re.sub(r"\W+", "-", str(name))
        shutil.rmtree(folder, ignore_errors=True)  # of an earlier call with --keep
        try:
            reference = self.reference(name, folder / "of-old")
            file = self.prepared(name, (self.new_tree,), folder)
        except Skipped as why:
            return self.say("skipped", name, why)
        except Failure as failure:
            return self.say("FAILED", name, f"the old program: {failure}")
        if not self.new:
            return self.say("ok", name, "reference")
        workers = re.search(r"^workers: *(\d+)", file.read_text(), re.MULTILINE)
        for number, (mode, run, ranks) in enumerate(self.modes(int(workers[1]) if workers else 1)):
            began = time.monotonic()
            try:
                require_same(reference, run(file, folder / str(number), reference, *ranks))
                self.say("ok", name, f"{mode}, {time.monotonic() - began:.1f} s")
            except Failure as failure:
                self.say("FAILED", name, f"{mode}: {failure}")

    def say(self, verdict, name, text):
        self.passed += verdict == "ok"
        self.failed += verdict == "FAILED"
        print(f"{verdict:7}  {str(name):42} {text}", flush=True)


def names_of(patterns, trees):
    """Of files below any of the trees; an absolute one is read by both programs."""
    names = set()
    for pattern in patterns:
        found = {pathlib.Path(pattern)} if os.path.isabs(pattern) else {
            path.relative_to(tree) for tree in trees for path in tree.glob(pattern)}
        require(found, f"{pattern}: no such file")
        names |= found
    return sorted(names)


def read_options():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("old", type=pathlib.Path)
    parser.add_argument("new", type=pathlib.Path, nargs="?")
    parser.add_argument("--files", nargs="+", default=FILES, help="or patterns, below the trees")
    parser.add_argument("--samples", type=int, help="cut longer budgets of networks to so many")
    parser.add_argument("--jobs", type=int, default=1, help="files at a time")
    parser.add_argument("--reference", type=pathlib.Path, help="keep what OLD computes here")
    parser.add_argument("--keep", type=pathlib.Path, help="keep what NEW writes")
    for name in ("--old-tree", "--new-tree"):
        parser.add_argument(name, type=pathlib.Path, default=TREE, help="where its files are")
    options = parser.parse_args()
    if not options.new and not options.reference:
        parser.error("NEW is missing, or --reference")
    for program in (options.old, options.new):
        if program and not program.is_file():
            parser.error(f"{program}: no such program")
    return options


def main():
    options = read_options()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with tempfile.TemporaryDirectory(prefix="localbatch-compare-") as scratch:
        comparison = Comparison(options, (options.keep or pathlib.Path(scratch)).resolve())
        pool = concurrent.futures.ThreadPoolExecutor(options.jobs)
        try:
            names = names_of(options.files, (comparison.old_tree, comparison.new_tree))
            list(pool.map(comparison.compare, names))
        except Failure as failure:
            comparison.say("FAILED", "--files", failure)
        finally:
            comparison.stop()
            pool.shutdown(cancel_futures=True)
    print(f"{comparison.passed} passed, {comparison.failed} failed")
    return 0 if comparison.passed and not comparison.failed else 1


if __name__ == "__main__":
    sys.exit(main())
