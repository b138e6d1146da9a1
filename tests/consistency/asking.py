"""Asks an API as any client would, and notes where an answer is not what the commit's rows say."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import zip_longest
from typing import Any

import httpx

from tests.consistency.held import Held
from tests.consistency.parsing import ARROW, JSON, PARSERS, Kinds, Row, kinds_of
from tests.consistency.questions import DocumentQuestion, Question, RowsQuestion

SCHEMA = "/schema/openapi.json"
Pin = Callable[[Question, Held], Mapping[str, str]]
"""The parameters by which a question is asked about commits."""


@dataclass(frozen=True)
class Form:
    """How an answer is to be written: its media type, and whether numbers are text."""

    media_type: str
    numbers_as_text: bool = False

    @property
    def params(self) -> dict[str, str]:
        """What is asked beside `Accept`."""
        return {"numbers": "string"} if self.numbers_as_text else {}

    def __str__(self) -> str:
        return self.media_type + " with numbers as text" * self.numbers_as_text


def newest(question: Question, held: Held) -> Mapping[str, str]:
    """Whatever is served now, which the caller has seen to be these commits."""
    del question, held
    return {}


def by_sha(question: Question, held: Held) -> Mapping[str, str]:
    """These commits by name."""
    return question.pinned(held)


def forms_of(schema: Mapping[str, Any], path: str) -> list[Form]:
    """The forms an endpoint's answers have, by the OpenAPI document: a new format is among them by itself."""
    offered = [Form(media_type) for media_type in schema["paths"][path]["get"]["responses"]["200"]["content"]]
    return [*offered, Form(JSON, numbers_as_text=True), Form("text/csv", numbers_as_text=True)]


@dataclass(frozen=True)
class Begun:
    """An answer whose first page somebody has, and not the next ones."""

    question: RowsQuestion
    held: Held
    first: list[Row]
    next_url: str


@dataclass
class Checker:
    """Asks questions and keeps what was told.

    Attributes:
        told: bodies by question, form and commits: asked again, at another time or of another process, they are the
            same bytes.
        disagreements: what is wrong, each with the request and both values.
        asked: how many answers were compared.
    """

    http: httpx.Client
    told: dict[tuple[str, str, str], list[bytes]] = field(default_factory=dict)
    disagreements: list[str] = field(default_factory=list)
    asked: int = 0
    _kinds: dict[str, Kinds] = field(default_factory=dict)
    _compressed: set[tuple[str, str]] = field(default_factory=set)

    @cached_property
    def schema(self) -> dict[str, Any]:
        """The API's OpenAPI document."""
        document: dict[str, Any] = self.http.get(SCHEMA).raise_for_status().json()
        return document

    def ask_all(self, questions: Sequence[Question], held: Held, *, pin: Pin, one_in: int = 1, turn: int = 0) -> None:
        """Ask all these questions about commits.

        Args:
            one_in: of the combinations of questions and forms only one in so many, but each as JSON.
            turn: which ones.
        """
        for number, question in enumerate(questions):
            params = {**question.params, **pin(question, held)}
            if isinstance(question, DocumentQuestion):
                self._ask_document(question, held, params)
            elif isinstance(question, RowsQuestion):
                forms = forms_of(self.schema, question.path)
                chosen = [form for place, form in enumerate(forms) if not (number + place + turn) % one_in]
                self._ask_rows(question, held, params, list(dict.fromkeys([Form(JSON), *chosen])))

    def begin(self, question: RowsQuestion, held: Held) -> Begun:
        """Ask for the first page of what is newest now."""
        kinds = self._kinds_of(question, question.params)
        answer = self._get(_url(question, question.params), JSON)
        return Begun(question, held, PARSERS[JSON](answer.content, kinds), answer.links["next"]["url"])

    def go_on(self, begun: Begun) -> None:
        """Ask for the next pages of what was begun: they are of the same commit."""
        question, held = begun.question, begun.held
        kinds = self._kinds_of(question, question.params)
        pages = [PARSERS[JSON](page, kinds) for page in self._pages(question, held, begun.next_url, JSON)]
        rows = _joined(question, [begun.first, *pages])
        self._compare(f"GET {question}, then {begun.next_url}", question.expected(held), rows)

    def _ask_rows(self, question: RowsQuestion, held: Held, params: Mapping[str, str], forms: Sequence[Form]) -> None:
        expected = question.expected(held)
        for form in forms:
            where = f"GET {question.path} {dict(params)} as {form}"
            try:
                kinds = self._kinds_of(question, params)
                pages = list(self._pages(question, held, _url(question, {**params, **form.params}), form.media_type))
                parsed = [PARSERS[form.media_type](page, kinds) for page in pages]
            except (AssertionError, KeyError, ValueError) as error:
                self.disagreements.append(f"{where}: {type(error).__name__}: {error}")
                continue
            self._remember(question, form, held, pages)
            self._compare(where, expected, _joined(question, parsed))
            sizes = [len(page) for page in parsed]
            if "limit" in params and set(sizes[:-1]) - {int(params["limit"])}:
                self.disagreements.append(f"{where}: pages of {sizes} rows")

    def _ask_document(self, question: DocumentQuestion, held: Held, params: Mapping[str, str]) -> None:
        where = f"GET {question.path} {dict(params)}"
        try:
            (page,) = self._pages(question, held, _url(question, params), JSON)
            found = question.read(json.loads(page))
        except (AssertionError, KeyError, ValueError, TypeError) as error:
            self.disagreements.append(f"{where}: {type(error).__name__}: {error}")
            return
        if not question.path.endswith("/exchangeInfo"):  # tells the time of the answer
            self._remember(question, Form(JSON), held, [page])
        self._compare(where, question.expected(held), found)

    def _pages(self, question: Question, held: Held, first: str, media_type: str) -> Iterator[bytes]:
        """The bodies of all pages from an address on."""
        url: str | None = first
        while url is not None:
            answer = self._get(url, media_type)
            assert answer.headers["content-type"].partition(";")[0] == media_type, answer.headers["content-type"]
            named = {part.rpartition("@")[2] for part in answer.headers["x-revision"].split(",")}
            assert named <= {held.revisions[name] for name in question.datasets}, f"X-Revision names {named}"
            if url == first:
                self._check_validator(question, answer)
            yield answer.content
            url = answer.links.get("next", {}).get("url")

    def _kinds_of(self, question: RowsQuestion, params: Mapping[str, str]) -> Kinds:
        """What the values of an answer's columns are, which is the same at every commit."""
        if str(question) not in self._kinds:
            self._kinds[str(question)] = kinds_of(self._get(_url(question, params), ARROW).content)
        return self._kinds[str(question)]

    def _get(self, url: str, media_type: str, **headers: str) -> httpx.Response:
        answer = self.http.get(url, headers={"Accept": media_type, "Accept-Encoding": "identity", **headers})
        assert answer.is_success or answer.status_code == 304, f"{answer.status_code} {answer.text[:300]}"
        return answer

    def _check_validator(self, question: Question, answer: httpx.Response) -> None:
        """An answer still holds for who has its ETag; and, looked at once, is the same when it comes compressed."""
        tag, url, media_type = answer.headers.get("etag"), str(answer.request.url), answer.request.headers["accept"]
        if tag is None:
            assert answer.headers["cache-control"] == "no-store"
            return
        unchanged = self._get(url, media_type, **{"If-None-Match": tag})
        assert (unchanged.status_code, unchanged.content) == (304, b""), f"If-None-Match: {unchanged.status_code}"
        if (str(question), media_type) not in self._compressed:
            self._compressed.add((str(question), media_type))
            compressed = self._get(url, media_type, **{"Accept-Encoding": "gzip"})
            assert compressed.content == answer.content, "another body with gzip"

    def _remember(self, question: Question, form: Form, held: Held, pages: list[bytes]) -> None:
        revisions = ",".join(held.revisions[name] for name in question.datasets)
        before = self.told.setdefault((str(question), str(form), revisions), pages)
        if before != pages:
            self.disagreements.append(f"GET {question} as {form} at {revisions}: other bytes than the first time")

    def _compare(self, where: str, expected: Any, found: Any) -> None:
        self.asked += 1
        difference = difference_of(expected, found)
        if difference is not None:
            self.disagreements.append(f"{where}: {difference}")


def _url(question: Question, params: Mapping[str, str]) -> str:
    return str(httpx.URL(question.path, params=params))


def _joined(question: RowsQuestion, pages: list[list[Row]]) -> list[Row]:
    return [row for page in (reversed(pages) if question.backward else pages) for row in page]


def difference_of(expected: Any, found: Any, *, at: str = "") -> str | None:
    """Where two values differ first, and both values there; None where they are equal, types included."""
    if isinstance(expected, dict) and isinstance(found, dict):
        names = list(dict.fromkeys((*expected, *found)))
        pairs = [(name, expected.get(name, "nothing"), found.get(name, "nothing")) for name in names]
    elif isinstance(expected, list) and isinstance(found, list):
        pairs = [(number, *pair) for number, pair in enumerate(zip_longest(expected, found, fillvalue="nothing"))]
    elif expected == found and isinstance(expected, bool) == isinstance(found, bool):
        return None
    else:
        return f"{at or 'it'} is {found!r}, and should be {expected!r}"
    return next((told for name, one, two in pairs if (told := difference_of(one, two, at=f"{at}[{name}]"))), None)
