"""No sample is forgotten."""

import os
from pathlib import Path

import pytest

SAMPLES = Path(__file__).resolve().parents[3] / "shared" / "samples"


def test_every_recorded_message_is_read_by_some_test() -> None:
    if not SAMPLES.exists():
        if os.environ.get("CI"):
            pytest.fail(f"no {SAMPLES}: CI must have the samples beside the project")
        pytest.skip(f"no {SAMPLES}")
    tests = "".join(path.read_text("utf-8") for path in Path(__file__).parent.glob("test_*.py"))
    files = [
        path for folder in ("messages", "recorded", "bars") for path in (SAMPLES / folder).iterdir()
    ]
    samples = [path for path in files if "LICENSE" not in path.name]
    assert len(samples) > 20
    assert [path.name for path in samples if not any(each in tests for each in names(path))] == []


def names(path: Path) -> list[str]:
    """What a test may call it: whole, or without the part that its venue's have in common, or
    without its last word.
    """
    own = path.stem.partition("__ws_")[2]
    return [path.name, path.stem, f'"{own}"' if own else path.stem.rpartition("_")[0]]
