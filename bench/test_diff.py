"""`shadowagg diff` against the plain read of both files, whole processes.

`equal`: shuffled, other chunks and dictionaries, the last bit changed in half of the doubles.
`different`: every row has all of its measures changed.
"""

import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
BASE = "read the needed columns"
SPECS = ["ocp:staging", "ocp:daily_summary"]


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A factory: the folder with the three files of a specification, made once."""
    made = {}

    def make(spec, rows):
        if (spec, rows) not in made:
            folder = made[spec, rows] = tmp_path_factory.mktemp("rows")
            command = [sys.executable, HERE / "rows_for_diff.py", spec, f"{rows}", folder]
            subprocess.run(command, check=True)
        return made[spec, rows]

    return make


@pytest.mark.parametrize("spec", SPECS)
def test_read(measure, files, rows, spec):
    folder = files(spec, rows)
    paths = [str(folder / f"{name}.parquet") for name in ("control", "equal")]
    measure(BASE, [str(HERE / "read_files.py"), *paths], rows=rows, of=spec)


@pytest.mark.parametrize("candidate", ["equal", "different"])
@pytest.mark.parametrize("spec", SPECS)
def test_compare(measure, files, rows, spec, candidate):
    folder = files(spec, rows)
    paths = [str(folder / f"{name}.parquet") for name in ("control", candidate)]
    command = ["-m", "shadowagg", "diff", *paths, "--spec", spec]
    measure(f"shadowagg diff --spec {spec}, {candidate}", command, rows=rows, of=spec)
