"""The report as one page that needs nothing beside it: no network, no other file.

What comes out of a config or a file is escaped by the template, and the page's policy lets no
script run but the two that are put in here.
"""

import base64
import hashlib
from collections.abc import Sequence
from importlib import import_module, resources
from typing import Any

import msgspec

from barsync_async.app.backtest.cells import histories, section
from barsync_async.app.backtest.charts import charts_of
from barsync_async.errors import OutputError
from barsync_async.report.container import ContainerReport
from barsync_async.report.thinning import BUCKETS, MOST_POINTS
from barsync_async.units import shown_time


class PageData(msgspec.Struct, frozen=True):
    """What the page tells beside the containers: the run's name and config, where it broke off
    (empty: nowhere), the files with the whole series, and of each history its source, file, bars,
    rows that are no bars, first and last timestamp.
    """

    name: str
    config: str
    partial: str
    files: Sequence[str]
    reports: Sequence[ContainerReport]
    histories: Sequence[Sequence[Any]]


def check_installed(target: str) -> None:
    """Raises OutputError where the packages that draw are not there."""
    try:
        import_module("jinja2")
        import_module("plotly.offline")
    except ImportError as error:
        detail = f"needs the package {error.name}: pip install 'barsync-async[report]'"
        raise OutputError(target, detail) from None


def rendered(page: PageData) -> str:
    """The whole page as HTML; the same for the same data."""
    charts = [charts_of(report, place) for place, report in enumerate(page.reports)]
    library = import_module("plotly.offline").get_plotlyjs()
    script = _resource("report.js")
    drawn = [
        {"id": chart["id"], "data": chart["data"], "layout": chart["layout"]}
        for some in charts
        for chart in some
    ]
    jinja2, markup = import_module("jinja2"), import_module("markupsafe").Markup
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    text: str = environment.from_string(_resource("report.html")).render(
        name=page.name,
        config=page.config,
        period=_period(page.reports),
        partial=page.partial,
        containers=[
            {**section(report), "charts": some}
            for report, some in zip(page.reports, charts, strict=True)
        ],
        histories=histories(page.histories),
        most_points=MOST_POINTS,
        runs=BUCKETS,
        files=page.files,
        charts=drawn,
        library=markup(library),
        script=markup(script),
        policy=_policy(library, script),
    )
    return text


def _policy(*scripts: str) -> str:
    digests = (hashlib.sha256(script.encode()).digest() for script in scripts)
    allowed = " ".join(f"'sha256-{base64.b64encode(digest).decode()}'" for digest in digests)
    style = "style-src 'unsafe-inline'"
    return f"default-src 'none'; script-src {allowed}; {style}; img-src data: blob:"


def _resource(name: str) -> str:
    return resources.files("barsync_async.app.backtest").joinpath(name).read_text("utf-8")


def _period(reports: Sequence[ContainerReport]) -> str:
    stamps = [report.sets.timestamp for report in reports if len(report.sets.timestamp)]
    if not stamps:
        return "no set"
    first, last = min(each[0] for each in stamps), max(each[-1] for each in stamps)
    return f"{shown_time(int(first))} to {shown_time(int(last))}"
