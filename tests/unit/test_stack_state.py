"""What runs, on record."""

import json
import os
import threading

import pytest

from shadowagg.errors import UserError
from shadowagg.testing.stack.environment import as_exports, variables
from shadowagg.testing.stack.layout import Home, RunFolder, new_run_folder
from shadowagg.testing.stack.process import Identity
from shadowagg.testing.stack.state import Credentials, State, load, locked, save

US = Identity.of(os.getpid())
GONE = Identity(os.getpid(), 1, US.boot)


@pytest.fixture
def stack_home(tmp_path):
    return Home(tmp_path / "stack")


@pytest.fixture
def state(tmp_path):
    return State(
        folder=tmp_path / "run",
        ports={"trino": 1, "postgres": 2, "s3": 3},
        credentials=Credentials("pg word", "KEY", "secret"),
        heap=1500,
        services={"postgres": US},
    )


def test_a_state_is_read_as_it_was_written(stack_home, state):
    state = state.held_by(US)
    save(stack_home, state)

    assert state == load(stack_home)


def test_a_state_is_for_its_owner_alone(stack_home, state):
    save(stack_home, state)

    assert 0o600 == stack_home.state.stat().st_mode & 0o777


def test_no_state_means_no_stack(stack_home, state):
    assert load(stack_home) is None
    save(stack_home, state)
    save(stack_home, None)
    assert load(stack_home) is None


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"version": 99}', '{"version": 1}'])
def test_a_state_of_another_version_is_an_error_and_stays(stack_home, text):
    stack_home.folder.mkdir()
    stack_home.state.write_text(text)

    with pytest.raises(UserError, match="cannot be understood"):
        load(stack_home)
    assert text == stack_home.state.read_text()


def test_holders_that_have_died_are_forgotten(state):
    state = state.held_by(GONE).held_by(US)

    assert (US,) == state.held_by(US).holders
    assert () == state.without_holder(US).holders


def test_credentials_are_new_for_each_stack_and_not_shown(state):
    assert Credentials.new() != Credentials.new()
    assert "secret" not in repr(Credentials("word", "KEY", "secret")).replace("secret_key", "")
    assert "word" not in repr(Credentials("word", "KEY", "secret")).replace("password", "")


def test_only_one_at_a_time_changes_a_stack(stack_home):
    said = []
    order = []
    inside = threading.Event()

    def second():
        inside.wait(30)
        with locked(stack_home, said.append):
            order.append("second")

    other = threading.Thread(target=second)
    other.start()
    with locked(stack_home, said.append):
        inside.set()
        while not said:
            other.join(0.01)
        order.append("first")
    other.join(30)

    assert ["first", "second"] == order
    assert ["another shadowagg-stack is at work on this stack; waiting for it"] == said


def test_the_variables_name_what_was_started_and_the_lake(state, tmp_path):
    assert {
        "SHADOWAGG_LAKE_DIR": str(tmp_path / "run" / "lake" / "shadowagg"),
        "SHADOWAGG_LAKE_URI": "local:///shadowagg",
        "PGHOST": "127.0.0.1",
        "PGPORT": "2",
        "PGUSER": "postgres",
        "PGPASSWORD": "pg word",
        "PGDATABASE": "postgres",
    } == variables(state)


def test_all_variables_are_there_when_all_was_started(state):
    found = variables(state.with_service("trino", US).with_service("s3", US))

    assert {"TRINO_HOST": "127.0.0.1", "TRINO_PORT": "1", "TRINO_USER": "shadowagg"}.items() <= (
        found.items()
    )
    assert {
        "S3_ENDPOINT": "http://127.0.0.1:3",
        "S3_REGION": "us-east-1",
        "S3_ACCESS_KEY": "KEY",
        "S3_SECRET_KEY": "secret",
        "S3_BUCKET_NAME": "shadowagg",
    }.items() <= found.items()


def test_exports_are_quoted_for_a_shell(state):
    assert "export PGPASSWORD='pg word'" in as_exports(variables(state)).splitlines()


def test_only_folders_that_a_stack_made_are_removed(tmp_path):
    run = new_run_folder()
    try:
        assert run.is_ours()
        assert run.bucket.is_dir()
        assert 0o711 == run.folder.stat().st_mode & 0o777
    finally:
        run.bucket.rmdir()
        (run.lake / "metastore").rmdir()
        run.lake.rmdir()
        run.folder.rmdir()
    assert not run.is_ours()
    assert not RunFolder(tmp_path).is_ours()
    link = tmp_path / "shadowagg-stack-link"
    link.symlink_to(tmp_path)
    assert not RunFolder(link).is_ours()


def test_the_home_is_where_the_environment_says(tmp_path, monkeypatch):
    monkeypatch.setenv("SHADOWAGG_STACK_HOME", str(tmp_path))
    assert Home(tmp_path) == Home.default()
    monkeypatch.delenv("SHADOWAGG_STACK_HOME")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert Home(tmp_path / "shadowagg-stack") == Home.default()


def test_the_state_file_is_plain_json(stack_home, state):
    save(stack_home, state)

    assert US.pid == json.loads(stack_home.state.read_text())["services"]["postgres"]["pid"]
