"""What the files around the code promise: the locks, the make targets, the image, the configs."""

import json
import os
import re
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import pytest
from packaging.markers import Marker
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).resolve().parent.parent
LOCKS = ("runtime", "dev", "build")
TARGETS = (
    "help",
    "install",
    "browser",
    "demo",
    "test",
    "simulate",
    "determinism",
    "fuzz",
    "mutants",
    "lint",
    "format",
    "bench",
    "lock",
    "clean",
)
CONFIGS = sorted((ROOT / "config").rglob("*.toml"))
MINIMUM_PYTHON = {"python_version": "3.11", "python_full_version": "3.11.0"}

LOCKED = re.compile(
    r"(?P<name>[A-Za-z0-9._-]+)==(?P<version>[A-Za-z0-9.!+]+)"
    r"(?: ; (?P<marker>[^#\\]+?))?"
    r"(?P<hashes>(?: --hash=sha256:[0-9a-f]{64})+)"
)


class Locked(NamedTuple):
    """One requirement of a lock file."""

    version: Version
    marker: Marker | None
    hashes: frozenset[str]


def read(path: str) -> str:
    return (ROOT / path).read_text(encoding="utf-8")


def logical_lines(text: str) -> list[str]:
    """The lines that say something, each with its continuations."""
    kept = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    joined = re.sub(r"\s*\\\n\s*", " ", "\n".join(kept))
    return [line.strip() for line in joined.splitlines() if line.strip()]


def lock(name: str) -> dict[str, Locked]:
    requirements: dict[str, Locked] = {}
    for line in logical_lines(read(f"requirements/{name}.txt")):
        match = LOCKED.fullmatch(line)
        assert match is not None, f"requirements/{name}.txt: {line[:80]!r} is no locked requirement"
        key = canonicalize_name(match["name"])
        assert key not in requirements, f"requirements/{name}.txt: {key} stands twice"
        requirements[key] = Locked(
            Version(match["version"]),
            Marker(match["marker"]) if match["marker"] else None,
            frozenset(match["hashes"].split()),
        )
    return requirements


def assert_locked(wanted: Sequence[str], name: str) -> None:
    locked = lock(name)
    assert wanted
    for requirement in map(Requirement, wanted):
        key = canonicalize_name(requirement.name)
        assert key in locked, f"{key} is not in requirements/{name}.txt: make lock"
        assert locked[key].version in requirement.specifier, f"{requirement}: make lock"


def project() -> dict[str, object]:
    return tomllib.loads(read("pyproject.toml"))


def runtime_dependencies() -> list[str]:
    table = project()["project"]
    assert isinstance(table, dict)
    return list(table["dependencies"])


def group(name: str) -> list[str]:
    table = project()["dependency-groups"]
    assert isinstance(table, dict)
    return list(table[name])


def build_requirements() -> list[str]:
    table = project()["build-system"]
    assert isinstance(table, dict)
    return list(table["requires"])


def stages() -> list[list[str]]:
    """The Dockerfile's instructions, one list a stage."""
    found: list[list[str]] = []
    for line in logical_lines(read("Dockerfile")):
        if line.startswith("FROM "):
            found.append([])
        if found:
            found[-1].append(line)
    return found


def arguments(stage: Sequence[str], instruction: str) -> list[str]:
    return [line.partition(" ")[2] for line in stage if line.startswith(f"{instruction} ")]


def exec_form(text: str) -> list[str]:
    parsed = json.loads(text)
    assert isinstance(parsed, list)
    assert parsed
    assert all(isinstance(word, str) for word in parsed)
    return parsed


@pytest.mark.parametrize("name", LOCKS)
def test_a_lock_holds_an_exact_version_and_a_hash_for_every_requirement_and_no_option(
    name: str,
) -> None:
    assert lock(name)


@pytest.mark.parametrize("name", LOCKS)
def test_a_lock_names_no_address_and_no_absolute_path(name: str) -> None:
    text = read(f"requirements/{name}.txt")
    assert "://" not in text
    assert not re.search(r"(^|[\s=@])[/~]", text)
    assert "index" not in text
    assert "find-links" not in text


def test_every_dependency_of_the_project_is_locked() -> None:
    assert_locked(runtime_dependencies(), "runtime")
    assert_locked(runtime_dependencies(), "dev")


def test_every_dependency_of_the_dev_group_and_the_build_backend_is_locked() -> None:
    assert_locked(group("dev"), "dev")
    assert_locked(build_requirements(), "dev")
    assert_locked(build_requirements(), "build")


@pytest.mark.parametrize("name", ["runtime", "build"])
def test_the_dev_lock_agrees_with_the_others_on_every_version_and_hash(name: str) -> None:
    dev = lock("dev")
    for key, locked in lock(name).items():
        assert dev[key].version == locked.version, f"{key}: make lock"
        assert dev[key].hashes == locked.hashes, f"{key}: make lock"


@pytest.mark.parametrize("platform", ["linux", "darwin"])
def test_the_runtime_lock_installs_all_of_itself_on_the_oldest_python(platform: str) -> None:
    environment = {**MINIMUM_PYTHON, "sys_platform": platform}
    for key, locked in lock("runtime").items():
        assert locked.marker is None or locked.marker.evaluate(environment), key


@pytest.mark.parametrize("target", TARGETS)
def test_the_makefile_explains_each_target_and_keeps_it_apart_from_files(target: str) -> None:
    makefile = read("Makefile")
    assert re.search(rf"^{target}:.* ## \S", makefile, re.MULTILINE)
    phony = re.search(r"^\.PHONY: (.+)$", makefile, re.MULTILINE)
    assert phony is not None
    assert target in phony[1].split()


def test_make_alone_prints_the_help() -> None:
    assert ".DEFAULT_GOAL := help" in read("Makefile").splitlines()


def test_the_runner_can_be_executed_and_lints_before_it_tests() -> None:
    assert os.access(ROOT / ".ci" / "run", os.X_OK)
    made = re.findall(r"^make .*?(\w+)(?: 2>&1.*| \|\| .*)?$", read(".ci/run"), re.MULTILINE)
    assert made == ["lint", "test"]


def test_there_is_a_config_and_a_scenario_to_start_from() -> None:
    assert [path for path in CONFIGS if path.parent.name == "config"]
    assert [path for path in CONFIGS if path.parent.name == "scenarios"]


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_a_shipped_config_is_toml(path: Path) -> None:
    assert tomllib.loads(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("command", ["make demo", "make test"])
def test_the_readme_names_the_commands_to_begin_with(command: str) -> None:
    assert command in read("README.md")


def test_the_changelog_has_a_place_for_what_comes_next() -> None:
    assert "## [Unreleased]" in read("CHANGELOG.md").splitlines()


def test_the_licence_is_the_one_the_project_declares() -> None:
    table = project()["project"]
    assert isinstance(table, dict)
    assert table["license"] == "Apache-2.0"
    text = read("LICENSE")
    assert "Apache License" in text
    assert "Version 2.0, January 2004" in text
    assert "END OF TERMS AND CONDITIONS" in text


def test_the_image_is_built_in_stages_of_one_base_and_the_last_takes_from_the_first() -> None:
    builder, final = stages()
    base = builder[0].split()[1]
    assert final[0].split()[1] == base
    assert [each for each in arguments(final, "COPY") if each.startswith("--from=builder ")]


def test_the_image_installs_only_what_is_hashed_or_built_from_the_tree() -> None:
    installs = [exec_form(each) for each in arguments(stages()[0], "RUN") if '"install"' in each]
    assert installs
    for words in installs:
        assert "--require-hashes" in words or {"--no-index", "--no-deps"} <= set(words)


def test_the_last_stage_installs_nothing_and_holds_no_build_tools() -> None:
    final = stages()[-1]
    for text in arguments(final, "RUN"):
        words = exec_form(text)
        assert not {"apt", "apt-get", "apk", "gcc", "make", "curl", "wget"} & set(words)
        assert "pip" not in words or "uninstall" in words
    assert any({"pip", "uninstall"} <= set(exec_form(text)) for text in arguments(final, "RUN"))


def test_the_image_runs_as_a_fixed_user_who_is_not_root() -> None:
    final = stages()[-1]
    (user,) = arguments(final, "USER")
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", user)
    after = final[final.index(f"USER {user}") :]
    assert not arguments(after, "RUN")


def test_the_image_runs_every_command_without_a_shell() -> None:
    for stage in stages():
        for text in arguments(stage, "RUN"):
            exec_form(text)
    final = stages()[-1]
    assert [exec_form(each) for each in arguments(final, "ENTRYPOINT")] == [["barsync"]]
    (command,) = arguments(final, "CMD")
    assert exec_form(command)[0] == "run"


def test_the_image_is_stopped_with_the_signal_that_drains() -> None:
    assert arguments(stages()[-1], "STOPSIGNAL") == ["SIGTERM"]


def test_the_health_check_is_a_command_that_parses() -> None:
    (check,) = arguments(stages()[-1], "HEALTHCHECK")
    words = exec_form(check.partition("CMD ")[2])
    assert words[0] == "python"
    compile(words[-1], "HEALTHCHECK", "exec")


def test_the_image_gets_every_file_it_copies_and_no_other() -> None:
    copied = {
        word.rstrip("/")
        for text in arguments(stages()[0], "COPY")
        for word in text.split()[:-1]
        if not word.startswith("--")
    }
    rules = logical_lines(read(".dockerignore"))
    assert rules[0] == "*"
    assert {rule.removeprefix("!") for rule in rules if rule.startswith("!")} == copied
