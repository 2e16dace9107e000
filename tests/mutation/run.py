"""Runs the tests of its package against every mutant; fails if one survives.

``python tests/mutation/run.py [WORD ...]`` takes only the mutants whose file or name has one of
the words in it.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from tests.mutation.mutant import Mutant  # noqa: E402 - found by the line above
from tests.mutation.mutants import MUTANTS  # noqa: E402

TIMEOUT_S = 180
SLOW = ("tests/core/test_against_oracle.py", "tests/core/test_stateful.py")
FAST = (
    "tests/core",
    *(f"--ignore={ROOT / path}" for path in SLOW),
    f"--ignore={ROOT / 'tests/core/test_batch.py'}",
)
SLOW_FEATURES = ("tests/features/test_against_talib.py", "tests/features/test_replay.py")
FAST_FEATURES = ("tests/features", *(f"--ignore={ROOT / path}" for path in SLOW_FEATURES))
STAGES: Mapping[str, Sequence[Sequence[str]]] = {
    "core": (FAST, SLOW),
    "aggregation": (("tests/aggregation",),),
    "features": (FAST_FEATURES, SLOW_FEATURES),
    "portfolio": (("tests/portfolio",),),
    "strategies": (("tests/portfolio/test_roster.py", "tests/strategies/test_supervision.py"),),
    "venues": (("tests/venues/test_trades.py", "tests/venues/test_sale_conditions.py"),),
}
KILLED, SURVIVED, BROKEN = "killed", "SURVIVED", "BROKEN"


class Verdict(NamedTuple):
    mutant: Mutant
    outcome: str
    by: str
    seconds: float


def try_out(mutant: Mutant) -> Verdict:
    begun = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="mutant-") as folder:
        source = copy_of_source(Path(folder))
        spoil(source / "barsync_async" / mutant.package / mutant.file, mutant)
        outcome, by = judge(source, mutant.package)
    return Verdict(mutant, outcome, by, time.perf_counter() - begun)


def copy_of_source(folder: Path) -> Path:
    ignored = shutil.ignore_patterns("__pycache__")
    return Path(shutil.copytree(ROOT / "src", folder / "src", ignore=ignored))


def spoil(path: Path, mutant: Mutant) -> None:
    source = path.read_text(encoding="utf-8")
    if source.count(mutant.text) != 1:
        raise SystemExit(f"{mutant.file}: {mutant.name}: its text stands not exactly once there")
    path.write_text(source.replace(mutant.text, mutant.instead), encoding="utf-8")


def judge(source: Path, package: str) -> tuple[str, str]:
    """The outcome, and the test that made it."""
    for selection in STAGES[package]:
        try:
            done = run_tests(source, selection)
        except subprocess.TimeoutExpired:
            return KILLED, "timeout"
        found = re.search(r"^FAILED (\S+)", done.stdout, re.MULTILINE)
        if done.returncode == 1 and found:
            return KILLED, found[1].rpartition("tests/")[2]
        if done.returncode:
            return BROKEN, (done.stdout + done.stderr)[-500:]
    return SURVIVED, ""


def run_tests(source: Path, selection: Sequence[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603 - our own tests
        [
            *(sys.executable, "-m", "pytest", "-x", "-q", "--tb=no"),
            *("-p", "no:cacheprovider", "-p", "tests.mutation.without_shrinking"),
            *("--hypothesis-profile=mutation", "--hypothesis-seed=0"),
            *(f"--rootdir={ROOT}", f"--config-file={ROOT / 'pyproject.toml'}"),
            *(part if part.startswith("-") else str(ROOT / part) for part in selection),
        ],
        cwd=source.parent,
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join((str(source), str(ROOT))),
            "PYTHONDONTWRITEBYTECODE": "1",
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=TIMEOUT_S,
    )


def check_baseline(package: str) -> None:
    """The tests pass as the source is, and they see the copy."""
    with tempfile.TemporaryDirectory(prefix="mutant-") as folder:
        source = copy_of_source(Path(folder))
        done = run_tests(source, STAGES[package][0])
        if done.returncode:
            raise SystemExit("without a mutant the tests fail already:\n" + done.stdout)
        (source / "barsync_async" / package / "__init__.py").write_text("raise SystemExit(9)")
        if not run_tests(source, STAGES[package][0]).returncode:
            raise SystemExit("the tests do not see the mutants: barsync_async comes from elsewhere")


def show(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def _shown(mutant: Mutant) -> str:
    return f"{mutant.package}/{mutant.file}: {mutant.name}"


def main(words: Sequence[str]) -> int:
    chosen = [each for each in MUTANTS if not words or any(w in _shown(each) for w in words)]
    for package in {each.package for each in chosen}:
        check_baseline(package)
    verdicts = []
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for verdict in pool.map(try_out, chosen):
            verdicts.append(verdict)
            mutant, outcome, by, seconds = verdict
            show(f"{_shown(mutant):84} {outcome:8} {seconds:5.1f} s  {by}")
    counts = Counter(each.outcome for each in verdicts)
    show(", ".join(f"{count} {outcome}" for outcome, count in counts.items()))
    return int(set(counts) != {KILLED})


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
