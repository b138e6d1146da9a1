"""The shape of the events that are no difference."""

import msgspec


class Restart(msgspec.Struct, frozen=True):
    """Says to one who follows a dataset that rows must be read anew at this commit: what changed is not known."""

    dataset: str
    revision: str
    reason: str
