"""``barsync new``: a tested example to begin with, in files of the user's own."""

import ast
import keyword
import re
from collections.abc import Iterable
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from string import Template

import click

_NAME = re.compile(r"[a-z][a-z0-9_]*")


@click.group()
def new() -> None:
    """Write a tested example of a strategy or an indicator to begin with."""


def _name(context: click.Context, parameter: click.Parameter, value: str) -> str:
    """An argument's callback: refuse what cannot be a module's name."""
    del context, parameter
    if not _NAME.fullmatch(value) or keyword.iskeyword(value):
        raise click.BadParameter(
            f"{value!r} is no module's name: expected lower-case letters, digits and underscores, "
            "e.g. follow_trend"
        )
    if find_spec(value) is not None:
        raise click.BadParameter(f"there is a module {value!r} already, which it would hide")
    return value


name_argument = click.argument("name", callback=_name)
directory_option = click.option(
    "--directory",
    type=click.Path(path_type=Path, file_okay=False),
    default=".",
    show_default=True,
    help="Where to write; made where it is missing.",
)


@new.command()
@name_argument
@directory_option
def strategy(name: str, directory: Path) -> None:
    """Write the strategy NAME and its test: NAME.py and test_NAME.py."""
    _write("strategy", "strategies", name, directory)


@new.command()
@name_argument
@directory_option
def indicator(name: str, directory: Path) -> None:
    """Write the indicator NAME and its test: NAME.py and test_NAME.py."""
    _write("indicator", "indicators", name, directory)


def _write(what: str, key: str, name: str, directory: Path) -> None:
    """Both files or none; what is there already stays as it is."""
    kind = "".join(part.capitalize() for part in name.split("_"))
    made = {
        directory / f"{name}.py": f"{what}.py.txt",
        directory / f"test_{name}.py": f"test_{what}.py.txt",
    }
    if kind in _used(made.values()):
        raise click.BadParameter(
            f"its class {kind} would hide the {kind} that the example uses: take another name",
            param_hint="NAME",
        )
    for path in made:
        if path.exists():
            raise click.ClickException(f"{path} is there already; nothing was written")
    try:
        directory.mkdir(parents=True, exist_ok=True)
        for path, template in made.items():
            path.write_text(_filled(template, name, kind), encoding="utf-8")
            click.echo(f"wrote {path}")
    except OSError as error:
        raise click.ClickException(f"{error.filename}: {error.strerror}") from error
    click.echo(f"try it: python -m pytest {directory / f'test_{name}.py'}")
    click.echo(f'in a config: {key} = ["{name}:{kind}"], with {directory} on PYTHONPATH')


def _used(templates: Iterable[str]) -> set[str]:
    """Every name that these use for something of others."""
    trees = (ast.parse(_filled(each, "_name", "_Kind")) for each in templates)
    nodes = [node for tree in trees for node in ast.walk(tree)]
    imported = {node.asname or node.name for node in nodes if isinstance(node, ast.alias)}
    return imported | {node.id for node in nodes if isinstance(node, ast.Name)}


def _filled(template: str, name: str, kind: str) -> str:
    text = (files("barsync_async.app") / "templates" / template).read_text("utf-8")
    return Template(text).substitute(name=name, kind=kind)
