"""Bad input gets a clear one-line answer and a record, and loses nothing."""

import json
import shutil
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from shadowagg.cli import main
from shadowagg.store import open_store

GOLDEN = Path(__file__).parents[1] / "parity" / "golden" / "ocp-nokeys"
PODS = "openshift_pod_usage_line_items_daily"


@pytest.fixture
def folder(tmp_path):
    """A scenario that may be damaged."""
    shutil.copytree(GOLDEN, tmp_path / "scenario")
    return tmp_path / "scenario"


def files(folder, table=PODS):
    return sorted((folder / "inputs" / table).rglob("*.parquet"))


def rewrite(folder, change, table=PODS):
    for file in files(folder, table):
        pq.write_table(change(pq.read_table(file, partitioning=None)), file)


def replace(table, name, values):
    return table.set_column(table.column_names.index(name), name, values)


def run(folder, home, *options):
    result = CliRunner().invoke(
        main,
        [
            "run",
            "--scenario",
            str(folder),
            "--control",
            "embedded",
            "--json",
            "-",
            "--quiet",
            *options,
        ],
    )
    assert result.exception is None or isinstance(result.exception, SystemExit), result.output
    document = json.loads(result.stdout)
    store = open_store(f"sqlite:///{home / 'records.sqlite'}")
    for record in document["records"]:
        assert record == store.get(record["id"])
        for side in ("control", "candidate"):
            if record[side]["fault"]:
                assert "\n" not in record[side]["fault"]["message"]
                assert "Traceback" not in record[side]["fault"]["detail"]
    store.close()
    return result.exit_code, document["records"][0]


def refused_by_both(code, record, *words):
    assert (4, "inconclusive", "refused") == (code, record["verdict"], record["cause"])
    for side in ("control", "candidate"):
        assert "refused" == record[side]["fault"]["cause"]
        for word in words:
            assert word in record[side]["fault"]["message"], side


def test_a_column_that_no_file_has_is_refused_by_both(folder, home):
    rewrite(folder, lambda t: t.drop_columns(["pod_effective_usage_cpu_core_seconds"]))
    refused_by_both(*run(folder, home), PODS, "pod_effective_usage_cpu_core_seconds")


def test_a_column_of_a_wrong_type_is_refused_by_both(folder, home):
    name = "pod_usage_cpu_core_seconds"
    rewrite(folder, lambda t: replace(t, name, t.column(name).cast(pa.string())))
    refused_by_both(*run(folder, home), PODS, name)


@pytest.mark.parametrize("labels", ["", "{", '{"a": 1} x', '{"a": {"b": 1}}', "[]", '{"a": NaN}'])
def test_a_malformed_label_text_is_refused_by_both(folder, home, labels):
    def damage(table):
        texts = table.column("pod_labels").to_pylist()
        return replace(table, "pod_labels", pa.array([labels, *texts[1:]]))

    rewrite(folder, damage)
    refused_by_both(*run(folder, home), "JSON")


def first_number(table, value, name="pod_usage_cpu_core_seconds"):
    numbers = table.column(name).to_pylist()
    return replace(table, name, pa.array([value, *numbers[1:]], pa.float64()))


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 1e300])
def test_what_no_decimal_can_hold_is_refused_by_both(folder, home, value):
    rewrite(folder, lambda t: first_number(t, value))
    refused_by_both(*run(folder, home))


def test_a_negative_zero_and_tiny_values_are_stored_as_zero(folder, home):
    rewrite(folder, lambda t: first_number(t, -0.0))
    assert 0 == run(folder, home)[0]


def test_a_truncated_file_is_named_by_both(folder, home):
    (first, *_) = files(folder)
    first.write_bytes(first.read_bytes()[:-100])
    code, record = run(folder, home)
    assert (4, "unreadable") == (code, record["cause"])
    for side in ("control", "candidate"):
        assert "unreadable" == record[side]["fault"]["cause"]
        assert first.name in record[side]["fault"]["message"]


def test_a_file_of_no_bytes_and_a_hidden_one_have_no_rows(folder, home):
    (first, *_) = files(folder)
    (first.parent / "empty.parquet").touch()
    shutil.copy(first, first.parent / "_begun.parquet")
    shutil.copy(first, first.parent / ".hidden.parquet")
    assert 0 == run(folder, home)[0]
    result = CliRunner().invoke(main, ["run", "--scenario", str(folder), "--quiet"])
    assert 0 == result.exit_code


def test_a_store_that_breaks_during_the_run_does_not_lose_the_record(folder, home, monkeypatch):
    from shadowagg import runner

    whole = runner._observe

    def observed(side, *arguments, **named):
        (home / "records.sqlite").write_bytes(b"no database any more" * 500)
        return whole(side, *arguments, **named)

    monkeypatch.setattr(runner, "_observe", observed)
    result = CliRunner().invoke(main, ["run", "--scenario", str(folder), "--quiet"])
    assert 2 == result.exit_code
    (kept,) = (home / "not-stored").iterdir()
    assert str(kept) in result.output
    assert "match" == json.loads(kept.read_text())["verdict"]


def test_a_required_table_that_is_missing_is_refused_by_both(folder, home):
    shutil.rmtree(folder / "inputs" / "openshift_node_labels_line_items_daily")
    refused_by_both(*run(folder, home), "openshift_node_labels_line_items_daily")


def test_a_required_side_table_that_is_missing_is_refused_by_both(folder, home):
    (folder / "inputs_postgres" / "reporting_ocp_nodes.parquet").unlink()
    refused_by_both(*run(folder, home), "reporting_ocp_nodes")


def test_an_empty_window_matches_with_zero_rows(folder, home):
    code, record = run(folder, home, "--from", "2025-06-01", "--to", "2025-06-02")
    assert (0, "match", 0) == (code, record["verdict"], record["rows_compared"])


def test_a_schema_name_with_quotes_is_just_a_name(folder, home):
    file = folder / "scenario.json"
    document = json.loads(file.read_text())
    document["schema"] = "o'r\"g; drop schema x --"
    file.write_text(json.dumps(document))
    code, record = run(folder, home)
    assert 0 == code
    assert document["schema"] == record["plan"]["window"]["schema"]


def test_rows_that_occur_twice_are_counted_twice_by_both(folder, home):
    rewrite(folder, lambda t: pa.concat_tables([t, t]))
    assert 0 == run(folder, home)[0]


def test_an_input_that_moves_while_the_paths_run_is_no_evidence(folder, home, monkeypatch):
    from shadowagg import runner

    real = runner.observe

    def observe(side, mode, **options):
        made = real(side, mode, **options)
        if side == "control":
            rewrite(folder, lambda t: first_number(t, pc.sum(t.column(3).is_null()).as_py() + 7.5))
        return made

    monkeypatch.setattr(runner, "observe", observe)
    code, record = run(folder, home)
    assert (4, "inputs moved") == (code, record["cause"])


def test_a_folder_that_is_no_scenario_is_a_usage_error(tmp_path):
    result = CliRunner().invoke(main, ["run", "--scenario", str(tmp_path)])
    assert 2 == result.exit_code
    assert "no scenario.json there" in result.stderr
    assert 1 == len(result.stderr.splitlines())


def test_a_scenario_of_which_nothing_was_compared_exits_4(folder, monkeypatch):
    monkeypatch.setattr("shadowagg.scenario_run.concerned", lambda scenario, provider=None: ())
    result = CliRunner().invoke(main, ["run", "--scenario", str(folder), "--quiet"])
    assert 4 == result.exit_code
    assert "not covered" in result.stdout
