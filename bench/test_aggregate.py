"""`shadowagg aggregate` against the plain read and the embedded control (DuckDB), whole processes."""

from pathlib import Path

HERE = Path(__file__).parent


def test_read(measure, data, rows):
    command = [str(HERE / "read_columns.py"), str(data(rows)), "ocp"]
    measure("read the needed columns", command, rows=rows)


def test_candidate(measure, data, rows, tmp_path):
    command = ["-m", "shadowagg", "aggregate", "--scenario", str(data(rows))]
    measure("candidate: shadowagg aggregate", [*command, "--out", str(tmp_path)], rows=rows)


def test_embedded_control(measure, data, rows, tmp_path):
    command = [str(HERE / "control.py"), str(data(rows)), "ocp", str(tmp_path)]
    measure("embedded control (DuckDB)", command, rows=rows, rounds=1)
