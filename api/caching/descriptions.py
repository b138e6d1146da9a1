"""What a query is answered from, and as what, said without answering it.

An endpoint checks a query in its dependency `asked`. One that reads datasets names in its `opt` the function that
describes what is asked; the others answer with JSON that is of no commit.
"""

from dataclasses import dataclass
from typing import Any, Final, Protocol

from litestar import Request

from api.engine.engine import Engine
from api.http.form import JSON

DESCRIBE: Final = "describe"
"""In a handler's `opt`: its `Describe`."""


@dataclass(frozen=True, slots=True)
class Description:
    """What a query would be answered from now: its commits, and the media type of the answer.

    Attributes:
        revision: the commits, as the endpoint takes them; None where the answer is of none.
        compared_to: the commit that of `revision` is compared to.
    """

    revision: str | None = None
    compared_to: str | None = None
    media_type: str = JSON


class Describe(Protocol):
    """Describes what is asked."""

    async def __call__(self, request: Request[Any, Any, Any], engine: Engine, asked: Any) -> Description:
        """The description, of what the handler's dependency `asked` holds.

        Raises:
            ApiError, HubError: as the endpoint does. What only an answer's rows tell is not found out.
        """
