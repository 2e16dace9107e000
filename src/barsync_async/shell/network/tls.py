"""Whom a feed trusts, and how it leaves the house. Verification can be given other authorities; it
cannot be turned off, by no key and by no variable of the environment.
"""

import ssl
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import msgspec

from barsync_async.errors import ConfigError, Mistake


class Route(msgspec.Struct, frozen=True):
    """``tls`` is None for the system's authorities, ``proxy`` for none."""

    tls: ssl.SSLContext | None = None
    proxy: str | None = None

    def context(self) -> ssl.SSLContext:
        """What a connection is verified by."""
        return self.tls or _trusting_system()


DIRECT = Route()
NO_ROUTES: Mapping[str, Route] = MappingProxyType({})
"""Every feed goes out directly and trusts the system's authorities."""


def _verifying() -> ssl.SSLContext:
    """Verifies chain and name, as strictly on every Python as ``ssl.create_default_context`` does
    since 3.13; unlike that function it writes no session's secrets to ``SSLKEYLOGFILE``.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN | ssl.VERIFY_X509_STRICT
    return context


def _trusting_system() -> ssl.SSLContext:
    """Trusts the system's authorities; ``SSL_CERT_FILE`` and ``SSL_CERT_DIR`` say where they are,
    to OpenSSL here as to everything else on the machine.
    """
    context = _verifying()
    context.load_default_certs()
    return context


def trusting(ca_file: Path) -> ssl.SSLContext:
    """Trusts the authorities in ``ca_file``, in PEM form, and no others.

    Raises:
        ValueError: it cannot be read, or holds no certificate; says what was expected.
    """
    context = _verifying()
    try:
        _check_regular(ca_file)
        context.load_verify_locations(ca_file)
    except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
        raise ValueError(f"expected certificates in PEM form: {_why_no_pem(error)}") from None
    if not context.cert_store_stats()["x509"]:  # revocation lists alone
        raise ValueError("expected certificates in PEM form: it holds none")
    return context


def serving(cert: Path, key: Path, origin: str, table: str) -> ssl.SSLContext:
    """Shows the chain in ``cert`` and proves it by the private ``key``, both in PEM form.

    Args:
        cert: the server's certificate, then those between it and an authority, if any.
        key: without a passphrase: nobody is asked for one.
        origin: the file that names the two, in errors.
        table: the table in it with the keys ``cert`` and ``key``.

    Raises:
        ConfigError: they cannot be read, or are no pair.
    """
    for name, path in (("cert", cert), ("key", key)):
        try:
            _check_regular(path)
            path.read_bytes()
        except (OSError, ValueError) as error:
            why = f"expected a file in PEM form: {_why_no_pem(error)}"
            raise ConfigError(origin, [Mistake(f"{table}.{name}", repr(str(path)), why)]) from None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_cert_chain(cert, key, password=lambda: b"")
    except (OSError, ValueError):
        why = "expected a certificate and its private key without a passphrase, in PEM form"
        raise ConfigError(origin, [Mistake(table, repr([str(cert), str(key)]), why)]) from None
    return context


def _check_regular(path: Path) -> None:
    if path.exists() and not path.is_file():  # a pipe would be waited for
        raise ValueError("it is no regular file")


def _why_no_pem(error: OSError | ValueError) -> str:
    if isinstance(error, ssl.SSLError):
        return "it holds none"
    return (isinstance(error, OSError) and error.strerror) or str(error)


def why_no_tls(error: BaseException) -> str | None:
    """What is wrong with the other side's certificate or its TLS, where ``error`` says so."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted: {error.verify_message.rstrip('.')}"
    if isinstance(error, ssl.SSLError) and error.reason:
        return f"no TLS with it: {error.reason.replace('_', ' ').lower()}"
    if isinstance(error, ConnectionError) and not str(error):  # asyncio's own, without a word
        return "it hung up during the TLS handshake"
    return None
