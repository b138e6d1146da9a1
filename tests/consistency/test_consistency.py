"""One truth: what upstream said, what the Hub holds, and all the API says of it, are the same at every commit.

The installation lives over the end of a year, so that hours, days and months roll and are folded.
"""

import re
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from tests.api.process import serving_process
from tests.consistency import doctored
from tests.consistency.asking import Checker, by_sha
from tests.consistency.held import SPECS, held_at
from tests.consistency.life import ONE_SERIES, Life, all_questions, client
from tests.consistency.parsing import JSON, PARSERS, epoch_ms
from tests.consistency.replaying import Replica
from tests.faults.hubview import Commit

NOT_ASKED = {
    "/api/hub/revisions", "/api/hub/diff", "/api/hub/stream",  # tested below, each in its own way
    "/api/hub/status", "/api/hub/health", "/api/health", "/metrics",  # how things are
    "/api/hub/errors", "/api/hub/snippets", "/binance/api/v3/ping", "/binance/api/v3/time", "/coingecko/api/v3/ping",
    "/api/hub/listings", "/api/hub/news", "/api/hub/blocks", "/api/hub/network",  # nothing of them is published here
}  # fmt: skip
"""Endpoints that answer no rows of a commit, or not rows alone."""
MOST = "10000"


def shown(problems: Sequence[str]) -> str:
    return f"{len(problems)} disagreements:\n" + "\n".join(problem[:1000] for problem in problems[:20])


def commits(life: Life, name: str) -> list[Commit]:
    """All commits of a dataset that hold rows, oldest first."""
    found = [life.view.commit(SPECS[name], sha) for sha in life.view.history(SPECS[name])]
    return [commit for commit in found if commit.frames]


def test_every_endpoint_is_asked(short: Life) -> None:
    paths = {path for path, operations in short.checker.schema["paths"].items() if "get" in operations}
    asked = {question.path for question in all_questions()}
    of_path = {path: {one for one in asked if re.fullmatch(re.sub("{.*}", "[^/]+", path), one)} for path in paths}
    assert {path for path, found in of_path.items() if found} == paths - NOT_ASKED
    assert set().union(*of_path.values()) == asked


def test_it_lived_through_a_fold_a_gap_and_corrections(life: Life) -> None:
    """Or the other tests prove less than they say."""
    histories = {name: commits(life, name) for name in SPECS}
    paths = {path for history in histories.values() for commit in history for path in commit.frames}
    assert {"data/hours/2025-12-31T22.parquet", "data/2025-12-31.parquet"} <= paths
    assert {"data/1h/days/2025-12-30.parquet", "data/1h/2025-12.parquet"} <= paths
    last = held_at(life.view, life.heads)
    assert {line["healed_at"] is None for line in last.ledger("gaps")} == {False}
    assert {line["column"] for line in last.ledger("corrections")} >= {"close", "trade_count"}
    assert [name for name, history in histories.items() if any(moved_only(name, *pair) for pair in pairwise(history))]


def moved_only(name: str, earlier: Commit, later: Commit) -> bool:
    """Whether a commit put rows into other files, and changed none."""
    return earlier.frames.keys() != later.frames.keys() and earlier.rows(SPECS[name]) == later.rows(SPECS[name])


def test_answers_at_pinned_commits(life: Life) -> None:
    """All formats, endpoints and ways to name a commit; the answers of when it was the newest are still the same."""
    questions, checker = all_questions(), life.checker
    for turn, held in enumerate(life.looked_at):
        for way, pin in enumerate((by_sha, life.by_time(held))):
            checker.ask_all(questions, held, pin=pin, one_in=life.plan.one_in, turn=turn + way)
    assert checker.asked >= 3 * len(life.looked_at) * len(questions)
    assert not checker.disagreements, shown(checker.disagreements)


def test_pages_begun_before_the_roll_go_on_after_it(life: Life) -> None:
    checker = Checker(life.http)
    for begun in life.begun:
        checker.go_on(begun)
    assert checker.asked == len(life.looked_at)
    assert not checker.disagreements, shown(checker.disagreements)


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_another_process_answers_the_same_bytes(long: Life, tmp_path: Path) -> None:
    with serving_process(long.world.hub, tmp_path) as url, client(url, long.world.hub) as http:
        checker = Checker(http, told=dict(long.checker.told))
        for held in long.looked_at:
            checker.ask_all(all_questions(), held, pin=by_sha)
        assert not checker.disagreements, shown(checker.disagreements)


@pytest.mark.parametrize("name", ["all", "reconnected", "market"])
def test_the_stream_applied_is_the_last_commit(life: Life, name: str) -> None:
    """Each commit is told of once, and a fold changes no row."""
    stream, heads = life.streams[name], life.heads
    assert {event.name for event in stream.events} == {"commit"}
    assert len({event.id for event in stream.events}) == len(stream.events)
    problems: list[str] = []
    for dataset, begin in stream.begin.items():
        changes = [event.data for event in stream.events if event.data["dataset"] == dataset]
        history = life.view.history(SPECS[dataset])
        assert [change["to"]["revision"] for change in changes] == history[history.index(begin) + 1 :]
        replica = Replica.of(SPECS[dataset], life.view.commit(SPECS[dataset], begin))
        for change in changes:
            replica.apply(change)
        problems += replica.end(life.view.commit(SPECS[dataset], heads[dataset]))
    assert not problems, shown(problems)


def test_the_stream_of_one_series_applied_is_its_rows(life: Life) -> None:
    stream, spec = life.streams["one series"], SPECS["ohlc"]
    replica = Replica.of(spec, life.view.commit(spec, stream.begin["ohlc"]), only=ONE_SERIES)
    for event in stream.events:
        replica.apply(event.data, skipping=True)
    problems = replica.end(life.view.commit(spec, life.heads["ohlc"]), only=ONE_SERIES)
    assert not problems, shown(problems)


def difference(life: Life, dataset: str, earlier: Commit, later: Commit) -> Any:
    params = {"dataset": dataset, "from": earlier.sha, "to": later.sha, "limit": MOST}
    return life.http.get("/api/hub/diff", params=params).raise_for_status().json()


def problems_of(life: Life, dataset: str, earlier: Commit, later: Commit) -> list[str]:
    """What is wrong with what `/api/hub/diff` says of two commits."""
    replica = Replica.of(SPECS[dataset], earlier)
    replica.apply(difference(life, dataset, earlier, later))
    return replica.end(later)


@pytest.mark.parametrize("dataset", SPECS)
def test_a_difference_applied_is_the_next_commit(life: Life, dataset: str) -> None:
    problems = [problem for pair in pairwise(commits(life, dataset)) for problem in problems_of(life, dataset, *pair)]
    assert not problems, shown(problems)


@pytest.mark.parametrize("dataset", SPECS)
def test_a_difference_over_many_commits_applied_is_the_later_one(life: Life, dataset: str) -> None:
    history = commits(life, dataset)
    folded = {"data/2025-12-31.parquet", "data/1h/2025-12.parquet"}
    roll = next(number for number, commit in enumerate(history) if folded & commit.frames.keys())
    far = [(0, -1), (-1, 0), (roll - 3, roll + 1), (roll + 1, roll - 2), (0, roll)]
    problems = [problem for one, two in far for problem in problems_of(life, dataset, history[one], history[two])]
    assert not problems, shown(problems)


def test_a_difference_over_a_fold_alone_is_empty(life: Life) -> None:
    folds = [
        difference(life, name, *pair)
        for name in SPECS
        for pair in pairwise(commits(life, name))
        if moved_only(name, *pair)
    ]
    assert folds
    assert {tuple(fold["counts"].values()) for fold in folds} == {(0, 0, 0)}


@pytest.mark.parametrize("dataset", SPECS)
def test_revisions_are_the_commits_of_the_hub(life: Life, dataset: str) -> None:
    dated = dict(reversed(life.view.dated(SPECS[dataset]).items()))
    found: list[Any] = []
    while len(found) < len(dated):
        before = {"before": found[-1]["revision"]} if found else {}
        params = {"dataset": dataset, "limit": 7, **before}
        document = life.http.get("/api/hub/revisions", params=params).raise_for_status().json()
        assert document["commits"] == len(dated)
        assert document["revisions"], "the list ends early"
        found += document["revisions"]
    assert {one["revision"]: epoch_ms(one["at"]) for one in found} == dated
    assert [one["revision"] for one in found] == list(dated)
    assert document["refs"] == {"main": next(iter(dated))}


def test_what_upstream_said_is_what_the_hub_holds(life: Life) -> None:
    findings = life.world.findings(every=life.plan.compare_every)
    assert findings.clean, str(findings)


def earlier(life: Life) -> dict[str, str]:
    """The commits looked at first, by those looked at last."""
    first, last = (held.revisions for held in (life.looked_at[0], life.looked_at[-1]))
    return {last[name]: first[name] for name in SPECS}


@pytest.mark.parametrize("media_type", PARSERS)
def test_a_format_that_answers_of_another_commit_is_named(short: Life, media_type: str) -> None:
    questions = [
        one for one in all_questions() if one.path == "/api/hub/market" and not one.params.keys() - {"columns"}
    ]
    exchange = doctored.of_other_commits(earlier(short), media_type=media_type)
    with doctored.doctored(short, exchange) as checker:
        checker.ask_all(questions, short.looked_at[-1], pin=by_sha)
    assert checker.disagreements
    assert [told for told in checker.disagreements if f" as {media_type}" not in told] == []


def test_each_answer_of_another_commit_is_named(short: Life) -> None:
    first, last = short.looked_at[0], short.looked_at[-1]
    with doctored.doctored(short, doctored.of_other_commits(earlier(short))) as checker:
        for question in all_questions():
            before = len(checker.disagreements)
            checker.ask_all([question], last, pin=by_sha, one_in=100, turn=50)
            is_other = question.expected(first) != question.expected(last)
            assert (len(checker.disagreements) > before) == is_other, str(question)


@pytest.mark.parametrize(
    ("exchange", "said"),
    [
        (doctored.without_pages, "and should be"),
        (doctored.other_when_compressed, "another body with gzip"),
        (doctored.never_unchanged, "If-None-Match: 200"),
        (doctored.of_an_unnamed_commit, "X-Revision names"),
        (doctored.with_another_format, "as text/new: "),
    ],
)
def test_what_is_wrong_with_http_is_named(short: Life, exchange: doctored.Exchange, said: str) -> None:
    questions = [one for one in all_questions() if one.path == "/api/hub/market" and "limit" in one.params]
    with doctored.doctored(short, exchange) as checker:
        checker.ask_all(questions[:1], short.looked_at[-1], pin=by_sha)
    assert [told for told in checker.disagreements if said in told], shown(checker.disagreements)


def test_other_bytes_for_the_same_rows_are_named(short: Life) -> None:
    question, held = all_questions()[0], short.looked_at[-1]
    told = {key: [page.replace(b"[{", b"[ {") for page in pages] for key, pages in short.checker.told.items()}
    checker = Checker(short.http, told=told)
    checker.ask_all([question], held, pin=by_sha, one_in=100, turn=50)
    assert [line for line in checker.disagreements if f"as {JSON}" in line and "other bytes" in line]


def test_a_page_that_goes_on_at_another_commit_is_named(short: Life) -> None:
    begun = replace(short.begun[0], held=short.looked_at[-1])
    checker = Checker(short.http)
    with pytest.raises(AssertionError, match="X-Revision names"):
        checker.go_on(begun)
