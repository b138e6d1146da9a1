"""Keeps Litestar from remembering large queries.

Litestar keeps the last 1,024 query strings in parsed form, without a bound on their size: at the longest query accepted
here that would be more than 100 MB. Parsing again what is small costs microseconds.
"""

from typing import Final

from litestar._kwargs.extractors import create_query_default_dict
from litestar._parsers import parse_query_string

SMALL_BYTES: Final = 1024
FEW_PARAMETERS: Final = 32
"""A query within both may be remembered."""


def forget_queries() -> None:
    """Forget all parsed queries."""
    parse_query_string.cache_clear()
    create_query_default_dict.cache_clear()
