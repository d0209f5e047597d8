"""What the tests of interrupted runs share: a folder, jobs with and without MPI, comparisons."""

import itertools
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import time
import uuid

# More ranks than cores, and root in containers. Read by Open MPI, from PRTE on by its version 5, and ignored by others.
MPI_ENVIRONMENT = {
    "OMPI_ALLOW_RUN_AS_ROOT": "1",
    "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
    "OMPI_MCA_rmaps_base_oversubscribe": "1",
    "OMPI_MCA_hwloc_base_binding_policy": "none",
    "PRTE_ALLOW_RUN_AS_ROOT": "1",
    "PRTE_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
    "PRTE_MCA_rmaps_default_mapping_policy": ":oversubscribe",
    "PRTE_MCA_hwloc_default_binding_policy": "none",
}
MARK = "LOCALBATCH_TEST_JOB"  # a variable by which the processes of a job are found
REPRODUCIBLE = ("experiment.yaml", "rounds.csv", "evaluations.csv", "controllers.csv", "audits.csv",
                "final_parameters.f32", "final_parameters.csv", "final_parameters.safetensors")

# A few milliseconds of computing: for tests of files rather than of training.
QUICK = """
experiment: quick
seed: 3
workers: 2
max_samples: 640
problem:               {name: quadratic, dimension: 50, noise_variance: 1, trace: true}
inner_optimizer:       {name: sgd, momentum: 0.9}
outer_optimizer:       {name: nesterov, learning_rate: 0.7, momentum: 0.9}
learning_rate:         {name: constant, peak: 0.05}
sync_interval:         {name: constant, H: 4}
batch_size:            {initial: 8, max: 16}
batch_size_controller: {name: norm_test, eta: 0.8}
gradient_statistics:   {moving_average: 0.5}
shadow_controllers:    [{name: norm_test, eta: 0.5}]
evaluation:            {every_samples: 200}
"""


# Some seconds, to be interrupted in the middle.
LONG = (QUICK.replace("quick", "long").replace("workers: 2", "workers: 4")
        .replace("dimension: 50", "dimension: 10000").replace("640", "60000")
        .replace("peak: 0.05", "peak: 0.005").replace("every_samples: 200", "every_samples: 20000"))


class Failure(Exception):
    """What a test found to be wrong."""


def require(holds, *what):
    if not holds:
        raise Failure("\n".join(str(part) for part in what))


class Finished:
    """How a job ended, and what it said."""

    def __init__(self, status, out, errors, seconds):
        self.status, self.out, self.errors, self.seconds = status, out, errors, seconds

    def lines(self):
        """What the program itself wrote to standard error, warnings left out."""
        return [line for line in self.errors.splitlines()
                if line.startswith("localbatch: ") and not line.startswith("localbatch: warning: ")]

    def require(self, status, *parts):
        """This status, and for a failure one line with these parts."""
        require(self.status == status, f"status {status} expected", self)
        require(len(self.lines()) == (1 if parts else 0), "one line for a failure expected", self)
        for part in parts:
            require(str(part) in self.lines()[0], f"'{part}' expected", self)

    def __str__(self):
        end = "\n".join(self.out.splitlines()[-8:])
        return f"status {self.status} after {self.seconds:.1f} s\n{end}\n{self.errors}"


class Job:
    """'localbatch run ...' that has been started; ranks > 0: by mpirun."""

    def __init__(self, program, arguments, log, ranks=0, environment=None):
        self.mark, self.program, self.log = uuid.uuid4().hex, str(program), pathlib.Path(log)
        launcher = ["mpirun", "-np", str(ranks)] if ranks else []
        self.started = time.monotonic()
        with open(f"{log}.out", "wb") as out, open(f"{log}.err", "wb") as errors:
            self.process = subprocess.Popen(
                [*launcher, self.program, "run", *map(str, arguments)], stdin=subprocess.DEVNULL,
                stdout=out, stderr=errors, start_new_session=True,
                env={**os.environ, **MPI_ENVIRONMENT, **(environment or {}), MARK: self.mark})

    def processes(self):
        """Of the job that are alive: number of the process -> rank, None for the launcher."""
        found = {}
        for entry in os.listdir("/proc"):
            if not entry.isdigit():
                continue
            try:
                variables = pathlib.Path("/proc", entry, "environ").read_bytes().split(b"\0")
                command = pathlib.Path("/proc", entry, "cmdline").read_bytes().split(b"\0")[0]
            except OSError:  # it has ended meanwhile
                continue
            if f"{MARK}={self.mark}".encode() not in variables or not command:
                continue
            ranks = [v.split(b"=")[1] for v in variables if v.startswith(b"OMPI_COMM_WORLD_RANK=")]
            own = command.decode() == self.program
            found[int(entry)] = (int(ranks[0]) if ranks else 0) if own else None
        return found

    def process_of(self, rank, seconds=10):
        """The process of a rank, which may take a moment to start."""
        end = time.monotonic() + seconds
        while time.monotonic() < end and self.process.poll() is None:
            for process, its_rank in self.processes().items():
                if its_rank == rank:
                    return process
            time.sleep(0.01)
        raise Failure(f"rank {rank} was not started", self.wait(1))

    def kill_all(self):
        """Every process, also one that the launcher has left behind."""
        while found := self.processes():
            for process in found:
                send_signal(process, signal.SIGKILL)
            time.sleep(0.01)

    def wait(self, seconds=60):
        """The end of the launcher and of all other processes."""
        end = time.monotonic() + seconds
        try:
            self.process.wait(seconds)
            while self.processes():
                require(time.monotonic() < end, "processes are left over", self.processes())
                time.sleep(0.02)
        except (subprocess.TimeoutExpired, Failure) as late:
            ranks = [rank for rank in self.processes().values() if rank is not None]
            left = f"ranks {sorted(ranks)} left" if ranks else "only the launcher is left"
            self.kill_all()
            self.process.wait()
            raise Failure(f"not ended within {seconds} s, {left}: {late}", self.finished()) from None
        return self.finished()

    def finished(self):
        out, errors = (pathlib.Path(f"{self.log}.{kind}").read_text(errors="replace")
                       for kind in ("out", "err"))
        return Finished(self.process.returncode, out, errors, time.monotonic() - self.started)


def round_of(folder):
    """The last round of a run that is under way."""
    try:
        return max(0, (folder / "rounds.csv").read_text().count("\n") - 1)
    except (OSError, TypeError):
        return 0


def run_tests(tests, program, in_memory):
    """Each on a fixture of its own, a line for each; the exit status."""
    status = 0
    for test in tests:
        try:
            with ProgramFixture(program, in_memory=in_memory) as fixture:
                skipped = test(fixture)
            print(f"{'skipped, ' + skipped if skipped else 'ok'}: {test.__doc__}", flush=True)
        except Failure as failure:
            print(f"FAILED: {test.__doc__}\n{failure}", flush=True)
            status = 1
    return status


def send_signal(process, number):
    try:
        os.kill(process, number)
    except ProcessLookupError:
        pass


def files_of(folder):
    """Name -> bytes; the lock, in which nothing ever stands, is left out."""
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir()) if path.name != "lock"}


def checkpoints(folder):
    """Those that count, oldest first."""
    try:
        return sorted(name for name in os.listdir(folder)
                      if name.startswith("checkpoint-") and not name.endswith(".new"))
    except FileNotFoundError:
        return []


def require_same(folder, reference):
    """The reproducible bytes of two runs, and nothing else than results is left over."""
    for name in REPRODUCIBLE:
        theirs, ours = ((where / name).read_bytes() if (where / name).exists() else None
                        for where in (reference, folder))
        require(theirs == ours, f"{folder / name} differs from {reference / name}")
    left_over = [name for name in os.listdir(folder) if name.endswith(".new")]
    require(not checkpoints(folder) and not left_over, f"{folder}: left over", os.listdir(folder))


class ProgramFixture:
    """A folder for one test, and runs of the program in it."""

    def __init__(self, program, keep=False, in_memory=False):
        self.program, self.keep = pathlib.Path(program).resolve(), keep
        memory = "/dev/shm" if in_memory and os.access("/dev/shm", os.W_OK) else None
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="localbatch-kill-", dir=memory))
        self.job_numbers = itertools.count(1)  # jobs may be started by several threads

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        if kind is not None and self.keep:
            print(f"kept: {self.folder}")
            return
        shutil.rmtree(self.folder, ignore_errors=True)

    def write(self, name, text):
        (self.folder / name).write_text(text)
        return self.folder / name

    def start(self, experiment, output, *options, ranks=0, environment=None):
        """What MPI leaves behind when it is killed is removed with the folder."""
        of_mpi = {"TMPDIR": str(self.folder), "OMPI_MCA_btl_vader_backing_directory": str(self.folder)}
        return Job(self.program, [experiment, "--output", output, *options],
                   self.folder / f"job{next(self.job_numbers)}", ranks, {**of_mpi, **(environment or {})})

    def run(self, *arguments, seconds=60, **options):
        return self.start(*arguments, **options).wait(seconds)

    def start_in_the_middle(self, *arguments, **options):
        """A job that has done some rounds and has many to do; its folder."""
        job = self.start(*arguments, **options)
        end = time.monotonic() + 30
        while round_of(run_folder(arguments[1]) or self.folder / "none") < 8:
            if job.process.poll() is not None or time.monotonic() > end:
                job.kill_all()
                raise Failure("no job in the middle", job.wait())
            time.sleep(0.01)
        return job, run_folder(arguments[1])

    def reference(self, experiment, *options):
        """The folder of a run that nothing interrupts."""
        output = self.folder / f"reference-{experiment.stem}"
        finished = self.run(experiment, output, *options)
        require(finished.status == 0, "the reference does not run", finished)
        return run_folder(output)


def run_folder(output):
    """The one that a run has made, None before."""
    found = [path for path in pathlib.Path(output).glob("*/*") if path.is_dir()]
    require(len(found) < 2, "more than one run", found)
    return found[0] if found else None
