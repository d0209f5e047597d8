# For Spack 1.0 and newer, from a clone of localbatch:
#   spack repo add third_party/spack_repo/localbatch
#   spack install localbatch
# Untried: no Spack was at hand. Only its syntax and the versions are tested (tests/install/recipes_test.py).

import pathlib

from spack_repo.builtin.build_systems.cmake import CMakePackage

from spack.package import *


class Localbatch(CMakePackage):
    """Local SGD with adaptive batch sizes on CPU clusters: trains networks with oneDNN and Winograd
    kernels over MPI, with the same bytes on a laptop and on a cluster."""

    # What is built is what is committed in the clone that holds this file.
    git = "file://" + str(pathlib.Path(__file__).resolve().parents[5])

    license("MIT")

    version("main", branch="main")

    variant("gnuplot", default=True, description="Draw curves with 'localbatch plot' and 'localbatch report'")
    variant("native", default=False, description="Compile with -march=native, not for the target of the spec")

    depends_on("c", type="build")
    depends_on("cxx", type="build")
    depends_on("cmake@3.25:", type="build")
    depends_on("git", type="build")

    depends_on("mpi@3.1:")
    # One thread each for the primitives of a team of threads: see lib/nn/team.h.
    depends_on("onednn@2.6: cpu_runtime=omp gpu_runtime=none")
    depends_on("fmt@9:")
    depends_on("yaml-cpp@0.7:")
    depends_on("nlohmann-json@3.10:")
    depends_on("boost@1.74: +program_options")
    depends_on("xxhash")
    depends_on("zlib-api")
    depends_on("jpeg")
    depends_on("gnuplot", type="run", when="+gnuplot")

    conflicts("platform=darwin", msg="localbatch needs Linux")
    conflicts("platform=windows", msg="localbatch needs Linux")
    conflicts("%gcc@:10", msg="localbatch needs std::barrier, so GCC 11 or newer")
    conflicts("%clang@:14", msg="localbatch needs C++20, so clang 15 or newer")
    conflicts("%intel", msg="localbatch needs C++20, which classic Intel compilers lack")

    def cmake_args(self):
        # Tests need doctest, which builtin does not have. An empty instruction set leaves it to Spack's flags.
        return [
            self.define("BUILD_TESTING", False),
            self.define("LOCALBATCH_MARCH", "native" if self.spec.satisfies("+native") else ""),
        ]
