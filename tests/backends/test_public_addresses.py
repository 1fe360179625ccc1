"""Which addresses a client may have us connect to."""

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.backends.public_addresses import is_public

NOT = [
    "127.0.0.1", "127.8.8.8", "0.0.0.0", "10.0.0.1", "172.16.3.4", "192.168.1.1", "169.254.169.254",
    "100.64.0.1", "192.0.0.8", "198.18.0.1", "224.0.0.1", "240.0.0.1", "255.255.255.255",
    "::", "::1", "fe80::1", "fe80::1%eth0", "fc00::1", "fd00:ec2::254", "ff02::1", "2001:db8::1",
    "::ffff:127.0.0.1", "::ffff:169.254.169.254", "::127.0.0.1", "2002:7f00:1::",
    "2002:a9fe:a9fe::1", "fec0::1",
    "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::1", "", "localhost", "1", "0x7f000001",
]  # fmt: skip
PUBLIC = ["1.1.1.1", "93.184.216.34", "2606:4700:4700::1111", "::ffff:1.1.1.1", "64:ff9b::101:101",
          "2002:101:101::"]  # fmt: skip


@pytest.mark.parametrize("address", NOT)
def test_what_is_of_this_host_network_or_cloud_is_not(address):
    assert not is_public(address)


@pytest.mark.parametrize("address", PUBLIC)
def test_what_anybody_reaches_is(address):
    assert is_public(address)


@given(st.ip_addresses(v=4))
def test_an_address_inside_another_is_what_it_is_alone(inner):
    for outer in (f"::ffff:{inner}", str(ipaddress.IPv6Address(0x64FF9B << 96 | int(inner)))):
        assert is_public(outer) == is_public(str(inner))
