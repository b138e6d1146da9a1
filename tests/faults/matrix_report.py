"""Counts the combinations of the fault matrix and what became of them. A plugin of `tests/conftest.py`: where tests run
in several processes, only what is loaded at the top sees all reports."""

import pytest

COMBINATION = "combination"
"""Property of a test: (rows lost, rows doubled) after recovery."""


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """How many combinations ran, and how many lost or doubled a row."""
    reports = [report for kind in ("passed", "failed") for report in terminalreporter.stats.get(kind, [])]
    outcomes = [
        value
        for report in reports
        if report.when == "call"
        for name, value in report.user_properties
        if name == COMBINATION
    ]
    if outcomes:
        lost, doubled = (sum(1 for outcome in outcomes if outcome[place]) for place in (0, 1))
        terminalreporter.write_line(
            f"fault matrix: {len(outcomes)} combinations ran, {lost} lost a row, {doubled} doubled one"
        )
