"""What a worker does with one message: load a snapshot, run a statement, word the answer."""

from collections.abc import Callable, Iterator
from typing import Any, Final

import pyarrow as pa

from api.sql.sandbox.limits import SqlLimits
from api.sql.sandbox.worker.error_messages import Failure
from api.sql.sandbox.worker.statement_runner import StatementRunner
from api.sql.sandbox.worker.tables import Snapshots

_RIGHT: Final = (
    "SELECT symbol, date_trunc('hour', moment) AS hour, sum(size) AS size, list(weight) AS weights"
    " FROM warm WHERE symbol = 'a' AND weight > 0 AND moment < '2000-01-01' GROUP BY ALL ORDER BY ALL"
)
_WRONG: Final = "SELECT nothing FROM warm"
_WARM_KEY: Final = "warm"


class Session:
    """The state of a worker: its DuckDB and the snapshots it has mapped."""

    def __init__(self, limits: SqlLimits) -> None:
        self._engine = StatementRunner(limits)
        self._snapshots = Snapshots()

    def answer(
        self, message: dict[str, Any], receive_descriptors: Callable[[int], Iterator[int]]
    ) -> tuple[dict[str, Any], pa.Buffer | None, bool]:
        """The reply to a message, the bytes that go with it, and whether the worker must end after it.

        A message: `sql`, `params`, `flat`, `snapshot` (key) and, if the worker does not know the snapshot yet, `load`:
        its `tables` (see `Snapshots.load`) and `new`, [number, size] of each file whose descriptor follows.
        """
        forgotten: dict[str, Any] = {}
        try:
            if message.get("load") is not None:
                forgotten = self._load(message["snapshot"], message["load"], receive_descriptors)
            answer = self._engine.run(
                message["sql"], message["params"], self._snapshots.tables(message["snapshot"]), flat=message["flat"]
            )
        except Failure as failure:
            return failure.to_wire() | forgotten, None, failure.fatal
        reply = {
            "ok": True,
            "rows": answer.rows,
            "columns": answer.columns,
            "fatal": False,
            "tables": answer.tables,
            "repeatable": answer.repeatable,
            "elapsed_ms": answer.elapsed_ms,
            "bytes": answer.stream.size,
        }
        return reply | forgotten, answer.stream, False

    def seal(self) -> None:
        """Shut DuckDB's ways out. Before it, nothing may be run; after it, nothing can be opened."""
        self._engine.seal()

    def warm_up(self) -> None:
        """Run what statements run, so that all is loaded and every thread started while that is possible.

        Raises:
            Failure: DuckDB does not work here.
        """
        rows = pa.table(
            {"symbol": ["a", "b"], "moment": pa.array([0, 1], pa.timestamp("us", "UTC")), "weight": [1.5, 2.5]}
        )
        rows = rows.append_column("size", pa.array([1, 2], pa.int64()))
        self._snapshots.add(_WARM_KEY, {"warm": rows})
        self._engine.run(_RIGHT, [], self._snapshots.tables(_WARM_KEY))
        try:
            self._engine.run(_WRONG, [], self._snapshots.tables(_WARM_KEY))
        except Failure:
            return

    def _load(
        self, key: str, load: dict[str, Any], receive_descriptors: Callable[[int], Iterator[int]]
    ) -> dict[str, Any]:
        new = [(int(number), int(size)) for number, size in load["new"]]
        descriptors = receive_descriptors(len(new))
        files = ((number, size, descriptor) for (number, size), descriptor in zip(new, descriptors, strict=True))
        try:
            self._snapshots.load(key, load["tables"], files)
        except (OSError, pa.ArrowException, KeyError) as error:
            raise Failure(
                "sql_unavailable", f"a file of the snapshot cannot be read: {type(error).__name__}", fatal=True
            ) from None
        keys, numbers = self._snapshots.forgotten()
        return {"forgotten_snapshots": keys, "forgotten_files": numbers}
