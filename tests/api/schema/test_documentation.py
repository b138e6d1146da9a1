"""The pages that show the schema need nothing from elsewhere, and it leaves nothing out."""

from tests.api.conftest import Client
from tests.api.question import MEDIA_TYPES


def test_the_documentation_needs_no_other_host(client: Client) -> None:
    for page in ("/docs", "/scalar"):
        html = client.get(page).text
        assert "http://" not in html
        assert "https://" not in html
        assert "//cdn" not in html
        for source in (part.split('"')[0] for part in html.split('src="')[1:]):
            asset = client.get(source)
            assert asset.status_code == 200
            assert len(asset.content) > 100_000
    assert client.get("/", follow_redirects=False).headers["location"] == "docs"


def test_links_to_pages_may_carry_anything(client: Client) -> None:
    for page in ("/docs", "/scalar", "/errors"):
        assert client.get(f"{page}?utm_source=letter").status_code == 200


def test_what_is_open_says_that_it_refuses_unknown_parameters(client: Client) -> None:
    paths = client.get("/schema/openapi.json").json()["paths"]
    for path in ("/api/hub/status", "/api/hub/health", "/api/health", "/api/hub/errors", "/metrics"):
        assert client.get(f"{path}?x=1").status_code == 400
        assert "400" in paths[path]["get"]["responses"]
    assert client.post("/api/hub/webhook?x=1").status_code == 400
    assert "400" in paths["/api/hub/webhook"]["post"]["responses"]


def test_the_schema_has_the_bearer_scheme_and_every_parameter(client: Client) -> None:
    schema = client.get("/schema/openapi.json").json()
    assert schema["components"]["securitySchemes"]["bearer"]["scheme"] == "bearer"
    ohlc = schema["paths"]["/api/hub/ohlc"]["get"]
    assert ohlc["security"] == [{"bearer": []}, {"basic": []}, {"urlToken": []}]
    named = {parameter["name"] for parameter in ohlc["parameters"]}
    assert named == {
        "symbol", "interval", "limit", "start", "end", "order", "columns", "closed_only", "cursor",
        "revision", "as_of", "format", "numbers", "spreadsheet", "delimiter",
    }  # fmt: skip
    assert all(parameter.get("description") for parameter in ohlc["parameters"])
    assert set(ohlc["responses"]) == {"200", "304", "400", "401", "403", "404", "406", "429", "502", "503"}
    assert set(ohlc["responses"]["200"]["content"]) == set(MEDIA_TYPES.values())
