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
}

for path in sys.argv[1:]:
    with open(path) as file:
        rows = list(csv.DictReader(file))
    print(f"{path}: {len(rows)} audits")
    print(f"{'':8}" + "".join(f"{name:>28}" for name in COLUMNS))
    for third, name in enumerate(("early", "middle", "late")):
        part = rows[len(rows) * third // 3 : len(rows) * (third + 1) // 3]
        cells = []
        for value in COLUMNS.values():
            values = [value(row) for row in part]
            cells.append(f"{statistics.median(values):.2f} ({min(values):.2f} .. {max(values):.2f})")
        print(f"{name:8}" + "".join(f"{cell:>28}" for cell in cells))
