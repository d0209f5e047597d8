#!/usr/bin/env python3
"""Prints this page's table from the evaluations.csv of the nine cells beside this file."""

import csv
import pathlib
import statistics

HERE = pathlib.Path(__file__).resolve().parent
ARITHMETIC = {
    "f32, direct convolutions": "precision=f32-convolution=direct",
    "f32, Winograd": "precision=f32-convolution=winograd",
    "bf16, Winograd": "precision=bf16-convolution=winograd",
}


def final_accuracy(folder):
    *_, last = csv.DictReader(open(folder / "evaluations.csv"))
    return 100 * float(last["test_accuracy"])


print("| arithmetic | seed 1 | seed 2 | seed 3 | mean | standard deviation |\n|---|---|---|---|---|---|")
for name, cell in ARITHMETIC.items():
    seeds = [final_accuracy(HERE / f"seed={seed}-{cell}") for seed in (1, 2, 3)]
    cells = [*seeds, statistics.mean(seeds), statistics.stdev(seeds)]
    print("| " + " | ".join([name, *(f"{value:.2f} %" for value in cells)]) + " |")
