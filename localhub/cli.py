"""The command line: serve, gc, token. Options and output."""

import argparse
import logging
import os
import shlex
import sys
from collections.abc import Callable, Iterable, Sequence
from http import HTTPStatus
from pathlib import Path

from datahub_system.files.private import check_folder
from datahub_system.interpreter import leave_out_pandas
from datahub_system.net.log_limit import limit_repeats
from datahub_system.terminal import print_what_can_be
from localhub.errors import LocalHubError
from localhub.store import accounts
from localhub.store.accounts import Role, owner_token
from localhub.store.collect import DEFAULT_GRACE_S, collect
from localhub.store.disk.space import GIB
from localhub.store.home import DATABASE, Home, HomeInUseError, only_server
from localhub.store.quota import set_quota

DEFAULT_PORT = 7870
_MAX_GIB = 1024**3
_MAX_DAYS = 36_500

_EXAMPLES = """examples:
  python -m localhub serve --home ./hub --port 7870
  python -m localhub token --home ./hub                          print the owner's token
  python -m localhub token --home ./hub --add reader             a read-only token, printed once
  python -m localhub token --home ./hub --add alice --role write a user alice with a namespace of her own
  python -m localhub token --home ./hub --list                   name, user and role of each token made
  python -m localhub token --home ./hub --revoke reader          end it
  python -m localhub gc --home ./hub

then, for any Hugging Face client:
  export HF_ENDPOINT=http://127.0.0.1:7870 HF_TOKEN=$(python -m localhub token --home ./hub)
"""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one command; exits 2 for wrong options, 1 when the command fails."""
    print_what_can_be()
    options = _parser().parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s", stream=sys.stderr)
    limit_repeats()
    run: Callable[[argparse.Namespace], None] = options.run
    try:
        run(options)
    except (LocalHubError, HomeInUseError, OSError, ValueError) as error:
        sys.exit(f"localhub: {error}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="localhub",
        description="A Hugging Face Hub for one machine, offline, in one process.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_serve(commands.add_parser("serve", help="run the Hub until SIGTERM or Ctrl-C"))
    _add_token(commands.add_parser("token", help="print the owner's token; add, list, revoke others"))
    _add_gc(commands.add_parser("gc", help="free what no branch or tag reaches; safe beside a running server"))
    return parser


def _add_home(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--home", type=Path, required=True, metavar="DIR", help="where the Hub keeps everything (created)"
    )


def _add_owner(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--token-file", type=Path, metavar="PATH", help="the owner's token (created; default: DIR/token)"
    )
    parser.add_argument(
        "--owner", default="local", metavar="NAME", help="the user that owns the Hub (default: %(default)s)"
    )


def _add_serve(parser: argparse.ArgumentParser) -> None:
    _add_home(parser)
    _add_owner(parser)
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument(
        "--port", type=int, default=DEFAULT_PORT, help="0 lets the system choose (default: %(default)s)"
    )
    parser.add_argument(
        "--allowed-host",
        action="append",
        default=[],
        metavar="NAME",
        help="a name clients may ask for beside addresses and localhost; repeatable; *.example.com, or * for any",
    )
    parser.add_argument(
        "--quota-gib",
        type=_gibibytes,
        metavar="N",
        help="refuse uploads beyond N GiB below DIR in all (default: no quota, only 1 GiB of free disk is kept)",
    )
    parser.add_argument(
        "--keep-history-days",
        type=_days,
        metavar="N",
        help="drop the history of datasets before the last N days, after a tag for each day (default: keep all)",
    )
    parser.add_argument("--webhook-url", metavar="URL", help="told of every change by POST")
    parser.add_argument("--webhook-secret-env", metavar="NAME", help="environment variable with the webhook's secret")
    parser.set_defaults(run=_serve)


def _gibibytes(text: str) -> int:
    """GiB, as bytes."""
    number = float(text)
    if not 0 < number < _MAX_GIB:
        raise ValueError
    return int(number * GIB)


def _days(text: str) -> int:
    number = int(text)
    if not 1 <= number <= _MAX_DAYS:
        raise ValueError
    return number


def _add_token(parser: argparse.ArgumentParser) -> None:
    _add_home(parser)
    _add_owner(parser)
    action = parser.add_mutually_exclusive_group()
    action.add_argument("--add", metavar="NAME", help="make a token and print it, once")
    action.add_argument("--revoke", metavar="NAME", help="make a token useless")
    action.add_argument("--list", action="store_true", help="names, users and roles of the tokens made")
    parser.add_argument("--role", choices=("read", "write"), default="read", help="for --add (default: %(default)s)")
    parser.add_argument("--user", metavar="NAME", help="for --add: the user it stands for (default: the token's name)")
    parser.add_argument(
        "--revoke-with", metavar="COMMAND", help="for --add: the command to name when there is such a token already"
    )
    parser.set_defaults(run=_token)


def _add_gc(parser: argparse.ArgumentParser) -> None:
    _add_home(parser)
    parser.add_argument(
        "--grace-s",
        type=float,
        default=DEFAULT_GRACE_S,
        metavar="SECONDS",
        help="spare content touched more recently: its commit may be on the way (default: %(default)s)",
    )
    parser.set_defaults(run=_gc)


def _serve(options: argparse.Namespace) -> None:
    leave_out_pandas()
    from localhub.server import serve  # noqa: PLC0415 - gc and token need no web server
    from localhub.webhook import Webhook  # noqa: PLC0415

    webhook = None
    if options.webhook_url is not None:
        secret = None
        if options.webhook_secret_env is not None:
            secret = os.environ.get(options.webhook_secret_env)
            if not secret:
                raise ValueError(f"--webhook-secret-env: the variable {options.webhook_secret_env} is not set")
        webhook = Webhook(options.webhook_url, secret=secret)
    _set_quota(options.home, options.quota_gib)
    serve(
        options.home,
        host=options.host,
        port=options.port,
        owner=options.owner,
        token_file=_token_file(options),
        allowed_hosts=options.allowed_host,
        webhook=webhook,
        keep_history_days=options.keep_history_days,
    )


def _set_quota(path: Path, quota_bytes: int | None) -> None:
    with only_server(path):  # a quota is for the server about to start, not for one that runs
        home = Home(path)
        try:
            with home.database.write() as con:
                set_quota(con, quota_bytes)
        finally:
            home.close()


def _token(options: argparse.Namespace) -> None:
    if (options.list or options.revoke is not None) and not _is_there(options.home):
        if options.revoke is not None:
            raise ValueError(_no_token(options.revoke, ()))
        return
    home = Home(options.home)
    try:
        if options.add is not None:
            _print(_made_token(home, options))
        elif options.revoke is not None:
            _revoke_token(home, options.revoke)
        elif options.list:
            with home.database.read() as con:
                for known in accounts.all_tokens(con):
                    _print(f"{known.token_name}\t{known.user}\t{known.role}")
        else:
            _print(owner_token(_token_file(options)))
    finally:
        home.close()


def _made_token(home: Home, options: argparse.Namespace) -> str:
    """A new token as the options say; a name that is taken is refused with the command that frees it."""
    role: Role = options.role
    if options.user is None and options.add == options.owner:
        raise ValueError(
            f"'{options.add}' is the owner of this Hub: a token of that name would stand for the owner, "
            "not for a client. Choose another name"
        )
    try:
        with home.database.write() as con:
            return accounts.add_token(con, name=options.add, user=options.user or options.add, role=role)
    except LocalHubError as error:
        if error.status is not HTTPStatus.CONFLICT:
            raise
        own = (sys.executable, "-m", "localhub", "token", "--home", str(options.home), "--revoke", options.add)
        raise ValueError(f"{error}. To end it: {options.revoke_with or shlex.join(own)}") from error


def _revoke_token(home: Home, name: str) -> None:
    with home.database.write() as con:
        if not accounts.revoke_token(con, name):
            raise ValueError(_no_token(name, [token.token_name for token in accounts.all_tokens(con)]))


def _no_token(name: str, known: Iterable[str]) -> str:
    return f"there is no token '{name}'; there are: {', '.join(dict.fromkeys(known)) or 'none'}"


def _is_there(home: Path) -> bool:
    """Whether a Hub was ever kept there: to look for its tokens makes none."""
    return check_folder(home) and (home / DATABASE).is_file()


def _gc(options: argparse.Namespace) -> None:
    home = Home(options.home)
    try:
        freed = collect(home.database, home.blobs, grace_s=options.grace_s)
    finally:
        home.close()
    _print(f"removed {freed.commits} commits and {freed.files} files, {freed.bytes} bytes")


def _token_file(options: argparse.Namespace) -> Path:
    given: Path | None = options.token_file
    home: Path = options.home
    return home / "token" if given is None else given


def _print(line: str) -> None:
    sys.stdout.write(f"{line}\n")
