#!/usr/bin/env python3
"""final_parameters.safetensors, read by nothing of ours: the values of final_parameters.f32 under their names.

    tests/run/safetensors_test.py PROGRAM
"""

import array
import csv
import json
import pathlib
import struct
import subprocess
import sys
import tempfile

EXPERIMENT = """
experiment: tensors
workers: 2
max_samples: 64
dataset: {name: synthetic, train_samples: 64, test_samples: 16}
model: {name: resnet, depth: 20}
learning_rate: {peak: 0.05}
batch_size: {initial: 8, micro_batch: 8}
"""


def main():
    program = pathlib.Path(sys.argv[1]).resolve()
    with tempfile.TemporaryDirectory() as scratch:
        experiment = pathlib.Path(scratch, "tensors.yaml")
        experiment.write_text(EXPERIMENT)
        subprocess.run([program, "run", experiment, "--quiet"], cwd=scratch, check=True)
        [folder] = pathlib.Path(scratch, "results", "tensors").iterdir()
        values = array.array("f", (folder / "final_parameters.f32").read_bytes())
        with open(folder / "final_parameters.csv", newline="") as index:
            expected = {row["name"]: row for row in csv.DictReader(index)}
        stored = (folder / "final_parameters.safetensors").read_bytes()

    [length] = struct.unpack_from("<Q", stored)
    header = json.loads(stored[8:8 + length])
    assert header.pop("__metadata__") == {"format": "pt"}
    assert list(header) == list(expected), "the names and their order"
    numbers = stored[8 + length:]
    for name, tensor in header.items():
        row = expected[name]
        assert tensor["dtype"] == "F32", name
        assert "x".join(map(str, tensor["shape"])) == row["dims"], name
        begin, end = tensor["data_offsets"]
        first, size = int(row["offset"]), int(row["size"])
        assert array.array("f", numbers[begin:end]) == values[first:first + size], name
    assert len(numbers) == 4 * len(values), "no number is left"
    print(f"{len(header)} tensors are those of the canonical file")


if __name__ == "__main__":
    main()
