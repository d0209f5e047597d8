#!/usr/bin/env python3
"""Recipes for package managers agree with CMake about versions, and can be read by what reads such files.

    tests/install/recipes_test.py

No package manager is needed: recipes of Spack and EasyBuild are Python, and run here among stand-ins for what they
import. Whether these managers then build localbatch is not tested; the files say so.
"""

import os
import pathlib
import py_compile
import re
import subprocess
import sys
import tempfile
import types

ROOT = pathlib.Path(__file__).resolve().parents[2]
RECIPES = ROOT / "third_party"
# What package managers call the packages that dependencies.cmake finds.
NAMES = {"dnnl": {"onednn", "oneDNN"}, "nlohmann_json": {"nlohmann-json"}, "Boost": {"boost", "libboost-devel"},
         "MPI": {"mpi"}, "ZLIB": {"zlib", "zlib-api"}, "cmake": {"CMake"}}

try:
    import yaml
except ImportError:
    yaml = None


def text(name):
    return (ROOT / name).read_text(encoding="utf-8")


def number(version):
    return tuple(int(part) for part in version.split("."))


def minimum_versions():
    """Of each package, by all of its names."""
    found = dict(re.findall(r"^ *find_package\(([\w-]+) ([\d.]+)", text("third_party/dependencies.cmake"), re.M))
    found["dnnl"] = re.search(r"dnnl_VERSION VERSION_LESS ([\d.]+)", text("third_party/dependencies.cmake"))[1]
    found["cmake"] = re.search(r"cmake_minimum_required\(VERSION ([\d.]+)", text("CMakeLists.txt"))[1]
    del found["JPEG"]  # the number of its binary interface, which no package manager knows
    return {alias: number(version) for name, version in found.items() for alias in NAMES.get(name, set()) | {name}}


VERSION = re.search(r"project\(localbatch VERSION ([\d.]+)", text("CMakeLists.txt"))[1]
MINIMUM = minimum_versions()


def check(holds, what):
    if not holds:
        raise AssertionError(what)


def runs_as_python(path):
    with tempfile.TemporaryDirectory() as folder:
        py_compile.compile(str(path), cfile=f"{folder}/compiled", doraise=True)


def spack():
    path = RECIPES / "spack_repo/localbatch/packages/localbatch/package.py"
    runs_as_python(path)
    calls = []

    def directive(name):
        return lambda *words, **options: calls.append((name, words, options))

    package = types.ModuleType("spack.package")
    for name in ("license", "version", "variant", "depends_on", "conflicts"):
        setattr(package, name, directive(name))
    cmake = types.ModuleType("spack_repo.builtin.build_systems.cmake")
    cmake.CMakePackage = type("CMakePackage", (), {"define": lambda self, key, value: (key, value)})
    sys.modules |= {"spack": types.ModuleType("spack"), "spack.package": package, cmake.__name__: cmake}
    sys.modules |= {name: types.ModuleType(name) for name in
                    ("spack_repo", "spack_repo.builtin", "spack_repo.builtin.build_systems")}
    space = {"__file__": str(path), "__name__": "package"}
    exec(compile(path.read_text(encoding="utf-8"), str(path), "exec"), space)  # pylint: disable=exec-used
    recipe = space["Localbatch"]()
    check(recipe.git == f"file://{ROOT}", f"Spack would clone {recipe.git}")
    recipe.spec = types.SimpleNamespace(satisfies=lambda what: what == "+native")
    check(("LOCALBATCH_MARCH", "native") in recipe.cmake_args(), "Spack: +native")
    needed = {}
    for name, words, _ in calls:
        if name == "depends_on":
            package_name, version = re.match(r"([\w-]+)(?:@([\d.]+):)?", words[0]).groups()
            needed[package_name] = version
    for name in ("cmake", "mpi", "onednn", "fmt", "yaml-cpp", "nlohmann-json", "boost"):
        check(needed.get(name) is not None, f"Spack: no version of {name}")
        enough = number(needed[name] + ".0.0")[:2] == (MINIMUM[name] + (0, 0))[:2]
        check(enough, f"Spack: {name}@{needed[name]}: but CMake wants {MINIMUM[name]}")
    check({"xxhash", "zlib-api", "jpeg"} <= needed.keys(), "Spack: a dependency without a version is missing")


def easybuild():
    constants = {"SOURCE_TAR_GZ": "%(name)s-%(version)s.tar.gz", "SHLIB_EXT": "so"}
    recipes = {}
    for path in sorted((RECIPES / "easybuild").glob("*.eb")):
        runs_as_python(path)
        recipe = dict(constants)
        exec(compile(path.read_text(encoding="utf-8"), str(path), "exec"), recipe)  # pylint: disable=exec-used
        toolchain = recipe["toolchain"]
        name = f"{recipe['name']}-{recipe['version']}-{toolchain['name']}-{toolchain['version']}.eb"
        check(path.name == name, f"{path.name}: EasyBuild looks for {name}")
        recipes[recipe["name"]] = recipe
    check(recipes.keys() == {"localbatch", "oneDNN"}, f"EasyBuild: recipes of {sorted(recipes)}")
    check(recipes["localbatch"]["version"] == VERSION, f"EasyBuild: the version is not {VERSION}")
    check(("oneDNN", recipes["oneDNN"]["version"]) in recipes["localbatch"]["dependencies"], "EasyBuild: oneDNN")
    check("CPU_RUNTIME=OMP" in recipes["oneDNN"]["configopts"], "EasyBuild: threads of oneDNN")
    for recipe in recipes.values():
        for name, version in recipe["builddependencies"] + recipe.get("dependencies", []):
            check(number(version) >= MINIMUM.get(name, (0,)), f"EasyBuild: {name} {version} is too old")


def conda():
    lines = re.findall(r"^  - ([\w-]+) ?(?:>=([\d.]+))?", text("third_party/conda/environment.yaml"), re.M)
    needed = {name: version for name, version in lines}
    for name in ("cmake", "onednn", "fmt", "yaml-cpp", "nlohmann_json", "libboost-devel", "zlib", "doctest"):
        check(name in needed and needed[name], f"conda: no version of {name}")
        check(number(needed[name]) >= MINIMUM[name], f"conda: {name} {needed[name]} is too old")
    check("onednn >=2.6 omp*" in text("third_party/conda/environment.yaml"), "conda: threads of oneDNN")


def apptainer():
    known = set(re.findall(r"[\w+.-]+", text("third_party/install_packages.sh")))
    for mpi, own in (("openmpi", {"openmpi-bin"}), ("mpich", {"libmpich-dev", "mpich"})):
        definition = text(f"third_party/apptainer/localbatch_{mpi}.def").replace("\\\n", " ")
        check(f"mpicxx.{mpi}" in definition, f"Apptainer: {mpi} compiles with another MPI")
        installed = re.findall(r"--no-install-recommends +(.*)", definition)
        check(len(installed) == 2, "Apptainer: two stages install packages")
        for package in " ".join(installed).split():
            check(package in known | own | {"dpkg-dev", "/localbatch.deb"}, f"Apptainer: {package}: no such package")


def dependencies_script():
    script = RECIPES / "build_dependencies.sh"
    subprocess.run(["bash", "-n", script], check=True)
    rows = re.findall(r"^(\w[\w-]*) +([0-9a-f]{64}) \S+?_(?:[\d.]+dfsg\+really)?([\d.]+\d)\S*$",
                      script.read_text(encoding="utf-8"), re.M)
    check(len(rows) == 8, f"build_dependencies.sh: {len(rows)} libraries")
    for name, _, version in rows:
        check(number(version) >= MINIMUM.get(name, (0,)), f"build_dependencies.sh: {name} {version} is too old")

    def run(*words):
        nowhere = {**os.environ, "DEBIAN_MIRROR": "file:///nowhere"}
        return subprocess.run([script, *words], capture_output=True, text=True, check=False, env=nowhere)

    # What this build was made with is there, so nothing of it is downloaded or built.
    with tempfile.TemporaryDirectory() as folder:
        done = run(folder)
        check(done.returncode == 0, f"build_dependencies.sh: {done}")
        for name, _, _ in rows:
            check(f"{name}: found\n" in done.stdout, f"build_dependencies.sh does not find {name}: {done}")

    def refused(status, part, *words):
        done = run(*words)
        check(done.returncode == status and part in done.stderr, f"build_dependencies.sh {words}: {done}")

    with tempfile.TemporaryDirectory() as folder:
        refused(2, "no such library, allowed is fmt", folder, "ftm")
        refused(2, "expected --sources", folder, "--source", folder)
        for name, _, _ in rows:
            if name == "fmt":
                file = re.search(r"\S*/(fmtlib_\S+)", script.read_text(encoding="utf-8"))[1]
                (pathlib.Path(folder) / file).write_text("not what it should be")
        refused(1, "put nlohmann-json3_3.11.3.orig.tar.gz into", folder, "--download", "--all", "nlohmann_json")
        refused(1, "is not the file that was expected", folder, "--sources", folder, "--download", "--all", "fmt")


def citation_and_changes():
    citation = text("CITATION.cff")
    check("name: The localbatch authors" in citation and "2406.13936" in citation, "CITATION.cff: authors or paper")
    check(not re.search(r"^version:", citation, re.M), "CITATION.cff: a second place for the version")
    newest = re.search(r"^## ([\d.]+)", text("CHANGELOG.md"), re.M)[1]
    check(newest == VERSION, f"CHANGELOG.md is about {newest}, CMakeLists.txt about {VERSION}")


def files_of_yaml():
    if yaml is None:
        print("no PyYAML here: YAML files are not read")
        return
    for name in ("CITATION.cff", "third_party/conda/environment.yaml", "third_party/spack_repo/localbatch/repo.yaml"):
        check(isinstance(yaml.safe_load(text(name)), dict), f"{name}: no mapping")


def main():
    for test in (spack, easybuild, conda, apptainer, dependencies_script, citation_and_changes, files_of_yaml):
        test()
        print(f"{test.__name__}: agrees")


if __name__ == "__main__":
    main()
