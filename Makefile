# The words that a newcomer guesses; each is a line or two around a CMake preset.

JOBS ?= $(shell nproc)
FILE ?= experiments/demo.yaml
RANKS ?= 1
ROUNDS ?= 3
BENCH_SECONDS ?= 3
SECONDS ?= 20
KILLS ?= 500
MUTATIONS ?= 2000
SEED ?= 1
AARCH64 ?= /var/tmp/localbatch-aarch64

# The folder that stands in for a leading data/ in the experiment files: the first of these that holds a data set.
LOCALBATCH_DATA ?= $(abspath $(firstword \
  $(foreach folder,data ../shared/data,$(if $(wildcard $(folder)/*/),$(folder))) data))
export LOCALBATCH_DATA
CIFAR10 ?= $(LOCALBATCH_DATA)/cifar-10-batches-bin

# Open MPI refuses root, and more ranks than cores, unless it is told that both are meant; version 5 in other words.
export OMPI_ALLOW_RUN_AS_ROOT = 1
export OMPI_ALLOW_RUN_AS_ROOT_CONFIRM = 1
export OMPI_MCA_rmaps_base_oversubscribe = 1
export PRTE_ALLOW_RUN_AS_ROOT = 1
export PRTE_ALLOW_RUN_AS_ROOT_CONFIRM = 1
export PRTE_MCA_rmaps_default_mapping_policy = :oversubscribe

# Ninja compiles a library before those that it uses are linked, and keeps all cores busy; make waits.
CMAKE_GENERATOR ?= $(if $(shell command -v ninja),Ninja,Unix Makefiles)
export CMAKE_GENERATOR

# PREFIX: where 'make install' puts the program, and where cmake looks for libraries first, as those that
# third_party/build_dependencies.sh builds. PACKAGES=no: nothing is installed by a package manager, and only what is
# about tests needs doctest.
PREFIX ?=
TESTS = $(if $(filter no,$(PACKAGES)),OFF,ON)
test test-more test-kill hardening mpich cluster-bench cluster-overlap: TESTS = ON
override CONFIGURE += $(if $(PREFIX),-DCMAKE_PREFIX_PATH=$(abspath $(PREFIX))) -DBUILD_TESTING=$(TESTS)
INSTALL_PACKAGES = $(if $(filter no,$(PACKAGES)),@:,third_party/install_packages.sh)

CPP = $(shell git ls-files --cached --others --exclude-standard 'apps/*.cpp' 'lib/*.cpp' 'tests/*.cpp')
HEADERS = $(shell git ls-files --cached --others --exclude-standard 'apps/*.h' 'lib/*.h' 'tests/*.h')

.PHONY: release demo install test test-more test-slurm test-kill hardening compare run mpich aarch64 table bench cluster-bench cluster-overlap cluster-replays theory lint format asan tsan fuzz debug clean help packages

release: packages  ## build the program: build/release/apps/localbatch
	cmake --preset release $(CONFIGURE)
	cmake --build --preset release -j $(JOBS) --target localbatch

demo: release  ## train on the built-in data set with two workers and show the result (3 minutes)
	build/release/apps/localbatch run experiments/demo.yaml --force

install: release  ## put program, experiments and man page into a folder: make install PREFIX=$HOME/localbatch
	cmake --install build/release $(if $(PREFIX),--prefix $(abspath $(PREFIX)))

# One test more than cores: those that start mpirun wait most of the time.
test: packages  ## build and run all tests but those of test-more, test-kill and test-slurm
	cmake --preset release $(CONFIGURE)
	cmake --build --preset release -j $(JOBS)
	ctest --test-dir build/release --output-on-failure -j $$(($(JOBS) + 1)) -LE 'slow|more|fuzz'

test-more: packages  ## kernels for older CPUs, and the recipes of CONTRIBUTING.md (2 minutes)
	cmake --preset release $(CONFIGURE)
	cmake --build --preset release -j $(JOBS) --target all more_tests
	ctest --test-dir build/release --output-on-failure -j $(JOBS) -L more

test-slurm: release  ## the templates for Slurm on a private Slurm of this machine (3 minutes)
	tests/slurm/slurm_test.sh build/release/apps/localbatch

test-kill: packages  ## faults, signals, lost and hanging ranks (5 minutes)
	cmake --preset release $(CONFIGURE)
	cmake --build --preset release -j $(JOBS)
	ctest --test-dir build/release --output-on-failure -L slow

hardening: release  ## the attacks of tests/hardening (KILLS=500 MUTATIONS=2000 SEED=1, an hour)
	$(INSTALL_PACKAGES) clang
	cmake --build --preset release -j $(JOBS) --target localbatch_failing_calls localbatch_stopping_calls
	cmake --preset asan
	cmake --build --preset asan -j $(JOBS) --target localbatch
	tests/hardening/all.sh $(KILLS) $(MUTATIONS) $(SEED)

compare: release  ## results of an older program, byte for byte: OLD=path (OPTIONS="--samples 3000": 10 minutes)
	python3 tests/placement/compare_programs.py $(or $(OLD),OLD) build/release/apps/localbatch $(OPTIONS)

run: release  ## make run FILE=experiments/demo.yaml RANKS=2
	mpirun -np $(RANKS) --bind-to none build/release/apps/localbatch run $(FILE)

mpich: release  ## the program over a second MPI, Debian's MPICH: its tests, and the bytes of one over Open MPI
	$(INSTALL_PACKAGES) ci
	cmake --preset mpich $(CONFIGURE)
	cmake --build --preset mpich -j $(JOBS) \
	  --target localbatch localbatch_comm_tests localbatch_mpi_tests localbatch_mpi_failing_worker
	ctest --test-dir build/mpich --output-on-failure -R '^(comm|mpi_.*|determinism)$$' -E mpi_64_ranks
	tests/placement/second_mpi.sh build/release/apps/localbatch mpirun build/mpich/apps/localbatch mpiexec.mpich

aarch64: packages  ## the program for 64-bit Arm under emulation: tests and a run (as root; AARCH64=folder of 2 GB)
	$(INSTALL_PACKAGES) aarch64
	tests/install/aarch64.sh $(AARCH64)

table: release  ## tables and figures of experiments from their CSV files, byte for byte the committed ones
	for made in experiments/*/make_table.sh; do $$made build/release/apps/localbatch || exit 1; done

bench: release  ## training steps in turn with PyTorch's, ratios in bench.json (ROUNDS=3, 10 minutes)
	python3 tests/oracle/bench_against_pytorch.py build/release/apps/localbatch \
	  --rounds $(ROUNDS) --seconds $(BENCH_SECONDS)

cluster-bench: release  ## two hosts with 1 Gbit/s between them; as root (CIFAR10=folder, half an hour)
	cmake --build --preset release -j $(JOBS) --target localbatch_plain_allreduce
	python3 tests/cluster/bench.py build/release/apps/localbatch \
	  build/release/tests/localbatch_plain_allreduce --root $(CIFAR10)

cluster-replays: release  ## predicted seconds against measured ones; as root (CIFAR10=folder, about an hour)
	python3 tests/cluster/validate_replay.py build/release/apps/localbatch --root $(CIFAR10)

cluster-overlap: release  ## do streams of parameters hide the network, averages of 8 bits; as root (CIFAR10=folder, 10 minutes)
	cmake --build --preset release -j $(JOBS) --target localbatch_plain_allreduce
	python3 tests/cluster/overlap.py build/release/apps/localbatch \
	  build/release/tests/localbatch_plain_allreduce --root $(CIFAR10)

theory: release  ## compare runs on problems whose theory is known with what theory says (a minute)
	python3 experiments/theory/check.py build/release/apps/localbatch

lint: packages  ## clang-format and clang-tidy, without changing anything
	$(INSTALL_PACKAGES) clang
	cmake --preset lint
	cmake --build --preset lint --target localbatch_build_info
	clang-format --dry-run --Werror $(CPP) $(HEADERS)
	run-clang-tidy -p build/lint -j $(JOBS) -quiet -extra-arg=-Wno-unknown-warning-option \
	  '$(CURDIR)/(lib|apps|build)/'

format:  ## format all sources in place
	$(INSTALL_PACKAGES) clang
	clang-format -i $(CPP) $(HEADERS)

asan tsan: packages  ## tests under the address and undefined-behaviour, or the thread sanitizer
	$(INSTALL_PACKAGES) clang
	cmake --preset $@
	cmake --build --preset $@ -j $(JOBS)
	ctest --test-dir build/$@ --output-on-failure -j $(JOBS)

fuzz: packages  ## give every reader broken files for a while (SECONDS=20 each)
	$(INSTALL_PACKAGES) clang
	cmake --preset asan
	cmake --build --preset asan -j $(JOBS) --target fuzzers
	ls tests/fuzz/corpus | xargs -P $(JOBS) -n 1 tests/fuzz/run.sh $(SECONDS)

debug: packages  ## build without optimization
	cmake --preset debug
	cmake --build --preset debug -j $(JOBS)

packages:
	$(INSTALL_PACKAGES)

clean:  ## remove all builds
	rm -rf build

help:  ## this list
	@grep -E '^[a-z -]+:.*## ' Makefile | sed -E 's/:.*## /|/' | awk -F'|' '{printf "  make %-13s %s\n", $$1, $$2}'
