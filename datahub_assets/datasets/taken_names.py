"""Names that mean something already, so that no dataset may use them."""

from typing import Final

TAKEN_NAMES: Final = frozenset(
    {
        *("status", "health", "errors", "sql", "stream", "diff", "revisions", "coverage", "dataset-info", "snippets"),
        *("webhook", "market_dataset", "ohlc_dataset", "datasets"),
        *("gaps", "corrections", "sources", "default", "data", "live", "main", "temp", "system"),
    }
)
"""Of datasets: routes below /api/hub, keys of the status, ledgers, configs, branches, schemas of DuckDB."""
TAKEN_GROUPS: Final = frozenset({"live", "default", "gaps", "corrections", "sources"})
"""Of groups: folders and configs a repo has besides those of its groups."""
COMMON_PARAMETERS: Final = frozenset(
    {
        *("start", "end", "limit", "order", "cursor", "columns", "format", "numbers", "revision", "as_of", "max_age"),
        *("spreadsheet", "delimiter", "token"),
        *("dataset", "from", "to", "from_as_of", "to_as_of", "last_event_id"),
    }
)
"""Of filters: parameters every dataset's endpoint, or those over all of them, give a meaning of their own."""
TAKEN_CODES: Final = frozenset({"unknown_parameter", "unknown_value", "unknown_dataset"})
"""Of what is told of unknown values: codes of other errors of the API."""
TAKEN_COLUMNS: Final = frozenset({"id", "version", "commit_id", "rowid", "oid"})
"""Of columns: what the tables of the cache keep besides the rows."""
TAKEN_TABLES: Final = frozenset(
    {
        *("versions", "notes", "quarantine", "series", "commits", "remote", "remote_files", "file_forms", "hub_facts"),
        *("sealed_files", "sealed_keys", "gaps", "number_gaps", "corrections", "rechecks"),
    }
)
"""Of cache tables: the tables the cache has besides those of the datasets."""
TAKEN_ASSETS: Final = frozenset(
    {
        *("arg_dict", "bool", "conf", "config", "context", "dict", "float", "input", "input_arg_dict", "int", "meta"),
        *("output", "output_arg_dict", "str", "type"),
    }
)
"""Of source assets: words Dagster gives a meaning of its own."""
SQL_WORDS: Final = frozenset(
    {
        *("all", "analyse", "analyze", "and", "anti", "any", "array", "as", "asc", "asof", "asymmetric", "at"),
        *("authorization", "binary", "both", "by", "case", "cast", "check", "collate", "collation", "column"),
        *("columns", "concurrently", "constraint", "create", "cross", "default", "deferrable", "desc"),
        *("describe", "distinct", "do", "else", "end", "except", "false", "fetch", "for", "foreign", "freeze"),
        *("from", "full", "generated", "glob", "group", "having", "ilike", "in", "initially", "inner"),
        *("intersect", "into", "is", "isnull", "join", "lambda", "lateral", "leading", "left", "like", "limit"),
        *("map", "natural", "not", "notnull", "null", "offset", "on", "only", "or", "order", "outer"),
        *("overlaps", "pivot", "pivot_longer", "pivot_wider", "placing", "positional", "primary", "qualify"),
        *("references", "returning", "right", "select", "semi", "show", "similar", "some", "struct"),
        *("summarize", "symmetric", "table", "tablesample", "then", "to", "trailing", "true", "try_cast"),
        *("tuple", "union", "unique", "unpack", "unpivot", "using", "variadic", "verbose", "when", "where"),
        *("window", "with"),
    }
)
"""Of datasets and columns: words a SQL statement could not name without quotes, or not everywhere."""
