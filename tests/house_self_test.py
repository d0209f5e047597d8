#!/usr/bin/env python3
"""house_test.py finds a mistake of each kind in a small house, and none where there is none."""

import pathlib
import sys
import tempfile

import house_test

MAP = """# Rooms

| room (floor) | question | third party |
|---|---|---|
| `core` (1) | how do we fail | fmt, nlohmann-json |
| `nn` (2) | the gradient | oneDNN, OpenMP |
| `data` (2) | which samples | zlib |
| `train` (3) | Local SGD | - |
| `run` (5) | carry out | - |
| `apps` (7) | command line | Boost.ProgramOptions |
"""

LOOP = """#include "train/local_sgd.h"

namespace localbatch {
namespace {
class Sum {
 public:
  Sum() : all_{0}, parts_(2) {
    all_ = 1'000;
  }

 private:
  double all_;  // a brace in a comment: {
  int parts_ = '{';
};
}  // namespace
Outcome local_sgd(int rounds = {}) {
  for (int round = 0; round < rounds; ++round) text(R"({)", "{");
  return {};
}
}  // namespace localbatch
"""

RIGHT = {
    "lib/README.md": MAP,
    "lib/core/error.h": "#include <fmt/core.h>\n#include <vector>\nclass InputError {};\n",
    "lib/core/json.h": "#include <nlohmann/json.hpp>\n",
    "lib/data/dataset.h": '#include "core/error.h"\nclass Images;\nstruct Dataset { struct Axis { int size; }; };\n',
    "lib/data/idx.cpp": '#include <zlib.h>\n#include "data/dataset.h"\nstruct View { struct Axis {}; };\n',
    "lib/nn/onednn.h": "#include <dnnl.hpp>\n",
    "lib/nn/network.cpp": '#include <unistd.h>\n#include <omp.h>\n#include "nn/onednn.h"\nstruct Shape make_shape() { return {}; }\n',
    "lib/train/local_sgd.h": '#pragma once\n#include "data/dataset.h"\nenum class Outcome { kDone };\n',
    "lib/train/local_sgd.cpp": LOOP,
    "lib/run/run_experiment.cpp": '#include "core/json.h"\n#include "train/local_sgd.h"\n'
                                  "void run_experiment() { local_sgd(3); }\n",
    "apps/commands.h": "int run_command();\n",
    "apps/main.cpp": '#include <boost/program_options.hpp>\n#include "commands.h"\nint main() { return run_experiment(); }\n',
}
CALLS = [("main", "apps/main.cpp", r"\brun_experiment\("),
         ("run_experiment", "lib/run/run_experiment.cpp", r"\blocal_sgd\(")]

# In which file, what is put at its end or in place of something, and what is then to be said about it.
WRONG = [
    ("lib/kitchen/oven.h", "", "lib/README.md: no row for the room kitchen"),
    ("lib/README.md", "| `cellar` (2) | wine | - |", "lib/README.md: a row for cellar, which is no folder"),
    ("lib/README.md", ("zlib", "zlib, bzip2"), "lib/README.md: bzip2: this test does not know its headers"),

    ("lib/core/error.h", '#include "nn/onednn.h"', 'lib/core/error.h: #include "nn/onednn.h": core may not include nn'),
    ("lib/data/idx.cpp", '  #  include "nn/network.cpp"',
     'lib/data/idx.cpp: #include "nn/network.cpp": data may not include nn'),
    ("lib/nn/onednn.h", '#include "network.h"',
     'lib/nn/onednn.h: #include "nn/network.h": no such file; write "<room>/<file>"'),
    ("lib/nn/onednn.h", '#include "../core/error.h"',
     'lib/nn/onednn.h: #include "../core/error.h": no such file; write "<room>/<file>"'),

    ("lib/nn/onednn.h", "#include HEADER", "lib/nn/onednn.h: #include HEADER: cannot be read"),
    ("lib/nn/onednn.h", "#include <core/error.h>",
     "lib/nn/onednn.h: #include <core/error.h>: write our own files in quotes"),
    ("lib/nn/onednn.h", "#include <gsl/gsl.h>", "lib/nn/onednn.h: #include <gsl/gsl.h>: a library that no room has"),
    ("lib/nn/onednn.h", "#include <nlohmann/json.hpp>",
     "lib/nn/onednn.h: #include <nlohmann/json.hpp>: nn may not use nlohmann-json"),
    ("lib/data/idx.cpp", "#include <omp.h>", "lib/data/idx.cpp: #include <omp.h>: data may not use OpenMP"),
    ("apps/main.cpp", "#include <dnnl.h>", "apps/main.cpp: #include <dnnl.h>: apps may not use oneDNN"),

    ("lib/data/dataset.h", "#include <zlib.h>",
     "lib/train/local_sgd.cpp: compiles <zlib.h> over train/local_sgd.h, data/dataset.h"),
    ("apps/main.cpp", '#include "nn/onednn.h"', "apps/main.cpp: compiles <dnnl.hpp> over nn/onednn.h"),
    ("lib/core/error.h", "#include <nlohmann/json.hpp>",
     "lib/data/dataset.h: compiles <nlohmann/json.hpp> over core/error.h"),
    ("lib/run/run_experiment.cpp", '#include "nn/onednn.h"',
     "lib/run/run_experiment.cpp: compiles 5 of our headers, allowed are 4"),

    ("lib/core/error.h", "int a[];\n" * 300, "lib/core/error.h: 401 lines, allowed are 400"),
    ("lib/core/error.h", "template <class T>\nbool operator==(T a, T b) noexcept(true) {\n" + "  ++a;\n" * 58 + "}",
     "lib/core/error.h:101: operator: 61 lines, allowed are 60"),
    ("lib/train/local_sgd.cpp", "namespace { struct Images final : Base<int> {}; }\nclass Images {};",
     "lib/train/local_sgd.cpp:102: Images is defined in lib/train/local_sgd.cpp:101 already"),
    ("lib/data/idx.cpp", "struct View::Axis { int more; };",
     "lib/data/idx.cpp:101: View::Axis is defined in lib/data/idx.cpp:3 already"),

    ("lib/data/idx.cpp", 'void say() { std::printf("%s", name); }',
     "lib/data/idx.cpp:101: prints past print() of apps/commands.h"),
    ("apps/main.cpp", 'void f() { fmt::print("{}", name); }', "apps/main.cpp:101: prints past print() of apps/commands.h"),

    ("lib/train/local_sgd.cpp", ("return {};", "return {};" + "\n" * 28),
     "lib/train/local_sgd.cpp: local_sgd: 32 lines, allowed are 30"),
    ("lib/train/local_sgd.cpp", ("return {};", "return {};  // Interruptions"),
     "lib/train/local_sgd.cpp: local_sgd: speaks of interruption, which belongs behind the synchronizer or the observer"),
    ("lib/train/local_sgd.cpp", ("local_sgd(int", "other_sgd(int"),
     "lib/train/local_sgd.cpp: expected one function local_sgd"),
    ("apps/main.cpp", ("run_experiment()", "run_other()"),
     r"apps/main.cpp: main does not call \brun_experiment\(, as CALLS_TO_LOOP in house_test.py has it"),
]


def padded(name, text):
    """A source file with this text, of 100 lines: neither a crumb nor a scroll."""
    return text + "// one more line\n" * (100 - text.count("\n")) if name.endswith((".cpp", ".h")) else text


def with_mistake(name, change):
    right = RIGHT.get(name, "")
    if isinstance(change, tuple):
        return padded(name, right.replace(*change))
    return padded(name, right) + f"{change}\n"


class House:
    """The small house in a folder."""

    def __init__(self, root):
        self.root, self.failed = root, []
        for name, text in RIGHT.items():
            self.write(name, padded(name, text))

    def write(self, name, text):
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def restore(self, name):
        if name in RIGHT:
            self.write(name, padded(name, RIGHT[name]))
        else:
            (self.root / name).unlink()
            if not any((self.root / name).parent.iterdir()):
                (self.root / name).parent.rmdir()

    def expect(self, expected, case):
        """That `expected` is among the mistakes that are found; None: that nothing is found."""
        found = house_test.mistakes(house_test.House(self.root))
        if (found and not expected) or (expected and expected not in found):
            self.failed.append(f"{case}: expected {expected}, found {found}")


def find_planted_mistakes(house):
    house.expect(None, "nothing is wrong")
    for name, change, expected in WRONG:
        house.write(name, with_mistake(name, change))
        house.expect(expected, name)
        house.restore(name)


def find_what_many_files_have(house):
    crumbs = [f"lib/nn/crumb{number}.cpp" for number in range(171)]
    for name in crumbs:
        house.write(name, "int a[];\n" * 79)
    house.expect("lib, apps: half of the files have 79 lines or less, expected 80 to 120", "crumbs")
    house.expect("lib, apps: 181 units, allowed are 174", "units")
    for name in crumbs:
        house.restore(name)
    house_test.MAX_CALLS_TO_LOOP = 1
    house.expect("apps/main.cpp: 2 calls from main to local_sgd, allowed are 1", "calls")


def main():
    house_test.MAX_RUNNER_HEADERS, house_test.CALLS_TO_LOOP = 4, CALLS
    with tempfile.TemporaryDirectory() as folder:
        house = House(pathlib.Path(folder))
        find_planted_mistakes(house)
        find_what_many_files_have(house)
    print("\n".join(house.failed) if house.failed else f"{len(WRONG) + 3} planted mistakes were found")
    return 1 if house.failed else 0


if __name__ == "__main__":
    sys.exit(main())
