"""Links without what tracks their readers, and what an item is known by."""

import hashlib
import re
from typing import Final
from urllib.parse import urlsplit, urlunsplit

from datahub_assets.domain.fields import BadField, shown

_TRACKING: Final = re.compile(
    r"(?:utm_|at_|mc_|pk_|mtm_|hsa_).*|ref|ref_.*|referrer|source_ref|fbclid|gclid|dclid|msclkid|yclid|igshid|cmpid|"
    r"smid|ocid|taid|_hs(?:enc|mi)",
    re.IGNORECASE,
)
_UNFIT: Final = re.compile(r"[\s\x00-\x20\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2060-\u2069\\]")
_LONGEST: Final = 2000
_ID_DIGITS: Final = 20


def link(name: str, value: str | None) -> str:
    """An http(s) link that is there, without tracking parameters and without the part after #."""
    text = (value or "").strip()
    if not text:
        raise BadField(f"{name} is missing: {shown(value)}")
    if len(text) > _LONGEST or _UNFIT.search(text):
        raise BadField(f"{name} is no link: {shown(text)}")
    try:
        parts = urlsplit(text)
        fit = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.username is None
    except ValueError:
        fit = False
    if not fit:
        raise BadField(f"{name} is no http:// or https:// link: {shown(text)}")
    return _untracked(text)


def item_id(source: str, guid: str | None, url: str) -> str:
    """What names an item of a source: the publisher's id without tracking parameters, or its link."""
    known = (guid or "").strip()
    known = _untracked(known) if re.match(r"https?://", known, re.IGNORECASE) else known
    return hashlib.sha256(f"{source}\n{known or url}".encode(errors="replace")).hexdigest()[:_ID_DIGITS]


def _untracked(url: str) -> str:
    try:
        parts = urlsplit(url)
    except ValueError:
        return url
    kept = [one for one in parts.query.split("&") if one and not _TRACKING.fullmatch(one.partition("=")[0])]
    return urlunsplit((parts.scheme, parts.netloc, parts.path, "&".join(kept), ""))
