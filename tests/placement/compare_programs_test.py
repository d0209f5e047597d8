#!/usr/bin/env python3
"""compare_programs.py finds each difference that is planted, and none between a program and itself.

  compare_programs_test.py PROGRAM
"""

import pathlib
import subprocess
import sys
import tempfile

COMPARE = pathlib.Path(__file__).resolve().parent / "compare_programs.py"
FILES = ("tests/kill/trace.yaml", "tests/placement/softmax_regression.yaml")
# What stands before and behind the program in the script that is the new one, modes of both files
# that pass and fail, and what is said about them.
RUN = '"$program" "$@"; status=$?'
RESULTS = '"$output"/*/*'  # of any cell
PLANTED = {
    "nothing": ('exec "$program" "$@"', 6, 0, ()),
    "another seed": ('exec "$program" "$@" --set seed=8', 0, 6, ("rounds.csv, line 2, ",)),
    "a byte of the parameters": (
        f"{RUN}; for cell in {RESULTS}; do printf U |"
        " dd of=$cell/final_parameters.f32 bs=1 seek=101 conv=notrunc 2>&-; done; exit $status",
        0, 6, ("final_parameters.f32, byte 101: ", "cell 1, final_parameters.f32, byte 101: ")),
    "a digit of a curve": (f"{RUN}; sed -i '3s/^2,/7,/' {RESULTS}/rounds.csv; exit $status",
                           0, 6, ("rounds.csv, line 3, round: old 2, new 7",)),
    "a file less": (f"{RUN}; rm -f {RESULTS}/evaluations.csv; exit $status",
                    0, 6, ("evaluations.csv: not there",)),
    "a file more": (f"{RUN}; for cell in {RESULTS}; do touch $cell/audits.csv; done; exit $status",
                    0, 6, ("audits.csv: there, but not with the old one",)),
    "another status": (f"{RUN}; exit 3", 0, 6, ("status: old 0, new 3",)),
    "a failure": (f"{RUN}; exit 1", 0, 6, ("status 1 after",)),
    "no checkpoints": ('exec "$program" "$1" "$2" "$3" "$4"', 4, 2,
                       ("never killed in the middle",)),
    "checkpoints that are lost": ('rm -rf "$output"; exec "$program" "$@"', 4, 2, ("begins anew",)),
}


def failure_of(program, folder, script, passed, failed, words):
    """What is wrong with what compare_programs.py says; empty when nothing is."""
    new = folder / "new"
    new.write_text(f"#!/bin/sh\nprogram={program}\noutput=$4\n{script}\n")
    new.chmod(0o755)
    command = [sys.executable, COMPARE, program, new, "--reference", folder / "reference",
               "--files", *FILES]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    expected = f"{passed} passed, {failed} failed"
    if done.returncode != (1 if failed else 0) or done.stdout.splitlines()[-1:] != [expected]:
        return f"expected '{expected}':\n{done.stdout}{done.stderr}"
    missing = [word for word in words if word not in done.stdout]
    return f"expected {missing}:\n{done.stdout}" if missing else ""


def main():
    program, status = pathlib.Path(sys.argv[1]).resolve(), 0
    with tempfile.TemporaryDirectory(prefix="localbatch-compare-test-") as folder:
        for name, planted in PLANTED.items():
            failure = failure_of(program, pathlib.Path(folder), *planted)
            print(f"FAILED: {name}: {failure}" if failure else f"ok: {name}", flush=True)
            status = status or bool(failure)
    return int(status)


if __name__ == "__main__":
    sys.exit(main())
