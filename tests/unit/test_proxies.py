"""Which way a request goes by HTTP_PROXY, HTTPS_PROXY, ALL_PROXY and NO_PROXY."""

import pytest

from datahub_assets.domain.errors import SettingsError
from datahub_assets.ops.supervise import environment
from datahub_assets.settings import Settings
from datahub_system.net.proxies import Proxies, UnusableProxy

PROXY = "http://proxy.corp:3128"


def direct(host: str, *, no_proxy: str, port: int | None = None) -> bool:
    return Proxies.from_env({"HTTP_PROXY": PROXY, "NO_PROXY": no_proxy}).for_url("http", host, port) is None


@pytest.mark.parametrize(
    ("variables", "http", "https"),
    [
        ({}, None, None),
        ({"HTTP_PROXY": "http://a:1"}, "http://a:1", None),
        ({"HTTPS_PROXY": "http://a:1"}, None, "http://a:1"),
        ({"ALL_PROXY": "socks5://a:1"}, "socks5://a:1", "socks5://a:1"),
        ({"ALL_PROXY": "socks5://a:1", "HTTPS_PROXY": "http://b:2"}, "socks5://a:1", "http://b:2"),
        ({"http_proxy": "http://a:1", "HTTP_PROXY": "http://b:2"}, "http://a:1", None),
        ({"http_proxy": "", "HTTP_PROXY": "http://b:2"}, None, None),
        ({"HTTP_PROXY": "  "}, None, None),
        ({"all_proxy": "http://a:1", "HTTP_PROXY": "http://b:2"}, "http://b:2", "http://a:1"),
        ({"HTTP_PROXY": "http://a:1", "no_proxy": "", "NO_PROXY": "*"}, "http://a:1", None),
    ],
)
def test_each_scheme_has_its_variable(variables: dict[str, str], http: str | None, https: str | None) -> None:
    proxies = Proxies.from_env(variables)
    assert proxies.for_url("http", "example.com") == http
    assert proxies.for_url("https", "example.com") == https


@pytest.mark.parametrize(
    ("value", "url", "shown"),
    [
        ("proxy:3128", "http://proxy:3128", "http://proxy:3128"),
        ("HTTP://Proxy.Corp.:3128/", "http://proxy.corp:3128", "http://proxy.corp:3128"),
        ("https://proxy", "https://proxy", "https://proxy"),
        ("http://[fd00::1]:3128", "http://[fd00::1]:3128", "http://[fd00::1]:3128"),
        ("socks://10.0.0.1:1080", "socks5h://10.0.0.1:1080", "socks5h://10.0.0.1:1080"),
        ("http://joe:p%40ss@proxy:1", "http://joe:p%40ss@proxy:1", "http://proxy:1"),
        ("http://joe:p@s/s#!@proxy:1", "http://joe:p%40s%2Fs%23%21@proxy:1", "http://proxy:1"),
        ("http://bücher.example:1", "http://xn--bcher-kva.example:1", "http://xn--bcher-kva.example:1"),
    ],
)
def test_a_proxy_is_written_in_one_way(value: str, url: str, shown: str) -> None:
    proxy = Proxies.from_env({"HTTP_PROXY": value}).of("http", "example.com")
    assert proxy is not None
    assert (proxy.url, proxy.shown) == (url, shown)
    assert Proxies.from_env({"HTTP_PROXY": url}).for_url("http", "example.com") == url


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("ftp://joe:hunter22@proxy:21", "HTTP_PROXY=ftp://***@proxy:21: unknown scheme"),
        ("socks4://proxy:1080", "HTTP_PROXY=socks4://proxy:1080: unknown scheme"),
        ("http://", "HTTP_PROXY=http://: no usable host"),
        ("http://joe:hunter22@", "HTTP_PROXY=http://***@: no usable host"),
        ("http://proxy:99999", "HTTP_PROXY=http://proxy:99999: no usable host and port"),
        ("http://proxy:0", "HTTP_PROXY=http://proxy:0: no usable host and port"),
        ("http://joe:hunter22", "HTTP_PROXY=http://joe:***: no usable host and port"),
        ("joe:hunter22@proxy:port", "HTTP_PROXY=***@proxy:***: no usable host and port"),
        ("http://a b:1", "HTTP_PROXY=http://a b:1: no usable host and port"),
        ("http://proxy\n:hunter22", "HTTP_PROXY=http://proxy?:***: no usable host and port"),
        ("http://[::1", "no usable host and port"),
        ('"http://proxy:1"', "HTTP_PROXY="),
    ],
)
def test_an_unusable_proxy_is_one_line_without_its_password(value: str, said: str) -> None:
    with pytest.raises(UnusableProxy) as caught:
        Proxies.from_env({"HTTP_PROXY": value})
    message = str(caught.value)
    assert message.startswith(said) or said in message
    assert "must be http://host:port" in message
    assert "hunter22" not in message
    assert "\n" not in message
    with pytest.raises(SettingsError, match="must be http://host:port"):
        Settings.from_env({"HTTP_PROXY": value})


@pytest.mark.parametrize(
    ("variables"),
    [
        {"ALL_PROXY": "socks4://x", "HTTP_PROXY": PROXY, "HTTPS_PROXY": PROXY},
        {"HTTP_PROXY": "ftp://x", "NO_PROXY": "*"},
    ],
)
def test_a_proxy_that_nothing_would_use_stops_nothing(variables: dict[str, str]) -> None:
    Proxies.from_env(variables)


@pytest.mark.parametrize(
    "host",
    [
        *("127.0.0.1", "127.8.9.1", "127.1", "2130706433", "0x7f.1", "0177.0.0.1", "::1", "0:0:0:0:0:0:0:1", "[::1]"),
        *("::ffff:127.0.0.1", "::ffff:7f00:1", "0.0.0.0", "0", "::", "::ffff:0.0.0.0"),  # noqa: S104
        *("localhost", "LOCALHOST", "localhost.", "hub.localhost", "localhost.localdomain", "ip6-localhost"),
    ],
)
def test_this_machine_is_never_behind_a_proxy(host: str) -> None:
    proxies = Proxies.from_env({"ALL_PROXY": PROXY})
    assert proxies.for_url("http", host, 7870) is None
    assert proxies.for_url("https", host) is None


@pytest.mark.parametrize(
    "host", ["localhost.evil.example", "notlocalhost", "127.0.0.1.nip.io", "128.0.0.1", "fd00::1", "x127-1", "10.0.0.1"]
)
def test_what_only_looks_like_this_machine_is_elsewhere(host: str) -> None:
    assert Proxies.from_env({"HTTP_PROXY": PROXY}).for_url("http", host) == PROXY


@pytest.mark.parametrize("host", ["datasets-server.127.0.0.1", "a..b", "-a", "a b", ""])
def test_no_proxy_hears_of_what_can_be_no_host(host: str) -> None:
    assert Proxies.from_env({"HTTP_PROXY": PROXY}).for_url("http", host) is None


@pytest.mark.parametrize("entry", ["example.com", ".example.com", "*.example.com", "EXAMPLE.com.", " example.com ,"])
def test_a_name_stands_for_itself_and_what_is_below(entry: str) -> None:
    for host in ("example.com", "www.example.com", "a.b.Example.COM."):
        assert direct(host, no_proxy=entry)
    for host in ("notexample.com", "example.com.evil.net", "example.org"):
        assert not direct(host, no_proxy=entry)


@pytest.mark.parametrize(
    ("entry", "inside", "outside"),
    [
        ("10.0.0.0/8", "10.200.3.4", "11.0.0.1"),
        ("10.1.2.3/8", "10.0.0.1", "110.0.0.1"),
        ("10.0.0.0/8", "::ffff:10.1.1.1", "ten.example"),
        ("10.1.2.3", "10.1.2.3", "10.1.2.30"),
        ("::ffff:10.1.2.3", "10.1.2.3", "10.1.2.4"),
        ("fd00::/8", "fd12::1", "fe80::1"),
        ("[fd00::]/8", "[fd12::1]", "2001:db8::1"),
        ("fd00::1", "fd00:0::0:1", "fd00::2"),
        ("[fd00::1]", "fd00::1", "fd00::2"),
        ("my_service", "my_service", "myservice"),
        ("bücher.example", "xn--bcher-kva.example", "bucher.example"),
        ("XN--bcher-kva.example", "www.Bücher.example", "bucher.example"),
        ("a.example b.example\tc.example", "c.example", "d.example"),
        ("*", "anything.example", "10.0.0.1"),
    ],
)
def test_addresses_networks_and_lists(entry: str, inside: str, outside: str) -> None:
    assert direct(inside, no_proxy=entry)
    assert direct(outside, no_proxy=entry) == (entry == "*")


@pytest.mark.parametrize(
    ("entry", "host"),
    [("example.com:8080", "www.example.com"), ("[fd00::1]:8080", "fd00::1"), ("10.1.2.3:8080", "10.1.2.3")],
)
def test_an_entry_with_a_port_holds_for_that_port(entry: str, host: str) -> None:
    assert direct(host, no_proxy=entry, port=8080)
    assert not direct(host, no_proxy=entry, port=8081)
    assert not direct(host, no_proxy=entry)
    assert direct("example.com", no_proxy="example.com:80"), "the port of the scheme when the URL names none"


UNREADABLE = ["10.*", "http://example.com", "10.0.0.0/33", "*:8080", ":8080", "a:99999", "::1:::", "1.2.3.4.5", "x/8"]


@pytest.mark.parametrize("entry", UNREADABLE)
def test_what_cannot_be_read_is_named_and_the_rest_holds(entry: str) -> None:
    proxies = Proxies.from_env({"HTTP_PROXY": PROXY, "NO_PROXY": f"a.example,{entry},b.example,{entry}"})
    assert proxies.unreadable == (entry,)
    assert proxies.warning is not None
    assert proxies.warning.startswith(f"NO_PROXY: cannot read {entry}, ignored")
    assert proxies.for_url("http", "a.example") is proxies.for_url("http", "b.example") is None
    assert proxies.for_url("http", "example.com") == PROXY


def test_what_can_be_read_is_not_warned_about() -> None:
    assert Proxies.from_env({"NO_PROXY": "*, a.example,::1,fd00::/8 ,,[::1]:80"}).warning is None


def test_no_proxy_shows_its_password() -> None:
    proxies = Proxies.from_env({"HTTP_PROXY": "http://joe:hunter22@proxy:1"})
    proxy = proxies.of("http", "example.com")
    assert "hunter22" not in f"{proxies!r} {proxy!r} {proxy}"
    assert "hunter22" in proxies.secrets


def test_children_read_the_same_and_know_the_stack(tmp_path: object) -> None:
    listed = "10.0.0.0/8,.corp.example,fd00::/8,[fd00::1]:80,what?,svc:81"
    environ = {"http_proxy": "joe:hunter22@proxy:1", "ALL_PROXY": "socks5://s:1", "NO_PROXY": listed, "PATH": "/bin"}
    settings = Settings.from_env({"DATAHUB_HOME": str(tmp_path), "DATAHUB_BIND_HOST": "192.168.1.5"})
    built = environment.build(settings, environ)
    ours, theirs = Proxies.from_env(environ), Proxies.from_env(built.worker)
    assert theirs.unreadable == ()
    for host, port in (("10.1.1.1", 1), ("a.corp.example", 1), ("fd22::1", 1), ("svc", 81), ("svc", 82), ("far", 443)):
        for scheme in ("http", "https"):
            assert theirs.for_url(scheme, host, port) == ours.for_url(scheme, host, port), host
    assert theirs.for_url("http", "192.168.1.5", 7860) is None
    assert ours.for_url("http", "192.168.1.5", 7860) is not None
    for name in ("http_proxy", "https_proxy", "no_proxy"):
        assert built.base[name] == built.base[name.upper()]
    assert {"localhost", "127.0.0.1", "::1"} <= set(built.base["no_proxy"].split(","))
    assert "all_proxy" not in {name.lower() for name in built.base}
    assert "hunter22" in built.blotted


def test_without_a_proxy_children_are_told_of_none(tmp_path: object) -> None:
    settings = Settings.from_env({"DATAHUB_HOME": str(tmp_path)})
    built = environment.build(settings, {"NO_PROXY": "[fd00::1]:80,x y", "http_proxy": "", "HTTP_PROXY": PROXY})
    assert not [name for name in built.base if name.lower().endswith("_proxy")]
