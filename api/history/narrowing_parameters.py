"""The parameters of a `Narrowing`, as a dependency of handlers: made of the filters that datasets have."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any

from litestar.params import QueryParameter

from api.history.narrowing import ON, SYMBOL, IsOffered, Narrowing, any_filter, meant
from api.http.parameters import WordList
from api.http.reading import provider, words
from datahub_assets.datasets.filters import Filter
from datahub_assets.datasets.spec import DatasetSpec
from datahub_assets.domain.columns import ColumnKind


def asking_for(specs: Sequence[DatasetSpec], *, is_offered: IsOffered = any_filter) -> Callable[..., Narrowing]:
    """A function from a request's parameters to what they say: `symbol`, and one for each filter that is offered."""
    kinds = {name: (kind, None) for name, kind in _parameters(specs, is_offered).items()}

    def said(given: Mapping[str, Any]) -> Narrowing:
        found = ((name, _values(given[name])) for name in kinds)
        return Narrowing(tuple((name, values) for name, values in found if values))

    return provider(kinds, Narrowing, said, prefixed=kinds)


def _parameters(specs: Sequence[DatasetSpec], is_offered: IsOffered) -> dict[str, Any]:
    """The type of each parameter, with its description."""
    filters: defaultdict[str, list[tuple[DatasetSpec, Filter]]] = defaultdict(list)
    for spec in specs:
        for one in spec.filters:
            if is_offered(spec, one) and one.parameter != SYMBOL:
                filters[one.parameter].append((spec, one))
    known = {name: _annotated(name, _kind(having), _told(having)) for name, having in filters.items()}
    rows_go_by = [(spec, one) for spec in specs for one in meant(spec, SYMBOL)]
    if not rows_go_by:
        return known
    return {SYMBOL: _annotated(SYMBOL, WordList, f"what rows go by, in any spelling; {_told(rows_go_by)}"), **known}


def _annotated(name: str, kind: Any, description: str) -> Any:
    return Annotated[kind, QueryParameter(name=name, description=description)]


def _kind(filters: Sequence[tuple[DatasetSpec, Filter]]) -> Any:
    if all(spec.column(one.column).kind is ColumnKind.FLAG for spec, one in filters):
        return bool | None
    return WordList if any(one.many for _, one in filters) else str | None


def _told(filters: Sequence[tuple[DatasetSpec, Filter]]) -> str:
    """What each dataset says of it."""
    by_dataset: defaultdict[str, list[str]] = defaultdict(list)
    for spec, one in filters:
        by_dataset[spec.name].append(one.doc)
    return "; ".join(f"of `{name}`: {' or '.join(docs)}" for name, docs in by_dataset.items())


def _values(given: Any) -> tuple[str, ...]:
    """The values of a parameter as it was given; none where it was not, or is a flag that is not set."""
    if given is None or given is False:
        return ()
    if given is True:
        return ON
    return (given,) if isinstance(given, str) else words(given)
