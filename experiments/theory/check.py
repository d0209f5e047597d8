#!/usr/bin/env python3
"""Compares runs of the program with what theory says of them; the statements stand in README.md beside this file.

    experiments/theory/check.py build/release/apps/localbatch [--only NAME] [--replace-controller-by fixed]

Prints a line for each statement and ends with status 1 when one does not hold. With another controller in place of
the norm test, the statements about that test must fail.
"""

import argparse
import math
import pathlib
import statistics
import sys
import time

import runs

M_AND_H = [(M, H) for M in (1, 4) for H in (1, 4, 16)]


def slope(xs, ys):
    """Of the least-squares line."""
    x, y = statistics.fmean(xs), statistics.fmean(ys)
    return sum((a - x) * (b - y) for a, b in zip(xs, ys)) / sum((a - x) ** 2 for a in xs)


def samples(M, T):
    """The budget of T local steps with b = 1."""
    return M * T


def linear_rate(program):
    """B: slope of ln |x - x*|^2 per local step, in units of ln(1 - alpha mu); |x - x*|^2 reaches 1e-20"""
    L, mu = 1, 0.1
    cases = [(M, H, eta) for M, H in M_AND_H for eta in (0.5, 2)]

    def rate(case):
        M, H, eta = case
        alpha = 1 / (4 * L * (1 + eta**2 / M))
        if H > 1:
            alpha = min(alpha, 1 / (2 * mu * (H - 1)))
            if M > 1:
                alpha = min(alpha, 1 / (L * eta * math.sqrt(20 * (1 - 1 / M) * (H - 1))))
        decay = -math.log(1 - alpha * mu)
        T = H * math.ceil(math.log(20 / 1e-20) / decay / H)  # when the theorem promises 1e-20
        run = program.run("linear_rate", workers=M, sync_interval__H=H, learning_rate__peak=alpha,
                          problem__relative_noise=eta, max_samples=samples(M, T))
        points = [(t, math.log(d)) for t, d in zip(run.steps(), run.column("squared_distance")) if d > 1e-40]
        late = [(t, d) for t, d in points if d < math.log(1e-10)]
        slowest = min(-slope(*zip(*part)) / decay for part in (points, late))
        return slowest, run.column("squared_distance")[-1]

    rates = program.map(rate, cases)
    slowest, last = min(rate for rate, _ in rates), max(last for _, last in rates)
    return (f"slowest {slowest:.2f}, largest end {last:.1e} ({len(cases)} cases)", ">= 1, <= 1e-20",
            slowest >= 1 and last <= 1e-20)


def floor(program):
    """constant batch: stationary |x - x*|^2 over alpha s2/(M b lambda (2 - alpha lambda)), the same for every H"""
    alpha, eigenvalue, d, T = 0.2, 0.5, 200, 16000
    cases = [(M, b, H) for M, b in ((4, 8), (1, 8)) for H in (1, 8, 32)]

    def ratio(case):
        M, b, H = case
        run = program.run("floor", workers=M, batch_size__initial=b, sync_interval__H=H, max_samples=M * b * T)
        stationary = [r for t, r in zip(run.steps(), run.column("squared_distance")) if t > 200]
        predicted = alpha / (M * b * eigenvalue * (2 - alpha * eigenvalue))
        return statistics.fmean(stationary) / d / predicted

    ratios = program.map(ratio, cases)
    return (f"{min(ratios):.3f} .. {max(ratios):.3f} ({len(cases)} cases)", "0.95 .. 1.05",
            all(abs(ratio - 1) <= 0.05 for ratio in ratios))


def no_floor(program):
    """norm test, sampled: final F - F* over the floor of the first batch size, and last quarter over the one before"""
    alpha, b, d, mu, L = 0.2, 8, 200, 0.1, 1
    eigenvalues = [mu * (L / mu) ** (i / (d - 1)) for i in range(d)]
    cases = [(M, H) for M in (4, 8) for H in (1, 4, 16)]

    def fall(case):
        M, H = case
        run = program.run_tested("no_floor", workers=M, sync_interval__H=H)
        gaps = run.column("suboptimality")[-400:]  # a fixed batch has very many rounds
        quarter = len(gaps) // 4
        third, fourth = (statistics.geometric_mean(part) for part in (gaps[-2 * quarter:-quarter], gaps[-quarter:]))
        level = sum(alpha / (2 * M * b * (2 - alpha * value)) for value in eigenvalues)
        return gaps[-1] / level, fourth / third

    falls = program.map(fall, cases)
    last, late = max(last for last, _ in falls), max(late for _, late in falls)
    return (f"at most {last:.1e} and {late:.2f} ({len(cases)} cases)", "<= 0.03, <= 0.5", last <= 0.03 and late <= 0.5)


def convex_bound(program, name, T, facts):
    """Theorem A for one problem: the largest mean of F - F* in units of its bound."""

    def share(case):
        M, H, eta = case
        L = facts["smoothness"]
        alpha = 1 / (4 * L * (1 + eta**2 / M))
        if H > 1 and M > 1:
            alpha = min(alpha, 1 / (L * eta * math.sqrt(10 * (1 - 1 / M) * (H - 1))))
        run = program.run(name, workers=M, sync_interval__H=H, learning_rate__peak=alpha,
                          problem__relative_noise=eta, max_samples=samples(M, T))
        return run.column("mean_suboptimality")[-1] * alpha * T / facts["initial_squared_distance"]

    cases = [(M, H, eta) for M, H in M_AND_H for eta in (0.5, 2)]
    shares = program.map(share, cases)
    return f"at most {max(shares):.2f} ({len(cases)} cases)", "<= 1", max(shares) <= 1


def convex(program):
    """A: mean of F - F* over local steps, over |x0 - x*|^2/(alpha T): plain logistic regression"""
    return convex_bound(program, "convex", 960, program.run("convex", max_samples=1).facts)


def convex_quadratic(program):
    """A: the same for a quadratic with eigenvalues over five decades"""
    return convex_bound(program, "convex_quadratic", 960, program.run("convex_quadratic", max_samples=1).facts)


def nonconvex(program):
    """C: mean of |grad F|^2 over local steps, over 4 (F(x0) - F*)/(alpha T): sum (1 - cos x_i)"""
    L, T = 1, 960
    cases = [(M, H, eta) for M, H in M_AND_H for eta in (0.5, 2)]

    def share(case):
        M, H, eta = case
        alpha = min(1 / L, M / (8 * L * eta**2))
        if H > 1:
            alpha = min(alpha, 1 / (2 * L * math.sqrt((H - 1) * (H - 1 + 2 * eta**2))),
                        1 / (L * eta * math.sqrt(40 * (H - 1))))
        run = program.run("nonconvex", workers=M, sync_interval__H=H, learning_rate__peak=alpha,
                          problem__relative_noise=eta, max_samples=samples(M, T))
        bound = 4 * run.facts["initial_suboptimality"] / (alpha * T)
        return run.column("mean_squared_gradient_norm")[-1] / bound

    shares = program.map(share, cases)
    return f"at most {max(shares):.2f} ({len(cases)} cases)", "<= 1", max(shares) <= 1


def growth_slope(run):
    """d ln b / d ln |grad F|^2 from the first growth to the maximum; None without growth."""
    b = [row["next_local_batch_size"] for row in run.rounds]
    growing = [i for i in range(len(b)) if b[0] < b[i] < b[-1]]
    if len(growing) < 5:
        return None
    return slope([math.log(run.evaluations[i]["squared_gradient_norm"]) for i in growing],
                 [math.log(b[i]) for i in growing])


def growth(program, name, **settings):
    slopes = program.map(lambda seed: growth_slope(program.run_tested(name, seed=seed, **settings)), range(1, 4))
    if None in slopes:
        return "no growth", "-1.2 .. -0.8", False
    mean = statistics.fmean(slopes)
    return (f"{mean:.3f} (seeds {min(slopes):.2f} .. {max(slopes):.2f})", "-1.2 .. -0.8", abs(mean + 1) <= 0.2)


def batch_growth(program):
    """norm test, sampled: slope of ln b against ln |grad F|^2, ridge logistic regression on generated samples"""
    return growth(program, "batch_growth")


def batch_growth_fashion_mnist(program):
    """the same on Fashion-MNIST"""
    root = program.fashion_mnist()
    if root is None:
        return "skipped: no Fashion-MNIST, see --help", "-1.2 .. -0.8", None
    return growth(program, "batch_growth_fashion_mnist", dataset__root=root)


def noise_growth(program):
    """norm test on pure noise: growth of b per test, in units of 1/eta^2"""

    def factors(eta):
        run = program.run_tested("noise_growth", batch_size_controller__eta=eta)
        b = [row["next_local_batch_size"] for row in run.rounds[:15]]
        return (b[-1] / b[0]) ** (1 / (len(b) - 1)) * eta**2

    ratios = program.map(factors, (0.8, 0.9))
    return (f"{min(ratios):.4f} .. {max(ratios):.4f}", "0.98 .. 1.02", all(abs(r - 1) <= 0.02 for r in ratios))


def speed_up(program):
    """M = 4, b = 8 against M = 1, b = 32: ratio of the mean F - F* while it falls, and at its floor"""
    T = 4000

    def means(case):
        M, b = case
        run = program.run("speed_up", workers=M, batch_size__initial=b, max_samples=M * b * T)
        gaps = run.column("suboptimality")
        return statistics.fmean(gaps[:50]), statistics.fmean(gaps[200:])

    alone, together = program.map(means, [(1, 32), (4, 8)])
    ratios = [b / a for a, b in zip(alone, together)]
    return (f"{ratios[0]:.3f} and {ratios[1]:.3f}", "0.95 .. 1.05", all(abs(r - 1) <= 0.05 for r in ratios))


def speed_up_tested(program):
    """norm test, sampled, from M b = 64: M = 16 against M = 4, ratio of the local steps and of the samples of all
    workers until F - F* < 0.01"""

    def cost(case):
        workers, seed = case
        run = program.run_tested("no_floor", workers=workers, batch_size__initial=64 // workers,
                                 sync_interval__H=1, seed=seed)
        gaps = run.column("suboptimality")
        reached = next((i for i, gap in enumerate(gaps) if gap < 0.01), None)
        return None if reached is None else (run.steps()[reached], run.evaluations[reached]["samples"])

    few, many = (program.map(cost, [(workers, seed) for seed in range(1, 6)]) for workers in (4, 16))
    if None in few + many:
        return "not reached", "0.95 .. 1.05, 0.8 .. 1.25", False
    steps, samples_drawn = (statistics.fmean(run[i] for run in many) / statistics.fmean(run[i] for run in few)
                            for i in (0, 1))
    return (f"{steps:.3f} and {samples_drawn:.3f}", "0.95 .. 1.05, 0.8 .. 1.25",
            abs(steps - 1) <= 0.05 and 0.8 <= samples_drawn <= 1.25)


STATEMENTS = (linear_rate, floor, no_floor, convex, convex_quadratic, nonconvex, batch_growth,
              batch_growth_fashion_mnist, noise_growth, speed_up, speed_up_tested)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program", type=pathlib.Path)
    parser.add_argument("--output", type=pathlib.Path, default=pathlib.Path("results/theory"))
    parser.add_argument("--fashion-mnist", type=pathlib.Path, metavar="FOLDER", default=runs.FASHION_MNIST)
    parser.add_argument("--only", choices=[statement.__name__ for statement in STATEMENTS])
    parser.add_argument("--replace-controller-by", metavar="NAME", default="")
    arguments = parser.parse_args()
    program = runs.Program(arguments)

    started, failed = time.monotonic(), 0
    for statement in STATEMENTS:
        if arguments.only not in (None, statement.__name__):
            continue
        measured, criterion, holds = statement(program)
        verdict = {True: "pass", False: "FAIL", None: "----"}[holds]
        failed += holds is False
        print(f"{verdict}  {statement.__name__:<27} {measured}; criterion {criterion}", flush=True)
    print(f"{program.commands} runs in {time.monotonic() - started:.0f} s, {failed} statements failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
