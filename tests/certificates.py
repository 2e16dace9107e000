"""Authorities and certificates, made when they are needed."""

import datetime as dt
from pathlib import Path
from typing import NamedTuple

import trustme

HOST = "127.0.0.1"
EXPIRED = dt.datetime(2024, 1, 1, tzinfo=dt.UTC)


class Pair(NamedTuple):
    """The files of a server's certificate and its private key."""

    cert: Path
    key: Path


class Authority:
    """A private authority; ``file`` is what those who trust it are given."""

    def __init__(self, folder: Path, name: str = "ca") -> None:
        self._ca = trustme.CA()
        self._folder = folder
        self._name = name
        self.file = folder / f"{name}.pem"
        self._ca.cert_pem.write_to_path(self.file)

    def issue(self, name: str = "server", host: str = HOST, *, expired: bool = False) -> Pair:
        """For a server at ``host``."""
        begins, ends = (EXPIRED - dt.timedelta(days=1), EXPIRED) if expired else (None, None)
        leaf = self._ca.issue_cert(host, not_before=begins, not_after=ends)
        pair = Pair(self._folder / f"{name}.pem", self._folder / f"{name}.key")
        leaf.private_key_pem.write_to_path(pair.key)
        for place, blob in enumerate(leaf.cert_chain_pems):
            blob.write_to_path(pair.cert, append=place > 0)
        return pair
