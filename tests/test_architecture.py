"""What the layout promises: pure packages, imports that point one way, and small modules."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "src" / "barsync_async"
PURE = (
    "core",
    "venues",
    "aggregation",
    "features",
    "strategies",
    "portfolio",
    "simulation",
    "report",
)
MODULES = sorted(PACKAGE.rglob("*.py"))
MOST_LINES = 400
WAITS = (ast.AsyncFunctionDef, ast.Await, ast.AsyncFor, ast.AsyncWith)


def shown(path: Path) -> str:
    return path.relative_to(PACKAGE).as_posix()


def waits_in(path: Path) -> list[int]:
    """The lines of ``path`` that wait for something."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    asynchronous = [node.lineno for node in ast.walk(tree) if isinstance(node, WAITS)]
    comprehensions = [
        node.lineno
        for node in ast.walk(tree)
        if isinstance(node, ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp)
        and any(each.is_async for each in node.generators)
    ]
    return asynchronous + comprehensions


@pytest.mark.parametrize("package", PURE)
def test_a_pure_package_waits_for_nothing(package: str) -> None:
    modules = sorted((PACKAGE / package).rglob("*.py"))
    assert len(modules) > 1
    assert {shown(path): lines for path in modules if (lines := waits_in(path))} == {}


def test_a_module_of_the_shell_would_be_found_to_wait() -> None:
    assert waits_in(PACKAGE / "shell" / "container.py")


def test_the_import_contracts_hold() -> None:
    lint = Path(sys.executable).parent / "lint-imports"
    done = subprocess.run(  # noqa: S603 - our own tool
        [lint, "--no-cache", "--config", "pyproject.toml"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 kept, 0 broken" in done.stdout


@pytest.mark.parametrize("path", MODULES, ids=shown)
def test_a_module_fits_into_one_head(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= MOST_LINES


@pytest.mark.parametrize("path", MODULES, ids=shown)
def test_a_module_says_what_it_promises(path: Path) -> None:
    assert ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
