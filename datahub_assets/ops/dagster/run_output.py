"""Which lines of a run a person sees on the terminal: its own, and why a step ended that did not say so itself."""

import re

# 2026-01-01 00:00:00 +0000 - dagster - INFO - market_prices_job - 1f2e… - market_prices - fetched 250 coins …
_RUN_LINE = re.compile(r" - dagster - (?P<level>DEBUG|INFO|WARNING|ERROR) - \w+ - [0-9a-f-]{36} - (?P<rest>[^\n]*)$")
_EVENT = re.compile(r"\d+ - (?:(?P<step>\S+) - )?(?P<kind>[A-Z_]+) - (?P<text>.*)")
_TROUBLE = re.compile(r"\b(ERROR|CRITICAL)\b")
_TRACE = "Stack Trace:"
_WRAPPED = "Error occurred while executing"
_OUR_OWN = "dagster._core.definitions.events.Failure:"
_SHOWN = 200


def trouble(line: str) -> str | None:
    """The line, if it says that it tells of an error."""
    return line.strip()[:_SHOWN] if _TROUBLE.search(line) else None


class RunLines:
    """A filter for the lines of one process, in their order.

    Dagster writes of a failed step an event, and below it the exception, above its trace. What is one of ours has been
    told by a line of the step's own; anything else is told from here.
    """

    def __init__(self) -> None:
        self._failed: str | None = None
        self._said: list[str] = []

    def __call__(self, line: str) -> str | None:
        """What a person sees of this line, None for nothing."""
        found = _RUN_LINE.search(line)
        if found is not None:
            self._failed = None
            event = _EVENT.match(found["rest"])
            return _own(found["level"], found["rest"]) if event is None else self._of_event(found["level"], event)
        return trouble(line) if self._failed is None else self._of_exception(line.strip())

    def _of_event(self, level: str, event: re.Match[str]) -> str | None:
        """Nothing: an event is Dagster's own account of what a line of ours has said already, but for failures."""
        if level != "ERROR" or not event["kind"].endswith("_FAILURE"):
            return None
        if event["kind"] == "RUN_FAILURE":  # with steps that failed it says nothing new
            return None if "Steps failed" in event["text"] else f"error: {event['text']}"[:_SHOWN]
        self._failed, self._said = event["step"] or event["text"], []
        return None

    def _of_exception(self, line: str) -> str | None:
        """The exception itself, once it is complete: a step's comes below Dagster's own around it."""
        if line != _TRACE:
            if line:
                self._said.append(line)
            return None
        said = self._said[1:] if len(self._said) > 1 and _WRAPPED in self._said[0] else self._said
        failed, self._failed = self._failed, None
        if not said or said[0].startswith(_OUR_OWN):
            return None
        return f"error: {failed} - {said[0]}"[:_SHOWN]


def _own(level: str, rest: str) -> str | None:
    if level == "DEBUG" or not rest:
        return None
    return (rest if level == "INFO" else f"{level.lower()}: {rest}")[:_SHOWN]
