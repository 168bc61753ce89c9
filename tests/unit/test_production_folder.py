"""The folder of templates: found, complete, of a known revision."""

import hashlib
import subprocess
import sys

import pytest

from shadowagg.control.production.folder import TemplateFolder
from shadowagg.errors import UserError
from shadowagg.production import TemplateStep, Way

ONE = TemplateStep("trino_sql/a.sql", Way.TRINO_PIECES, "subwindow", ("schema", "days"), ())
TWO = TemplateStep("sql/b.sql", Way.POSTGRES_WHOLE, "window", ("schema",), ())


@pytest.fixture
def folder(tmp_path):
    place = tmp_path / "templates"
    for step, text in ((ONE, "SELECT {{days}}"), (TWO, "SELECT 1")):
        (place / step.path).parent.mkdir(parents=True, exist_ok=True)
        (place / step.path).write_text(text)
    return place


def test_the_files_of_the_steps_are_read_and_hashed(folder):
    opened = TemplateFolder.open(str(folder), [ONE, TWO])

    said = opened.describe()
    assert {ONE.path: "SELECT {{days}}", TWO.path: "SELECT 1"} == opened.texts
    assert hashlib.sha256(b"SELECT 1").hexdigest() == said["files"][TWO.path]
    assert str(folder) == said["folder"]
    assert "" == said["revision"]


def test_one_changed_letter_is_another_hash(folder):
    before = TemplateFolder.open(str(folder), [ONE, TWO]).describe()
    (folder / TWO.path).write_text("SELECT 2")

    after = TemplateFolder.open(str(folder), [ONE, TWO]).describe()
    assert before["hash"] != after["hash"]
    assert before["files"][ONE.path] == after["files"][ONE.path]


def test_a_missing_folder_is_one_line(tmp_path):
    with pytest.raises(UserError, match="no such folder, and no such installed package"):
        TemplateFolder.open(str(tmp_path / "nowhere"), [ONE])


def test_missing_files_and_unknown_names_are_listed_together(folder):
    (folder / ONE.path).write_text("SELECT {{days}}, {{price}}, {{unit | sqlsafe}}")
    (folder / TWO.path).unlink()

    with pytest.raises(UserError) as refused:
        TemplateFolder.open(str(folder), [ONE, TWO])

    said = str(refused.value)
    assert "lacks sql/b.sql" in said
    assert "trino_sql/a.sql asks for price" in said
    assert "trino_sql/a.sql asks for unit" in said
    assert "\n" not in said


def test_a_file_that_is_no_text_is_named(folder):
    (folder / TWO.path).write_bytes(b"\xff\xfe")

    with pytest.raises(UserError, match=r"sql/b\.sql: cannot be read"):
        TemplateFolder.open(str(folder), [ONE, TWO])


def test_a_package_is_found_without_being_imported(folder, tmp_path, monkeypatch):
    (folder / "__init__.py").write_text("raise SystemExit('imported')")
    info = tmp_path / "templates-2.5.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: templates\nVersion: 2.5\n")
    (info / "top_level.txt").write_text("templates\n")
    (folder / "inner").mkdir()
    (folder / "sql").rename(folder / "inner" / "sql")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.chdir("/")

    opened = TemplateFolder.open("templates.inner", [TWO])

    assert folder / "inner" == opened.folder
    assert "templates 2.5" == opened.revision
    assert "templates" not in sys.modules


def test_the_revision_of_a_checkout_is_recorded(folder):
    def git(*words):
        who = ("-c", "user.name=a", "-c", "user.email=a@b.invalid", "-c", "commit.gpgsign=false")
        done = subprocess.run(
            ["git", *who, *words], cwd=folder, check=True, capture_output=True, text=True
        )
        return done.stdout.strip()

    git("init", "-q")
    git("add", ".")
    git("commit", "-qm", "one")
    commit = git("rev-parse", "HEAD")

    assert commit == TemplateFolder.open(str(folder), [ONE]).revision
    git("pack-refs", "--all")
    assert commit == TemplateFolder.open(str(folder), [ONE]).revision
    git("checkout", "-q", "--detach")
    assert commit == TemplateFolder.open(str(folder), [ONE]).revision
    git("worktree", "add", "-q", str(folder.parent / "other"))
    assert commit == TemplateFolder.open(str(folder.parent / "other"), [ONE]).revision
