"""
Where the service is, as the client of a request sees it.
"""

import re
from ipaddress import IPv6Address, ip_address
from typing import Final

from twisted.internet.interfaces import IAddress
from twisted.web.iweb import IRequest

_LABEL: Final = r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
_AUTHORITY: Final = re.compile(
    rf"(?:(?P<name>{_LABEL}(?:\.{_LABEL})*\.?)|\[(?P<ipv6>[0-9A-Fa-f:.]{{2,45}})\])"
    r"(?::(?P<port>[0-9]{1,5}))?"
)
_MAX_NAME_LENGTH: Final = 253
_DEFAULT_PORTS: Final = {"http": 80, "https": 443}


def service_url(request: IRequest) -> str:
    """
    Return the URL at which the client reached the service, without a path.

    The client names the host, and the URL is pasted into files that a root shell
    reads. So a host that is no legal one counts for nothing: then it is the
    address of the socket.
    """
    scheme = "https" if request.isSecure() else "http"
    hosts = request.requestHeaders.getRawHeaders(b"Host", ())
    authority = hosts[0].decode("latin-1") if len(hosts) == 1 else ""
    if not is_authority(authority):
        authority = _socket_authority(request.getHost(), _DEFAULT_PORTS[scheme])
    return f"{scheme}://{authority}"


def is_authority(text: str) -> bool:
    """
    Say whether ``text`` is a host, perhaps with a port, as in a URL (RFC 3986,
    section 3.2): a name, an IPv4 address, or an IPv6 address in brackets.
    """
    parts = _AUTHORITY.fullmatch(text)
    if parts is None or len(parts["name"] or "") > _MAX_NAME_LENGTH:
        return False
    if parts["port"] is not None and not 0 < int(parts["port"]) < 2**16:
        return False
    return parts["ipv6"] is None or _is_ipv6(parts["ipv6"])


def _is_ipv6(text: str) -> bool:
    try:
        IPv6Address(text)
    except ValueError:
        return False
    return True


def _socket_authority(address: IAddress, default_port: int) -> str:
    host = getattr(address, "host", None)
    if host is None:
        # A UNIX socket has no address that another machine could use.
        return "localhost"
    # A zone means nothing on another machine.
    ip = ip_address(host.partition("%")[0])
    if isinstance(ip, IPv6Address):
        ip = ip.ipv4_mapped or ip
    text = f"[{ip}]" if isinstance(ip, IPv6Address) else str(ip)
    port = getattr(address, "port", default_port)
    return text if port == default_port else f"{text}:{port}"
