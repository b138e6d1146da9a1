"""Query parameters several endpoints share: their types and what the documentation says of them.

How their values are read stands in `reading`.
"""

from typing import Annotated, Any, Final

from litestar.openapi.spec import Example
from litestar.params import QueryParameter

from api.http.form import DELIMITERS, AskedForm
from api.http.reading import RevisionChoice, revision_or_time
from datahub_assets.datasets.answer_checks import MOST_ROWS
from datahub_assets.datasets.registry import DATASETS

MAX_LIMIT: Final = MOST_ROWS
LIMIT_BOUNDS: Final = {"minimum": 1, "maximum": MAX_LIMIT}
_TIME: Final = "ISO 8601, epoch milliseconds, `now`, or how long ago: `-90m`, `-1h`, `-7d`, `-2w`"
_FORMATS: Final = "`json` (default), `columns`, `ndjson`, `csv`, `parquet` or `arrow`; beats `Accept`"
_NUMBERS: Final = (
    "`string` writes numbers with decimals as text, so that none is lost; Parquet and Arrow hold them whole anyway"
)
WordList = list[str] | None


def example(value: Any) -> list[Example]:
    """A value the documentation fills in, one that runs."""
    return [Example(summary=str(value), value=value)]


Revision = Annotated[
    str | None,
    QueryParameter(description="branch, tag or 40-hex commit of the dataset; the answer never changes for a commit"),
]
AsOf = Annotated[str | None, QueryParameter(description=f"serve the last commit made at this time or before; {_TIME}")]
FromAsOf = Annotated[
    str | None,
    QueryParameter(name="from_as_of", description=f"compare from the last commit made at this time or before; {_TIME}"),
]
ToAsOf = Annotated[
    str | None,
    QueryParameter(name="to_as_of", description=f"compare to the last commit made at this time or before; {_TIME}"),
]
Start = Annotated[str | None, QueryParameter(description=f"first time, inclusive; {_TIME}")]
End = Annotated[str | None, QueryParameter(description=f"last time, exclusive; {_TIME}")]
PageCursor = Annotated[
    str | None, QueryParameter(description="where to go on: taken from the `Link` header of the page before")
]
FormatName = Annotated[str | None, QueryParameter(description=_FORMATS)]
Numbers = Annotated[str | None, QueryParameter(description=_NUMBERS)]
Spreadsheet = Annotated[
    bool,
    QueryParameter(
        description="CSV for a spreadsheet: it says that it is UTF-8, and texts that would be run as formulas have an "
        "apostrophe before them"
    ),
]
Delimiter = Annotated[
    str | None, QueryParameter(description=f"between the cells of CSV: `{'`, `'.join(DELIMITERS)}`, or the character")
]
DATASET_NAMES: Final = ", ".join(f"`{name}`" for name in DATASETS)
"""The names of all datasets, as descriptions list them."""
DatasetName = Annotated[
    str, QueryParameter(description=f"one of {DATASET_NAMES}", examples=example(next(iter(DATASETS))))
]


def choose_revision(revision: Revision = None, as_of: AsOf = None) -> RevisionChoice:
    """The commit a request means. Raises as `revision_or_time`."""
    return revision_or_time(revision, as_of, names=("revision", "as_of"))


def ask_form(
    *,
    format: FormatName = None,  # noqa: A002 - the parameter's public name
    numbers: Numbers = None,
    spreadsheet: Spreadsheet = False,
    delimiter: Delimiter = None,
) -> AskedForm:
    """What a request says of the form of its answer; `choose_form` checks it."""
    return AskedForm(format, numbers, spreadsheet, delimiter)
