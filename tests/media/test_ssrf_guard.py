"""What the gateway connects to: the table of server-side request forgery."""

import socket
from collections.abc import Sequence
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemgate.media.errors import MediaError
from gemgate.media.fetch import MediaFetcher
from gemgate.media.ssrf_guard import (
    Guard,
    GuardedResolver,
    is_public,
    parse,
    shown,
)

PUBLIC = ["8.8.8.8", "1.1.1.1", "151.101.1.69", "2606:4700::1111", "2a00:1450:4001:82a::200e", "::ffff:8.8.8.8"]
PUBLIC_EMBEDDED = ["64:ff9b::808:808", "2002:808:808::1"]
NOT_PUBLIC = [
    "0.0.0.0",
    "0.1.2.3",
    "10.0.0.1",
    "100.64.0.1",
    "100.100.100.200",  # Alibaba's metadata
    "127.0.0.1",
    "127.255.255.254",
    "168.63.129.16",  # Azure's host agent
    "169.254.0.1",
    "169.254.169.254",  # metadata of most clouds
    "169.254.170.2",  # credentials of ECS tasks
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.192",  # Oracle's metadata
    "192.0.2.1",
    "192.88.99.1",
    "192.168.1.1",
    "198.18.0.1",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "239.255.255.250",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::127.0.0.1",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "::ffff:169.254.169.254",
    "::ffff:0:7f00:1",
    "64:ff9b::7f00:1",
    "64:ff9b::a9fe:a9fe",
    "64:ff9b:1::808:808",
    "100::1",
    "2001::1",
    "2001:0:7f00:1::",  # Teredo
    "2001:db8::1",
    "2002:7f00:1::",
    "2002:a00:1::1",
    "3fff::1",
    "5f00::1",
    "fc00::1",
    "fd00:ec2::254",  # AWS metadata
    "fe80::1",
    "fe80::1%eth0",
    "2606:4700::1111%eth0",
    "fec0::1",
    "ff02::1",
    "no address",
    "",
]
FORBIDDEN = [
    # schemes
    "http://example.com/a.png",
    "ftp://example.com/a.png",
    "gopher://example.com/_GET",
    "ws://example.com/",
    "dict://example.com:11211/",
    "file://example.com/etc/passwd",
    "jar:https://example.com!/",
    # ports
    "https://example.com:80/",
    "https://example.com:8443/",
    "https://example.com:22/",
    "https://93.184.216.34:6379/",
    # credentials
    "https://user@example.com/",
    "https://user:secret@example.com/",
    "https://:secret@example.com/",
    "https://example.com@127.0.0.1/",
    "https://example.com%40@127.0.0.1/",
    # loopback, private, link-local, metadata
    "https://127.0.0.1/",
    "https://127.0.0.1:443/",
    "https://10.1.2.3/",
    "https://172.20.0.1/",
    "https://192.168.0.1/",
    "https://169.254.169.254/latest/meta-data/",
    "https://168.63.129.16/",
    "https://100.100.100.200/",
    "https://0.0.0.0/",
    "https://224.0.0.1/",
    # IPv6, plain and with an address inside
    "https://[::1]/",
    "https://[::]/",
    "https://[::ffff:127.0.0.1]/",
    "https://[::ffff:7f00:1]/",
    "https://[0:0:0:0:0:ffff:7f00:1]/",
    "https://[::127.0.0.1]/",
    "https://[64:ff9b::a9fe:a9fe]/",
    "https://[2002:7f00:1::]/",
    "https://[fe80::1]/",
    "https://[fe80::1%25eth0]/",
    "https://[fe80::1%eth0]/",
    "https://[2606:4700::1111%25eth0]/",
    "https://[fd00:ec2::254]/",
    "https://[ff02::1]/",
    # odd spellings of addresses
    "https://2130706433/",
    "https://0x7f000001/",
    "https://0x7f.0.0.1/",
    "https://0x7f.1/",
    "https://0177.0.0.1/",
    "https://017700000001/",
    "https://127.1/",
    "https://127.0.1/",
    "https://127.0.0.1./",
    "https://127.0.0.01/",
    "https://127.0.0.256/",
    "https://8.8.2056/",
    "https://0/",
    "https://0x/",
    "https://a.0x7f/",
    "https://①②⑦.⓪.⓪.①/",
    "https://127。0。0。1/",
    "https://%31%32%37.0.0.1/",
    "https://127.0.0.1%00.example.com/",
    # names of the inside
    "https://localhost/",
    "https://LOCALHOST/",
    "https://localhost./",
    "https://ⓛocalhost/",
    "https://app.localhost/",
    "https://printer.local/",
    "https://db.internal/",
    "https://metadata.google.internal/computeMetadata/v1/",
    "https://metadata.goog/",
    "https://metadata/",
    "https://redis/",
    "https://redis./",
    # names that are none
    "https://exa mple.com/",
    "https://a..com/",
    "https://.com/",
    f"https://{'a' * 64}.com/",
    "https://" + "a." * 130 + "com/",
]
UNREADABLE = [
    "",
    "a.png",
    "/etc/passwd",
    "//example.com/a.png",
    "https:///a.png",
    "https:example.com",
    "https://[::1/",
    "https://[]@",
    "https://example.com:99999/",
    "https://example.com:port/",
    "https://example.com:0/",
    "https://example.com\\@127.0.0.1/",
    "file:///etc/passwd",
    "data:image/png;base64,AAAA",
    "https://example.com/" + "a" * 9000,
]


class Names:
    """A resolver with a script: each answer once, the last for ever; it notes what it was asked."""

    def __init__(self, *answers: Sequence[str]) -> None:
        self.answers = list(answers)
        self.asked: list[str] = []

    async def __call__(self, host: str, _port: int) -> Sequence[str]:
        self.asked.append(host)
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


@pytest.fixture
def connections(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Every address that a socket of this process sets out to reach; none gets there."""
    seen: list[object] = []

    def connect(_: socket.socket, address: object) -> None:
        seen.append(address)
        raise ConnectionRefusedError

    monkeypatch.setattr(socket.socket, "connect", connect)
    return seen


@pytest.mark.parametrize("address", PUBLIC + PUBLIC_EMBEDDED)
def test_public_addresses_are_in_bounds(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize("address", NOT_PUBLIC)
def test_other_addresses_are_out_of_bounds(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("url", FORBIDDEN)
async def test_a_forbidden_url_is_refused_before_any_lookup_or_connection(url: str, connections: list[object]) -> None:
    names = Names(["93.184.216.34"])
    async with MediaFetcher(max_bytes=10, timeout=5, resolve=names) as fetcher:
        with pytest.raises(MediaError) as caught:
            await fetcher.fetch(url)
    assert caught.value.code in {"forbidden_url", "invalid_image_url"}
    assert "data:<MIME type>;base64," in caught.value.message
    assert "secret" not in caught.value.message
    assert (names.asked, connections) == ([], [])


@pytest.mark.parametrize("url", UNREADABLE)
async def test_what_is_no_url_is_refused_before_any_lookup_or_connection(url: str, connections: list[object]) -> None:
    names = Names(["93.184.216.34"])
    async with MediaFetcher(max_bytes=10, timeout=5, resolve=names) as fetcher:
        with pytest.raises(MediaError) as caught:
            await fetcher.fetch(url)
    assert caught.value.code == "invalid_image_url"
    assert (names.asked, connections) == ([], [])


@pytest.mark.parametrize("address", [address for address in NOT_PUBLIC if ":" in address or "." in address])
async def test_a_name_of_a_forbidden_address_is_refused_before_any_connection(
    address: str, connections: list[object]
) -> None:
    async with MediaFetcher(max_bytes=10, timeout=5, resolve=Names([address])) as fetcher:
        with pytest.raises(MediaError) as caught:
            await fetcher.fetch("https://rebind.example/a.png?token=secret")
    assert caught.value.code == "media_unreachable"
    assert address not in caught.value.message
    assert "secret" not in caught.value.message
    assert connections == []


async def test_one_forbidden_address_among_public_ones_is_enough(connections: list[object]) -> None:
    async with MediaFetcher(max_bytes=10, timeout=5, resolve=Names(["93.184.216.34", "10.0.0.1"])) as fetcher:
        with pytest.raises(MediaError, match="no address on the public internet"):
            await fetcher.fetch("https://example.com/")
    assert connections == []


async def test_a_name_within_the_network_looks_like_one_that_does_not_exist(connections: list[object]) -> None:
    seen = []
    for addresses in ([], ["10.0.0.1"], ["93.184.216.34", "::1"]):
        async with MediaFetcher(max_bytes=10, timeout=5, resolve=Names(addresses)) as fetcher:
            with pytest.raises(MediaError) as caught:
                await fetcher.fetch("https://vault.example.com/")
        seen.append((caught.value.code, caught.value.message))
    assert seen[0] == seen[1] == seen[2]
    assert connections == []


async def test_the_connection_goes_to_the_address_that_was_checked(connections: list[object]) -> None:
    names = Names(["93.184.216.34"], ["127.0.0.1"])
    async with MediaFetcher(max_bytes=10, timeout=5, resolve=names) as fetcher:
        with pytest.raises(MediaError) as caught:
            await fetcher.fetch("https://rebind.example/")
        assert caught.value.code == "media_unreachable"
        assert (names.asked, connections) == (["rebind.example"], [("93.184.216.34", 443)])
        with pytest.raises(MediaError) as caught:
            await fetcher.fetch("https://rebind.example/")
    assert "no address on the public internet" in caught.value.message
    assert connections == [("93.184.216.34", 443)]


async def test_a_public_literal_is_connected_to(connections: list[object]) -> None:
    names = Names([])
    async with MediaFetcher(max_bytes=10, timeout=5, resolve=names) as fetcher:
        with pytest.raises(MediaError, match="could not be connected to"):
            await fetcher.fetch("https://93.184.216.34/")
        with pytest.raises(MediaError, match="could not be connected to"):
            await fetcher.fetch("https://[2606:4700::1111]/")
    assert names.asked == []
    assert connections == [("93.184.216.34", 443), ("2606:4700::1111", 443, 0, 0)]


@pytest.mark.parametrize("host", ["example.com", "EXAMPLE.com", "example.com.", "a_b.example.com", "münchen.example"])
async def test_a_full_domain_name_is_left_to_the_resolver(host: str, connections: list[object]) -> None:
    names = Names(["93.184.216.34"])
    async with MediaFetcher(max_bytes=10, timeout=5, resolve=names) as fetcher:
        with pytest.raises(MediaError, match="could not be connected to"):
            await fetcher.fetch(f"https://{host}/a.png")
    assert names.asked == [(parse(f"https://{host}/").raw_host or "").lower()]
    assert connections == [("93.184.216.34", 443)]


def test_http_is_fetched_where_allowed_and_only_from_its_own_port() -> None:
    guard = Guard(allow_http=True)
    guard.check_url(parse("http://example.com/"))
    with pytest.raises(MediaError, match="port 443 is out of bounds"):
        guard.check_url(parse("http://example.com:443/"))
    with pytest.raises(MediaError, match="its scheme must be https or http"):
        guard.check_url(parse("ftp://example.com/"))


def test_a_permitted_pair_opens_nothing_else() -> None:
    guard = Guard(permitted=frozenset({("10.0.0.5", 9000)}))
    guard.check_url(parse("https://10.0.0.5:9000/bucket/a.png"))
    guard.check_url(parse("https://store.example.com:9000/bucket/a.png"))
    assert guard.allows("10.0.0.5", 9000)
    assert not guard.allows("10.0.0.5", 443)
    assert not guard.allows("10.0.0.6", 9000)
    with pytest.raises(MediaError, match="its address is not"):
        guard.check_url(parse("https://10.0.0.5/"))


async def test_a_host_without_addresses_does_not_resolve() -> None:
    with pytest.raises(OSError, match="no address"):
        await GuardedResolver(Guard(), Names([])).resolve("example.com", 443)


@pytest.mark.parametrize(
    ("url", "text"),
    [
        ("https://u:p@example.com/a.png?sig=x#y", "https://example.com/a.png"),
        ("https://example.com:8443/a%20b", "https://example.com:8443/a%20b"),
        ("https://[::1]:9/", "https://[::1]:9/"),
        ("https://example.com/" + "a" * 300, "https://example.com/" + "a" * 179 + "…"),
    ],
)
def test_messages_show_a_url_without_its_secrets(url: str, text: str) -> None:
    assert shown(parse(url)) == text


@given(st.text(st.characters()) | st.text(alphabet="[]:@/\\%.?#127abx①。-_ ").map("https://".__add__))
def test_no_text_gets_past_the_guard_but_a_host_that_can_be_checked(text: str) -> None:
    with suppress(MediaError):
        url = parse(text)
        Guard().check_url(url)
        assert url.scheme == "https"
        assert url.port == 443
        assert url.raw_host
