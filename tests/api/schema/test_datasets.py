"""The OpenAPI operation of each dataset, made from its spec; those of installed packages as well."""

from dataclasses import replace
from inspect import signature
from typing import Any

import msgspec
import pytest
import schemathesis
from litestar import Litestar

from api.http.openapi import QUERIED
from api.rows.controller import rows_router
from api.rows.parameters import asked_of
from api.rows.queries import ask
from api.rows.schemas import example_row, row_struct, schema_name
from api.web.docs import openapi_config
from datahub_assets.datasets.candles.spec import OHLC
from datahub_assets.datasets.filters import Filter
from datahub_assets.datasets.market.spec import MARKET
from datahub_assets.datasets.spec import DatasetSpec, NewestOfEach
from tests.api.installed import ALL, INCIDENTS, RECEIPTS
from tests.api.made_specs import MAKES, spec_of
from tests.api.question import MEDIA_TYPES

PAGES = {"limit", "start", "end", "order", "columns", "cursor", "revision", "as_of"}
PAGES |= {"format", "numbers", "spreadsheet", "delimiter"}


def document_of(*specs: DatasetSpec) -> dict[str, Any]:
    app = Litestar(route_handlers=[rows_router(specs)], openapi_config=openapi_config("1"))
    return msgspec.json.decode(msgspec.json.encode(app.openapi_schema.to_schema()), type=dict[str, Any])


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return document_of(*ALL)


def operation(document: dict[str, Any], spec: DatasetSpec) -> dict[str, Any]:
    found: dict[str, Any] = document["paths"][f"/api/hub/{spec.name}"]["get"]
    return found


def test_the_document_of_the_application_is_valid(openapi: Any) -> None:
    openapi.validate()
    assert {f"/api/hub/{name}" for name in ("market", "ohlc")} <= set(openapi.raw_schema["paths"])


def test_the_document_of_installed_datasets_is_valid(document: dict[str, Any]) -> None:
    schemathesis.openapi.from_dict(document).validate()
    assert set(document["paths"]) == {f"/api/hub/{spec.name}" for spec in ALL}


@pytest.mark.parametrize("spec", ALL, ids=lambda spec: spec.name)
def test_an_operation_says_all_the_spec_does(document: dict[str, Any], spec: DatasetSpec) -> None:
    found = operation(document, spec)
    assert found["summary"] == spec.title
    assert found["description"].startswith(spec.answer)
    assert found["security"] == [{"bearer": []}, {"basic": []}, {"urlToken": []}]
    parameters = {one["name"]: one for one in found["parameters"]}
    filters = {one.parameter: one for one in spec.filters}
    assert parameters.keys() - {"max_age"} == PAGES | filters.keys()
    assert all(one["description"] for one in parameters.values())
    assert parameters["limit"]["schema"]["default"] == spec.default_limit
    assert all(name in parameters["columns"]["description"] for name in spec.column_names)
    for name, one in filters.items():
        assert parameters[name]["description"].startswith(one.doc)
        assert parameters[name]["required"] == one.required
        shown = [example["value"] for example in parameters[name].get("examples", {}).values()]
        assert shown == ([list(one.example) if one.many else one.example[0]] if one.example else [])
    assert {int(status) for status in found["responses"]} == {200, 304, 406, *QUERIED}
    assert set(found["responses"]["200"]["content"]) == set(MEDIA_TYPES.values())


@pytest.mark.parametrize("spec", ALL, ids=lambda spec: spec.name)
def test_the_example_is_a_row_of_the_dataset(document: dict[str, Any], spec: DatasetSpec) -> None:
    answer = operation(document, spec)["responses"]["200"]["content"]["application/json"]
    (example,) = answer["examples"].values()
    assert example["value"] == [example_row(spec)]
    (row,) = example["value"]
    assert tuple(row) == spec.shown_columns
    assert None not in row.values()
    msgspec.convert(row, row_struct(spec))
    schema = document["components"]["schemas"][answer["schema"]["items"]["$ref"].rpartition("/")[2]]
    assert set(schema["properties"]) == set(spec.column_names)
    assert [schema["properties"][name]["description"] for name in spec.column_names] == [
        column.meaning for column in spec.columns
    ]


def test_lists_of_texts_are_lists() -> None:
    document = document_of(INCIDENTS)
    services = document["components"]["schemas"]["IncidentsRow"]["properties"]["services"]
    assert {"type": "array", "items": {"type": "string"}} in services["oneOf"]
    assert example_row(INCIDENTS)["services"] == ["wallet", "api"]


def test_only_datasets_that_rank_series_take_an_age(document: dict[str, Any]) -> None:
    having = [
        spec.name for spec in ALL if "max_age" in {one["name"] for one in operation(document, spec)["parameters"]}
    ]
    assert having == [spec.name for spec in ALL if isinstance(spec.newest, NewestOfEach)] == [MARKET.name, "listings"]


def test_the_values_of_a_group_are_listed(document: dict[str, Any]) -> None:
    parameters = {one["name"]: one for one in operation(document, OHLC)["parameters"]}
    assert parameters["interval"]["schema"]["enum"] == list(OHLC.groups)
    assert parameters["interval"]["schema"]["default"] == "1h"
    grouped = next(made for made in MAKES if made.group)
    (side,) = (
        one for one in operation(document_of(spec_of(grouped)), spec_of(grouped))["parameters"] if one["name"] == "side"
    )
    assert "left, right" in side["description"]


def test_no_two_datasets_share_a_schema() -> None:
    names = ("a_b", "ab", "a__b", "a_1", "a1", "a_", "a", "a_b_c", "a_bc")
    assert len({schema_name(replace(RECEIPTS, name=name)) for name in names}) == len(names)


@pytest.mark.parametrize("parameter", ["state", "query", "feed", "asked", "request", "headers", "class", "self"])
def test_a_parameter_may_be_called_what_means_something_to_the_framework_or_python(parameter: str) -> None:
    spec = replace(INCIDENTS, filters=(Filter(parameter=parameter, column="severity", doc="how bad"),))
    named = {one["name"] for one in operation(document_of(spec), spec)["parameters"]}
    assert named == PAGES | {parameter}


def test_what_counts_where_nothing_is_given_is_said() -> None:
    single, several, flag = (
        Filter(parameter="register", column="register", doc="which", example=("north",), many=False, default="north"),
        Filter(parameter="number", column="number", doc="numbers", default="7"),
        Filter(parameter="settled_only", column="settled", doc="final ones only", default="true"),
    )
    spec = replace(RECEIPTS, filters=(single, several, flag))
    parameters = {one["name"]: one for one in operation(document_of(spec), spec)["parameters"]}
    assert parameters["register"]["schema"]["default"] == "north"
    assert parameters["number"]["description"] == "numbers (`7` by default)"
    assert parameters["settled_only"]["schema"]["default"] is True
    arguments = signature(asked_of(spec)).parameters
    given = {name.removeprefix("by_"): argument.default for name, argument in arguments.items()}
    assert ask(spec, given).rows.filters == (("number", ("7",)), ("register", ("north",)), ("settled_only", ()))
    assert "settled_only" not in dict(ask(spec, {**given, "settled_only": False}).rows.filters)
