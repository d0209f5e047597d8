"""The environments under which PyTorch may be fastest on this machine, and the search for the best one.

PyTorch gives its buffers back in every step; with glibc's malloc in a virtual machine the page faults of
that can be half of the time, so its tuning guide advises tcmalloc. Products in f32 run in whichever BLAS
the loader finds, and two teams of threads that both wait by spinning starve each other. No setting is the
best everywhere: each combination of what this machine has is tried for a moment.
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
ALLOCATORS = {"tcmalloc": "libtcmalloc_minimal.so.4", "glibc": None}
# Debian's folders, one for each kind of threads, whose libblas.so.3 is OpenBLAS.
BLAS = {"OpenBLAS pthread": "openblas-pthread", "OpenBLAS OpenMP": "openblas-openmp"}
WAITING = {"passive waiting": "PASSIVE", "active waiting": "ACTIVE"}
PACKAGES = {
    "tcmalloc": "libtcmalloc-minimal4",
    "OpenBLAS pthread": "libopenblas0-pthread",
    "OpenBLAS OpenMP": "libopenblas0-openmp",
}


def find(name, folders):
    """The first of the folders' entries of that name, or None."""
    paths = (pathlib.Path(folder) / name for folder in folders)
    return next((str(path) for path in paths if path.exists()), None)


def pytorch_settings(folders=None):
    """What there is to try, as environment variables by the setting's name; and what is missing here."""
    folders = folders or LIBRARY_FOLDERS
    missing = []

    def present(kinds, variable):
        found = {name: find(place, folders) for name, place in kinds.items() if place}
        missing.extend(name for name, path in found.items() if not path)
        return {name: {variable: path} for name, path in found.items() if path}

    allocators = {**present(ALLOCATORS, "LD_PRELOAD"), "glibc": {}}
    blas = present(BLAS, "LD_LIBRARY_PATH") or {"the machine's BLAS": {}}
    waiting = {name: {"OMP_WAIT_POLICY": policy} for name, policy in WAITING.items()}
    settings = {}
    for parts in itertools.product(allocators.items(), blas.items(), waiting.items()):
        name = ", ".join(part for part, _ in parts)
        settings[name] = {key: text for _, variables in parts for key, text in variables.items()}
    return settings, [PACKAGES[name] for name in missing]


def environment_of(setting):
    """This process's environment with a setting in it: its variables lead those that hold lists."""
    variables = dict(os.environ)
    for key, text in setting.items():
        earlier = variables.get(key) if key.startswith("LD_") else None
        variables[key] = f"{text}:{earlier}" if earlier else text
    return variables


def best_setting(settings, rate_of):
    """The name of the setting with the highest rate, and the rates of all. rate_of: from an environment."""
    rates = {name: rate_of(environment_of(setting)) for name, setting in settings.items()}
    return max(rates, key=rates.get), rates
