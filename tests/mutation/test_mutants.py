"""That the mutants still fit the source; ``make mutants`` runs the tests against each."""

from collections import Counter
from pathlib import Path

import pytest
from tests.mutation.mutant import Mutant
from tests.mutation.mutants import MUTANTS

SOURCE = Path(__file__).resolve().parents[2] / "src" / "barsync_async"


@pytest.mark.parametrize(
    "mutant", MUTANTS, ids=lambda each: f"{each.package}/{each.file}: {each.name}"
)
def test_what_a_mutant_replaces_stands_exactly_once_in_the_source(mutant: Mutant) -> None:
    source = (SOURCE / mutant.package / mutant.file).read_text(encoding="utf-8")
    assert source.count(mutant.text) == 1
    assert mutant.text != mutant.instead


def test_every_mutant_is_one_of_its_own() -> None:
    names = Counter((each.package, each.file, each.name) for each in MUTANTS)
    changes = Counter((each.package, each.file, each.text, each.instead) for each in MUTANTS)
    assert set(names.values()) == set(changes.values()) == {1}


@pytest.mark.parametrize("package", ["core", "portfolio"])
def test_every_module_with_decisions_has_mutants(package: str) -> None:
    plain = {"__init__.py", "spec.py", "batch.py"}
    modules = {path.name for path in (SOURCE / package).glob("*.py")} - plain
    assert {each.file for each in MUTANTS if each.package == package} == modules
