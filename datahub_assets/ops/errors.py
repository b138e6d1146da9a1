"""Why `datahub` cannot do what it was asked, each worth its own advice."""

from datahub_assets.domain.errors import DataHubError, Terminal


class OpsError(Terminal, DataHubError):
    """Root of what stops a command before it has begun; the message says what to do."""

    code = "ops_error"


class AlreadyRunning(OpsError):
    """Another `up` holds this home."""

    code = "already_running"


class PortTaken(OpsError):
    """Something else listens where one of our servers should."""

    code = "port_taken"


class NotAgreed(OpsError):
    """The person at the terminal did not agree to public repos."""

    code = "not_agreed"
