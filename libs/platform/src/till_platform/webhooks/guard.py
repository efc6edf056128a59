"""No call goes to an address that is not on the public internet, whatever a name says at the moment.

A name is resolved once for each connection, every address it has is judged, and the connection goes to an address that was judged: a name
that answers differently a moment later changes nothing. Redirects are not followed. TLS still checks the name.
"""

import asyncio
import ipaddress
import socket
from collections.abc import Awaitable, Callable, Collection, Iterable
from urllib.parse import urlsplit

import httpcore2

from till_platform.domain import Invalid

Resolve = Callable[[str, int], Awaitable[list[str]]]
_NAT64 = ipaddress.ip_network("64:ff9b::/96")


class Refused(OSError):
    """The address is not one that may be called."""


async def resolve(host: str, port: int) -> list[str]:
    """Return the addresses of a name, in the order in which they are to be tried."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


def is_public(address: str) -> bool:
    """Whether an address is on the public internet: not private, local, shared, reserved or many, nor one of these in other clothes."""
    judged = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(judged, ipaddress.IPv6Address):
        within: ipaddress.IPv4Address | None = judged.ipv4_mapped or judged.sixtofour
        if judged.teredo:
            within = judged.teredo[1]
        if judged in _NAT64:
            within = ipaddress.IPv4Address(int(judged) & 0xFFFFFFFF)
        if within is not None:
            return is_public(str(within))
    return judged.is_global and not judged.is_multicast


def checked_url(url: str, trusted: Collection[str]) -> str:
    """Return the address of a receiver; raise `Invalid` unless it is https, or of a host that is trusted, and holds no password."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise Invalid("this is not an address", field="url") from None
    host = parts.hostname or ""
    if not host or parts.scheme not in {"https", "http"}:
        raise Invalid("an address is https://host/path", field="url")
    if parts.username is not None or parts.password is not None or parts.fragment:
        raise Invalid("an address holds neither a password nor a fragment", field="url")
    if f"{host}:{port or (443 if parts.scheme == 'https' else 80)}" not in trusted:
        if parts.scheme != "https":
            raise Invalid("only https is called", field="url")
        if _is_literal(host) and not is_public(host):
            raise Invalid("this address is not on the public internet", field="url")
    return url


def _is_literal(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


class GuardedNetwork(httpcore2.AsyncNetworkBackend):
    """Connects to public addresses, and to hosts that whoever runs the service trusts (`host:port`)."""

    def __init__(self, trusted: Collection[str] = (), resolve: Resolve = resolve) -> None:
        self._trusted = frozenset(trusted)
        self._resolve = resolve
        self._inner = httpcore2.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - the signature is the library's
        local_address: str | None = None,
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        addresses = await asyncio.wait_for(self._resolve(host, port), timeout)
        if f"{host}:{port}" not in self._trusted and not all(map(is_public, addresses)):
            raise Refused("the name has an address that is not on the public internet")
        return await self._inner.connect_tcp(addresses[0], port, timeout, local_address, socket_options)

    async def connect_unix_socket(self, *_: object, **__: object) -> httpcore2.AsyncNetworkStream:
        raise Refused("no socket of this machine is called")

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
