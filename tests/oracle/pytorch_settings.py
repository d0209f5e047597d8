"""The environments under which PyTorch may be fastest on this machine, and the search for the best one.

PyTorch gives its buffers back in every step; with glibc's malloc in a virtual machine the page faults of
that can be half of the time, so its tuning guide advises tcmalloc. Products in f32 run in whichever BLAS
the loader finds; an OpenBLAS that is older than the CPU takes it for one without AVX, and two teams of
threads that both wait by spinning starve each other. No setting is the best everywhere, so they are tried.
"""

import itertools
import os
import pathlib

LIBRARY_FOLDERS = [
    "/usr/lib/x86_64-linux-gnu",
    "/usr/lib/aarch64-linux-gnu",
    "/usr/lib64",
    "/usr/lib",
]
TCMALLOC = "libtcmalloc_minimal.so.4"
# Debian's folders, one for each kind of threads, whose libblas.so.3 is OpenBLAS.
BLAS = {"OpenBLAS pthread": "openblas-pthread", "OpenBLAS OpenMP": "openblas-openmp"}
WAITING = {
    "passive waiting": {"OMP_WAIT_POLICY": "PASSIVE"},
    "active waiting": {"OMP_WAIT_POLICY": "ACTIVE"},
}
# The first whose instructions the CPU has.
KERNELS = [("avx512f", "SkylakeX"), ("avx2", "Haswell")]
PACKAGES = {
    "tcmalloc": "libtcmalloc-minimal4",
    "OpenBLAS pthread": "libopenblas0-pthread",
    "OpenBLAS OpenMP": "libopenblas0-openmp",
}


def cpu_features():
    """The words with which the kernel names the CPU's instructions."""
    text = pathlib.Path("/proc/cpuinfo").read_text()
    lines = [line for line in text.splitlines() if line.startswith(("flags", "Features"))]
    return set(lines[0].split()) if lines else set()


def find(name, folders):
    """The first of the folders' entries of that name, or None."""
    paths = (pathlib.Path(folder) / name for folder in folders)
    return next((str(path) for path in paths if path.exists()), None)


def combined(*kinds):
    """Every choice of one setting of each kind, by its parts' names."""
    choices = {}
    for parts in itertools.product(*(kind.items() for kind in kinds)):
        name = ", ".join(part for part, _ in parts)
        choices[name] = {key: text for _, variables in parts for key, text in variables.items()}
    return choices


def pytorch_settings(folders=None, features=None):
    """What there is to try, and the packages that are missing here.

    A list of kinds; each is a dictionary from the names of its settings to their variables.
    """
    folders = folders or LIBRARY_FOLDERS
    features = cpu_features() if features is None else features
    tcmalloc = find(TCMALLOC, folders)
    allocators = {"tcmalloc": {"LD_PRELOAD": tcmalloc}} if tcmalloc else {}
    found = {name: find(folder, folders) for name, folder in BLAS.items()}
    blas = {name: {"LD_LIBRARY_PATH": path} for name, path in found.items() if path}
    named = next((core for feature, core in KERNELS if feature in features), None)
    kernels = {f"{named}'s kernels": {"OPENBLAS_CORETYPE": named}} if named else {}
    missing = [PACKAGES[name] for name, path in {"tcmalloc": tcmalloc, **found}.items() if not path]
    return [
        {**kernels, "kernels of its own choice": {}},
        combined(blas or {"the machine's BLAS": {}}, WAITING),
        {**allocators, "glibc": {}},
    ], missing


def environment_of(setting):
    """This process's environment with a setting in it: its variables lead those that hold lists."""
    variables = dict(os.environ)
    for key, text in setting.items():
        earlier = variables.get(key) if key.startswith("LD_") else None
        variables[key] = f"{text}:{earlier}" if earlier else text
    return variables


def best_setting(kinds, rate_of):
    """Name and variables of the best combination, and the rates of all that were tried.

    The kinds are decided one after the other, beginning with the first setting of each. rate_of
    gives the rate in an environment.
    """
    settings, rates = combined(*kinds), {}

    def rate(names):
        name = ", ".join(names)
        if name not in rates:
            rates[name] = rate_of(environment_of(settings[name]))
        return rates[name]

    best = [next(iter(kind)) for kind in kinds]
    for index, kind in enumerate(kinds):
        best = max(([*best[:index], one, *best[index + 1 :]] for one in kind), key=rate)
    name = ", ".join(best)
    return name, settings[name], rates
