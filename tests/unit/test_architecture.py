"""HTTP clients are made in one place: made elsewhere, nobody routes their requests or keeps their secrets."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PRODUCT = ("api", "datahub_assets", "datahub_system", "localhub")
MAKERS = {Path("datahub_system/net/clients.py"), Path("datahub_system/net/hub_sessions.py")}

CALLS = {"Client", "AsyncClient", "HTTPTransport", "AsyncHTTPTransport", "request", "stream"} | {
    "get", "post", "put", "patch", "delete", "head", "options",
}  # fmt: skip
LIBRARIES = {"httpx": CALLS, "httpx2": CALLS}
"""Modules that hold types and errors too, with what of them makes a client."""
FORBIDDEN = {
    *("requests", "aiohttp", "urllib3", "httpcore", "httpcore2", "pycurl", "http.client", "urllib.request"),
    *("huggingface_hub.utils._http", "huggingface_hub.get_session", "huggingface_hub.utils.get_session"),
    *("huggingface_hub.set_client_factory", "huggingface_hub.set_async_client_factory"),
}
"""What nobody else may import at all."""


def makers(source: str) -> Iterator[str]:
    """What in a module makes HTTP clients, or could."""
    tree = ast.parse(source)
    names: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield from (alias.name for bad in FORBIDDEN if f"{alias.name}.".startswith(f"{bad}."))
                names[alias.asname or alias.name] = alias.name
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                full = f"{node.module}.{alias.name}"
                yield from (full for bad in FORBIDDEN if f"{full}.".startswith(f"{bad}."))
                yield from (
                    full for library, made in LIBRARIES.items() if node.module == library and alias.name in made
                )
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            library = names.get(node.value.id, "")
            if node.attr in LIBRARIES.get(library, ()) and not _is_annotation(tree, node):
                yield f"{library}.{node.attr}"


def _is_annotation(tree: ast.AST, wanted: ast.Attribute) -> bool:
    for node in ast.walk(tree):
        hints = [getattr(node, "annotation", None), getattr(node, "returns", None)]
        if any(wanted is part for hint in hints if hint is not None for part in ast.walk(hint)):
            return True
    return False


@pytest.mark.parametrize(
    "source",
    [
        "import httpx\nhttpx.Client()",
        "import httpx as h\nh.get('http://x')",
        "import httpx\nclass Mine(httpx.AsyncClient): pass",
        "import httpx2\nmake = httpx2.stream",
        "from httpx import Client",
        "import requests",
        "import requests.sessions as s",
        "from urllib.request import urlopen",
        "from urllib import request",
        "import http.client",
        "from http import client",
        "def f():\n    import aiohttp",
        "from huggingface_hub import get_session",
    ],
)
def test_the_search_finds(source: str) -> None:
    assert list(makers(source))


@pytest.mark.parametrize(
    "source",
    [
        "import httpx\ndef f(c: httpx.Client) -> httpx.Response: ...",
        "import httpx\ntry: pass\nexcept httpx.HTTPError: pass",
        "from http import HTTPStatus\nfrom urllib.parse import quote",
        "things = {}\nthings.get('x')",
        "import httpx\nhttpx.Limits(max_connections=1)",
    ],
)
def test_the_search_leaves_alone(source: str) -> None:
    assert not list(makers(source))


def test_http_clients_are_made_in_one_place() -> None:
    files = [path for package in PRODUCT for path in (ROOT / package).rglob("*.py")]
    assert len(files) > 100
    found = {
        str(name): made
        for path in files
        if (name := path.relative_to(ROOT)) not in MAKERS and (made := list(makers(path.read_text("utf-8"))))
    }
    assert found == {}, "make them with datahub_system.net.clients, so that proxies and redirects are minded"
