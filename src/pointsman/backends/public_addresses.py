"""Which addresses belong to the public internet: what a client may have us connect to. Pure."""

import ipaddress

_PROTOCOLS = ipaddress.ip_network("192.0.0.0/24")
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_NAT64_LOCAL = ipaddress.ip_network("64:ff9b:1::/48")


def is_public(address: str) -> bool:
    """Whether a numeric address is reachable by anyone: never of this host, network or cloud.

    An IPv6 address that carries an IPv4 one (mapped, 6to4, Teredo, NAT64) is what that one is.
    """
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(found, ipaddress.IPv6Address):
        if found in _NAT64_LOCAL:
            return False
        inner = found.ipv4_mapped or found.sixtofour
        if inner is None and found.teredo is not None:
            inner = found.teredo[1]
        if inner is None and found in _NAT64:
            inner = ipaddress.IPv4Address(int(found) & 0xFFFFFFFF)
        if inner is not None:
            return is_public(str(inner))
        if found.is_site_local:  # fec0::/10, given up but routed in networks that never did
            return False
        if int(found) >> 32 == 0:  # the old form of an IPv4 address in an IPv6 one
            return False
    elif found in _PROTOCOLS:  # some versions of Python count parts of it as global
        return False
    return found.is_global and not found.is_multicast and not found.is_reserved
