"""The dataset card (`README.md` of a repo): what people read there, and the configs `load_dataset` follows.

Derived from the spec and a summary of the content. Besides, its front matter says for the next publisher how far the
live window has come.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import yaml

from datahub_assets.datasets.ledgers import published_ledgers_of
from datahub_assets.datasets.spec import OTHER_LICENCE, DatasetSpec, Licence
from datahub_assets.domain.files.data_files import (
    DATA_FOLDER,
    LIVE_FOLDER,
    OPEN_NAME,
    TODAY_NAME,
    is_appended,
    is_placed,
    window_folder,
)
from datahub_assets.domain.ledgers import LedgerSpec
from datahub_assets.domain.tables import ByRange, Period
from datahub_assets.domain.times import epoch_ms, iso_short, iso_to_ms

CARD_PATH: Final = "README.md"
_STATE: Final = "datahub"


@dataclass(frozen=True, slots=True)
class Summary:
    """What the card tells of the content; times in epoch ms, None when unknown."""

    window_start: int
    rows: int | None
    first: int | None
    newest: int | None


def render(
    spec: DatasetSpec, *, repo_id: str, summary: Summary, paths: Iterable[str], ledgers: Sequence[LedgerSpec]
) -> bytes:
    """The card of a repo that has these files, and lines in these ledgers (`datasets` cannot load an empty one)."""
    files = sorted(paths)
    front = {
        "pretty_name": spec.title,
        **_licence(spec.licence),
        "tags": [*spec.tags, "time-series", spec.provider],
        "configs": [*_configs(spec, files), *(_config(ledger.name, [ledger.path]) for ledger in ledgers)],
        _STATE: {
            "window_start": iso_short(summary.window_start),
            "rows": summary.rows,
            "first": iso_short(summary.first),
            "newest": iso_short(summary.newest),
        },
    }
    head = yaml.safe_dump(front, sort_keys=False, allow_unicode=True)
    return f"---\n{head}---\n\n{_body(spec, repo_id=repo_id, summary=summary, files=files)}".encode()


def read_summary(content: bytes) -> Summary | None:
    """The summary a card carries, None when it carries none (a person rewrote it)."""
    parts = content.decode(errors="replace").split("---\n", 2)
    try:
        front: Any = yaml.safe_load(parts[1]) if len(parts) > 2 else None  # noqa: PLR2004 - before, front, after
        state = front[_STATE]
        return Summary(
            window_start=_moment(state["window_start"]) or 0,
            rows=None if state["rows"] is None else int(state["rows"]),
            first=_moment(state["first"]),
            newest=_moment(state["newest"]),
        )
    except (yaml.YAMLError, KeyError, TypeError, ValueError):
        return None


def _licence(licence: Licence) -> dict[str, str]:
    """The front matter's keys: those of the Hub's list need no more than their name."""
    if licence.id != OTHER_LICENCE:
        return {"license": licence.id}
    return {"license": licence.id, "license_name": licence.name, "license_link": licence.url}


def _configs(spec: DatasetSpec, files: list[str]) -> list[dict[str, Any]]:
    """Explicit globs: all rows by default, each group by its name."""
    if spec.group is None:
        return [_config("default", _globs(DATA_FOLDER), default=True)]
    groups = sorted({path.split("/")[1] for path in files if is_placed(spec, path)})
    of_groups = {group: _globs(f"{DATA_FOLDER}{group}/") for group in groups}
    every = [glob for globs in of_groups.values() for glob in globs]
    return [
        _config("default", every or [f"{DATA_FOLDER}**/*.parquet"], default=True),
        *(_config(group, globs) for group, globs in of_groups.items()),
    ]


def _globs(folder: str) -> list[str]:
    """Files in the folder, and in the folders in it: live ones and windows."""
    return [f"{folder}*.parquet", f"{folder}*/*.parquet"]


def _config(name: str, globs: list[str], *, default: bool = False) -> dict[str, Any]:
    config: dict[str, Any] = {"config_name": name, "data_files": [{"split": "train", "path": globs}]}
    return {**config, "default": True} if default else config


_BODY: Final = """# {title}

{summary}

| | |
|---|---|
| rows | {rows} |
| oldest row | {first} |
| newest row | {newest} |
| key | {key} |
| source | [{provider}]({source_url}) |

```python
from datasets import load_dataset

{loads}
```

## Columns

{columns}

{ledgers}## How it is made

Fetched from [{provider}]({source_url}), checked, and committed here as it came. No row is invented, filled in or
interpolated; what fails a check is kept back. Each commit is complete in itself: at every commit a key is in one file
only. {files}{history}

## Terms

The data is that of {provider}, under its terms: [{licence}]({licence_url}). This repository adds none of its own.
No advice, no warranty.
"""


def _body(spec: DatasetSpec, *, repo_id: str, summary: Summary, files: list[str]) -> str:
    group = next((path.split("/")[1] for path in files if is_placed(spec, path)), None) if spec.group else None
    loads = [f'load_dataset("{repo_id}", split="train")']
    if group is not None:
        loads.append(f'load_dataset("{repo_id}", "{group}", split="train")')
    return _BODY.format(
        title=spec.title,
        summary=spec.summary,
        rows="unknown" if summary.rows is None else f"{summary.rows:,}",
        first=iso_short(summary.first) or "none",
        newest=iso_short(summary.newest) or "none",
        key=", ".join(f"`{name}`" for name in spec.key),
        provider=spec.provider,
        source_url=spec.source_url,
        loads="\n".join(loads),
        columns=_table(spec),
        ledgers="".join(_ledger_section(ledger) for ledger in published_ledgers_of(spec)),
        files=_where_rows_lie(spec),
        history=_history(spec),
        licence=spec.licence.name,
        licence_url=spec.licence.url,
    )


def _history(spec: DatasetSpec) -> str:
    if spec.history is None:
        return ""
    return f"\n\n{spec.provider} has rows since {spec.history.since}. {spec.history.fetched}"


def _where_rows_lie(spec: DatasetSpec) -> str:
    """What a person who looks at the files should know of them."""
    folder = DATA_FOLDER if spec.group is None else f"{DATA_FOLDER}{{{spec.group}}}/"
    forming = f"`{folder}{OPEN_NAME}` holds rows still forming (`{spec.final}` is false)."
    told = [] if spec.final is None else [forming]
    for period, groups in spec.periods.items():
        of = f" of {', '.join(groups)}" if len(spec.periods) > 1 else ""
        told.append(_where_rows_of(period, of, folder=folder, final=_final_file(spec, period)))
    return " ".join(told)


def _where_rows_of(period: Period, of: str, *, folder: str, final: str) -> str:
    window = period.window
    if is_appended(period):
        live = f"The newest rows{of} come to `{folder}{LIVE_FOLDER}`, one small file per publish"
    else:
        live = f"The rows{of} of the current UTC {window} are in `{folder}{TODAY_NAME}`"
    rest = f"once the {window} is over they rest in `{folder}{window_folder(period)}`"
    return f"{live}; {rest}, and once the {period} is over in {final}."


def _final_file(spec: DatasetSpec, period: Period) -> str:
    if isinstance(spec.partitioning, ByRange):
        return f"the file of their range of `{spec.partitioning.column}`, {spec.partitioning.size:,} to a file"
    return f"the file of their {period}"


def _table(spec: DatasetSpec | LedgerSpec) -> str:
    lines = [
        f"| `{column.name}` | {column.kind.arrow} | {column.unit or ''} | {column.doc} |" for column in spec.columns
    ]
    return "\n".join(["| column | type | unit | meaning |", "|---|---|---|---|", *lines])


def _ledger_section(ledger: LedgerSpec) -> str:
    return f"## `{ledger.name}`\n\n{ledger.summary}\n\n{_table(ledger)}\n\n"


def _moment(text: Any) -> int | None:
    """The inverse of `iso_short` (YAML may have read the text as a time already)."""
    if text is None:
        return None
    return epoch_ms(text) if isinstance(text, datetime) else iso_to_ms(str(text))
