"""The login page: plain HTML, no script, nothing loaded."""

import base64
import hashlib
from html import escape
from http import HTTPStatus
from typing import Final

from starlette.responses import HTMLResponse

LOGIN: Final = "/login"
LOGOUT: Final = "/logout"

_STYLE: Final = """
body { font: 16px/1.5 system-ui, sans-serif; color: #1a1d21; background: #f5f6f8; margin: 0; }
main { max-width: 26rem; margin: 12vh auto 0; padding: 2rem; background: #fff; border: 1px solid #d5d9df; }
h1 { font-size: 1.25rem; margin-top: 0; }
label { display: block; font-weight: 600; }
input { box-sizing: border-box; width: 100%; margin: .25rem 0 1rem; padding: .5rem; font: inherit; }
button { padding: .5rem 1.25rem; font: inherit; }
.error { color: #a3161b; font-weight: 600; }
"""
_STYLE_HASH: Final = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
_POLICY: Final = (
    f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_FORM: Final = """
<p>Give the token of this Data Hub's owner: <code>datahub token</code> prints that of the embedded Hub; with an account
of your own it is your <code>HF_TOKEN</code>.</p>
<form method="post" action="{action}">
<input type="hidden" name="next" value="{after}">
<input name="username" value="owner" autocomplete="username" hidden>
<label for="token">Token</label>
<input id="token" name="token" type="password" autocomplete="current-password" required autofocus>
<button>Log in</button>
</form>
"""
_LOGGED_IN: Final = """
<p>You are logged in. <a href="/">Open Dagster</a></p>
<form method="post" action="{action}"><button>Log out</button></form>
"""


def login_form(*, after: str, status: HTTPStatus = HTTPStatus.OK, error: str = "") -> HTMLResponse:
    """The page that asks for the token.

    Args:
        after: path to go to once logged in.
        error: what was wrong with the last try.
    """
    alert = f'<p class="error" role="alert">{escape(error)}</p>' if error else ""
    return _page("Log in to Dagster", alert + _FORM.format(action=LOGIN, after=escape(after)), status)


def logged_in() -> HTMLResponse:
    """The page with the button to log out."""
    return _page("Dagster", _LOGGED_IN.format(action=LOGOUT), HTTPStatus.OK)


def _page(title: str, body: str, status: HTTPStatus) -> HTMLResponse:
    html = (
        f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>{title}</title>\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<style>{_STYLE}</style>\n</head>\n<body>\n<main>\n<h1>{title}</h1>{body}</main>\n</body>\n</html>\n"
    )
    headers = {"content-security-policy": _POLICY, "cache-control": "no-store"}
    return HTMLResponse(html, status_code=status.value, headers=headers)
