"""What all tests share: installed test plugins, a home of its own per test, servers by one policy."""

import os
import sys
from pathlib import Path

import hypothesis
import pytest

# A deadline would measure who else works on the machine, not the code.
hypothesis.settings.register_profile("shadowagg", deadline=None)
hypothesis.settings.load_profile("shadowagg")

THIRD_PARTY = Path(__file__).parent / "third_party"
sys.path.append(str(Path(__file__).parent / "shared"))  # modules that several tests use

ONE_WORKER = ("test_control_trino.py", "test_control_production.py")
"""Their tests look whether scratch schemas and queries are left on Trino: those of another worker would
be taken for their own."""


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """Test after test to whichever worker is free; `ONE_WORKER` as one piece, and first.

    The marks of xdist's own `--dist loadgroup` have no effect under pytest 9.2 (pytest-xdist 1386).
    """
    from xdist.scheduler import LoadScopeScheduling

    class Scheduling(LoadScopeScheduling):
        def _split_scope(self, nodeid):
            file = Path(nodeid.partition("::")[0]).name
            return "one worker" if file in ONE_WORKER else nodeid

    return Scheduling(config, log) if config.getvalue("dist") == "load" else None


def install(folder: Path, site: Path) -> None:
    """Make a distribution importable with its metadata, without pip: what an editable install does."""
    import tomllib

    project = tomllib.loads((folder / "pyproject.toml").read_text())["project"]
    info = site / f"{project['name'].replace('-', '_')}-{project['version']}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n"
    )
    points = project["entry-points"]["shadowagg.plugins"]
    lines = [f"{name} = {target}\n" for name, target in points.items()]
    (info / "entry_points.txt").write_text("[shadowagg.plugins]\n" + "".join(lines))


@pytest.fixture
def third_party(tmp_path, monkeypatch):
    """Installs test distributions by name, for this process and the fenced ones."""

    def make(*names):
        from shadowagg.discovery import registry

        for name in names:
            site = tmp_path / f"site-{name}"
            site.mkdir()
            install(THIRD_PARTY / name, site)
            for place in (THIRD_PARTY / name, site):
                monkeypatch.syspath_prepend(str(place))
                path = os.environ.get("PYTHONPATH", "")
                monkeypatch.setenv("PYTHONPATH", f"{place}{os.pathsep}{path}".rstrip(os.pathsep))
        registry.cache_clear()
        return registry()

    yield make
    from shadowagg.discovery import registry

    registry.cache_clear()
    for name in [n for n in sys.modules if n.startswith(("shadowagg_toy", "shadowagg_faulty"))]:
        del sys.modules[name]


@pytest.fixture(autouse=True)
def home(tmp_path_factory, monkeypatch):
    """A home folder of the test's own: no test writes into its user's."""
    folder = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("SHADOWAGG_HOME", str(folder))
    for name in [n for n in os.environ if n.startswith("SHADOWAGG_") and n != "SHADOWAGG_HOME"]:
        monkeypatch.delenv(name)
    return folder
