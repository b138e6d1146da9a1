"""The documentation: the OpenAPI schema's frame, and the pages of Swagger UI and Scalar, served without a CDN."""

import gzip
from dataclasses import dataclass
from functools import lru_cache
from html import escape
from importlib.resources import files
from typing import Any, Final

from litestar import Controller, MediaType, Request, Response, get
from litestar.exceptions import NotFoundException
from litestar.openapi.config import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin
from litestar.openapi.spec import Components, SecurityScheme, Server, Tag
from litestar.params import FromPath
from litestar.response import Redirect

from api.access import url_tokens
from api.access.api_keys import SCHEMES
from api.http.context import RequestContext
from api.http.problems import catalogue
from datahub_assets.datasets.registry import DATASETS

SCHEMA_URL: Final = "schema/openapi.json"
"""As the pages name it, and all they load: relative to themselves, so that a proxy may serve them under a path."""
_LISTED: Final = "\n".join(f"- `{spec.name}`: {spec.title}. {spec.summary}" for spec in DATASETS.values())
_DESCRIPTION: Final = f"""
Live data, served from versioned Hugging Face datasets. Every answer names the commit it was computed from in
`X-Revision`; `revision=` and `as_of=` ask for an older one.

{_LISTED}

Send `Authorization: Bearer <token>` with this server's own token, a Hugging Face token or a client token
(`datahub token add NAME`; the button *Authorize* here). Clients that cannot set this header use HTTP Basic with a
client token, or `?token=` in a GET with one made for it (`--url`).
Errors are problem details (RFC 9457) with a stable `code`; the [catalogue](errors) lists them.
"""
_SWAGGER: Final = ("flask_openapi_swagger", "templates/swagger")
_SCALAR: Final = ("flask_openapi_scalar", "templates/scalar")
_START_SWAGGER: Final = f"""
SwaggerUIBundle({{url: "{SCHEMA_URL}", dom_id: "#docs", deepLinking: true, persistAuthorization: true,
  displayRequestDuration: true, tryItOutEnabled: true, validatorUrl: null}});
"""
_START_SCALAR: Final = f"""
Scalar.createApiReference("#docs", {{url: "{SCHEMA_URL}", withDefaultFonts: false, telemetry: false,
  showDeveloperTools: "never", hideClientButton: true, agent: {{disabled: true}}, mcp: {{disabled: true}}}});
"""
_PAGE_STYLE: Final = """
body { margin: 0 }
main { font-family: sans-serif; margin: 2rem }
td, th { text-align: left; padding: .3rem 1rem .3rem 0 }
"""


@dataclass(frozen=True, slots=True)
class _Asset:
    """A script or style: a file of an installed package, if it is one, and text of ours after it."""

    media_type: str
    file: tuple[str, str, str] | None = None
    text: str = ""

    def content(self) -> bytes:
        """The whole of it; the framework the package is made for is not imported."""
        if self.file is None:
            return self.text.encode()
        package, folder, path = self.file
        return files(package).joinpath(folder, path).read_bytes() + self.text.encode()


_ASSETS: Final = {
    "swagger-ui.js": _Asset("text/javascript", (*_SWAGGER, "js/swagger-ui-bundle.js"), _START_SWAGGER),
    "swagger-ui.css": _Asset("text/css", (*_SWAGGER, "css/swagger-ui.css")),
    "scalar.js": _Asset("text/javascript", (*_SCALAR, "js/scalar.standalone.js"), _START_SCALAR),
    "page.css": _Asset("text/css", text=_PAGE_STYLE),
}
_PAGE: Final = """<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>Crypto Data Hub</title><link rel="icon" href="data:,">{head}</head>
<body>{body}</body>
</html>
"""


def _style(name: str) -> str:
    return f'<link rel="stylesheet" href="docs/assets/{name}">'


_SWAGGER_PAGE: Final = _PAGE.format(
    head=_style("swagger-ui.css") + _style("page.css"),
    body='<div id="docs"></div><script src="docs/assets/swagger-ui.js"></script>',
)
_SCALAR_PAGE: Final = _PAGE.format(
    head=_style("page.css"),
    body='<div id="docs"></div><script src="docs/assets/scalar.js"></script>',
)


def _page_headers(*, styles: str = "") -> dict[str, str]:
    """What browsers may do with a page: load from this server only, run no script but its files, show it in no frame.

    `styles` are further sources of styles.
    """
    policy = (
        "default-src 'none'; script-src 'self'; connect-src 'self'; img-src 'self' data:; font-src 'self' data:; "
        f"style-src 'self'{styles}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    return {
        "Content-Security-Policy": policy,
        "Referrer-Policy": "no-referrer",
        "Cross-Origin-Opener-Policy": "same-origin",
        "X-Frame-Options": "DENY",
    }


_STRICT: Final = _page_headers()
_WITH_STYLES: Final = _page_headers(styles=" 'unsafe-inline'")
"""For Scalar, which writes styles of its own into the page."""


def openapi_config(version: str, *, public_url: str | None = None) -> OpenAPIConfig:
    """The schema's frame: who we are and where, and the bearer scheme."""
    bearer = SecurityScheme(
        type="http", scheme="bearer", description="this server's own token, a client token or a Hugging Face token"
    )
    return OpenAPIConfig(
        title="Crypto Data Hub",
        version=version,
        description=_DESCRIPTION,
        path="/schema",
        servers=[Server(url=public_url or "/")],
        render_plugins=[JsonRenderPlugin(path="/openapi.json")],
        components=Components(security_schemes={"bearer": bearer, **url_tokens.SCHEMES, **SCHEMES}),
        tags=[
            Tag("Rows", "rows of the datasets, newest ones or those of a time range"),
            Tag("SQL", "any SELECT over the datasets, in DuckDB's dialect"),
            Tag("Datasets", "what the datasets are and were"),
            Tag("Live", "new commits as they come"),
            Tag("Drop-in: Binance", "Binance's spot API, answered from the Hub: for ccxt, python-binance and others"),
            Tag("Drop-in: CoinGecko", "CoinGecko's API, answered from the Hub: for pycoingecko and others"),
            Tag("Status", "how the hub is; open to all"),
        ],
        use_handler_docstrings=True,
    )


class DocsController(Controller):
    """The pages people read."""

    include_in_schema = False

    @get("/")
    async def root(self, request: Request[Any, Any, Any]) -> Redirect:
        """Lead to the documentation."""
        public_url = RequestContext.of(request.scope).public_url
        return Redirect(f"{public_url}/docs" if public_url else "docs")

    @get("/docs")
    async def swagger(self, request: Request[Any, Any, Any]) -> Response[str] | Redirect:
        """Swagger UI."""
        return _page(request, _SWAGGER_PAGE, _STRICT)

    @get("/scalar")
    async def scalar(self, request: Request[Any, Any, Any]) -> Response[str] | Redirect:
        """Scalar."""
        return _page(request, _SCALAR_PAGE, _WITH_STYLES)

    @get("/errors")
    async def errors(self, request: Request[Any, Any, Any]) -> Response[str] | Redirect:
        """The catalogue of errors, which every problem's `type` points into."""
        return _page(request, _errors_page(), _STRICT)

    @get("/docs/assets/{name:str}", sync_to_thread=True)
    def asset(self, name: FromPath[str]) -> Response[bytes]:
        """A script or style of those pages."""
        if name not in _ASSETS:
            raise NotFoundException(f"no such asset; there are {', '.join(_ASSETS)}")
        headers = {"Content-Encoding": "gzip", "Cache-Control": "public, max-age=86400"}
        return Response(_asset(name), media_type=_ASSETS[name].media_type, headers=headers)


def _page(request: Request[Any, Any, Any], html: str, headers: dict[str, str]) -> Response[str] | Redirect:
    """The page; what it loads is named relative to its address without a slash at the end."""
    path = RequestContext.of(request.scope).path  # as it was asked for
    if path.endswith("/"):
        return Redirect(f"../{path.strip('/')}")
    return Response(html, media_type=MediaType.HTML, headers=headers)


@lru_cache(maxsize=1)
def _errors_page() -> str:
    rows = "".join(
        f'<tr id="{kind.code}"><td><code>{kind.code}</code></td><td>{kind.status}</td>'
        f"<td>{escape(kind.meaning)}</td><td>{escape(kind.remedy)}</td></tr>"
        for kind in catalogue()
    )
    table = f"<table><tr><th>code</th><th>status</th><th>meaning</th><th>what to do</th></tr>{rows}</table>"
    body = f"<main><h1>Errors</h1><p>Match on the code; it does not change.</p>{table}</main>"
    return _PAGE.format(head=_style("page.css"), body=body)


@lru_cache(maxsize=len(_ASSETS))
def _asset(name: str) -> bytes:
    return gzip.compress(_ASSETS[name].content(), compresslevel=6)
