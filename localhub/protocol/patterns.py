"""git's path patterns over many paths, in a time that follows their length whatever the patterns say.

Python's regular expressions go back and try again: `*a*a*a*a*b` keeps one path busy for hours, and every other request
with it. RE2, which pyarrow brings, never goes back. It is only loaded for patterns with more than one `*` (or very many
of them), since loading pyarrow costs a quarter of a second and the usual `*.parquet` does not need it.
"""

import re
from collections.abc import Iterable, Sequence

from pathspec.patterns.gitignore.spec import GitIgnoreSpecPattern

from localhub.errors import bad_request

MAX_PATTERNS = 1000
MAX_PATTERN_LENGTH = 1024
_FEW = 50_000  # matches to try; from there on also simple patterns go through RE2, which lets other threads run
_FOLDER = "ps_d"  # the group pathspec's expressions have where a folder above the path ends


def matching_paths(paths: set[str], lines: Iterable[str]) -> set[str]:
    """Those of `paths` that the patterns name: the last one that matches decides, `!` before it says no.

    Raises:
        HubError: 400 for too many or too long patterns, or one that is none.
    """
    named: dict[str, tuple[bool, int]] = {}  # path -> (matched, priority): as pathspec's GitIgnoreSpec weighs them
    patterns, ordered = _compiled(lines), sorted(paths)
    linear = len(patterns) * len(ordered) > _FEW
    for pattern in patterns:
        for path, by_folder in _matches(pattern, ordered, linear=linear):
            _, before = named.get(path, (False, 0))
            priority = 1 if by_folder else 2
            if (pattern.include and by_folder) or priority >= before:
                named[path] = (bool(pattern.include), priority)
    return {path for path, (matched, _) in named.items() if matched}


def _compiled(lines: Iterable[str]) -> list[GitIgnoreSpecPattern]:
    texts = [line for line in lines if line.strip() and not line.startswith("#")]
    if len(texts) > MAX_PATTERNS or any(len(text) > MAX_PATTERN_LENGTH for text in texts):
        raise bad_request(f"At most {MAX_PATTERNS} patterns of {MAX_PATTERN_LENGTH} characters")
    try:
        return [pattern for pattern in map(GitIgnoreSpecPattern, texts) if pattern.include is not None]
    except (ValueError, re.error) as error:
        raise bad_request("A pattern of .gitignore or .gitattributes cannot be read") from error


def _matches(pattern: GitIgnoreSpecPattern, paths: Sequence[str], *, linear: bool) -> list[tuple[str, bool]]:
    """The paths a pattern matches, each with whether it matches only a folder above."""
    if pattern.regex is None:
        return []
    if linear or str(pattern.pattern).count("*") > 1:
        return _matches_by_re2(pattern.regex.pattern, paths)
    found = ((path, pattern.regex.search(path)) for path in paths)
    return [(path, bool(match.groupdict().get(_FOLDER))) for path, match in found if match is not None]


def _matches_by_re2(expression: str, paths: Sequence[str]) -> list[tuple[str, bool]]:
    import pyarrow as pa  # noqa: PLC0415 - heavy, and few patterns need it
    import pyarrow.compute as pc  # noqa: PLC0415

    try:
        hits = pa.array(paths, pa.string()).filter(pc.match_substring_regex(pa.array(paths, pa.string()), expression))
        if f"?P<{_FOLDER}>" not in expression:
            return [(path, False) for path in hits.to_pylist()]
        groups = pc.extract_regex(hits, expression).to_pylist()
    except pa.ArrowInvalid as error:
        raise bad_request("A pattern of .gitignore or .gitattributes cannot be read") from error
    return [(path, bool(group[_FOLDER])) for path, group in zip(hits.to_pylist(), groups, strict=True)]
