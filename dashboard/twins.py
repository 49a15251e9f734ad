"""The JSON twin of a page: the page's own object, as JSON.

The objects are ours and need no validation, so they are written at once, which is several times as
fast; the schema stays that of the route's return type.
"""

import json
from collections.abc import Callable
from functools import wraps
from typing import Any

import orjson
from fastapi import APIRouter, Response
from fastapi.encoders import jsonable_encoder
from fastapi.routing import APIRoute

from dashboard.openapi import summary_of

_OPTIONS = orjson.OPT_NON_STR_KEYS


def as_json(page: object, *, status: int = 200) -> Response:
    """The object as a response."""
    return Response(written(page), status_code=status, media_type="application/json")


def written(page: object) -> bytes:
    """The object as JSON; what no UTF-8 has, such as half a surrogate pair, is escaped."""
    try:
        return orjson.dumps(page, default=_other, option=_OPTIONS)
    except orjson.JSONEncodeError:
        return json.dumps(jsonable_encoder(page), ensure_ascii=True).encode()


def _other(value: object) -> object:
    if isinstance(value, set | frozenset):
        return sorted(value, key=str)
    raise TypeError(f"{type(value).__name__} is nothing that JSON has")


def with_twins(router: APIRouter) -> APIRouter:
    """The router, whose twins are written at once, and named by what they are."""
    for route in router.routes:
        if isinstance(route, APIRoute) and route.path.endswith(".json"):
            route.summary = route.summary or summary_of(route)
            route.endpoint = _written(route.endpoint)
    return router


def _written(endpoint: Callable[..., Any]) -> Callable[..., Response]:
    @wraps(endpoint)
    def answer(*args: Any, **given: Any) -> Response:  # noqa: ANN401  (whatever the endpoint takes)
        found = endpoint(*args, **given)
        return found if isinstance(found, Response) else as_json(found)

    return answer
