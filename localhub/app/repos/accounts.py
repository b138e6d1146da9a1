"""Endpoints that are about no repository: who am I, and is this card all right."""

from starlette.responses import JSONResponse, Response

from localhub.app.requests import access
from localhub.app.requests.bodies import Body
from localhub.app.requests.endpoints import reads
from localhub.app.requests.site import Call
from localhub.errors import bad_request
from localhub.protocol import shapes
from localhub.protocol.card import NO_METADATA, read_card

_README = Body(max_bytes=1024 * 1024)  # clients send the whole file; only its head is looked at


@reads()
def whoami(call: Call) -> Response:
    """GET /api/whoami-v2."""
    return JSONResponse(shapes.whoami(access.known_caller(call)))


@reads(_README)
def validate_yaml(call: Call) -> Response:
    """POST /api/validate-yaml {content, repoType}."""
    content = call.json().get("content")
    if not isinstance(content, str):
        raise bad_request("`content` is a text")
    card = read_card(content)
    if card.error is not None:
        return JSONResponse({"errors": [{"message": card.error}], "warnings": []}, 400)
    return JSONResponse({"errors": [], "warnings": [] if card.data else [{"message": NO_METADATA}]})
