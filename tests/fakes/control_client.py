"""The caller's side of a fake's control door, for fakes that run in another process."""

import json
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from tests.fakes.upstream import DOOR


class Door:
    """Commands for the fake that listens at `url`: `Door(url).call("fail", kind="dropped", times=2)`."""

    def __init__(self, url: str) -> None:
        self._url = url.rstrip("/")

    def call(self, command: str, **details: Any) -> Any:
        """Run a command of the fake and give back its result.

        Raises:
            ValueError: the fake does not know the command or its arguments; the message is the fake's.
        """
        url = f"{self._url}{DOOR}{command}"
        request = Request(url, data=json.dumps(details).encode(), method="POST")  # noqa: S310 - a loopback URL
        try:
            with urlopen(request, timeout=10) as answer:  # noqa: S310 - a loopback URL
                return json.loads(answer.read())["result"]
        except HTTPError as error:
            with error:
                raise ValueError(json.loads(error.read())["error"]) from None
