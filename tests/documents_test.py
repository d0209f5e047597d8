#!/usr/bin/env python3
"""What documents and comments name exists: files, headings, chapters of method.md, words of make, commands and options.

    tests/documents_test.py PROGRAM [--root FOLDER]

Prints a line for each mistake and ends with status 1 if there is one. documents_self_test.py plants a mistake of each
kind and waits for it to be found.
"""

import argparse
import pathlib
import re
import subprocess
import sys

ROOMS = ("apps", "lib", "tests", "experiments", "data", "third_party", ".ci")  # where paths of documents begin
CODE = {".cpp", ".h", ".py", ".sh", ".cmake", ".txt", ".gp", ".sbatch", ".yaml", ".yml"}
SOURCE = r"(?:cpp|h|py|sh|md|cmake|sbatch|gp|yaml)"  # endings of names that are files of the repository
# Files that a person or a run makes; a name that begins with "my" is somebody's own, capitals stand for any name.
MADE = {"experiment.yaml", "kernels.yaml", "build_info.cpp"}
# Files of other projects that make what we read.
OTHERS = {"dev/data/fineweb.py", "data/openwebtext/prepare.py", "tools/preprocess_data.py", "config/train_shakespeare_char.py",
          "export.py", "litgpt/config.py", "transformer.h"}  # the last one begins names of tensors
# Options of programs that are not ours and that no script here uses.
FOREIGN = {"--mca", "--pid", "--account", "--partition", "--help", "--version"}


def is_made_up(path):
    name = path.rsplit("/", 1)[-1]
    return name in MADE or path in OTHERS or re.match(r"my[-_]", name) or re.match(r"[A-Z_]+(\.|$)", name) and not name.endswith(".md")


class Tree:
    """The files of the repository, with what documents may call them."""

    def __init__(self, root):
        self.root = root
        listed = subprocess.run(["git", "-C", root, "ls-files", "--cached", "--others", "--exclude-standard"],
                                capture_output=True, text=True, check=True).stdout.splitlines()
        self.files = {name for name in listed if (root / name).is_file()}
        self.folders = {str(parent) for name in self.files for parent in pathlib.PurePath(name).parents}
        self.names = {name.rsplit("/", 1)[-1] for name in self.files}
        makefile = self.text("Makefile")
        self.make_words = set(re.findall(r"^([a-z-]+)(?: [a-z- ]+)?:(?!=)", makefile, re.M))
        for words in re.findall(r"^([a-z -]+):(?!=)", makefile, re.M):
            self.make_words.update(words.split())
        # Folders that data/fetch.sh makes, and the one that a person fills.
        self.data = set(re.findall(r"folder=(\S+)", self.text("data/fetch.sh"))) | {"imagenet"}
        self.foreign_headers = set(re.findall(r"#include <([\w.]+)>", "".join(
            self.text(name) for name in self.files if name.endswith((".cpp", ".h")))))
        self.scripts = "\n".join(self.text(name) for name in sorted(self.files)
                                 if name == "Makefile" or name.endswith((".py", ".sh", ".sbatch", ".cmake")))

    def text(self, name):
        path = self.root / name
        return path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""

    def has(self, path):
        return path in self.files or path.rstrip("/") in self.folders

    def matches(self, path, place):
        """Whether `path`, which may hold * or <name>, is there, seen from the file `place`."""
        path = path.removeprefix("./").rstrip("/")
        pattern = re.sub(r"<[^>]*>|\*+", "\0", path)
        folder = str(pathlib.PurePath(place).parent)
        for start in ("", folder, "lib", "apps", "tests", "experiments"):
            whole = str(pathlib.PurePath(start, pattern))
            if self.has(whole):
                return True
            if "\0" in whole:
                wild = re.compile(re.escape(whole).replace("\0", "[^/]*"))
                if any(wild.fullmatch(name) for name in self.files | self.folders):
                    return True
        return "/" not in path and ("\0" in pattern or path in self.names)


class Program:
    """The subcommands with the options that their --help lists."""

    def __init__(self, program):
        self.program, self.known = program, {}
        listed = self.say("--help").split("commands:")[1].split("exit status")[0]
        self.commands = set(re.findall(r"^  ([a-z]+) ", listed, re.M))
        for command in self.commands:
            self.known[command] = set(re.findall(r"--[a-z][a-z-]*", self.say(command, "--help")))
        self.all = set().union(*self.known.values(), re.findall(r"--[a-z][a-z-]*", self.say("--help")))

    def say(self, *words):
        done = subprocess.run([self.program, *words], capture_output=True, text=True, check=True)
        return done.stdout


def headings(text):
    return re.findall(r"^#+ +(.*)$", re.sub(r"^```.*?^```", "", text, flags=re.M | re.S), re.M)


def anchor(heading):
    """As GitHub makes it from a heading."""
    plain = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading).lower()
    return re.sub(r"[^\w\- ]", "", plain).replace(" ", "-")


def code_of(markdown):
    """What is between backticks: (text, whether it is a line of a shell block)."""
    for language, block in re.findall(r"^```(\w*)\n(.*?)^```", markdown, re.M | re.S):
        if language in ("sh", "bash"):
            for line in block.replace("\\\n", " ").splitlines():
                yield re.sub(r"(^|\s)#.*", "", line), True
    outside = re.sub(r"^```.*?^```", "", markdown, flags=re.M | re.S)
    for span in re.findall(r"(?<!`)`([^`]+)`(?!`)", outside):
        yield " ".join(span.split()), False


def comments_of(name, text):
    """Comments and messages of a source file, as one text."""
    if name.endswith((".cpp", ".h")):
        strings = re.findall(r'"((?:[^"\\\n]|\\.)*)"', re.sub(r"^#include.*$", "", text, flags=re.M))
        comments = re.findall(r"(?<!:)//+<? ?(.*)", text)
        return "\n".join([" ".join(comments), *strings])
    return " ".join(re.findall(r"(?:^|\s)#(?!!) ?(.*)", text)) + "".join(re.findall(r'"""(.*?)"""', text, re.S))


class Checks:
    def __init__(self, tree, program):
        self.tree, self.program, self.mistakes = tree, program, []
        self.chapters = {match for heading in headings(tree.text("lib/batching/method.md"))
                         for match in re.findall(r"^(\d+(?:\.\d+)?)\.? ", heading)}

    def complain(self, place, what):
        self.mistakes.append(f"{place}: {what}")

    def chapter(self, place, text):
        for group in re.findall(r"method\.md\]?(?:\([^)]*\))?,?(?: chapters?)? ((?:\d+\.\d+(?:, | and | to )?)+)", text):
            for number in re.findall(r"\d+\.\d+", group):
                if number not in self.chapters:
                    self.complain(place, f"method.md has no chapter {number}")

    def link(self, place, text):
        for target in re.findall(r"\]\(([^)\s]+)\)", text):
            if re.match(r"[a-z]+:", target):
                continue
            path, _, heading = target.partition("#")
            file = (self.tree.root / place).parent / path if path else self.tree.root / place
            if not file.exists():
                self.complain(place, f"link to {target}: no such file")
            elif heading and file.suffix == ".md":
                if heading not in map(anchor, headings(file.read_text(encoding="utf-8"))):
                    self.complain(place, f"link to {target}: no such heading")

    def path(self, place, word):
        word = word.rstrip(".,:;")
        in_room = re.fullmatch(r"(\.ci|[a-z_]+)/[\w./<>*=+-]*", word) and word.split("/")[0] in ROOMS
        is_source = re.fullmatch(rf"[\w./<>*-]+\.{SOURCE}", word) and not word.startswith(("/", "."))
        if not (in_room or is_source) or is_made_up(word) or word.startswith(("build/", "results/")):
            return
        parts = word.split("/")
        if parts[0] == "data" and len(parts) > 1 and (parts[1] in self.tree.data or parts[1] in ("", "...")):
            return
        if not self.tree.matches(word, place):
            self.complain(place, f"{word}: no such file")

    def make(self, place, command):
        for words in re.findall(r"(?:^|[\s'\"`;])make ((?:[\w=./$()-]+ ?)+)", command):
            for word in words.split():
                if re.fullmatch(r"[a-z][a-z-]*", word) and word not in self.tree.make_words:
                    self.complain(place, f"make {word}: no such word in the Makefile")

    def localbatch(self, place, command):
        for before, words in re.findall(r"^(.*?)(?<![\w-])localbatch ((?:[a-z-]+)\b.*)", command):
            if re.search(r"\.(py|sh)\b", before):  # the program is an argument of a script
                continue
            name, *rest = words.split("|")[0].split()
            options = [word.split("=")[0] for word in rest if word.startswith("--")]
            if name.startswith("--"):
                name, options = None, [name.split("=")[0]]
            elif name not in self.program.commands:
                self.complain(place, f"localbatch {name}: no such command")
                continue
            for option in options:
                if option not in (self.program.known[name] if name else self.program.all) | {"--help"}:
                    self.complain(place, f"localbatch {name or ''} {option}: no such option")

    def lone_options(self, place, command):
        for option in re.findall(r"(?:^|\s)(--[a-z][a-z-]+)", command):
            known = option in self.program.all | FOREIGN or re.search(rf"{option}\b", self.tree.scripts)
            if not known:
                self.complain(place, f"{option}: neither an option of localbatch nor of a script here")

    def markdown(self, place):
        text = self.tree.text(place)
        self.link(place, text)
        self.chapter(place, " ".join(text.split()))
        for code, is_shell in code_of(text):
            for word in code.split():
                self.path(place, word)
            if is_shell or code.startswith("make "):
                self.make(place, code)
            self.localbatch(place, code)
            if "localbatch" not in code:
                self.lone_options(place, code)

    def source(self, place):
        text = comments_of(place, self.tree.text(place))
        text = re.sub(r"github\.com/[^ )]*, \S+", "", text)  # a file of another repository
        self.chapter(place, " ".join(text.split()))
        for word in re.findall(rf"(?<![\w/.<>*-])((?:[\w-]+/)*[\w-]+\.(?:cpp|h|md|py|sh|cmake))\b(?![/<*])", text):
            if word in self.tree.foreign_headers or (place.startswith("tests/") and "/" not in word):
                continue  # tests make files of their own
            self.path(place, word)
        for command in re.findall(r"['`]((?:make|localbatch) [^'`\n]*)['`]", text):
            if "{}" not in command:
                self.make(place, command)
                self.localbatch(place, command)


def mistakes(root, program):
    tree = Tree(root)
    checks = Checks(tree, Program(program))
    for name in sorted(tree.files):
        if name.endswith(".md"):
            checks.markdown(name)
        elif name.startswith(("lib/", "apps/", "tests/")) and pathlib.PurePath(name).suffix in CODE:
            if not name.startswith(("tests/fuzz/corpus", "tests/fuzz/findings", "tests/documents_")):
                checks.source(name)
    return checks.mistakes


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program", type=pathlib.Path)
    parser.add_argument("--root", type=pathlib.Path, default=pathlib.Path(__file__).resolve().parents[1])
    arguments = parser.parse_args()
    found = mistakes(arguments.root, arguments.program.resolve())
    print("\n".join(found) if found else "documents and comments name what exists")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
