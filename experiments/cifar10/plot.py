#!/usr/bin/python3
"""Draws curves.svg from the CSV files in this folder (Debian: python3-matplotlib)."""

import csv
import pathlib

import matplotlib

matplotlib.use("Agg")
matplotlib.rcParams["svg.hashsalt"] = "localbatch"  # same CSV files, same bytes
matplotlib.rcParams["font.size"] = 9
import matplotlib.pyplot as plt

HERE = pathlib.Path(__file__).parent
RUNS = [  # folder, label, colour and line that survive print and colour blindness
    ("fixed", "fixed, b = 32", "#000000", "-"),
    ("norm_test", "norm test, eta = 0.9", "#0072b2", "--"),
    ("inner_product_test", "inner-product test, theta = 0.2", "#d55e00", "-."),
]


def column(run, file, name):
    with open(HERE / run / file, newline="") as stream:
        return [float(row[name]) for row in csv.DictReader(stream)]


figure, (accuracy, batch) = plt.subplots(1, 2, figsize=(8, 3))
for run, label, colour, line in RUNS:
    style = {"label": label, "color": colour, "linestyle": line}
    accuracy.plot(
        column(run, "evaluations.csv", "epoch"),
        [100 * value for value in column(run, "evaluations.csv", "test_accuracy")],
        marker=".",
        **style,
    )
    batch.plot(
        column(run, "rounds.csv", "epoch"), column(run, "rounds.csv", "local_batch_size"), **style
    )
accuracy.set(xlabel="epochs", ylabel="test accuracy, %")
batch.set(xlabel="epochs", ylabel="local batch size", yscale="log", yticks=[32, 64, 128, 256])
batch.set_yticklabels(["32", "64", "128", "256"])
batch.minorticks_off()
for axes in (accuracy, batch):
    axes.grid(alpha=0.3)
accuracy.legend(frameon=False)
figure.tight_layout()
figure.savefig(HERE / "curves.svg", metadata={"Date": None})
