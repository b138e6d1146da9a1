"""What tokens look like: those of the Hub, to be taken from a caller, and all, to be cut out of what is shown."""

import re
from typing import Final

from datahub_system.files.client_tokens import PREFIX

_HUB: Final = "hf_|api_org_"
_REST: Final = "[A-Za-z0-9._-]"

TOKEN_FORM: Final = re.compile(f"({_HUB}){_REST}{{8,1000}}".encode())
"""A token that may be asked the Hub about."""
_SHOWN_TOKEN: Final = re.compile(f"({_HUB}|{PREFIX}){_REST}{{8,}}", re.IGNORECASE)


def cut_tokens(text: str) -> str:
    """The text with only the prefix left of whatever looks like a token."""
    return _SHOWN_TOKEN.sub(r"\1…", text)
