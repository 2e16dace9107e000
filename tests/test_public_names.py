"""The public surface: what it promises to hold, and what it costs to import."""

import subprocess
import sys

import pytest

import barsync_async
import barsync_async.testing

NAMES = barsync_async.__all__
HEAVY = ("asyncio", "anyio", "websockets", "uvloop", "structlog", "pydantic")


def loaded_by(statement: str) -> set[str]:
    """The modules in a new interpreter after ``statement``."""
    code = f"import sys\n{statement}\nprint(*sys.modules, sep='\\n')"
    done = subprocess.run(  # noqa: S603 - our own interpreter
        [sys.executable, "-c", code], capture_output=True, check=True, text=True, timeout=60
    )
    return set(done.stdout.split())


@pytest.mark.parametrize("name", NAMES)
def test_every_public_name_resolves_to_the_thing_of_that_name(name: str) -> None:
    found = getattr(barsync_async, name)
    assert found.__name__ == name
    assert found.__module__.startswith("barsync_async.")
    assert getattr(sys.modules[found.__module__], name) is found


def test_the_names_stand_once_each_and_sorted_and_are_all_that_is_shown() -> None:
    assert sorted(set(NAMES)) == NAMES
    assert dir(barsync_async) == NAMES


def test_every_name_that_is_loaded_when_used_is_public() -> None:
    assert sorted(barsync_async._HOMES) == NAMES


def test_a_name_that_is_not_there_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'Synchroniser'"):
        _ = barsync_async.Synchroniser


def test_the_test_helpers_names_resolve() -> None:
    for name in barsync_async.testing.__all__:
        assert callable(getattr(barsync_async.testing, name))


def test_importing_the_package_alone_brings_in_no_loop_and_no_socket() -> None:
    loaded = loaded_by("import barsync_async")
    assert "barsync_async" in loaded
    assert not loaded.intersection(HEAVY)
    assert not [name for name in loaded if name.startswith("barsync_async.")]


def test_importing_the_pure_synchronizer_brings_in_no_loop_and_no_socket() -> None:
    loaded = loaded_by("from barsync_async import Synchronizer")
    assert "barsync_async.core.synchronizer" in loaded
    assert not loaded.intersection(HEAVY)
    assert not [name for name in loaded if name.startswith("barsync_async.shell")]
