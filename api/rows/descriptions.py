"""What a request for rows is answered from, said without selecting its rows."""

from functools import partial
from typing import Any

from litestar import Request

from api.caching.answers import Answers
from api.caching.descriptions import Description
from api.engine.engine import Engine
from api.engine.selection.select import check_filters
from api.http.form import choose_form
from api.rows.queries import Asked


async def describe_rows(request: Request[Any, Any, Any], engine: Engine, asked: Asked) -> Description:
    """The commit of a request for rows, which knows the values of its filters.

    Raises:
        ApiError, HubError: said by name.
    """
    form = choose_form(request, asked.form)
    dataset = engine.dataset(asked.rows.dataset)
    commit = await dataset.commit(asked.choice)
    check = partial(check_filters, await dataset.at(commit), asked.rows)
    await Answers.of(request.app).threads.large(request.receive, check)
    return Description(commit.sha, media_type=form.format.media_type)
