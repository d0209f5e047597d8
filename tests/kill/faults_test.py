#!/usr/bin/env python3
"""Full, read-only and vanished folders, damaged checkpoints, other data: message and exit status.

  faults_test.py PROGRAM
"""

import concurrent.futures
import random
import re
import shutil
import signal
import struct
import subprocess
import sys

from program_fixture import (LONG, QUICK, checkpoints, files_of, require, require_same, run_folder, run_tests,
                  send_signal)

ROUNDS = ("--checkpoint-rounds", "3")
ONE_ROUND = ("--time-limit", "1")  # less than what is kept for a checkpoint
NO_MOUNT = "as only root can mount a file system"


class Mount:
    """A small file system of its own at fixture / "disk"; is_there: only root can make one."""

    def __init__(self, fixture):
        self.path = fixture.folder / "disk"
        self.path.mkdir()
        command = ["mount", "-t", "tmpfs", "-o", "size=80m", "localbatch-test", self.path]
        self.is_there = subprocess.run(command, capture_output=True, check=False).returncode == 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.is_there:
            subprocess.run(["umount", "--lazy", self.path], check=True)

    def remount(self, option):
        subprocess.run(["mount", "-o", f"remount,{option}", self.path], check=True)

    def fill(self):
        """As another program would that needs all the space, now and as it becomes free."""
        with open(self.path / "filler", "ab", buffering=0) as filler:
            for size in (1 << 20, 1 << 12):
                try:
                    while True:
                        filler.write(b"x" * size)
                except OSError:
                    continue


def full_disk(fixture):
    """the disk is full in the middle: status 1 with path and reason, and the run goes on later"""
    with Mount(fixture) as mount:
        if not mount.is_there:
            return NO_MOUNT
        experiment = fixture.write("long.yaml", LONG)
        reference = fixture.reference(experiment)
        for ranks in (0, 2):
            output = mount.path / f"out{ranks}"
            job, folder = fixture.start_in_the_middle(experiment, output, *ROUNDS, ranks=ranks)
            mount.fill()
            finished = job.wait(20)
            finished.require(1, folder)
            require("No space left on device" in finished.errors or
                    "no space for the next checkpoint" in finished.errors, finished)
            # Still full, but for what the unfinished checkpoint took: too little to go on.
            again = fixture.run(experiment, output, *ROUNDS)
            require(again.status in (1, 2) and str(folder) in again.errors, again)
            (mount.path / "filler").unlink()
            require(checkpoints(folder), "no checkpoint is left")
            finished = fixture.run(experiment, output, *ROUNDS)
            finished.require(0)
            require("goes on after round" in finished.out, finished)
            require_same(folder, reference)


def read_only_folder(fixture):
    """a read-only folder: status 2 before anything is written, at the beginning and to go on"""
    with Mount(fixture) as mount:
        if not mount.is_there:
            return NO_MOUNT
        experiment, output = fixture.write("quick.yaml", QUICK), mount.path / "out"
        reference = fixture.reference(experiment)
        mount.remount("ro")
        fixture.run(experiment, output).require(2, output, "Read-only file system")
        require(not list(mount.path.iterdir()), "something was written")
        mount.remount("rw")
        fixture.run(experiment, output, *ONE_ROUND).require(75)
        mount.remount("ro")
        before = files_of(run_folder(output))
        fixture.run(experiment, output).require(2, run_folder(output), "Read-only file system")
        require(files_of(run_folder(output)) == before, "something was written")
        mount.remount("rw")
        fixture.run(experiment, output).require(0)
        require_same(run_folder(output), reference)


def vanished_folder(fixture):
    """the folder is removed in the middle: status 1 that names it; a later run begins anew"""
    experiment = fixture.write("long.yaml", LONG)
    reference = fixture.reference(experiment)
    for ranks in (0, 2):
        output = fixture.folder / f"out{ranks}"
        job, folder = fixture.start_in_the_middle(experiment, output, *ROUNDS, ranks=ranks)
        output.rename(fixture.folder / f"gone{ranks}")
        job.wait(20).require(1, folder, "No such file or directory")
        require(not output.exists(), "it is there again")
        fixture.run(experiment, output, *ROUNDS).require(0)
        require_same(folder, reference)


def damages(path):
    """Name and bytes of one checkpoint with every kind of damage."""
    whole = path.read_bytes()
    generator = random.Random(1)
    places = {len(whole) * i // 200 for i in range(200)} | set(range(64)) | {len(whole) - 1}
    for place in sorted(places):
        changed = bytearray(whole)
        changed[place] ^= 1 << generator.randrange(8)
        yield f"byte {place}", bytes(changed)
    for size in sorted({0, 1, 23, 24, 39, 40, len(whole) - 17, len(whole) - 16, len(whole) - 1} |
                       {len(whole) * i // 10 for i in range(10)}):
        yield f"size {size}", whole[:size]
    yield "longer", whole + b"\0"


def damaged_checkpoint(fixture):
    """a checkpoint with any damage is named and refused; without it the run goes on as advised"""
    experiment, output = fixture.write("quick.yaml", QUICK), fixture.folder / "out"
    reference = fixture.reference(experiment)
    for _ in range(2):
        fixture.run(experiment, output, *ONE_ROUND).require(75)
    first, last = checkpoints(run_folder(output))
    require((first, last) == ("checkpoint-000000001", "checkpoint-000000002"), first, last)

    def refused(number, what, content):
        copy = fixture.folder / f"copy{number}"
        shutil.copytree(output, copy)
        folder = run_folder(copy)
        (folder / last).write_bytes(content)
        before = files_of(folder)
        finished = fixture.run(experiment, copy)
        require(finished.status == 2, what, finished)
        finished.require(2, f"localbatch: {folder / last}: damaged: ",
                         f"; remove it to go on from {folder / first}")
        require(files_of(folder) == before, what, "the folder has changed")
        shutil.rmtree(copy)
        return re.sub(r"\d+", "N", finished.lines()[0].split("damaged: ")[1].split(";")[0])

    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        found = [pool.submit(refused, number, what, content)
                 for number, (what, content) in enumerate(damages(run_folder(output) / last))]
        kinds = {attempt.result() for attempt in found}
    require(kinds == {
        "found no checkpoint of this version: it does not begin with 'localbatch checkpoint N'",
        "it ends too early, after N bytes",
        "found another checksum than the one that was written, in bytes N to N",
        "found another end than the one that was written, at byte N"}, kinds)

    folder = run_folder(output)
    (folder / last).write_bytes((folder / last).read_bytes()[:-1])
    finished = fixture.run(experiment, output, ranks=2)
    finished.require(2, f"{folder / last}: damaged: ")
    (folder / last).unlink()
    finished = fixture.run(experiment, output, *ONE_ROUND)
    finished.require(75)
    require("goes on after round 1\n" in finished.out, finished)
    (folder / first).unlink()
    (folder / last).write_bytes(b"")
    fixture.run(experiment, output).require(2, f"{folder / last}: damaged: ", "; remove it to begin anew")
    (folder / last).unlink()
    fixture.run(experiment, output).require(0)
    require_same(folder, reference)


def shortened_curves(fixture):
    """curves that are shorter than the checkpoint says are refused with status 2 on any ranks"""
    experiment, output = fixture.write("quick.yaml", QUICK), fixture.folder / "out"
    fixture.run(experiment, output, *ONE_ROUND).require(75)
    curves = run_folder(output) / "rounds.csv"
    curves.write_bytes(curves.read_bytes()[:-1])
    for ranks in (0, 1, 2):
        fixture.run(experiment, output, ranks=ranks).require(2, curves, "somebody has cut it short")


def write_digits(folder, images):
    """Data in the format of MNIST; `images` of them to train on."""
    folder.mkdir(exist_ok=True)
    generator = random.Random(1)
    for prefix, count in (("train", images), ("t10k", 20)):
        pixels = struct.pack(">IIII", 0x803, count, 28, 28) + generator.randbytes(count * 28 * 28)
        (folder / f"{prefix}-images-idx3-ubyte").write_bytes(pixels)
        labels = struct.pack(">II", 0x801, count) + bytes(i % 10 for i in range(count))
        (folder / f"{prefix}-labels-idx1-ubyte").write_bytes(labels)


def changed_data(fixture):
    """data that have changed since the run began, or are cut short, are refused with status 2"""
    data, output = fixture.folder / "digits", fixture.folder / "out"
    write_digits(data, 100)
    experiment = fixture.write("digits.yaml", f"""
experiment: digits
workers: 2
max_samples: 200
dataset:       {{name: mnist, root: {data}}}
model:         {{name: mlp, hidden_features: 8}}
learning_rate: {{name: constant, peak: 0.01}}
sync_interval: {{name: constant, H: 2}}
batch_size:    {{initial: 10}}
""")
    reference = fixture.reference(experiment)
    fixture.run(experiment, output, *ONE_ROUND).require(75)
    folder = run_folder(output)
    before = files_of(folder)
    for name in ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte"):
        whole = (data / name).read_bytes()
        (data / name).write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
        for ranks in (0, 2):
            fixture.run(experiment, output, ranks=ranks).require(
                2, folder / "checkpoint-000000001", "the data are not those that the run began with")
        (data / name).write_bytes(whole[:-1])
        fixture.run(experiment, output).require(2, data / name, f"found {len(whole) - 1} bytes")
        (data / name).write_bytes(whole)
        require(files_of(folder) == before, "the folder has changed")
    fixture.run(experiment, output).require(0)
    require_same(folder, reference)


def two_at_once(fixture):
    """a second process is refused while the first one runs, which is not disturbed"""
    experiment, output = fixture.write("long.yaml", LONG), fixture.folder / "out"
    reference = fixture.reference(experiment)
    job, folder = fixture.start_in_the_middle(experiment, output, *ROUNDS)
    send_signal(job.process.pid, signal.SIGSTOP)
    for options in ((), ("--resume",), ("--force",)):
        finished = fixture.run(experiment, output, *options)
        finished.require(2, folder, "another process is writing there")
    send_signal(job.process.pid, signal.SIGCONT)
    job.wait().require(0)
    require_same(folder, reference)


TESTS = (full_disk, read_only_folder, vanished_folder, damaged_checkpoint, shortened_curves,
         changed_data, two_at_once)

if __name__ == "__main__":
    sys.exit(run_tests(TESTS, sys.argv[1], in_memory=True))
