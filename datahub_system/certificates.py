"""Which authorities vouch for a server's certificate: those that a variable names, or else those of the HTTP library.

A proxy that opens TLS has an authority of its own, and people name it in the variable of the program they know best.
The first of `VARIABLES` that is set counts, a file of certificates (PEM) or a folder of them (as OpenSSL's `rehash`
leaves it).
"""

import os
import ssl
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

VARIABLES: Final = ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
"""OpenSSL's own two, which httpx reads; those of requests and of curl."""
_FOLDER: Final = "SSL_CERT_DIR"
_FILE: Final = "SSL_CERT_FILE"


class UnusableCertificates(ValueError):
    """What a variable names cannot be used: the variable, its value, what is wrong and what is valid."""


def check(environ: Mapping[str, str]) -> None:
    """See that what the environment names can be used; nothing is kept.

    Raises:
        UnusableCertificates: it cannot.
    """
    name = _named_in(environ)
    if name is not None:
        _context(name, environ[name])


def tls_context(default: Callable[[], ssl.SSLContext]) -> ssl.SSLContext:
    """The context for connections of this process; `default` makes the one where no variable is set.

    Raises:
        UnusableCertificates: what a variable names cannot be used.
    """
    name = _named_in(os.environ)
    return default() if name is None else _context(name, os.environ[name])


def _named_in(environ: Mapping[str, str]) -> str | None:
    return next((name for name in VARIABLES if environ.get(name, "").strip()), None)


def _context(name: str, value: str) -> ssl.SSLContext:
    try:
        is_folder = Path(value).is_dir()
        if is_folder and name != _FILE:
            next(Path(value).iterdir(), None)  # OpenSSL takes a folder that it may not read for an empty one
            return ssl.create_default_context(capath=value)
        if is_folder or name == _FOLDER:
            there = Path(value).exists()
            why = "it is a folder" if is_folder else "it is no folder" if there else "there is no such folder"
            raise _unusable(name, value, why)
        return ssl.create_default_context(cafile=value)
    except ssl.SSLError as error:
        raise _unusable(name, value, "it holds no certificates in PEM form") from error
    except OSError as error:
        raise _unusable(name, value, (error.strerror or str(error)).lower()) from error


def _unusable(name: str, value: str, why: str) -> UnusableCertificates:
    valid = "a folder of certificates" if name == _FOLDER else "a file of certificates (PEM)"
    shown = "".join(character if character.isprintable() else "?" for character in value)
    return UnusableCertificates(f"{name}={shown}: {why}; it must name {valid} that this user may read, or be unset")
