"""REST requests, by the ``httpx`` library. TLS is verified; a proxy is used only where one is
named.
"""

from collections.abc import Mapping

import httpx

from barsync_async.errors import ConnectionRefused
from barsync_async.mistakes import without_userinfo
from barsync_async.shell.network.tls import DIRECT, NO_ROUTES, Route, why_no_tls
from barsync_async.venues.history.exchange import HistoryRequest, HistoryResponse

MAX_BODY_BYTES = 16 * 1024 * 1024
_TIMEOUT_S = 10.0
_UNSENT = (ValueError, httpx.LocalProtocolError)


class HttpxClient:
    """A pool of connections for each feed; plays the role of
    :class:`~barsync_async.ports.HttpClient`.

    Args:
        routes: by feed; one that is not there goes out directly.
    """

    def __init__(self, routes: Mapping[str, Route] = NO_ROUTES) -> None:
        self._routes = routes
        self._clients: dict[str, httpx.AsyncClient] = {}

    async def close(self) -> None:
        """Close all connections."""
        for client in self._clients.values():
            await client.aclose()
        self._clients.clear()

    async def get(self, feed: str, request: HistoryRequest) -> HistoryResponse:
        """The answer to ``request``, whatever its status. Safe to cancel.

        Raises:
            ConnectionRefused: there is none, or it is too long.
        """
        body = bytearray()
        try:
            async with self._client(feed).stream(
                "GET", request.url, params=dict(request.params), headers=dict(request.headers)
            ) as response:
                async for chunk in response.aiter_bytes():
                    body += chunk
                    if len(body) > MAX_BODY_BYTES:
                        raise httpx.ReadError(f"it sends more than {MAX_BODY_BYTES} bytes")
        except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as error:
            detail = without_userinfo(f"cannot get {request.url}: {_why(error)}")
            raise ConnectionRefused(feed, detail) from None
        headers = {name.lower(): value for name, value in response.headers.items()}
        return HistoryResponse(response.status_code, headers, bytes(body))

    def _client(self, feed: str) -> httpx.AsyncClient:
        if feed not in self._clients:
            route = self._routes.get(feed, DIRECT)
            self._clients[feed] = httpx.AsyncClient(
                verify=route.context(), proxy=route.proxy, timeout=_TIMEOUT_S, trust_env=False
            )
        return self._clients[feed]


def _why(error: BaseException) -> str:
    if isinstance(error, _UNSENT):  # it shows a header that cannot be sent, which may be a key
        return "the request cannot be sent"
    cause: BaseException | None = error
    while cause is not None:
        if (wrong := why_no_tls(cause)) is not None:
            return wrong
        cause = cause.__cause__ or cause.__context__
    return str(error) or type(error).__name__
