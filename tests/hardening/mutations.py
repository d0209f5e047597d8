#!/usr/bin/env python3
"""Every file that a command reads is damaged at random: each command still says in one line what is wrong, or succeeds.

  mutations.py PROGRAM [--mutations 2000] [--seed 1] [--only NUMBER] [--keep DIR]

PROGRAM is best the one of the preset asan. A finding: a status that is not documented, a report of a sanitizer, a
signal, more than --limit seconds, an exception of a library, more than one line for a failure, control characters on
standard output or error, and a run that goes on from damaged files and ends with other bytes.
"""

import os
import pathlib
import re
import shutil
import struct
import subprocess
import sys
import time

from campaign import Campaign, parser_of  # first: it says where the fixture is
from mutators import damage
from program_fixture import (MPI_ENVIRONMENT, QUICK, REPRODUCIBLE, ProgramFixture, require, run_folder)

TESTS = pathlib.Path(__file__).resolve().parents[1]
DOCUMENTED = (0, 1, 2, 3, 75)
PATIENCE = 5  # times --limit, as the machine may be busy with other things
SANITIZERS = {
    "ASAN_OPTIONS": "detect_leaks=0:hard_rss_limit_mb=3000:abort_on_error=0:exitcode=99",
    "UBSAN_OPTIONS": "print_stacktrace=1:exitcode=99"}

# What no person should read: reports, and texts of exceptions of libraries.
REPORTS = re.compile(
    r"AddressSanitizer|runtime error:|UndefinedBehavior|terminate called|\[this is a bug\]|Assertion|std::\w|bad_alloc|"
    r"localbatch: \[json|json\.exception\.(?!parse_error)|yaml-cpp|YAML::|basic_string|vector::|\bstod?[iul]l?\b|"
    r"bad_function|filesystem error|cannot create std|boost|regex_error")
# C0 but for the end of a line, DEL, C1, marks of direction and line ends of Unicode.
CONTROL = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]")

SWEEP = QUICK.replace("quick", "sweep") + """
sweep:
  sync_interval.H: [2, 4]
  seed: [3, 4]
"""
DIGITS = """
experiment: digits
workers: 2
max_samples: 120
dataset:       {name: mnist, root: digits}
model:         {name: mlp, hidden_features: 8}
learning_rate: {name: constant, peak: 0.01}
sync_interval: {name: constant, H: 2}
batch_size:    {initial: 10, micro_batch: 10}
audit:         {every_rounds: 2, samples: 8}
evaluation:    {every_samples: 40}
"""
IMAGES = """
experiment: images
workers: 1
max_samples: 8
dataset:       {name: imagenet, root: images, size: 16, resize: 18}
model:         {name: softmax_regression}
learning_rate: {name: constant, peak: 0.01}
sync_interval: {name: constant, H: 1}
batch_size:    {initial: 4, micro_batch: 4}
"""
KERNELS = """
experiment: tuned
workers: 1
max_samples: 16
kernels:       kernels.yaml
dataset:       {name: synthetic, train_samples: 16, test_samples: 8}
model:         {name: resnet, depth: 20}
learning_rate: {name: constant, peak: 0.01}
sync_interval: {name: constant, H: 1}
batch_size:    {initial: 8, micro_batch: 8}
"""
REFERENCE = """schedule,H,column,mean,standard_deviation,n,source,samples,workers,dataset,model
fixed,2,steps,10,1,3,a paper,640,2,,
norm_test,4,best_test_loss,1.5,0.1,3,a paper,640,,,
"""

PLAN = ("plan", "--samples-per-second", "100", "--cores", "4", "--ranks", "2")
Y = ("loss", "test_loss", "learning_rate", "local_batch_size", "drift", "method_bytes", "squared_norm")


class Scene:
    """A folder with files, and the commands that read some of them: words, "{run}" for the folder of a run."""

    def __init__(self, folder, files, commands):
        self.folder, self.files, self.commands = folder, files, commands
        self.reference = None  # reproducible files of the run that is unfinished here

    def paths(self):
        """Of what may be damaged."""
        return [path for pattern in self.files for path in sorted(self.folder.glob(pattern))
                if path.is_file() and path.name != "lock"]


def write_digits(folder, images):
    folder.mkdir()
    for prefix, count in (("train", images), ("t10k", 20)):
        pixels = bytes(i * 7 % 256 for i in range(count * 28 * 28))
        (folder / f"{prefix}-images-idx3-ubyte").write_bytes(struct.pack(">IIII", 0x803, count, 28, 28) + pixels)
        (folder / f"{prefix}-labels-idx1-ubyte").write_bytes(
            struct.pack(">II", 0x801, count) + bytes(i % 10 for i in range(count)))


def write_images(folder):
    found = sorted((TESTS / "fuzz/corpus/jpeg").iterdir())
    for part in ("train", "val"):
        for name in ("cat", "dog"):
            (folder / part / name).mkdir(parents=True)
            for number, image in enumerate(image for image in found if image.name != "cut"):
                shutil.copy(image, folder / part / name / f"{number}.jpeg")


class Mutations:
    def __init__(self, campaign, fixture, options):
        self.campaign, self.fixture, self.options = campaign, fixture, options
        self.program = fixture.program
        self.environment = {**os.environ, **MPI_ENVIRONMENT, **SANITIZERS, "OMP_NUM_THREADS": "1"}
        self.scenes = [make(fixture.folder / name) for name, make in (
            ("finished", self.finished), ("unfinished", self.unfinished), ("digits", self.digits),
            ("images", self.images), ("kernels", self.kernels), ("experiments", self.experiments))]

    def start(self, words, folder, seconds=600):
        return subprocess.run([self.program, *words], cwd=folder, env=self.environment, stdin=subprocess.DEVNULL,
                              capture_output=True, timeout=seconds, check=False)

    def prepare(self, folder, files, runs):
        """A folder with these files, and these runs in it: words, expected status."""
        folder.mkdir(exist_ok=True)
        for name, text in files.items():
            (folder / name).write_text(text)
        for words, status in runs:
            done = self.start(words, folder)
            require(done.returncode == status, words, f"status {status} expected, found {done.returncode}",
                    done.stdout.decode(), done.stderr.decode())
        return folder

    def finished(self, folder):
        self.prepare(folder, {"sweep.yaml": SWEEP, "reference.csv": REFERENCE},
                     [(["run", "sweep.yaml", "--output", "out"], 0)])
        cells = sorted((folder / "out/sweep").iterdir())
        for path in cells[-1].iterdir():
            path.unlink()
        (cells[-1] / "failure.txt").write_text("the disk was full\n")
        run = str(cells[0].relative_to(folder))
        return Scene(folder, ["out/sweep/*/*", "out/sweep/*/*", "*.yaml", "*.csv"], [
            ["table", "out/sweep"], ["table", "sweep.yaml", "--output", "out", "--reference", "reference.csv"],
            ["table", run, "--format", "latex"], ["table", run, "--format", "csv"],
            ["plot", "out/sweep", "--y", "{y}", "--write", "drawn"], ["plot", run, "--y", "{y}", "--x", "{x}"],
            ["report", "out/sweep", "--write", "page.html"], ["report", "sweep.yaml", "--output", "out"],
            ["status", "sweep.yaml", "--output", "out"], ["doctor", "sweep.yaml", "--output", "out"],
            [*PLAN, "sweep.yaml", "--cell", "1", "--measured", run],
            ["plan", "sweep.yaml", "--cell", "1", "--speed-from", run],
            ["run", "sweep.yaml", "--output", "out", "--resume"]])

    def unfinished(self, folder):
        self.prepare(folder, {"quick.yaml": QUICK}, [(["run", "quick.yaml", "--output", "whole"], 0)] + 2 * [
            (["run", "quick.yaml", "--output", "out", "--time-limit", "1"], 75)])
        run = str(run_folder(folder / "out").relative_to(folder))
        scene = Scene(folder, ["out/*/*/*", "out/*/*/checkpoint*", "quick.yaml"], [
            *2 * [["run", "quick.yaml", "--output", "out"]], ["run", "quick.yaml", "--resume-from", run],
            ["status", "quick.yaml", "--output", "out"],
            ["table", "out/quick"], ["doctor", "quick.yaml", "--output", "out"]])
        scene.reference = run_folder(folder / "whole")
        return scene

    def digits(self, folder):
        folder.mkdir()
        write_digits(folder / "digits", 60)
        self.prepare(folder, {"digits.yaml": DIGITS}, [(["run", "digits.yaml", "--output", "out"], 0)])
        return Scene(folder, ["digits/*", "digits/*", "out/*/*/*.csv"], [
            ["describe", "digits.yaml"], [*PLAN, "digits.yaml"], ["doctor", "digits.yaml"],
            ["run", "digits.yaml", "--output", "new"], ["table", "out/digits"],
            ["report", "out/digits"], ["plot", "out/digits", "--y", "test_accuracy"]])

    def images(self, folder):
        folder.mkdir()
        write_images(folder / "images")
        self.prepare(folder, {"images.yaml": IMAGES}, [(["run", "images.yaml", "--output", "out"], 0)])
        return Scene(folder, ["images/*/*/*", "images.yaml"], [
            ["run", "images.yaml", "--output", "new"], ["describe", "images.yaml"], ["doctor", "images.yaml"],
            ["run", "images.yaml", "--output", "new", "--set", "dataset.damaged_files=skip"]])

    def kernels(self, folder):
        folder.mkdir()
        shutil.copy(TESTS / "fuzz/corpus/kernels/two_choices", folder / "kernels.yaml")
        self.prepare(folder, {"tuned.yaml": KERNELS}, [(["describe", "tuned.yaml"], 0)])
        return Scene(folder, ["kernels.yaml", "kernels.yaml", "tuned.yaml"], [
            ["describe", "tuned.yaml"], ["doctor", "tuned.yaml"], ["run", "tuned.yaml"]])

    def experiments(self, folder):
        """What is described, planned and looked at, but not run: a changed budget may be endless."""
        folder.mkdir()
        for path in sorted((TESTS / "fuzz/corpus/experiment").glob("*.yaml")):
            shutil.copy(path, folder / path.name)
        self.prepare(folder, {"quick.yaml": QUICK, "sweep.yaml": SWEEP}, [])
        return Scene(folder, ["*.yaml", "[qs]*.yaml"], [
            ["describe", "{file}"], [*PLAN, "{file}"], ["doctor", "{file}"], ["status", "{file}"],
            ["table", "{file}"]])

    def words_of(self, random, command, name):
        replaced = {"{y}": random.choice(Y), "{x}": random.choice(("samples", "rounds", "seconds", "bytes")),
                    "{file}": name}
        return [replaced.get(word, word) for word in command]

    def attempt(self, number):
        random = self.campaign.random(number)
        scene = random.choice(self.scenes)
        folder = self.fixture.folder / f"attempt-{number}"
        shutil.copytree(scene.folder, folder)
        victim = random.choice(scene.paths()).relative_to(scene.folder)
        done = damage(random, folder / victim, scene.folder / victim)
        words = self.words_of(random, random.choice(scene.commands), str(victim))
        what = f"{victim} ({done}): {' '.join(words)}"
        try:
            self.look_at(scene, folder, words, what)
            shutil.rmtree(folder)
        finally:
            if folder.exists() and self.options.keep:
                self.options.keep.mkdir(parents=True, exist_ok=True)
                subprocess.run(["cp", "-a", folder, self.options.keep], check=True)  # a FIFO as well
        self.campaign.count(f"damaged: {victim.suffix or victim.name.split('-')[0]}")

    def look_at(self, scene, folder, words, what):
        began = time.monotonic()
        try:
            done = self.start(words, folder, PATIENCE * self.options.limit)
        except subprocess.TimeoutExpired:
            require(False, what, f"no end within {PATIENCE * self.options.limit} s")
        self.campaign.count(f"longer than {self.options.limit} s", time.monotonic() - began > self.options.limit)
        out, errors = done.stdout.decode(errors="surrogateescape"), done.stderr.decode(errors="surrogateescape")
        self.campaign.count(f"{words[0]}: status {done.returncode}")
        said = f"{what}\nstatus {done.returncode}\n{out[-600:]!r}\n{errors[:2000]!r}"
        require(not REPORTS.search(errors) and not REPORTS.search(out), "a report", said)
        require(done.returncode in DOCUMENTED, "no documented status", said)
        for text in (out, errors):
            found = CONTROL.search(text) or re.search("[\ud800-\udfff]", text)
            require(not found, f"control characters or no UTF-8: {found and found[0]!r}", said)
        own = [line for line in errors.splitlines() if not line.startswith("localbatch: warning: ")]
        if done.returncode in (1, 2):
            require(len(own) == 1 or self.says_it_elsewhere(words, out, own), "one line for a failure expected", said)
        if words[0] == "run" and done.returncode == 0 and scene.reference:
            self.require_same_bytes(folder, scene.reference, said)

    @staticmethod
    def says_it_elsewhere(words, out, own):
        """doctor prints its findings; a sweep prints what became of each cell."""
        return not own and (words[0] == "doctor" or "failed" in out)

    @staticmethod
    def require_same_bytes(folder, reference, said):
        """Those of the settings that were asked for: in a changed experiment another run."""
        ours = [path for path in folder.glob("out/*/*") if path.name == reference.name]
        settings = ours and (ours[0] / "experiment.yaml").read_bytes() == (reference / "experiment.yaml").read_bytes()
        if not settings or not (ours[0] / "summary.json").exists():
            return
        for name in REPRODUCIBLE:
            theirs, mine = ((where / name).read_bytes() if (where / name).exists() else None
                            for where in (reference, ours[0]))
            require(theirs == mine, f"{name}: other bytes than those of a run without damage", said)


def main():
    parser = parser_of(__doc__)
    parser.add_argument("--mutations", type=int, default=2000)
    parser.add_argument("--limit", type=float, default=20, help="seconds for a command on an idle machine")
    parser.add_argument("--keep", type=pathlib.Path, help="where the folders of findings go")
    options = parser.parse_args()
    campaign = Campaign("mutations", options)
    with ProgramFixture(options.program, in_memory=True) as fixture:
        campaign.go(Mutations(campaign, fixture, options).attempt, range(1, options.mutations + 1))
    return campaign.end()


if __name__ == "__main__":
    sys.exit(main())
