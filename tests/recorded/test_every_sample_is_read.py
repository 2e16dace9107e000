"""No sample is forgotten."""

import os
from collections.abc import Iterable
from pathlib import Path

import pytest

HERE = Path(__file__)
SAMPLES = HERE.resolve().parents[3] / "shared" / "samples"


@pytest.fixture(scope="module")
def tests() -> list[str]:
    """The texts of the other tests."""
    paths = [path for path in HERE.parent.glob("test_*.py") if path.name != HERE.name]
    return [path.read_text("utf-8") for path in paths]


def test_every_sample_is_read_by_some_test(tests: list[str]) -> None:
    if not SAMPLES.exists():
        if os.environ.get("CI"):
            pytest.fail(f"no {SAMPLES}: CI must have the samples beside the project")
        pytest.skip(f"no {SAMPLES}")
    folders = [SAMPLES / name for name in ("messages", "recorded", "bars")]
    files = [path.name for folder in folders for path in folder.iterdir()]
    samples = [name for name in files if "LICENSE" not in name]
    assert len(samples) > 20
    assert forgotten(samples, tests) == []


@pytest.mark.parametrize(
    "name", ["unknown.txt", "unknown_tr.ws.txt", "SPY_5min.csv", "okx__ws_pong.json"]
)
def test_a_sample_that_no_test_names_is_forgotten(name: str, tests: list[str]) -> None:
    assert forgotten([name], tests) == [name]


def test_a_name_may_be_put_together_of_two_parts_within_one_test() -> None:
    name = "venue__ws_auth_failure.json"
    whole, part, rest = f'"{name}"', 'f"venue__ws_{name}.json"', 'message("auth_failure")'
    assert forgotten([name], [whole]) == []
    assert forgotten([name], [f"{part} {rest}"]) == []
    assert forgotten([name], [part, rest]) == [name]


def forgotten(samples: Iterable[str], tests: Iterable[str]) -> list[str]:
    texts = [*tests]
    return sorted(name for name in samples if not any(names(text, name) for text in texts))


def names(text: str, sample: str) -> bool:
    """Whether a test has the file's whole name, or that of its venue and kind, and the rest of it
    in quotes.
    """
    if sample in text:
        return True
    words = sample.partition(".")[0].split("_")
    cuts = [("_".join(words[:n]), "_".join(words[n:])) for n in range(1, len(words))]
    return any("__" in head and head in text and f'"{rest}"' in text for head, rest in cuts)
