"""What the integration tests need of the machine.

As root a missing program is installed with apt; otherwise its tests fail where `CI` is set, and
are skipped elsewhere, with the one line that names the packages.
"""

from __future__ import annotations

import os
import shutil
import subprocess

import pytest

CHROMIUM = ("chromium", "chromium-driver")
"""Debian's packages; each brings a program of the same meaning."""

QUIET = (
    "--headless",
    "--no-sandbox",  # the sandbox refuses to start as root
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
"""The browser shows the page, and looks for nothing else."""


@pytest.fixture(scope="session")
def chromium(tmp_path_factory):
    """A headless Chromium, driven by selenium, that records its console and its requests."""
    if not _found():
        _install()
    try:
        from selenium import webdriver
    except ImportError:
        _refuse("python -m pip install selenium")
    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium")
    for argument in (*QUIET, f"--user-data-dir={tmp_path_factory.mktemp('chromium')}"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    service = webdriver.ChromeService(executable_path=shutil.which("chromedriver"))
    browser = webdriver.Chrome(options=options, service=service)
    yield browser
    browser.quit()


def _found():
    return shutil.which("chromium") and shutil.which("chromedriver")


def _install():
    line = f"apt-get install -y --no-install-recommends {' '.join(CHROMIUM)}"
    if os.geteuid() == 0 and shutil.which("apt-get"):
        for command in ("apt-get update", line):
            subprocess.run(command.split(), check=False, capture_output=True)
        if _found():
            return
    _refuse(f"as root: {line}")


def _refuse(line):
    refuse = pytest.fail if os.environ.get("CI") else pytest.skip
    refuse(f"no browser to test with; {line}")
