"""The error tree of the project, each error typed once.

DataHubError
├── SettingsError (Terminal)
├── DatasetInvalid (Terminal)
├── SourceError
│   ├── SourceUnavailable (Transient)   timeout, connection refused, 5xx
│   ├── SourceRateLimited (Transient)   429, 418; carries retry_after_s
│   ├── SourceBlocked (Transient)       403, 451: this host refuses us, another may not
│   ├── SourceMalformed (Transient)     HTML for JSON, truncated body, wrong shape
│   └── SourceRejected (Terminal)       4xx: the request itself is wrong
├── CacheError
│   ├── CacheUnusable (Terminal)        corrupt or not a database
│   ├── CacheBusy (Transient)           another process holds the write lock for too long
│   └── CacheFull (Transient)           no space left
├── StorageFailed (Transient)         this machine's disk: full, gone, or broken
└── HubError
    ├── HubUnavailable (Transient)      timeout, connection refused, 5xx
    ├── HubRateLimited (Transient)      429; carries retry_after_s
    ├── HubBusy (Transient)             409: another commit is in progress
    ├── HubConflict (Transient)         412: the head moved
    ├── HubContentGone (Transient)      400: a commit names content the Hub has dropped
    ├── HubRefused (Terminal)           401, 403: the token may not do this
    ├── HubNotFound (Terminal)          no such repo, revision or file
    └── HubContentInvalid (Terminal)    a file of the dataset cannot be read as what it should be
        └── HubFileDamaged (Terminal)   it is no whole parquet file
"""

from typing import ClassVar


class Transient:
    """Mixin: the same action may succeed later; retry."""


class Terminal:
    """Mixin: retrying cannot help; somebody has to act."""


class DataHubError(Exception):
    """Root of all errors this project raises on purpose. `code` is stable and safe to match on."""

    code: ClassVar[str] = "datahub_error"


class SettingsError(Terminal, DataHubError):
    """A setting has a value that cannot be used; the message names the variable, the value and what is valid."""

    code = "settings_invalid"


class DatasetInvalid(Terminal, DataHubError):
    """A dataset is described in a way that cannot work; one line per fault, which names the dataset."""

    code = "dataset_invalid"


class SourceError(DataHubError):
    """Something about an upstream API."""

    code = "source_error"


class SourceUnavailable(Transient, SourceError):
    """The upstream did not answer in time, refused the connection or answered 5xx."""

    code = "source_unavailable"


class SourceRateLimited(Transient, SourceError):
    """The upstream asks for a pause. `retry_after_s` is its wish in seconds, None when it named none."""

    code = "source_rate_limited"

    def __init__(self, message: str, *, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class SourceBlocked(Transient, SourceError):
    """This host refuses us (403 firewall, 451 region); another host of the same upstream may not."""

    code = "source_blocked"


class SourceMalformed(Transient, SourceError):
    """The body is not what the API documents: HTML, truncated JSON, another shape."""

    code = "source_malformed"


class SourceRejected(Terminal, SourceError):
    """The upstream says that the request itself is wrong (unknown symbol, bad parameter)."""

    code = "source_rejected"


class CacheError(DataHubError):
    """Something about the local SQLite cache."""

    code = "cache_error"


class CacheUnusable(Terminal, CacheError):
    """The cache file is corrupt or not a database; the message says how to rebuild it from the Hub."""

    code = "cache_unusable"


class CacheBusy(Transient, CacheError):
    """Another process held the cache's write lock for longer than the time-out; nothing was written."""

    code = "cache_busy"


class CacheFull(Transient, CacheError):
    """The disk has no room for the write; nothing of it was kept."""

    code = "cache_full"


class StorageFailed(Transient, DataHubError):
    """This machine's disk refused a read or a write: it is full, gone, broken, or not ours to write to."""

    code = "storage_failed"


class HubError(DataHubError):
    """Something about the Hugging Face Hub (or the embedded one)."""

    code = "hub_error"


class HubUnavailable(Transient, HubError):
    """The Hub did not answer in time, refused the connection or answered 5xx."""

    code = "hub_unavailable"


class HubRateLimited(Transient, HubError):
    """The Hub asks for a pause. `retry_after_s` is its wish in seconds, None when it named none."""

    code = "hub_rate_limited"

    def __init__(self, message: str, *, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class HubBusy(Transient, HubError):
    """Another commit to the repo is in progress (409); the head did not move."""

    code = "hub_busy"


class HubConflict(Transient, HubError):
    """The head moved since it was read (412); read it again and merge again."""

    code = "hub_conflict"


class HubContentGone(Transient, HubError):
    """A commit names content that was uploaded before and is not there any more (400); upload it again."""

    code = "hub_content_gone"


class HubRefused(Terminal, HubError):
    """The token may not do this (401, 403)."""

    code = "hub_refused"


class HubNotFound(Terminal, HubError):
    """No such repo, revision or file."""

    code = "hub_not_found"


class HubContentInvalid(Terminal, HubError):
    """A file of a dataset is not what its layout says it is."""

    code = "hub_content_invalid"


class HubFileDamaged(HubContentInvalid):
    """A file of a dataset is no parquet file, or only a part of one; nothing can be read from it."""

    code = "hub_file_damaged"
