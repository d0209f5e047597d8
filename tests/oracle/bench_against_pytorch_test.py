#!/usr/bin/env python3
"""bench_against_pytorch.py with two programs that only pretend to measure."""

import json
import pathlib
import subprocess
import sys
import tempfile
import unittest

import pytorch_settings

SCRIPT = pathlib.Path(__file__).resolve().parent / "bench_against_pytorch.py"

# Each call answers with the next rate of its list and writes its name into the diary.
PRETENDER = """#!{python}
import json, os, pathlib, sys
here, name, arguments = pathlib.Path(__file__).resolve().parent, {name!r}, sys.argv[1:]
if "-c" in arguments:
    print("9.9")
    sys.exit()
if "bf16" in arguments:
    print("localbatch: this CPU does not multiply bf16", file=sys.stderr)
    sys.exit(2)
if "1.0" in arguments:  # a trial of a second
    print(json.dumps({{"images_per_second": 1.0 + (os.environ.get("OMP_WAIT_POLICY") == "PASSIVE")}}))
    sys.exit()
before = (here / "diary").read_text().split()
(here / "diary").write_text(" ".join(before + [name]))
rate = {rates}[before.count(name)]
run = {{"images_per_second": rate, "share_of_peak": rate / 1000, "torch": "9.9"}}
if "gpt_4x128" in arguments:
    run |= {{"images_per_second": None, "tokens_per_second": 64 * rate}}
if name == "localbatch":
    report = {{"train": [run], "commit": "abc", "cpu": "CPU", "cores": 2, "peak_gflops": {{}}}}
    pathlib.Path(arguments[arguments.index("--json") + 1]).write_text(json.dumps(report))
else:
    print(json.dumps(run))
"""


class BenchAgainstPytorch(unittest.TestCase):
    def run_bench(self, *arguments):
        with tempfile.TemporaryDirectory() as folder:
            desk = pathlib.Path(folder)
            (desk / "diary").write_text("")
            for name, rates in {"localbatch": [200, 300, 600], "pytorch": [100, 200, 150]}.items():
                program = desk / name
                program.write_text(PRETENDER.format(python=sys.executable, name=name, rates=rates))
                program.chmod(0o755)
            command = [sys.executable, SCRIPT, desk / "localbatch", "--output", desk / "bench.json"]
            command += ["--networks", "resnet20", *arguments]
            command += [] if "--python" in arguments else ["--python", desk / "pytorch"]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            return json.loads((desk / "bench.json").read_text()), (desk / "diary").read_text(), done

    def test_runs_in_turn_and_takes_the_median_of_adjacent_ratios(self):
        lines, diary, _ = self.run_bench("--rounds", "3", "--precisions", "f32")
        self.assertEqual(diary, " ".join(["localbatch pytorch"] * 3))
        (line,) = lines
        self.assertEqual(line["runs"]["ratios"], [2.0, 3.0, 1.5, 3.0, 4.0])
        self.assertEqual(line["ratio"], 3.0)
        self.assertEqual((line["lowest_ratio"], line["highest_ratio"]), (1.5, 4.0))
        self.assertEqual(line["images_per_second"], 300)
        self.assertEqual(line["pytorch_images_per_second"], 150)
        self.assertEqual(line["share_of_peak"], 0.3)
        self.assertEqual((line["network"], line["batch"], line["precision"]), ("resnet20", 128, "f32"))
        for key in ("commit", "machine", "date", "threads", "foreign_load", "torch"):
            self.assertIn(key, line)

    def test_measures_pytorch_in_the_setting_that_was_fastest_when_it_was_tried(self):
        (line,), _, done = self.run_bench("--rounds", "1", "--precisions", "f32")
        self.assertIn("passive waiting", line["pytorch_setting"])
        self.assertIn(line["pytorch_setting"], done.stdout)
        self.assertGreaterEqual(len(line["pytorch_settings_tried"]), 2)
        for name, rate in line["pytorch_settings_tried"].items():
            self.assertEqual(rate, 2.0 if "passive waiting" in name else 1.0)

    def test_tries_what_is_installed_and_names_what_is_not(self):
        with tempfile.TemporaryDirectory() as folder:
            (pathlib.Path(folder) / "openblas-pthread").mkdir()
            kinds, missing = pytorch_settings.pytorch_settings([folder], features={"avx2"})
            self.assertEqual(missing, ["libtcmalloc-minimal4", "libopenblas0-openmp"])
            kernels, blas, allocators = kinds
            self.assertEqual(kernels["Haswell's kernels"], {"OPENBLAS_CORETYPE": "Haswell"})
            self.assertEqual(len(blas), 2)
            self.assertEqual(
                blas["OpenBLAS pthread, passive waiting"],
                {"LD_LIBRARY_PATH": f"{folder}/openblas-pthread", "OMP_WAIT_POLICY": "PASSIVE"},
            )
            self.assertEqual(allocators, {"glibc": {}})
            (pathlib.Path(folder) / "libtcmalloc_minimal.so.4").touch()
            (_, _, allocators), missing = pytorch_settings.pytorch_settings([folder], features=set())
            self.assertEqual((len(allocators), missing), (2, ["libopenblas0-openmp"]))

    def test_decides_one_kind_of_setting_after_the_other(self):
        kinds = [{"a": {"X": "1"}, "b": {"X": "2"}}, {"c": {}, "d": {"Y": "1"}, "e": {"Y": "5"}}]

        def rate(environment):
            return int(environment["X"]) * 10 + int(environment.get("Y", 0))

        name, setting, tried = pytorch_settings.best_setting(kinds, rate)
        self.assertEqual((name, setting), ("b, e", {"X": "2", "Y": "5"}))
        self.assertEqual(tried, {"a, c": 10, "b, c": 20, "b, d": 21, "b, e": 25})

    def test_compares_tokens_where_a_network_reads_them(self):
        lines, diary, done = self.run_bench(
            "--rounds", "2", "--precisions", "f32", "--networks", "gpt_4x128"
        )
        self.assertEqual(diary, " ".join(["localbatch pytorch"] * 2))
        (line,) = lines
        self.assertEqual((line["network"], line["batch"], line["unit"]), ("gpt_4x128", 12, "tokens"))
        self.assertEqual(line["tokens_per_second"], 64 * 250)
        self.assertEqual(line["pytorch_tokens_per_second"], 64 * 150)
        self.assertEqual(line["ratio"], 2.0)
        self.assertNotIn("images_per_second", line)
        self.assertIn("tokens/s", done.stdout)

    def test_measures_localbatch_alone_without_pytorch(self):
        lines, diary, done = self.run_bench("--python", "/no/python", "--precisions", "f32")
        self.assertEqual(diary, "localbatch localbatch localbatch")
        self.assertIn("no PyTorch found", done.stdout)
        self.assertIsNone(lines[0]["ratio"])
        self.assertIsNone(lines[0]["pytorch_images_per_second"])
        self.assertEqual(lines[0]["images_per_second"], 300)

    def test_leaves_out_what_the_machine_cannot_do(self):
        lines, _, done = self.run_bench("--precisions", "f32,bf16")
        self.assertEqual([line["precision"] for line in lines], ["f32"])
        self.assertIn("does not multiply bf16", done.stderr)


if __name__ == "__main__":
    unittest.main()
