#!/usr/bin/env python3
"""The shape of the house: which room may include what, and how large files, functions and the loop may be.

    tests/house_test.py [ROOT]

The table of rooms in lib/README.md is the rule for includes: this script reads floors and libraries there. Includes are
followed through our own headers, so that a library cannot slip into a room behind another header. Prints a line for each
mistake, then the figures, and ends with status 1 if there is a mistake. house_self_test.py plants a mistake of each
kind and waits for it to be found.
"""

import argparse
import collections
import dataclasses
import functools
import pathlib
import re
import statistics
import sys

# How the headers of a library begin that the table of rooms names. Every room may format text.
LIBRARIES = {
    "fmt": ("fmt/",), "yaml-cpp": ("yaml-cpp/",), "nlohmann-json": ("nlohmann/",), "xxHash": ("xxhash.h",),
    "zlib": ("zlib.h",), "libjpeg-turbo": ("jpeglib.h", "jerror.h"), "oneDNN": ("dnnl", "oneapi/"), "OpenMP": ("omp.h",),
    "MPI": ("mpi.h",), "Boost.Math": ("boost/math/",), "Boost.ProgramOptions": ("boost/program_options",)}
EVERYWHERE = {"fmt"}
# Our headers whose purpose is to hand a library on.
FACES = {"nlohmann-json": "lib/core/json.h"}
# Headers of the system that are not C++'s own.
SYSTEM = {"cerrno", "fcntl.h", "fnmatch.h", "immintrin.h", "malloc.h", "sched.h", "sys/file.h", "sys/mman.h", "sys/prctl.h",
          "sys/resource.h", "sys/stat.h", "sys/statvfs.h", "sys/syscall.h", "sys/wait.h", "unistd.h"}

MEDIAN_LINES = range(80, 121)
MAX_FILE_LINES = 400
MAX_FUNCTION_LINES = 60
MAX_UNITS = 252  # 170 for images alone, 32 for language models; the rest: installs, tools around a run, branches, replays, streams
RUNNER = "lib/run/run_experiment.cpp"
MAX_RUNNER_HEADERS = 45
LOOP = "lib/train/local_sgd.cpp"
MAX_LOOP_LINES = 30
NOT_IN_LOOP = ("payload", "residual", "listener", "interruption")
MAX_CALLS_TO_LOOP = 4
# How `main` comes to the loop: a function, its file, and the text in that file by which it calls the next one. A test
# of text cannot follow a table of functions or a thread, so people keep this list, and the test that it is still true.
CALLS_TO_LOOP = [
    ("main", "apps/main.cpp", r"command_named\(.*\)\.run\("),
    ("run_command", "apps/run_command.cpp", r"\brun_experiment\("),
    ("run_experiment", "lib/run/run_experiment.cpp", r"\btrain_worker\("),
    ("train_worker", "lib/run/worker_run.cpp", r"\blocal_sgd\("),
]

# What goes to a terminal goes through print() of apps/commands.h, which lets no control character out of a file or a
# name through. These may write past it: that function, the progress line that is drawn anew, the end of all hope.
PRINTS = re.compile(r"\bfmt::print\(|\bstd::(?:cout|cerr|clog)\b|\b(?:std::)?(?:printf|puts|putchar|perror|fprintf|fputs|fwrite)\(")
MAY_PRINT = {"apps/commands.cpp": 1, "apps/printers.cpp": 1, "lib/core/error.cpp": 1}


# ---- What a source file says -----------------------------------------------------------------------------------------

@dataclasses.dataclass(frozen=True)
class Definition:
    kind: str  # "function", "type" or "namespace"
    name: str
    first_line: int
    last_line: int

    @property
    def lines(self):
        return self.last_line - self.first_line + 1


def only_code(text):
    """The text with blanks in place of comments, literals and preprocessor lines, so that all braces are of code."""
    not_code = re.compile(
        r'//[^\n]*|/\*.*?\*/|R"(\w*)\(.*?\)\1"|"(?:\\.|[^"\\\n])*"|(?<!\w)\'(?:\\.|[^\'\\\n])+\'|^[ \t]*#(?:\\\n|[^\n])*',
        re.S | re.M)
    return not_code.sub(lambda match: re.sub(r"[^\n]", " ", match[0]), text)


def kind_and_name(head):
    """What a brace opens, by the text before it since the last statement: see Definition; kind "value" for the rest."""
    head = re.sub(r"\[\[.*?\]\]|\balignas\s*\([^()]*\)", " ", head, flags=re.S)
    if re.match(r"\s*(inline\s+)?namespace\b|\s*extern\b\s*$", head):
        return "namespace", ""
    for pair, sign in ((r"\{[^{}]*\}", "#"), (r"\([^()]*\)", "@")):  # what is between braces or parentheses
        while head != (head := re.sub(pair, sign, head)):
            pass
    if "(" in head:  # a brace between the arguments of a call or the parameters of a function
        return "value", ""
    head = re.sub(r"\boperator\s*(?:[^\s\w@]+|@)", "operator", head.replace("->", " "))
    while head != (head := re.sub(r"<[^<>]*>", " ", head)):
        pass
    head = re.sub(r"\b(template|noexcept\s*@?|requires\s*@)", " ", head).strip()
    named = re.match(r"(?:class|struct|union|enum(?:\s+(?:class|struct))?)\b\s*([\w:]*)", head)
    if named and "@" not in head:
        return "type", named[1]
    initializes_member = re.search(r"@\s*:(?!:)", head) and re.search(r"\w\s*$", head)
    function = re.search(r"([\w:~]+)\s*@", head)
    if function and "=" not in head and not initializes_member:
        return "function", function[1]
    return "value", ""


def definitions(code):
    """The functions and types that are defined at the level of a namespace or a class. `code` is that of only_code()."""
    found, scopes, head_begin, hidden_braces = [], [], 0, 0

    def line(position):
        return code.count("\n", 0, position) + 1

    def close(position):
        kind, name, first_line = scopes.pop()
        found.append(Definition(kind, name, first_line, line(position)))

    for token in re.finditer(r"[{};]", code):
        if hidden_braces > 0:  # in a function or a value
            hidden_braces += {"{": 1, "}": -1, ";": 0}[token[0]]
            if hidden_braces == 0 and scopes[-1][0] == "value":
                scopes.pop()  # what comes next may still be the head of a constructor
            elif hidden_braces == 0:
                close(token.start())
                head_begin = token.end()
        elif token[0] == "{":
            head_begin += re.match(r"\s*(?:(?:public|private|protected)\s*:\s*)*", code[head_begin:token.start()]).end()
            kind, name = kind_and_name(code[head_begin:token.start()])
            scopes.append((kind, "::".join([scope[1] for scope in scopes if scope[0] == "type"] + [name]),
                           line(head_begin)))
            if kind in ("function", "value"):
                hidden_braces = 1
            else:
                head_begin = token.end()
        else:
            if token[0] == "}":
                close(token.start())
            head_begin = token.end()
    return found


class Source:
    def __init__(self, name, text):
        self.name, self.text = name, text
        self.room = "apps" if name.startswith("apps/") else name.split("/")[1]
        self.unit = name.rsplit(".", 1)[0]
        self.lines = text.splitlines()
        self.includes = [line.strip() for line in self.lines if re.match(r"\s*#\s*include\b", line)]

    @functools.cached_property
    def definitions(self):
        return definitions(only_code(self.text))

    def functions(self, name=None):
        return [definition for definition in self.definitions if definition.kind == "function"
                and (name is None or definition.name.rsplit("::", 1)[-1] == name)]

    def text_of(self, definition):
        return "\n".join(self.lines[definition.first_line - 1:definition.last_line])

    def own_includes(self):
        """The files of the house that this one includes, as paths from the root, whether they exist or not."""
        for include in self.includes:
            if quoted := re.search(r'"([^"]+)"', include):
                yield f"lib/{quoted[1]}" if "/" in quoted[1] else f"{self.name.rsplit('/', 1)[0]}/{quoted[1]}"

    def libraries(self):
        """The libraries of others that this file includes itself, with the header."""
        for include in self.includes:
            if foreign := re.search(r"<([^>]+)>", include):
                for library, beginnings in LIBRARIES.items():
                    if foreign[1].startswith(beginnings):
                        yield library, foreign[1]


@dataclasses.dataclass(frozen=True)
class Room:
    floor: int
    libraries: frozenset


class House:
    def __init__(self, root):
        self.sources = {}
        for path in sorted([*root.glob("lib/*/**/*"), *root.glob("apps/**/*")]):
            if path.suffix in (".h", ".cpp"):
                name = str(path.relative_to(root))
                self.sources[name] = Source(name, path.read_text(encoding="utf-8"))
        self.folders = {path.name for path in root.glob("lib/*/")} | {"apps"}
        table = (root / "lib/README.md").read_text(encoding="utf-8")
        self.rooms = {name: Room(int(floor), frozenset(re.split(r",\s*", libraries)))
                      for name, floor, libraries in re.findall(r"^\| `(\w+)` \((\d+)\) \|.*\| ([^|]*) \|$", table, re.M)}

    def way_to_headers(self, name):
        """Every header of ours that the file `name` compiles, with the list of files on a way to it."""
        ways, waiting = {name: [name]}, collections.deque([name])
        while waiting:
            here = waiting.popleft()
            for header in self.sources[here].own_includes():
                if header in self.sources and header not in ways:
                    ways[header] = ways[here] + [header]
                    waiting.append(header)
        del ways[name]
        return ways

    def units(self):
        return {source.unit for source in self.sources.values()}


# ---- The checks: each yields mistakes --------------------------------------------------------------------------------

def rooms_are_those_of_the_map(house):
    for room in sorted(house.folders - house.rooms.keys()):
        yield f"lib/README.md: no row for the room {room}"
    for room in sorted(house.rooms.keys() - house.folders):
        yield f"lib/README.md: a row for {room}, which is no folder"
    for library in sorted(set().union(*(room.libraries for room in house.rooms.values())) - LIBRARIES.keys() - {"-"}):
        yield f"lib/README.md: {library}: this test does not know its headers"


def includes_go_down_the_stairs(house):
    for source in house.sources.values():
        for header in source.own_includes():
            place = f'{source.name}: #include "{header.removeprefix("lib/")}"'
            other = house.sources.get(header)
            if other is None:
                yield f'{place}: no such file; write "<room>/<file>"'
            elif other.room != source.room and source.room in house.rooms and other.room in house.rooms:
                if house.rooms[other.room].floor >= house.rooms[source.room].floor:
                    yield f"{place}: {source.room} may not include {other.room}"


def libraries_stay_in_their_rooms(house):
    for source in house.sources.values():
        for include in source.includes:
            if not (foreign := re.search(r"<([^>]+)>", include)):
                if '"' not in include:
                    yield f"{source.name}: {include}: cannot be read"
            elif foreign[1].split("/")[0] in house.folders and "/" in foreign[1]:
                yield f"{source.name}: {include}: write our own files in quotes"
            elif not (re.fullmatch(r"[a-z_]+", foreign[1]) or foreign[1] in SYSTEM
                      or foreign[1].startswith(sum(LIBRARIES.values(), ()))):
                yield f"{source.name}: {include}: a library that no room has"
        for library, header in source.libraries():
            if not may_use(house, source.room, library):
                yield f"{source.name}: #include <{header}>: {source.room} may not use {library}"


def may_use(house, room, library):
    return library in EVERYWHERE or room in house.rooms and library in house.rooms[room].libraries


def libraries_do_not_shine_through(house):
    """No file compiles a library of another room behind one of our headers."""
    for source in house.sources.values():
        for header, way in house.way_to_headers(source.name).items():
            for library, foreign in house.sources[header].libraries():
                if not may_use(house, source.room, library) and FACES.get(library) != header:
                    over = ", ".join(name.removeprefix("lib/") for name in way[1:])
                    yield f"{source.name}: compiles <{foreign}> over {over}"


def the_runner_sees_few_headers(house):
    headers = house.way_to_headers(RUNNER)
    if len(headers) > MAX_RUNNER_HEADERS:
        yield f"{RUNNER}: compiles {len(headers)} of our headers, allowed are {MAX_RUNNER_HEADERS}"


def files_are_neither_crumbs_nor_scrolls(house):
    for source in house.sources.values():
        if len(source.lines) > MAX_FILE_LINES:
            yield f"{source.name}: {len(source.lines)} lines, allowed are {MAX_FILE_LINES}"
    median = median_lines(house)
    if not MEDIAN_LINES[0] <= median <= MEDIAN_LINES[-1]:
        yield f"lib, apps: half of the files have {median:g} lines or less, expected {MEDIAN_LINES[0]} to {MEDIAN_LINES[-1]}"
    if len(house.units()) > MAX_UNITS:
        yield f"lib, apps: {len(house.units())} units, allowed are {MAX_UNITS}"


def median_lines(house):
    return statistics.median(len(source.lines) for source in house.sources.values())


def functions_fit_on_a_screen(house):
    for source in house.sources.values():
        for function in source.functions():
            if function.lines > MAX_FUNCTION_LINES:
                yield (f"{source.name}:{function.first_line}: {function.name}: {function.lines} lines, "
                       f"allowed are {MAX_FUNCTION_LINES}")


def types_have_names_of_their_own(house):
    places = collections.defaultdict(list)
    for source in house.sources.values():
        for definition in source.definitions:
            if definition.kind == "type" and definition.name:
                places[definition.name].append(f"{source.name}:{definition.first_line}")
    for name, defined in sorted(places.items()):
        if len(defined) > 1:
            yield f"{defined[1]}: {name} is defined in {defined[0]} already"


def what_is_printed_is_printable(house):
    for source in house.sources.values():
        lines = [number for number, line in enumerate(only_code(source.text).splitlines(), 1)
                 if PRINTS.search(line)]
        for line in lines[MAY_PRINT.get(source.name, 0):]:
            yield f"{source.name}:{line}: prints past print() of apps/commands.h"


def the_loop(house):
    source = house.sources.get(LOOP)
    found = source.functions("local_sgd") if source else []
    return (source, found[0]) if len(found) == 1 else (source, None)


def the_loop_is_the_paper_on_one_screen(house):
    source, loop = the_loop(house)
    if not loop:
        yield f"{LOOP}: expected one function local_sgd"
        return
    if loop.lines > MAX_LOOP_LINES:
        yield f"{LOOP}: local_sgd: {loop.lines} lines, allowed are {MAX_LOOP_LINES}"
    for word in NOT_IN_LOOP:
        if word in source.text_of(loop).lower():
            yield f"{LOOP}: local_sgd: speaks of {word}, which belongs behind the synchronizer or the observer"


def main_comes_to_the_loop_soon(house):
    for name, file, call in CALLS_TO_LOOP:
        source = house.sources.get(file)
        functions = source.functions(name) if source else []
        if not any(re.search(call, source.text_of(function)) for function in functions):
            yield f"{file}: {name} does not call {call}, as CALLS_TO_LOOP in house_test.py has it"
    if len(CALLS_TO_LOOP) > MAX_CALLS_TO_LOOP:
        yield f"apps/main.cpp: {len(CALLS_TO_LOOP)} calls from main to local_sgd, allowed are {MAX_CALLS_TO_LOOP}"


CHECKS = (rooms_are_those_of_the_map, includes_go_down_the_stairs, libraries_stay_in_their_rooms,
          libraries_do_not_shine_through, the_runner_sees_few_headers, files_are_neither_crumbs_nor_scrolls,
          functions_fit_on_a_screen, types_have_names_of_their_own, what_is_printed_is_printable, the_loop_is_the_paper_on_one_screen,
          main_comes_to_the_loop_soon)


def mistakes(house):
    return [mistake for check in CHECKS for mistake in check(house)]


def figures(house):
    longest = max(house.sources.values(), key=lambda source: len(source.lines))
    lines, function, place = max((function.lines, function.name, source.name) for source in house.sources.values()
                                 for function in source.functions())
    loop = the_loop(house)[1]
    return "\n".join([
        f"{len(house.sources)} files in {len(house.units())} units, median {median_lines(house):g} lines, "
        f"longest {len(longest.lines)} ({longest.name})",
        f"{sum(len(source.functions()) for source in house.sources.values())} functions, longest {lines} lines "
        f"({function} in {place})",
        f"{len(house.way_to_headers(RUNNER))} headers seen by {RUNNER}",
        f"{loop.lines if loop else 'no'} lines of local_sgd, {len(CALLS_TO_LOOP)} calls from main to it"])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("root", nargs="?", type=pathlib.Path, default=pathlib.Path(__file__).resolve().parents[1])
    house = House(parser.parse_args().root)
    found = mistakes(house)
    print("\n".join([*found, figures(house), f"{len(found)} mistakes" if found else "the house is in order"]))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
