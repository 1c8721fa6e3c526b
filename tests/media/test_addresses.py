import pytest

from mtu_mcp.media.addresses import is_disguised_number, is_public

CLOSED = [
    "0.0.0.0", "0.1.2.3", "10.0.0.1", "100.64.0.1", "100.100.100.200", "127.0.0.1", "127.255.255.254", "169.254.169.254",
    "172.16.0.1", "172.31.255.255", "192.0.0.1", "192.0.0.192", "192.0.2.1", "192.168.1.1", "192.88.99.1", "198.18.0.1",
    "198.51.100.1", "203.0.113.1", "224.0.0.1", "239.255.255.250", "240.0.0.1", "255.255.255.255", "168.63.129.16",
    "::", "::1", "::127.0.0.1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "::ffff:0:127.0.0.1",
    "64:ff9b::7f00:1", "64:ff9b::a00:1", "64:ff9b::169.254.169.254", "64:ff9b:1::1", "2002:7f00:1::", "2002:a00:1::1",
    "2002:c0a8:101::", "2001::1", "2001:0:4136:e378:8000:63bf:3fff:fdd2", "2001:db8::1", "3fff::1", "100::1", "5f00::1",
    "fc00::1", "fd00:ec2::254", "fe80::1", "fe80::1%eth0", "fec0::1", "ff02::1", "ff0e::1", "2606:4700::5efe:10.0.0.1",
    "2606:4700::200:5efe:127.0.0.1", "", "localhost", "not an address", "1.2.3", "0x7f000001", "2130706433",
]  # fmt: skip
OPEN = [
    "1.1.1.1",
    "8.8.8.8",
    "93.184.216.34",
    "100.63.255.255",
    "172.32.0.1",
    "223.255.255.255",
    "2606:4700::1111",
    "64:ff9b::101:101",
    "::ffff:8.8.8.8",
    "2002:808:808::1",
]


@pytest.mark.parametrize("address", CLOSED)
def test_an_address_that_is_not_public_is_known_in_every_disguise(address):
    """IANA's special-purpose address registries (RFC 6890); clouds' metadata services."""
    assert not is_public(address)


@pytest.mark.parametrize("address", OPEN)
def test_a_public_address_is_public(address):
    """The edges of the lists above."""
    assert is_public(address)


@pytest.mark.parametrize(
    "host",
    [
        "2130706433",
        "0x7f.1",
        "0x7f000001",
        "017700000001",
        "0177.0.0.1",
        "127.1",
        "127.0.1",
        "1.2.3.4.5",
        "256.1.1.1",
        "0x",
        "127.0.0.1.",
    ],
)
def test_numbers_in_other_notations_are_no_host(host):
    """The URL standard, "ends in a number"; inet_aton reads all of these."""
    assert is_disguised_number(host)
    assert not is_disguised_number("127.0.0.1")
    assert not is_disguised_number("example.com")
