"""How each connection of a config goes out: whom it trusts, and through which proxy."""

import ssl
from pathlib import Path

from barsync_async.config import Config
from barsync_async.errors import ConfigError, Mistake
from barsync_async.mistakes import key_path, shown
from barsync_async.shell.feeds.connections import plan_connections
from barsync_async.shell.network.tls import Route, trusting


def routes_of(config: Config) -> dict[str, Route]:
    """By connection; one that is not there goes out directly and trusts the system's authorities.

    Raises:
        ConfigError: with every ``ca_file`` that cannot be used.
    """
    trusts = _trusts(config)
    routes = {}
    for plan in plan_connections(config):
        tls, proxy = trusts.get(plan.feed), config.feeds[plan.feed].proxy
        if tls is not None or proxy is not None:
            routes[plan.name] = Route(tls, proxy)
    return routes


def _trusts(config: Config) -> dict[str, ssl.SSLContext]:
    """Of the feeds with authorities of their own, whether or not anybody expects their bars."""
    trusts, mistakes = {}, []
    for name, feed in config.feeds.items():
        if feed.ca_file is not None:
            try:
                trusts[name] = trusting(Path(config.origin).parent / feed.ca_file)
            except ValueError as error:
                path = key_path(("feeds", name, "ca_file"))
                mistakes.append(Mistake(path, shown(feed.ca_file), str(error)))
    if mistakes:
        raise ConfigError(config.origin, mistakes)
    return trusts
