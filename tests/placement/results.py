"""What a run leaves behind for ever, and how two programs' results differ."""

import csv
import pathlib
import shutil
import sys
import tempfile

TREE = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TREE / "tests" / "kill"))
from program_fixture import Failure, require  # noqa: E402

FILES = ("rounds.csv", "evaluations.csv", "controllers.csv", "audits.csv", "final_parameters.f32")


class Results:
    """Exit status, and the files' bytes of the one run or of each cell of a sweep."""

    def __init__(self, status, folders):
        self.status = status
        self.cells = [{name: (folder / name).read_bytes() for name in FILES
                       if (folder / name).exists()} for folder in folders]
        require(self.cells and all(cell.get("rounds.csv") for cell in self.cells), "no results")

    @classmethod
    def of_run(cls, status, output):
        """Cells in the order in which they were finished: their folders' names hold a hash of
        settings, whose own names may be others in another program."""
        summaries = output.glob("*/*/summary.json")
        in_order = sorted(summaries, key=lambda summary: summary.stat().st_mtime_ns)
        return cls(status, [summary.parent for summary in in_order])

    @classmethod
    def kept_in(cls, folder):
        numbers = sorted(int(path.name) for path in folder.iterdir() if path.is_dir())
        return cls(int((folder / "status").read_text()), [folder / str(n) for n in numbers])

    def keep(self, folder):
        """All or nothing, as others may look for it meanwhile."""
        folder.parent.mkdir(parents=True, exist_ok=True)
        unfinished = pathlib.Path(tempfile.mkdtemp(prefix="unfinished-", dir=folder.parent))
        (unfinished / "status").write_text(str(self.status))
        for number, cell in enumerate(self.cells, 1):
            (unfinished / str(number)).mkdir()
            for name, data in cell.items():
                (unfinished / str(number) / name).write_bytes(data)
        try:
            unfinished.rename(folder)
        except OSError:  # somebody else was faster
            shutil.rmtree(unfinished)


def require_same(old, new):
    require(old.status == new.status, f"status: old {old.status}, new {new.status}")
    require(len(old.cells) == len(new.cells), f"runs: old {len(old.cells)}, new {len(new.cells)}")
    for cell, (theirs, ours) in enumerate(zip(old.cells, new.cells), 1):
        for name in FILES:
            place = name if len(old.cells) == 1 else f"cell {cell}, {name}"
            require(name in ours or name not in theirs, f"{place}: not there")
            require(name in theirs or name not in ours, f"{place}: there, but not with the old one")
            if theirs.get(name) != ours.get(name):
                raise Failure(f"{place}, {first_difference(name, theirs[name], ours[name])}")


def first_difference(name, old, new):
    """In the words of somebody who looks for it."""
    if name.endswith(".csv"):
        old_rows, new_rows = (list(csv.reader(data.decode(errors="replace").splitlines()))
                              for data in (old, new))
        for line, rows in enumerate(zip(old_rows, new_rows), 1):
            for column, *values in zip(old_rows[0], *rows):
                if values[0] != values[1]:
                    return f"line {line}, {column}: old {values[0]}, new {values[1]}"
    place = next((i for i, (a, b) in enumerate(zip(old, new)) if a != b), min(len(old), len(new)))
    return f"byte {place}: of {len(old)} old ones, {len(new)} new ones"
