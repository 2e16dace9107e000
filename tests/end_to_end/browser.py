"""A real browser, headless, on a page in a file."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

_NAMES = ("chromium", "google-chrome")
_QUIET = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    *("--disable-extensions", "--hide-scrollbars", "--enable-logging=stderr"),
)
_PATIENCE_MS = 20_000
_LIMIT_S = 120


def browser() -> str:
    """Where it is; the test is skipped without one, and fails where `CI` is set."""
    found = next(filter(None, map(shutil.which, _NAMES)), None)
    if found is None and os.environ.get("CI"):
        pytest.fail("no browser: CI must have one (make browser)")
    if found is None:
        pytest.skip("no browser: make browser installs one")
    return found


class Opened:
    """A page as it is once its scripts have run; ``errors`` is what its console said of them."""

    def __init__(self, page: Path, profile: Path, *options: str) -> None:
        done = subprocess.run(  # noqa: S603 - a browser, on our own page
            [
                *(browser(), *_QUIET, *options),
                f"--user-data-dir={profile}",
                f"--virtual-time-budget={_PATIENCE_MS}",
                *("--dump-dom", page.as_uri()),
            ],
            capture_output=True,
            text=True,
            check=True,
            timeout=_LIMIT_S,
        )
        self.dom = done.stdout
        self.errors = [line for line in done.stderr.splitlines() if "CONSOLE" in line]
