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
    assert client.get("/", follow_redirects=False).headers["location"] == "/docs"


def test_the_schema_has_the_bearer_scheme_and_every_parameter(client: Client) -> None:
    schema = client.get("/schema/openapi.json").json()
    assert schema["components"]["securitySchemes"]["bearer"]["scheme"] == "bearer"
    ohlc = schema["paths"]["/api/hub/ohlc"]["get"]
    assert ohlc["security"] == [{"bearer": []}]
    named = {parameter["name"] for parameter in ohlc["parameters"]}
    assert named == {
        "symbol", "interval", "limit", "start", "end", "order", "columns", "closed_only", "cursor",
        "revision", "as_of", "format", "numbers",
    }  # fmt: skip
    assert all(parameter.get("description") for parameter in ohlc["parameters"])
    assert set(ohlc["responses"]) == {"200", "304", "400", "401", "403", "404", "406", "429", "502", "503"}
    assert set(ohlc["responses"]["200"]["content"]) == set(MEDIA_TYPES.values())
