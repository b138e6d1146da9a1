"""The documentation: the OpenAPI schema's frame, and the pages of Swagger UI and Scalar, served without a CDN."""

import gzip
from functools import lru_cache
from html import escape
from importlib.resources import files
from typing import Final

from litestar import Controller, Response, get
from litestar.exceptions import NotFoundException
from litestar.openapi.config import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin
from litestar.openapi.spec import Components, SecurityScheme, Tag
from litestar.params import FromPath
from litestar.response import Redirect

from api.dropin.keys import SCHEMES
from api.problems import catalogue

SCHEMA_URL: Final = "/schema/openapi.json"
_DESCRIPTION: Final = """
Live prices and candles, served from versioned Hugging Face datasets. Every answer names the commit it was computed
from in `X-Revision`; `revision=` and `as_of=` ask for an older one.

Send `Authorization: Bearer <token>` with this server's own token or a Hugging Face token (the button *Authorize* here).
Errors are problem details (RFC 9457) with a stable `code`; the [catalogue](/errors) lists them.
"""
_SWAGGER: Final = ("flask_openapi_swagger", "templates/swagger")
_ASSETS: Final = {
    "swagger-ui-bundle.js": (*_SWAGGER, "js/swagger-ui-bundle.js", "text/javascript"),
    "swagger-ui.css": (*_SWAGGER, "css/swagger-ui.css", "text/css"),
    "scalar.js": ("flask_openapi_scalar", "templates/scalar", "js/scalar.standalone.js", "text/javascript"),
}
_PAGE: Final = """<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>Crypto Data Hub</title><link rel="icon" href="data:,">{head}</head>
<body>{body}</body>
</html>
"""
_SWAGGER_PAGE: Final = _PAGE.format(
    head='<link rel="stylesheet" href="/docs/assets/swagger-ui.css">',
    body=f"""<div id="docs"></div><script src="/docs/assets/swagger-ui-bundle.js"></script><script>
SwaggerUIBundle({{url: "{SCHEMA_URL}", dom_id: "#docs", deepLinking: true, persistAuthorization: true,
  displayRequestDuration: true, tryItOutEnabled: true, validatorUrl: null}});
</script>""",
)
_SCALAR_PAGE: Final = _PAGE.format(
    head="<style>body { margin: 0 }</style>",
    body=f"""<div id="docs"></div><script src="/docs/assets/scalar.js"></script><script>
Scalar.createApiReference("#docs", {{url: "{SCHEMA_URL}", withDefaultFonts: false, telemetry: false,
  showDeveloperTools: "never", hideClientButton: true, agent: {{disabled: true}}, mcp: {{disabled: true}}}});
</script>""",
)


def openapi_config(version: str) -> OpenAPIConfig:
    """The schema's frame: who we are, and the bearer scheme."""
    bearer = SecurityScheme(
        type="http", scheme="bearer", description="this server's own token, or a Hugging Face token"
    )
    return OpenAPIConfig(
        title="Crypto Data Hub",
        version=version,
        description=_DESCRIPTION,
        path="/schema",
        render_plugins=[JsonRenderPlugin(path="/openapi.json")],
        components=Components(security_schemes={"bearer": bearer, **SCHEMES}),
        tags=[
            Tag("Rows", "prices and candles"),
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
    async def root(self) -> Redirect:
        """Lead to the documentation."""
        return Redirect("/docs")

    @get("/docs", media_type="text/html")
    async def swagger(self) -> str:
        """Swagger UI."""
        return _SWAGGER_PAGE

    @get("/scalar", media_type="text/html")
    async def scalar(self) -> str:
        """Scalar."""
        return _SCALAR_PAGE

    @get("/errors", media_type="text/html")
    async def errors(self) -> str:
        """The catalogue of errors, which every problem's `type` points into."""
        return _errors_page()

    @get("/docs/assets/{name:str}", sync_to_thread=True)
    def asset(self, name: FromPath[str]) -> Response[bytes]:
        """A script or style of those pages."""
        if name not in _ASSETS:
            raise NotFoundException(f"no such asset; there are {', '.join(_ASSETS)}")
        headers = {"Content-Encoding": "gzip", "Cache-Control": "public, max-age=86400"}
        return Response(_asset(name), media_type=_ASSETS[name][-1], headers=headers)


@lru_cache(maxsize=1)
def _errors_page() -> str:
    rows = "".join(
        f'<tr id="{kind.code}"><td><code>{kind.code}</code></td><td>{kind.status}</td>'
        f"<td>{escape(kind.meaning)}</td><td>{escape(kind.remedy)}</td></tr>"
        for kind in catalogue()
    )
    head = "<style>body{font-family:sans-serif;margin:2rem}td,th{text-align:left;padding:.3rem 1rem .3rem 0}</style>"
    table = f"<table><tr><th>code</th><th>status</th><th>meaning</th><th>what to do</th></tr>{rows}</table>"
    return _PAGE.format(head=head, body=f"<h1>Errors</h1><p>Match on the code; it does not change.</p>{table}")


@lru_cache(maxsize=len(_ASSETS))
def _asset(name: str) -> bytes:
    """A file of the installed packages that carry the scripts; the framework they are made for is not imported."""
    package, folder, path, _ = _ASSETS[name]
    return gzip.compress(files(package).joinpath(folder, path).read_bytes(), compresslevel=6)
