"""Fetch an image from an allowed host: no address of a private network, not after a redirect either.

The name is resolved once and the connection goes to the address that was judged, so that a second look-up cannot lead
elsewhere.
"""

import asyncio
import ipaddress
import socket
import ssl
from urllib.parse import SplitResult, urljoin, urlsplit

from ego.errors import InputError
from ego.server.failures import ForbiddenError, TooLargeError

REDIRECTS = 3
SECONDS = 15.0
_PORTS = {"http": 80, "https": 443}
_BROKEN = (OSError, TimeoutError, ValueError, IndexError, asyncio.IncompleteReadError, asyncio.LimitOverrunError)
_TRANSLATED = tuple(map(ipaddress.IPv6Network, ("64:ff9b::/96", "::/96")))  # an IPv4 address in the last four bytes


async def fetch(url: str, *, hosts: tuple[str, ...], largest: int) -> bytes:
    """Fetch an image.

    Args:
        url: Where it is said to be.
        hosts: Hosts that may be asked; none: every address is refused.
        largest: Most bytes.

    Raises:
        ForbiddenError: If the host is not allowed, or its address is not a public one.
        InputError: If nothing usable comes back.
        TooLargeError: If it is larger than allowed.
    """
    try:
        async with asyncio.timeout(SECONDS):
            for _ in range(REDIRECTS + 1):
                status, headers, body = await _get(_allowed(url, hosts), largest)
                if status not in (301, 302, 303, 307, 308):
                    break
                url = urljoin(url, headers.get("location", ""))
    except _BROKEN as error:
        raise InputError(f"the image could not be fetched ({type(error).__name__}); send it as a data URL") from error
    if status != 200:
        raise InputError(f"the image could not be fetched (status {status}); send it as a data URL")
    return body


def _allowed(url: str, hosts: tuple[str, ...]) -> SplitResult:
    parts = urlsplit(url)
    if parts.scheme not in _PORTS or not parts.hostname or parts.hostname.lower() not in hosts or parts.username:
        raise ForbiddenError(
            "images are not fetched from this address; send the image as a data URL, or let the operator allow its "
            "host (--image-host)"
        )
    return parts


async def _get(parts: SplitResult, largest: int) -> tuple[int, dict[str, str], bytes]:
    host, port = str(parts.hostname), parts.port or _PORTS[parts.scheme]
    context = ssl.create_default_context() if parts.scheme == "https" else None
    reader, writer = await asyncio.open_connection(
        await _public_address(host, port), port, ssl=context, server_hostname=host if context else None, limit=2**16
    )
    try:
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        lines = (f"GET {target} HTTP/1.0", f"Host: {parts.netloc}", "Accept: image/*", "Accept-Encoding: identity")
        writer.write("\r\n".join((*lines, "", "")).encode("ascii", "strict"))
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:])}
        body = await reader.read(0) if headers.get("location") else await _body(reader, largest)
        return int(head[0].split()[1]), headers, body
    finally:
        writer.close()


async def _body(reader: asyncio.StreamReader, largest: int) -> bytes:
    content = bytearray()
    while piece := await reader.read(2**16):
        content += piece
        if len(content) > largest:
            raise TooLargeError(f"the image at this address is larger than {largest:,} bytes")
    return bytes(content)


async def _public_address(host: str, port: int) -> str:
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    addresses = [str(entry[4][0]) for entry in found]
    if not addresses or not all(is_public(address) for address in addresses):
        raise ForbiddenError("this host has an address in a private network; it is not asked")
    return addresses[0]


def is_public(address: str) -> bool:
    """Say whether an address is out in the internet: not private, not this machine, no group, nothing reserved."""
    found = ipaddress.ip_address(address.split("%", maxsplit=1)[0])
    inner = getattr(found, "ipv4_mapped", None) or getattr(found, "sixtofour", None)
    if any(found in network for network in _TRANSLATED):
        inner = ipaddress.IPv4Address(found.packed[-4:])
    return found.is_global and not found.is_multicast and (inner is None or is_public(str(inner)))
