#!/usr/bin/env python3
"""Medians over early, middle and late audits (thirds) of each audits.csv given on the command line."""

import csv
import statistics
import sys

COLUMNS = {
    "variance_ratio": lambda row: float(row["variance_ratio"]),
    "squared_norm_ratio": lambda row: float(row["squared_norm"]) / float(row["exact_squared_norm"]),
    "wanted_b": lambda row: float(row["wanted_local_batch_size"]),
    "exact_wanted_b": lambda row: float(row["exact_wanted_local_batch_size"]),
    "exact_error": lambda row: float(row["exact_wanted_error"]),
    # Under batch norm, from audits that looked into their micro-batches.
    "exact_variance": lambda row: float(row["exact_variance"]),
    "in_batch_ratio": lambda row: float(row["samples_in_batch_variance"]) / float(row["exact_variance"]),
    "exact_|g|^2": lambda row: float(row["exact_unbiased_squared_norm"]),
    "in_batch_|g|^2": lambda row: float(row["samples_in_batch_unbiased_squared_norm"]),
}


def measured(row, value):
    """Not every audit measures everything, and files of older programs lack columns."""
    try:
        value(row)
        return True
    except (KeyError, ValueError):
        return False


for path in sys.argv[1:]:
    with open(path) as file:
        rows = list(csv.DictReader(file))
    print(f"{path}: {len(rows)} audits")
    columns = {name: value for name, value in COLUMNS.items() if all(measured(row, value) for row in rows)}
    print(f"{'':8}" + "".join(f"{name:>28}" for name in columns))
    for third, name in enumerate(("early", "middle", "late")):
        part = rows[len(rows) * third // 3 : len(rows) * (third + 1) // 3]
        cells = []
        for value in columns.values():
            values = [value(row) for row in part]
            cells.append(f"{statistics.median(values):.2f} ({min(values):.2f} .. {max(values):.2f})")
        print(f"{name:8}" + "".join(f"{cell:>28}" for cell in cells))
