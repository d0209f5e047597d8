#!/usr/bin/env python3
"""Follows each row of the table in CONTRIBUTING.md with a dummy part, and finds that the row names all files to change.

    tests/recipes_test.py PROGRAM

Every recipe below edits a copy of the repository. Then
- the files that it made or changed must be those that the row names, no more and no fewer;
- CMake must know every source among them, and the compiler accept it;
- `localbatch`, linked from the rooms that PROGRAM was linked from with the changed files in their place, must show the
  dummies, and train with them.
"""

import argparse
import dataclasses
import json
import pathlib
import re
import shlex
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[1]


# ---- The copy, and the edits that recipes make of it -----------------------------------------------------------------

class Copy:
    """A copy of the repository in which dummies are made, and which knows the files that were touched."""

    def __init__(self, folder):
        self.root, self.touched = folder, set()
        listed = subprocess.run(["git", "-C", ROOT, "ls-files", "--cached", "--others", "--exclude-standard",
                                 "CMakeLists.txt", "apps", "lib", "tests", "third_party"],
                                capture_output=True, text=True, check=True).stdout.splitlines()
        for file in listed:
            if (ROOT / file).is_file():
                (folder / file).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(ROOT / file, folder / file)

    def read(self, file):
        return (self.root / file).read_text(encoding="utf-8")

    def write(self, file, text):
        path = self.root / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        self.touched.add(file)

    def replace(self, file, pattern, new):
        text, count = re.subn(pattern, new, self.read(file))
        if count == 0:
            raise AssertionError(f"{file} has no '{pattern}'")
        self.write(file, text)

    def add_before(self, file, pattern, text, behind="^"):
        """Adds text before the first line with this pattern, behind the first place with that one."""
        old = self.read(file)
        begin = re.search(behind, old)
        place = begin and re.compile(f"^.*(?:{pattern}).*$", re.M).search(old, begin.end())
        if not place:
            raise AssertionError(f"{file} has no line with '{pattern}' behind '{behind}'")
        self.write(file, old[:place.start()] + text + old[place.start():])

    def add_include(self, file, header):
        self.add_before(file, '#include "', f'#include "{header}"\n', behind='#include ".*\n')

    def add_row(self, file, table, row):
        """Adds a row at the end of a table, and counts it where the type of the table counts rows."""
        head = rf"\b{table}\b.*\{{"
        self.add_before(file, r"^\s*\}?\};$", f"    {row},\n", behind=head)
        text = self.read(file)
        begin = text.rindex("\n", 0, re.search(head, text).start())
        first_row = re.compile(r'\{(\.name|")').search(text, begin).start()
        counted = re.sub(r"(std::array<.*, )(\d+)>", lambda match: f"{match[1]}{int(match[2]) + 1}>", text[begin:first_row])
        self.write(file, text[:begin] + counted + text[first_row:])

    def add_part(self, file, table, name):
        self.add_row(file, table, f'{{.name = "{name}", .summary = "a dummy", .make = make_{name}}}')

    def add_file(self, file):
        """Adds a file of tests/recipes, and to the list of its room if it is a source."""
        top, room, name = file.split("/")[0], *file.split("/")[-2:]
        self.write(file, (ROOT / "tests/recipes" / name).read_text(encoding="utf-8"))
        if name.endswith(".cpp") and room != "fuzz":
            target = {"lib": rf"localbatch_room\({room}\s+SOURCES\n", "apps": r"add_executable\(localbatch\n",
                      "tests": rf"localbatch_tests\({room} SOURCES\n"}[top]
            self.add_before(f"{top}/CMakeLists.txt", r"\S", f"  {name if top == room else f'{room}/{name}'}\n", behind=target)


# ---- The recipes: each makes a dummy, from files in recipes/ and lines here, and says what is then to be seen ----------

@dataclasses.dataclass
class Recipe:
    thing: str  # the first cell of the row
    name: str   # stands for <name> in the row
    make: object = None  # a function of a Copy
    arguments: tuple = ()  # of localbatch, which then prints something with the pattern; none: the compiler has to do
    pattern: str = ""


def train(name, *settings):
    """The arguments that train a small network or problem for a few rounds."""
    return ("run", f"{name}.yaml", "--force", *(word for setting in settings for word in ("--set", setting)))


def batch_size_controller(copy):
    copy.add_file("lib/batching/dummy_controller.h")
    copy.add_file("lib/batching/dummy_controller.cpp")
    copy.add_file("tests/batching/dummy_controller_test.cpp")
    copy.add_include("lib/batching/batch_size_controller.cpp", "batching/dummy_controller.h")
    copy.add_part("lib/batching/batch_size_controller.cpp", "kTable", "dummy_controller")


def data_set(copy):
    copy.add_file("lib/data/dummy_data_set.h")
    copy.add_file("lib/data/dummy_data_set.cpp")
    copy.add_include("lib/data/dataset.cpp", "data/dummy_data_set.h")
    copy.add_part("lib/data/dataset.cpp", "kDatasets", "dummy_data_set")


def model(copy):
    copy.add_file("lib/nn/dummy_model.cpp")
    copy.add_before("lib/nn/model.h", "ModelFactory make_mlp", "ModelFactory make_dummy_model(Options& options);\n")
    copy.add_part("lib/nn/model.cpp", "model_table", "dummy_model")


def partition(copy):
    copy.add_before("lib/data/partition.cpp", "kPartitions", """\
Partition make_dummy_partition(Options&) {
  return {.share = [](const SamplesToShare& samples, int num_workers, std::uint64_t) {
    Shares shares(num_workers);
    for (std::uint32_t i = 0; i < samples.count; ++i) shares[i % num_workers].push_back(i);
    return shares;
  }};
}
""")
    copy.add_part("lib/data/partition.cpp", "kPartitions", "dummy_partition")


def inner_optimizer(copy):
    copy.add_file("lib/optim/dummy_inner_optimizer.cpp")
    copy.add_before("lib/optim/inner_optimizer.h", "InnerOptimizerFactory make_adamw",
                    "InnerOptimizerFactory make_dummy_inner_optimizer(Options& options);\n")
    copy.add_part("lib/optim/inner_optimizer.cpp", "inner_optimizer_table", "dummy_inner_optimizer")


def outer_optimizer(copy):
    copy.add_before("lib/optim/outer_optimizer.h", "OuterOptimizerFactory make_nesterov",
                    "OuterOptimizerFactory make_dummy_outer_optimizer(Options& options);\n")
    copy.add_before("lib/optim/outer_optimizer.cpp", "outer_optimizer_table", """\
class DummyOuterOptimizer final : public OuterOptimizer {
 public:
  void step(std::span<float> global, std::span<const float> mean_local, const OuterStep&) override {
    for (std::size_t i = 0; i < global.size(); ++i) global[i] = (global[i] + mean_local[i]) / 2;
  }
  std::span<float> state() override { return {}; }
};

OuterOptimizerFactory make_dummy_outer_optimizer(Options&) {
  return [](std::size_t) { return std::make_unique<DummyOuterOptimizer>(); };
}
""")
    copy.add_part("lib/optim/outer_optimizer.cpp", "outer_optimizer_table", "dummy_outer_optimizer")


def learning_rate(copy):
    copy.add_before("lib/optim/learning_rate.h", "LearningRate make_cosine_rate",
                    "LearningRate make_dummy_rate(Options& options);\n")
    copy.add_before("lib/optim/learning_rate.cpp", "learning_rate_table", """\
LearningRate make_dummy_rate(Options&) {
  return {.rate = [](std::int64_t samples, std::int64_t) { return 1.0 / static_cast<double>(100 + samples); }};
}
""")
    copy.add_part("lib/optim/learning_rate.cpp", "learning_rate_table", "dummy_rate")


def learning_rate_coupling(copy):
    copy.add_before("lib/optim/learning_rate.h", "LearningRateCoupling make_no_coupling",
                    "LearningRateCoupling make_dummy_coupling(Options& options);\n")
    copy.add_before("lib/optim/learning_rate.cpp", "learning_rate_coupling_table", """\
LearningRateCoupling make_dummy_coupling(Options&) {
  return {[](const CouplingContext& now) { return std::cbrt(now.growth); }};
}
""")
    copy.add_part("lib/optim/learning_rate.cpp", "learning_rate_coupling_table", "dummy_coupling")


def sync_interval(copy):
    copy.add_before("lib/optim/sync_interval.h", "SyncInterval make_constant_interval",
                    "SyncInterval make_dummy_interval(Options& options);\n")
    copy.add_before("lib/optim/sync_interval.cpp", "sync_interval_table", """\
SyncInterval make_dummy_interval(Options&) {
  return {[](const SyncContext& context) { return 1 + static_cast<int>(context.round % 3); }};
}
""")
    copy.add_part("lib/optim/sync_interval.cpp", "sync_interval_table", "dummy_interval")


def problem(copy):
    copy.add_file("lib/problems/dummy_problem.cpp")
    copy.add_before("lib/problems/problem.cpp", r"^namespace \{", "ProblemFactory make_dummy_problem(Options& options);\n")
    copy.add_part("lib/problems/problem.cpp", "kTable", "dummy_problem")


def csv_column(copy):
    copy.add_row("lib/run/columns.cpp", "kRoundColumns",
                 '{"dummy_column", "", "twice M", [](Row r) { return csv_cell(2 * r.workers); }}')


def subcommand(copy):
    copy.add_file("apps/dummy_command.cpp")
    copy.add_before("apps/commands.h", "int run_command", "int dummy_command(std::span<const std::string> arguments);\n")
    copy.add_row("apps/main.cpp", "kCommands", '{"dummy", "nothing", dummy_command}')


def reader(copy):
    copy.add_file("tests/fuzz/dummy_target.cpp")
    copy.write("tests/fuzz/corpus/dummy/letter", "y")
    copy.add_before("tests/fuzz/CMakeLists.txt", r"localbatch_fuzz_target\(cifar", "localbatch_fuzz_target(dummy localbatch_core)\n")
    copy.add_before("tests/fuzz/README.md", "^The contract", "| `dummy` | a letter |\n\n")


def layer(copy):
    copy.add_file("lib/nn/dummy_layer.cpp")
    copy.add_before("lib/nn/image_model.h", "using LayerKind", "struct Dummy {\n  ValueId src = 0;\n};\n")
    copy.replace("lib/nn/image_model.h", r"PadShortcut>;", "PadShortcut, Dummy>;")
    copy.add_before("lib/nn/image_model.cpp", r"const Relu&", "[&](const Dummy&) { return src; },\n")
    copy.add_before("lib/nn/layers.h", "template <class T>", """\
template <class T>
std::unique_ptr<Layer> make_dummy_layer(const Source<T>& src, const Destination<T>& dst);
""", behind="make_relu_layer")
    copy.add_before("lib/nn/image_network.cpp", "holds_alternative<AveragePool>",
                    "  if (std::holds_alternative<Dummy>(kind)) return make_dummy_layer(src, dst);\n", behind="make_layer[(]")


def statistic(copy):
    copy.add_before("lib/batching/gradient_statistics.h", "double variance = 0", "  double dummy = 0;\n")
    copy.add_before("lib/train/estimator.h", r"operator\+=", "  double dummy = 0;\n")
    copy.replace("lib/train/estimator.h", r"GroupSums::\*, 8>", "GroupSums::*, 9>")
    copy.replace("lib/train/estimator.h", r"(&GroupSums::\w+)\}", r"\1, &GroupSums::dummy}")
    copy.add_before("lib/train/estimator.cpp", r"statistics\.variance =", "  statistics.dummy = sums.dummy / divisor;\n")
    copy.replace("lib/train/meter.cpp", r"(\.scaled_inner_product_squares =[^}]*)\}", r"\1, .dummy = 1}")  # twice
    copy.replace("lib/train/chunk_gradients.cpp", r"(\.deviation_squares =[^}]*)\}", r"\1, .dummy = 1}")
    copy.add_before("lib/train/audit.cpp", r"sums\.deviation_squares -= n \* ", "  sums.dummy = n;\n")


RECIPES = [
    Recipe("batch-size controller", "dummy_controller", batch_size_controller,
           train("network", "batch_size_controller={name: dummy_controller, factor: 4}", "batch_size.max=64"),
           "local batch size 8 -> 44"),
    Recipe("data set", "dummy_data_set", data_set,
           train("network", "dataset={name: dummy_data_set}", "model={name: dummy_model}"), "64 training and 16 test windows"),
    Recipe("model", "dummy_model", model,
           train("network", "dataset={name: dummy_data_set}", "model={name: dummy_model}"), "network: 676 parameters"),
    Recipe("partition of the data", "dummy_partition", partition,
           train("network", "dataset.partition=dummy_partition"), "final test loss"),
    Recipe("inner optimizer", "dummy_inner_optimizer", inner_optimizer,
           train("network", "inner_optimizer.name=dummy_inner_optimizer"), "final test loss"),
    Recipe("outer optimizer", "dummy_outer_optimizer", outer_optimizer,
           train("network", "outer_optimizer.name=dummy_outer_optimizer"), "final test loss"),
    Recipe("learning-rate rule", "dummy_rate", learning_rate,
           train("network", "learning_rate={name: dummy_rate}"), "final test loss"),
    Recipe("learning-rate coupling", "dummy_coupling", learning_rate_coupling,
           train("network", "learning_rate_coupling.name=dummy_coupling"), "final test loss"),
    Recipe("rule for H", "dummy_interval", sync_interval,
           train("network", "sync_interval={name: dummy_interval}"), " H 3 "),
    Recipe("objective whose theory is known", "dummy_problem", problem,
           train("problem", "problem.name=dummy_problem"), "final F "),
    Recipe("CSV column", "dummy_column", csv_column, ("describe", "rounds.csv"), "dummy_column .*twice M"),
    Recipe("subcommand", "dummy", subcommand, ("dummy", "one", "two"), "a dummy got 2 arguments"),
    Recipe("reader of a file", "dummy", reader),
]
# These change the layout of objects, which what is compiled already does not know. They come last.
LAYOUT_RECIPES = [
    Recipe("kind of layer", "dummy", layer),
    Recipe("statistic of gradients", "dummy", statistic),
]

EXPERIMENTS = {
    "network.yaml": """
experiment: network
workers: 2
max_samples: 256
dataset: {name: synthetic, train_samples: 64, test_samples: 16}
model: {name: softmax_regression}
learning_rate: {name: constant, peak: 0.01}
batch_size: {initial: 8, max: 8, micro_batch: 8}
""",
    "problem.yaml": """
experiment: problem
workers: 2
max_samples: 64
learning_rate: {name: constant, peak: 0.01}
batch_size: {initial: 4, max: 4}
""",
}


# ---- What CONTRIBUTING.md says ---------------------------------------------------------------------------------------

def rows_of_contributing():
    """The files that each row of the table names, <name> standing for the dummy's."""
    table = re.search(r"^\| new thing .*\n\|[-| ]+\n((?:\|.*\n)+)", (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8"), re.M)
    rows = {}
    for line in table[1].splitlines():
        thing, *cells = line.strip("| ").split(" | ")
        rows[thing] = {path for path in re.findall(r"`([^`]+)`", " ".join(cells)) if "/" in path}
    return rows


def named_files(paths, name):
    """The files that a row names, and the lists of sources in which, as the text above the table says, new ones stand."""
    files = {path.replace("<name>", name) for path in paths}
    for path in paths:
        if "<name>" in path and path.endswith(".cpp") and not path.startswith("tests/fuzz/"):
            files.add(f"{path.split('/')[0]}/CMakeLists.txt")
    return files


# ---- Compiling and linking what has changed --------------------------------------------------------------------------

class Build:
    def __init__(self, copy, program, folder):
        self.copy, self.program, self.folder = copy, program, folder
        self.old = next(parent for parent in program.parents if (parent / "CMakeCache.txt").is_file())
        self.objects = {}  # by source, as a path from the root

    def cached(self, name):
        return re.search(rf"^{name}:\w+=(.*)$", (self.old / "CMakeCache.txt").read_text(encoding="utf-8"), re.M)[1]

    def configure(self):
        """Has CMake read the lists of sources of the copy."""
        flags = [f"-D{name}={self.cached(name)}" for name in ("CMAKE_CXX_COMPILER", "LOCALBATCH_MARCH")]
        run(["cmake", "-S", self.copy.root, "-B", self.folder, "-DCMAKE_BUILD_TYPE=Release",
             "-DCMAKE_CXX_FLAGS_RELEASE=-O0", "-DLOCALBATCH_WERROR=OFF", "-DLOCALBATCH_PYTORCH_PYTHON=", *flags])
        commands = json.loads((self.folder / "compile_commands.json").read_text(encoding="utf-8"))
        self.commands = {str(pathlib.Path(entry["file"]).relative_to(self.copy.root)): entry for entry in commands
                         if pathlib.Path(entry["file"]).is_relative_to(self.copy.root)}

    def compile(self, source, only_check=False):
        if source not in self.commands:
            raise AssertionError(f"no CMakeLists.txt names {source}")
        words = shlex.split(self.commands[source]["command"])
        words = words[:words.index("-o")] + words[words.index("-o") + 2:]
        self.objects[source] = self.folder / (source.replace("/", "_") + ".o")
        run([*words, "-fsyntax-only"] if only_check else [*words, "-o", self.objects[source]], cwd=self.folder)

    def link_command(self):
        """As the program was linked, by make or ninja: the words, and the folder in which they hold."""
        if (self.old / "build.ninja").is_file():
            line = run(["ninja", "-C", self.old, "-t", "commands", "-s", self.program.relative_to(self.old)])
            return shlex.split(line.splitlines()[-1].removeprefix(": && ").removesuffix(" && :")), self.old
        line = self.program.parent / "CMakeFiles/localbatch.dir/link.txt"
        return shlex.split(line.read_text(encoding="utf-8")), self.program.parent

    def link(self):
        """Objects come before archives: what an object defines, nobody takes from an archive. Where several files are one
        unit, that defines all of them again, and what comes first counts."""
        words, folder = self.link_command()
        for source in self.objects:
            words = [word for word in words if not word.endswith(f"localbatch.dir/{source.removeprefix('apps/')}.o")]
        words[words.index("-o") + 1] = str(self.folder / "localbatch")
        ours = [str(path) for source, path in self.objects.items() if source.startswith(("lib/", "apps/"))]
        run([words[0], "-Wl,--allow-multiple-definition", *ours, *words[1:]], cwd=folder)


def run(words, cwd=None):
    done = subprocess.run([str(word) for word in words], cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, check=False)
    if done.returncode != 0:
        raise AssertionError(f"{shlex.join(str(word) for word in words)} ended with {done.returncode}:\n{done.stdout}")
    return done.stdout


# ---- The test --------------------------------------------------------------------------------------------------------

def follow(recipes, copy, rows):
    """Makes dummies; returns the touched files, and mistakes of the rows."""
    touched, mistakes = set(), []
    for recipe in recipes:
        copy.touched = set()
        recipe.make(copy)
        named = named_files(rows.get(recipe.thing, set()), recipe.name)
        changed = {folder if (folder := file.rsplit("/", 1)[0]) in named else file for file in copy.touched}
        mistakes += [f"CONTRIBUTING.md: {recipe.thing}: {file} had to change, the row does not name it"
                     for file in sorted(changed - named)]
        mistakes += [f"CONTRIBUTING.md: {recipe.thing}: the row names {file}, which need not change"
                     for file in sorted(named - changed)]
        touched |= copy.touched
    return touched, mistakes


def compile_sources(build, files, only_check=False):
    build.configure()
    for file in sorted(files):
        if file.endswith(".cpp"):
            build.compile(file, only_check)


def show(recipe, folder):
    """A list with a mistake if the program with the dummies does not do what is expected of it."""
    try:
        said = run([folder / "localbatch", *recipe.arguments], cwd=folder)
    except AssertionError as error:
        said = str(error)
    shown = re.search(recipe.pattern, said)
    return [] if shown else [f"{recipe.thing}: '{recipe.pattern}' is not in:\n{said}"]


def mistakes_of(program, folder):
    copy = Copy(folder / "copy")
    build = Build(copy, program, folder / "build")
    rows = rows_of_contributing()
    known = {recipe.thing for recipe in RECIPES + LAYOUT_RECIPES}
    mistakes = [f"CONTRIBUTING.md: {thing}: recipes_test.py does not follow this row" for thing in rows if thing not in known]

    touched, wrong_rows = follow(RECIPES, copy, rows)
    compile_sources(build, touched)
    build.link()
    for name, text in EXPERIMENTS.items():
        (build.folder / name).write_text(text, encoding="utf-8")
    mistakes += wrong_rows + [mistake for recipe in RECIPES for mistake in show(recipe, build.folder) if recipe.arguments]

    touched, wrong_rows = follow(LAYOUT_RECIPES, copy, rows)
    compile_sources(build, touched, only_check=True)
    return mistakes + wrong_rows


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program", type=pathlib.Path)
    program = parser.parse_args().program.resolve()
    with tempfile.TemporaryDirectory() as folder:
        try:
            found = mistakes_of(program, pathlib.Path(folder))
        except AssertionError as error:
            found = [str(error)]
    print("\n".join(found) if found else f"{len(RECIPES + LAYOUT_RECIPES)} rows of CONTRIBUTING.md name what has to change")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
