"""What a user types, what comes back, and with which exit code."""

import json
import shutil
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from shadowagg.cli import main

GOLDEN = Path(__file__).parents[1] / "parity" / "golden"
TABLE = "reporting_ocpusagelineitem_daily_summary.parquet"


def invoke(*arguments):
    result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


def one_line(result, code, *words):
    assert code == result.exit_code
    assert "" == result.stdout
    assert 1 == len(result.stderr.splitlines()), result.stderr
    for word in words:
        assert word in result.stderr


def test_providers_lists_what_is_installed_and_what_failed(third_party):
    third_party("toy", "faulty")
    result = invoke("providers", "--stages")
    assert 0 == result.exit_code
    for word in ("ocp", "toy", "ocp:daily_summary", "Failed to load", "raises-at-import"):
        assert word in result.stdout
    document = json.loads(invoke("providers", "--json").stdout)
    assert {"ocp", "toy", "faulty"} == {p["name"] for p in document["providers"]}
    (failure,) = document["failures"]
    assert "this plugin raises at import" in failure["reason"]
    assert "Traceback" in failure["detail"]


def test_run_shows_a_table_writes_a_page_and_json_and_stores_records(tmp_path, home):
    json_file, page = tmp_path / "result.json", tmp_path / "page.html"
    result = invoke(
        *("run", "--scenario", GOLDEN / "ocp-nasty", "--json", json_file, "--page", page)
    )
    assert 0 == result.exit_code
    assert "daily_summary" in result.stdout
    assert "match (agreed)" in result.stdout
    assert "not covered: 12 recorded tables" in result.stdout
    assert "control (recorded)" in result.stderr
    document = json.loads(json_file.read_text())
    assert {"ocp:staging": 123, "ocp:daily_summary": 123} == document["rows_compared"]
    assert ["match", "match"] == document["verdicts"]
    assert "postgres/reporting_ocp_gpu_summary_p" in document["not_covered"]
    html = page.read_text()
    assert "postgres/reporting_ocp_gpu_summary_p" in html
    assert (home / "records.sqlite").exists()


def test_a_mismatch_is_explained_saved_and_repeatable(tmp_path):
    folder = tmp_path / "scenario"
    shutil.copytree(GOLDEN / "ocp-basic", folder)
    file = folder / "expected" / "hive" / TABLE
    rows = pq.read_table(file)
    pq.write_table(rows.slice(1), file)
    page = tmp_path / "page.html"
    result = invoke(*("run", "--scenario", folder, "--page", page, "--quiet"))
    assert 1 == result.exit_code
    assert "Stage staging is the first that differs: 1 row extra" in result.stdout
    (repeat,) = [
        x.split("repeat:")[1].split() for x in result.stdout.splitlines() if "repeat:" in x
    ]
    assert ["shadowagg", "run"] == repeat[:2]
    saved = Path(repeat[repeat.index("--scenario") + 1])
    assert (saved / "difference" / "staging.candidate.parquet").exists()
    assert " ".join(repeat) in page.read_text()
    again = invoke(*repeat[1:], "--quiet")
    assert 1 == again.exit_code
    assert "Stage staging is the first that differs" in again.stdout


def test_samples_can_be_switched_off(tmp_path, monkeypatch, home):
    monkeypatch.setenv("SHADOWAGG_SAMPLES", "false")
    folder = tmp_path / "scenario"
    shutil.copytree(GOLDEN / "ocp-basic", folder)
    file = folder / "expected" / "postgres" / TABLE
    pq.write_table(pq.read_table(file).slice(1), file)
    result = invoke("run", "--scenario", folder, "--quiet", "--json", "-")
    (record,) = json.loads(result.stdout)["records"]
    assert "mismatch" == record["verdict"]
    assert all([] == stage["samples"] for stage in record["stages"])
    assert [] == list((home / "mismatches").rglob("*.parquet"))


def test_an_ignored_difference_is_counted_apart_and_an_expired_rule_is_a_mismatch_again(
    tmp_path, monkeypatch
):
    folder = tmp_path / "scenario"
    shutil.copytree(GOLDEN / "ocp-basic", folder)
    file = folder / "expected" / "postgres" / TABLE
    pq.write_table(pq.read_table(file).slice(1), file)
    for until, code, ignored, expired in (
        ("2999-01-01", 0, 1, []),
        ("2020-01-01", 1, 0, ["known"]),
    ):
        rules = tmp_path / "rules.toml"
        rules.write_text(
            f'[[rules]]\nname = "known"\nspec = "ocp:daily_summary"\nreason = "a test"\n'
            f'owner = "tests"\nuntil = "{until}"\n'
        )
        monkeypatch.setenv("SHADOWAGG_IGNORE_FILE", str(rules))
        result = invoke("run", "--scenario", folder, "--quiet", "--json", "-")
        (record,) = json.loads(result.stdout)["records"]
        (stage,) = [s for s in record["stages"] if s["stage"] == "daily_summary"]
        assert (code, ignored, expired) == (
            result.exit_code,
            stage["ignored_rows"],
            stage["expired_rules"],
        )
        assert stage["equal_rows"] == stage["control_rows"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--control", "nobody"), ("unknown mode 'nobody'", "embedded")),
        (("--provider", "nobody"), ("no provider 'nobody'", "ocp")),
        (("--from", "yesterday"), ("not a day", "YYYY-MM-DD")),
        (("--from", "2025-06-16", "--to", "2025-06-15"), ("lies before",)),
        (("--from", "2025-05-31"), ("crosses a month's end",)),
    ],
)
def test_what_a_user_can_mend_is_one_line(arguments, words):
    one_line(invoke("run", "--scenario", GOLDEN / "ocp-nokeys", "--quiet", *arguments), 2, *words)


def test_a_setting_with_a_wrong_value_is_named(monkeypatch):
    monkeypatch.setenv("SHADOWAGG_TIME_LIMIT", "soon")
    result = invoke("run", "--scenario", GOLDEN / "ocp-nokeys")
    one_line(result, 2, "SHADOWAGG_TIME_LIMIT")


def test_aggregate_writes_one_file_per_published_table(tmp_path):
    result = invoke("aggregate", "--scenario", GOLDEN / "ocp-nokeys", "--out", tmp_path / "out")
    assert 0 == result.exit_code
    names = {file.name for file in (tmp_path / "out" / "ocp").iterdir()}
    assert {"staging.parquet", "daily_summary.parquet"} == names
    control = GOLDEN / "ocp-nokeys" / "expected" / "postgres" / TABLE
    candidate = tmp_path / "out" / "ocp" / "daily_summary.parquet"
    assert 0 == invoke("diff", control, candidate, "--spec", "ocp:daily_summary").exit_code


def test_aggregate_of_several_windows_has_a_folder_per_source(tmp_path):
    result = invoke(
        *("aggregate", "--scenario", GOLDEN / "ocp-nasty", "--out", tmp_path, "--stages", "all"),
        "--json",
    )
    written = json.loads(result.stdout)
    assert 10 == len(written)
    assert 2 == len({item["source_uuid"] for item in written})
    for item in written:
        assert item["rows"] == pq.read_metadata(item["file"]).num_rows


def test_aggregate_of_an_input_that_production_refuses_says_so(tmp_path):
    folder = tmp_path / "scenario"
    shutil.copytree(GOLDEN / "ocp-nokeys", folder)
    shutil.rmtree(folder / "inputs" / "openshift_node_labels_line_items_daily")
    result = invoke("aggregate", "--scenario", folder, "--out", tmp_path / "out")
    one_line(result, 3, "refused", "openshift_node_labels_line_items_daily")


def test_diff_names_columns_and_shows_rows(tmp_path):
    control = GOLDEN / "ocp-basic" / "expected" / "postgres" / TABLE
    rows = pq.read_table(control)
    index = rows.column_names.index("resource_id")
    values = ["other", *rows.column("resource_id").to_pylist()[1:]]
    changed = tmp_path / "changed.parquet"
    pq.write_table(rows.set_column(index, rows.schema.field(index), [values]), changed)
    result = invoke("diff", control, changed, "--spec", "ocp:daily_summary")
    assert 1 == result.exit_code
    assert "Columns that differ" in result.stdout
    assert "resource_id" in result.stdout
    assert "'other'" in result.stdout
    document = json.loads(
        invoke("diff", control, changed, "--spec", "ocp:daily_summary", "--json").stdout
    )
    assert ("mismatch", 1) == (document["verdict"], document["changed_rows"])


def test_diff_of_a_file_that_is_not_there_or_is_none(tmp_path):
    good = GOLDEN / "ocp-basic" / "expected" / "postgres" / TABLE
    bad = tmp_path / "bad.parquet"
    one_line(invoke("diff", good, bad, "--spec", "ocp:daily_summary"), 2, "no such file")
    one_line(invoke("diff", good, good, "--spec", "ocp:nothing"), 2, "no stage 'nothing'")
    bad.write_bytes(b"PAR1 and nothing else")
    one_line(
        invoke("diff", good, bad, "--spec", "ocp:daily_summary"), 3, "candidate", "bad.parquet"
    )
    one_line(invoke("diff", bad, good, "--spec", "ocp:daily_summary"), 4, "control", "bad.parquet")


def test_demo_finds_the_fault_that_it_injects(tmp_path, third_party):
    third_party("toy")
    out = tmp_path / "demo"
    result = invoke("demo", "--out", out, "--rows", 300, "--days", 2, "--quiet")
    assert 0 == result.exit_code, result.output
    assert "clean runs matched, every fault was found" in result.stdout
    html = (out / "demo.html").read_text()
    assert "2 mismatch" in html
    assert "a stand-in" in html
    again = invoke("demo", "--out", out, "--rows", 300, "--days", 2, "--quiet")
    assert 0 == again.exit_code


def test_demo_does_not_touch_a_folder_that_is_not_its_own(tmp_path):
    (tmp_path / "precious").write_text("text")
    one_line(invoke("demo", "--out", tmp_path), 2, "not empty")
    assert "text" == (tmp_path / "precious").read_text()


def test_generate_refuses_a_folder_that_is_not_empty(tmp_path):
    (tmp_path / "precious").write_text("text")
    one_line(invoke("generate", "--provider", "ocp", "--out", tmp_path), 2, "not empty")


def test_doctor_says_what_is_there():
    result = invoke("doctor", "--json")
    findings = {f["what"]: f for f in json.loads(result.stdout)}
    assert 0 == result.exit_code
    assert "ok" == findings["fenced process"]["state"]
    assert "ok" == findings["provider ocp"]["state"]
    assert 0 == invoke("doctor").exit_code


def test_doctor_names_what_a_run_misses(monkeypatch):
    monkeypatch.setenv("SHADOWAGG_STORE_URL", "sqlite:////proc/nowhere/records.sqlite")
    result = invoke("doctor")
    assert 1 == result.exit_code
    assert "SHADOWAGG_STORE_URL" in result.stdout
