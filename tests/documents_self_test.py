#!/usr/bin/env python3
"""documents_test.py finds a mistake of each kind in a small repository, and none where there is none."""

import pathlib
import subprocess
import sys
import tempfile

import documents_test

PROGRAM = """#!/bin/sh
case $1 in
  run) echo 'usage: localbatch run FILE'; echo '  --force  replace results' ;;
  *) printf 'usage\\n\\ncommands:\\n  run       train\\n  --version print\\n\\nexit status:\\n  0\\n' ;;
esac
"""

RIGHT = {
    "Makefile": ".PHONY: demo lint\nROUNDS ?= 3\ndemo lint: packages  ## both\n\ttrue\npackages:\n\ttrue\n",
    "data/fetch.sh": "case $1 in cifar10) folder=cifar-10-batches-bin ;; esac\nhead --bytes 3\n",
    "lib/batching/method.md": "# The method\n\n## 2. Tests\n\n### 2.3 Between workers\n\n### 2.4 Noise\n",
    "lib/core/error.h": "// As method.md 2.3 says; see core/error.h, tests/one_test.cpp and 'make lint'.\n",
    "lib/core/error.cpp": '#include "core/error.h"\nauto text = "see data/README.md, or \'localbatch run FILE --force\'";\n',
    "tests/one_test.cpp": "// method.md 2.4: right. What lies in a file of the test is its own: other.h\n",
    "tests/two.sh": "# starts tests/one_test.cpp, and make packages\n",
    "data/README.md": "# Data\n\nIn `data/cifar-10-batches-bin`.\n",
    "README.md": """# First page

## To `begin`: now

[here](#to-begin-now), [there](data/README.md#data), [code](lib/core), https://example.org/nothing.md
`lib/core/error.h`, `core/*.h`, `lib/<room>/error.h`, `error.cpp`, `make demo ROUNDS=3`, `--force`, `--bytes`, `my_file.cpp`,
`results/demo/rounds.csv`, `FILE.yaml`; method.md 2.3 and [method.md](lib/batching/method.md), chapters 2.3 to 2.4.

```sh
make demo    # what no such word says here is a comment
build/release/apps/localbatch run FILE --force | head
mpirun -np 4 localbatch --version
tests/two.sh build/release/apps/localbatch nonsense
```
""",
}

# What is appended to which file, and what is then to be said about it.
WRONG = [
    ("README.md", "[lost](lib/nowhere.md)", "link to lib/nowhere.md: no such file"),
    ("README.md", "[lost](data/README.md#no-heading)", "link to data/README.md#no-heading: no such heading"),
    ("README.md", "[lost](#no-heading)", "link to #no-heading: no such heading"),
    ("README.md", "`lib/core/errors.h`", "lib/core/errors.h: no such file"),
    ("README.md", "`errors.cpp`", "errors.cpp: no such file"),
    ("README.md", "`lib/*/nothing.h`", "lib/*/nothing.h: no such file"),
    ("README.md", "`data/cifar-11`", "data/cifar-11: no such file"),
    ("README.md", "method.md 2.5", "method.md has no chapter 2.5"),
    ("README.md", "method.md, chapters\n2.3 to 2.9", "method.md has no chapter 2.9"),
    ("README.md", "`make demos`", "make demos: no such word in the Makefile"),
    ("README.md", "```sh\nmake demo tests\n```", "make tests: no such word in the Makefile"),
    ("README.md", "`localbatch runs FILE`", "localbatch runs: no such command"),
    ("README.md", "```sh\nmpirun -np 2 build/apps/localbatch run FILE --forced\n```",
     "localbatch run --forced: no such option"),
    ("README.md", "`localbatch run\nFILE --forces`", "localbatch run --forces: no such option"),
    ("README.md", "`--unheard-of`", "--unheard-of: neither an option of localbatch nor of a script here"),
    ("README.md", "```sh\ntests/three.sh\n```", "tests/three.sh: no such file"),
    ("lib/core/error.h", "/// Another chapter (method.md\n/// 7.1).", "method.md has no chapter 7.1"),
    ("lib/core/error.h", "// See core/errors.h.", "core/errors.h: no such file"),
    ("lib/core/error.h", "// 'make lints' does.", "make lints: no such word in the Makefile"),
    ("lib/core/error.cpp", 'auto t = "as \'localbatch walk\' does";', "localbatch walk: no such command"),
    ("lib/core/error.cpp", 'auto t = "see data/READ.md";', "data/READ.md: no such file"),
    ("tests/one_test.cpp", "// method.md 1.1", "method.md has no chapter 1.1"),
    ("tests/two.sh", "# and tests/three.sh", "tests/three.sh: no such file"),
]


def write(root, files):
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def main():
    failed = []
    with tempfile.TemporaryDirectory() as folder:
        root, program = pathlib.Path(folder) / "tree", pathlib.Path(folder) / "localbatch"
        program.write_text(PROGRAM, encoding="utf-8")
        program.chmod(0o755)
        root.mkdir()
        subprocess.run(["git", "init", "-q", root], check=True)
        write(root, RIGHT)
        found = documents_test.mistakes(root, program)
        if found:
            failed.append(f"nothing is wrong, but: {found}")
        for name, text, expected in WRONG:
            write(root, {name: f"{RIGHT[name]}\n{text}\n"})
            found = documents_test.mistakes(root, program)
            if found != [f"{name}: {expected}"]:
                failed.append(f"{name} with {text!r}: expected '{expected}', found {found}")
            write(root, {name: RIGHT[name]})
    print("\n".join(failed) if failed else f"{len(WRONG)} planted mistakes were found")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
