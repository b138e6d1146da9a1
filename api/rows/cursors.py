"""Cursors: where a page ended, at which commit, for which query. Opaque to callers, checked when they come back."""

import base64
import binascii
from dataclasses import dataclass
from typing import Final

import msgspec

from api.engine.selection.positions import Position
from api.http.errors import InvalidCursor
from datahub_assets.domain.hub_files import FULL_SHA

_FORM: Final = 2


class _PackedForm(msgspec.Struct, array_like=True, frozen=True):
    """The beginning of a cursor, the same in all versions."""

    form: int


class _Packed(msgspec.Struct, array_like=True, frozen=True):
    form: int
    sha: str
    query: bytes
    place: Position


@dataclass(frozen=True, slots=True)
class Cursor:
    """The commit's sha, a digest of the query's other parameters, and the last row's place.

    That is its position in the order of pages, or the name of its series where a page holds one row of each.
    """

    sha: str
    query: bytes
    place: Position

    def text(self) -> str:
        """As callers carry it."""
        packed = _Packed(_FORM, self.sha, self.query, self.place)
        return base64.urlsafe_b64encode(msgspec.msgpack.encode(packed)).decode().rstrip("=")

    @classmethod
    def parse(cls, text: str) -> "Cursor":
        """Read one back.

        Raises:
            InvalidCursor: it is not one of ours.
        """
        try:
            raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
            if msgspec.msgpack.decode(raw, type=_PackedForm).form != _FORM:
                raise InvalidCursor("the cursor is of another version of this server; start over without it")
            packed = msgspec.msgpack.decode(raw, type=_Packed)
        except (binascii.Error, ValueError, msgspec.MsgspecError):
            raise InvalidCursor("the cursor is damaged; take it unchanged from the Link header") from None
        if not FULL_SHA.fullmatch(packed.sha):
            raise InvalidCursor("the cursor names no commit; take it unchanged from the Link header")
        return cls(packed.sha, packed.query, packed.place)
