"""Runs of the program and what they leave behind, for check.py."""

import concurrent.futures
import csv
import json
import os
import pathlib
import subprocess

HERE = pathlib.Path(__file__).resolve().parent
FASHION_MNIST = pathlib.Path(os.environ.get("LOCALBATCH_DATA") or "data") / "fashion-mnist"


class Run:
    """A finished run: rows of its curves with numbers in them, and the facts of its problem."""

    def __init__(self, folder):
        self.rounds = read_rows(folder / "rounds.csv")
        self.evaluations = read_rows(folder / "evaluations.csv")
        self.facts = json.loads((folder / "manifest.json").read_text())["problem"]

    def column(self, name):
        return [row[name] for row in self.evaluations]

    def steps(self):
        """Local steps done at each evaluation, for runs that evaluate after every round."""
        total, steps = 0, []
        for row in self.evaluations:
            total += int(row["sync_interval"])
            steps.append(total)
        return steps


def read_rows(path):
    def number(text):
        try:
            return float(text)
        except ValueError:
            return text

    with open(path, newline="", encoding="utf-8") as file:
        return [{key: number(text) for key, text in row.items()} for row in csv.DictReader(file)]


class Program:
    """Starts runs, some at the same time, with results below a folder."""

    def __init__(self, arguments):
        self.program, self.output = arguments.program.resolve(), arguments.output.resolve()
        self.controller, self.images = arguments.replace_controller_by, arguments.fashion_mnist.resolve()
        self.commands = 0

    def run(self, name, **settings):
        command = [self.program, "run", str(HERE / f"{name}.yaml"), "--force", "--output", str(self.output)]
        for key, value in settings.items():
            command += ["--set", f"{key.replace('__', '.')}={value}"]
        self.commands += 1
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode not in (0, 3):  # 3: diverged, which the criteria will notice
            raise SystemExit(f"{' '.join(command)}\nended with status {done.returncode}: {done.stderr.strip()}")
        return Run(pathlib.Path(done.stdout.strip().splitlines()[-1].removeprefix("curves in ")))

    def run_tested(self, name, **settings):
        """A run whose file names the controller that a statement is about."""
        if self.controller:
            settings = {key: value for key, value in settings.items() if not key.startswith("batch_size_controller")}
            settings["batch_size_controller"] = "{name: " + self.controller + "}"
        return self.run(name, **settings)

    def map(self, function, cases):
        """`function` of every case, as many at a time as there are cores."""
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
            return list(pool.map(function, cases))

    def fashion_mnist(self):
        """A folder with Fashion-MNIST's training images, or None. Where only the test images are there they stand in:
        these statements are about optimization alone."""
        if (self.images / "train-images-idx3-ubyte.gz").exists():
            return self.images
        if not (self.images / "t10k-images-idx3-ubyte.gz").exists():
            return None
        folder = self.output / "fashion-mnist"
        folder.mkdir(parents=True, exist_ok=True)
        for kind in ("images-idx3", "labels-idx1"):
            for part in ("train", "t10k"):
                link = folder / f"{part}-{kind}-ubyte.gz"
                if not link.is_symlink():
                    link.symlink_to(self.images / f"t10k-{kind}-ubyte.gz")
        return folder
