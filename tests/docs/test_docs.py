"""What the documentation says is there, and what is there is documented."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def read(name):
    return (ROOT / name).read_text(encoding="utf-8")


def commands(text):
    """The one-line shell blocks of a page."""
    return re.findall(r"```sh\n([^\n]+)\n```", text)


def test_ci_runs_the_readmes_test_command_with_the_same_words():
    (test_command,) = [line for line in commands(read("README.md")) if "tox" in line]
    assert test_command in read(".ci/run").splitlines()


def test_the_readme_has_one_line_for_the_demo():
    (demo,) = [line for line in commands(read("README.md")) if line.endswith("shadowagg demo")]
    assert "pip install" in demo


def test_every_setting_is_documented_with_its_default():
    from shadowagg.settings import Settings

    page = read("docs/settings.md")
    for name, field in Settings.model_fields.items():
        (line,) = [x for x in page.splitlines() if f"| `SHADOWAGG_{name.upper()}` |" in x]
        default = field.default
        if isinstance(default, bool):
            assert f"| {str(default).lower()} |" in line
        elif isinstance(default, int | float):
            assert f"| {default:g} |" in line.replace("100000", "100000") or str(default) in line


def test_every_command_is_documented():
    from shadowagg.cli import COMMANDS

    page = read("docs/commands.md")
    for command in COMMANDS:
        assert f"| `shadowagg {command}" in page, command


def test_every_option_of_run_is_documented():
    from shadowagg.cli.run import command

    page = read("docs/commands.md")
    for parameter in command.params:
        assert parameter.opts[0] in page, parameter.opts


def test_every_hook_is_documented():
    from shadowagg import hookspecs

    page = read("docs/providers.md")
    for name in vars(hookspecs):
        if name.startswith("shadowagg_"):
            assert f"`{name}`" in page, name


def test_the_tutorial_shows_the_files_that_the_tests_install():
    page = read("docs/providers.md")
    toy = ROOT / "tests" / "third_party" / "toy"
    for file in ("pyproject.toml", "shadowagg_toy/candidate.py", "shadowagg_toy/turnover.sql"):
        assert (toy / file).read_text(encoding="utf-8").strip() in page, file


def test_links_between_pages_lead_somewhere():
    for page in [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("plugins/*/README.md")]:
        for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_the_lowest_constraints_are_the_lower_bounds():
    project = tomllib.loads(read("pyproject.toml"))["project"]
    extras = project["optional-dependencies"]
    tested = ("cli", "embedded", "production", "report", "trino")
    wanted = [*project["dependencies"], *(line for name in tested for line in extras[name])]
    bounds = dict(re.match(r"([a-z0-9-]+)>=([0-9.]+)", line).groups() for line in wanted)
    pinned = dict(
        re.findall(r"^([a-z0-9-]+)==([0-9.]+)$", read("tests/constraints/lowest.txt"), re.MULTILINE)
    )
    assert set(bounds) == set(pinned)
    for name, bound in bounds.items():
        assert pinned[name].startswith(bound), name


def test_the_core_contains_no_providers_name():
    names = re.compile(r"\b(ocp|aws|azure|gcp)\b|openshift|ocp_", re.IGNORECASE)
    found = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()}"
        for path in sorted((ROOT / "shadowagg").rglob("*"))
        if path.suffix in {".py", ".sql", ".html", ".css", ".toml", ".json"}
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if names.search(line)
    ]
    assert [] == found


@pytest.mark.parametrize(
    ("code", "absent"),
    [
        ("import shadowagg", ("pyarrow", "click", "pandas", "sqlalchemy", "pydantic")),
        (
            "import shadowagg.cli as c; c.main(['--help'], standalone_mode=False)",
            ("pyarrow", "pandas", "sqlalchemy", "pydantic", "rich", "datacompy"),
        ),
    ],
)
def test_what_is_heavy_is_imported_where_it_is_used(code, absent):
    listing = f"{code}\nimport sys; print('\\n'.join(sys.modules), file=sys.stderr)"
    done = subprocess.run(
        [sys.executable, "-c", listing], capture_output=True, text=True, check=True
    )
    loaded = set(done.stderr.split())
    assert set() == loaded & set(absent)
