"""The hosts of hosts.sh, and programs that run on them while others are watched."""

import ctypes
import os
import pathlib
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
ORACLE = HERE.parent / "oracle"
sys.path.insert(0, str(ORACLE))
import bench_against_pytorch as oracle  # noqa: E402


class Hosts:
    """The testbed, up while this is in use. `parameters` are pairs for Open MPI."""

    def __init__(self, count=2, rate="none", parameters=()):
        self.count, self.rate = count, rate
        self.parameters = [word for pair in parameters for word in ("--mca", *pair)]

    def __enter__(self):
        self.limit(self.rate)
        self.check_cores()
        return self

    def __exit__(self, *_):
        subprocess.run([HERE / "hosts.sh", "down"], check=True)

    def limit(self, rate):
        """Gives all links another rate, as tc takes it, or "none"."""
        self.rate = rate
        words = ["up", "--hosts", str(self.count), "--rate", rate]
        subprocess.run([HERE / "hosts.sh", *words], check=True)

    def check_cores(self):
        """Hosts share cores only where there are more of them."""
        output, _ = self.run("grep", "-w", "Cpus_allowed_list", "/proc/self/status")
        cores = {line.split()[-1] for line in output.splitlines()}
        if len(cores) != min(self.count, os.cpu_count()):
            sys.exit(f"{self.count} hosts have the cores {', '.join(sorted(cores))}")

    def run(self, *command):
        """Standard output, and the share of the machine that others took meanwhile."""
        words = [str(HERE / "hosts.sh"), "run", *self.parameters, "--", *map(str, command)]
        done, load = run_watched(words)
        if done.returncode != 0:
            sys.exit(f"{' '.join(words)}: status {done.returncode}: {done.stderr.strip()}")
        if load > oracle.TOO_MUCH_FOREIGN_LOAD:
            print(f"others took {100 * load:.0f} % of the machine", file=sys.stderr, flush=True)
        return done.stdout, load


def adopt_orphans():
    """Open MPI's daemons outlive mpirun by a moment: for the processor time of their ranks to be
    counted as ours, somebody has to wait for them."""
    set_child_subreaper = 36
    ctypes.CDLL(None).prctl(set_child_subreaper, 1, 0, 0, 0)


def run_watched(command):
    """As the oracle's, with processes that the command leaves behind."""
    started, (busy, own) = time.monotonic(), oracle.cpu_seconds()
    done = subprocess.run(command, capture_output=True, text=True)
    try:
        while True:
            os.wait()
    except ChildProcessError:
        pass
    wall, (busy_after, own_after) = time.monotonic() - started, oracle.cpu_seconds()
    others = (busy_after - busy) - (own_after - own)
    return done, max(0.0, others / (wall * os.cpu_count()))


def check_placement(ranks):
    """Two hosts in the eyes of MPI, with a core each."""
    alone = all(rank["neighbours"] == 1 and rank["cores"] == 1 for rank in ranks)
    if not alone or any(len({rank[key] for rank in ranks}) != 2 for key in ("host", "first_core")):
        sys.exit(f"expected two hosts with a core each, found {ranks}")
