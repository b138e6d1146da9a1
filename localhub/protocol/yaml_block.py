"""YAML from strangers, read as the part of YAML that JSON can say, at a cost that follows its length.

Aliases, anchors and merge keys are refused, since a few hundred bytes of them unfold to gigabytes; so are tags, deep
nesting, and long numbers, which cost the square of their length. The text is walked as events first, and only built
into values once nothing in it was refused.
"""

import json
import math
import re
from datetime import date
from typing import Any

import yaml

MAX_DEPTH = 32
MAX_NODES = 10_000
MAX_NUMBER_BITS = 256
MAX_NUMBER_LENGTH = 80
_MAX_MESSAGE = 300
_MERGE = "<<"

_NUMBER_OR_TIME = re.compile(r"[-+]?0x[0-9a-fA-F_]*|[-+]?0b[01_]*|[-+.0-9][-+.:_0-9eETtZ \t]*")
"""What YAML 1.1 may take for an integer, a float or a time, and more than that; at a cost that follows its length."""

_SafeLoader: type[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # PyYAML may have been built without libyaml


class _Loader(_SafeLoader):  # type: ignore[misc]
    """Builds values of mappings with text keys: numbers as keys can be chosen so that all have the same hash."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[str, Any]:  # noqa: FBT001, FBT002
        """As PyYAML's, which calls it.

        Raises:
            ConstructorError: a key is a list or a mapping.
        """
        built = {}
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise yaml.constructor.ConstructorError(None, None, "a key is no scalar", key.start_mark)
            built[_key(self.construct_object(key))] = self.construct_object(value, deep=deep)
        return built


class BlockError(Exception):
    """The text is no YAML, or more of YAML than is read here; the message is meant for its writer."""


def read_block(text: str) -> Any:
    """The one document of `text` as dicts with text keys, lists, texts, finite numbers, booleans and None.

    Times become texts in ISO form, and infinite numbers None, as JavaScript's JSON has them.

    Raises:
        BlockError: no YAML, or one with aliases, merge keys, tags, more than `MAX_DEPTH` levels or `MAX_NODES` values,
            or numbers longer than `MAX_NUMBER_LENGTH` characters.
    """
    try:
        _refuse_costly(text)
        return _plain(yaml.load(text, Loader=_Loader))  # noqa: S506 - a SafeLoader in either case
    except yaml.YAMLError as error:
        raise BlockError(f"bad yaml: {error}"[:_MAX_MESSAGE]) from error
    except (ValueError, OverflowError) as error:  # what looks like a number or a time and is none
        raise BlockError(f"bad yaml: {error}"[:_MAX_MESSAGE]) from error


def _refuse_costly(text: str) -> None:
    depth = nodes = 0
    for event in yaml.parse(text, Loader=_Loader):
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None) is not None:
            raise BlockError("bad yaml: anchors and aliases (& and *) are not allowed here")
        if isinstance(event, yaml.NodeEvent):
            nodes += 1
            _refuse_special(event)
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > MAX_DEPTH:
            raise BlockError(f"bad yaml: more than {MAX_DEPTH} levels of nesting")
        if nodes > MAX_NODES:
            raise BlockError(f"bad yaml: more than {MAX_NODES} values")


def _refuse_special(event: yaml.NodeEvent) -> None:
    tag = getattr(event, "tag", None)
    if tag not in {None, "!"}:
        raise BlockError("bad yaml: tags (!) are not allowed here")
    if not isinstance(event, yaml.ScalarEvent) or not event.implicit[0]:  # no scalar, or one in quotes
        return
    if event.value == _MERGE:
        raise BlockError(f"bad yaml: merge keys ({_MERGE}) are not allowed here")
    if len(event.value) > MAX_NUMBER_LENGTH and _NUMBER_OR_TIME.fullmatch(event.value):
        raise BlockError(
            f"bad yaml: numbers and times of more than {MAX_NUMBER_LENGTH} characters are not allowed here; a text is "
            "put in quotes"
        )


def _plain(value: object) -> Any:
    match value:
        case dict():
            return {key: _plain(item) for key, item in value.items()}
        case list():
            return [_plain(item) for item in value]
        case None | bool() | str():
            return value
        case float():
            return value if math.isfinite(value) else None
        case int() if value.bit_length() <= MAX_NUMBER_BITS:
            return value
        case date():  # a datetime is a date too
            return value.isoformat()
        case _:
            raise ValueError(f"a value that is too large or of an unknown kind ({type(value).__name__})")


def _key(key: object) -> str:
    plain = _plain(key)
    return plain if isinstance(plain, str) else json.dumps(plain)
