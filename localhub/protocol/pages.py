"""The few HTML pages for a person who follows a link in a browser: what is here, what a repository holds. No scripts.

Every value goes through `_text` or `_link`, which escape it.
"""

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from urllib.parse import quote

from localhub.protocol.shapes import timestamp
from localhub.store.commits import Commit
from localhub.store.repos import Repo
from localhub.store.trees import Entry

_POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
HEADERS = {"Content-Security-Policy": _POLICY}
_STYLE = (
    "body{font:15px/1.5 system-ui,sans-serif;max-width:60em;margin:2em auto;padding:0 1em}"
    "table{border-collapse:collapse;width:100%}td,th{text-align:left;padding:.2em 1em .2em 0}"
    "td:nth-child(2){text-align:right;white-space:nowrap}code{background:#8882;padding:.1em .3em}"
    ":root{color-scheme:light dark}"
)


def index(repos: Sequence[Repo], *, base_url: str) -> str:
    """What is on this Hub, and how to point a client at it."""
    rows = [[_link(web_path(repo), repo.full_name), _text(repo.kind), _time(repo.created_ms)] for repo in repos]
    body = [
        "<h1>localhub</h1>",
        "<p>A Hugging Face Hub on this machine. For any client: ",
        f"<code>export HF_ENDPOINT={_text(base_url)}</code></p>",
        _table(["repository", "type", "created"], rows) if rows else "<p>No repository yet.</p>",
    ]
    return _page("localhub", body)


def folder(
    repo: Repo, *, revision: str, path: str, entries: Sequence[Entry], commits: Mapping[int, Commit], more: bool
) -> str:
    """The files and folders directly in a folder, with who changed them last."""
    above = path.rpartition("/")[0]
    rows = [[_link(tree_path(repo, revision, above), ".."), "", "", ""]] if path else []
    for entry in entries:
        last = commits.get(entry.changed)
        told = ["", ""] if last is None else [_text(last.title), _time(last.created_ms)]
        name = entry.path.rpartition("/")[2]
        if entry.file is None:
            rows.append([_link(tree_path(repo, revision, entry.path), f"{name}/"), "", *told])
        else:
            href = f"{web_path(repo)}/resolve/{quote(revision, safe='')}/{quote(entry.path)}"
            rows.append([_link(href, name), f"{entry.file.size:,}", *told])
    title = f"{repo.full_name} at {revision}"
    body = [
        f"<p>{_link('/', 'localhub')}</p><h1>{_text(title)}</h1>",
        f"<p>{_text(path)}</p>" if path else "",
        _table(["name", "bytes", "last commit", "time"], rows),
        "<p>There are more; ask the API for them.</p>" if more else "",
    ]
    return _page(title, body)


def web_path(repo: Repo) -> str:
    """Where a repository's page is."""
    return f"/{repo.full_name}" if repo.kind == "model" else f"/{repo.kind}s/{repo.full_name}"


def tree_path(repo: Repo, revision: str, path: str) -> str:
    """Where the page of a folder is."""
    return f"{web_path(repo)}/tree/{quote(revision, safe='')}/{quote(path)}".rstrip("/")


def _page(title: str, body: Iterable[str]) -> str:
    head = f'<meta charset="utf-8"><title>{_text(title)}</title><style>{_STYLE}</style>'
    return f"<!doctype html><html lang=en><head>{head}</head><body>{''.join(body)}</body></html>"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; `rows` hold HTML, `head` holds plain text."""
    titles = "".join(f"<th>{_text(title)}</th>" for title in head)
    lines = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table><tr>{titles}</tr>{lines}</table>"


def _link(href: str, text: str) -> str:
    return f'<a href="{escape(href)}">{_text(text)}</a>'


def _text(value: str) -> str:
    return escape(value)


def _time(ms: int) -> str:
    return timestamp(ms)[:19].replace("T", " ")
