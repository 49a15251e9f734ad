"""What `/openapi.json` says beside the routes' types: names, examples, what errors look like."""

from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute

_TOLD = """
Every page has a JSON twin: its address with `.json` (`/index.json` for the overview), with the same
parameters. `/tables/…` are the same things for other programs. Who may read is set by who operates
the dashboard; scripts send a token (`export-matrix token create --scope read`) as a bearer.
An `ETag` is sent with everything: ask again with `If-None-Match`.
"""
#: parameter -> a value that means something in most databases
_EXAMPLES: Mapping[str, object] = {
    "ref": "latest",
    "run": "latest",
    "baseline": "5.22.2",
    "head": "latest",
    "cell_id": "bert/BertModel/forward-dynamic/onnx",
    "cell": "bert/BertModel/forward-dynamic/onnx",
    "model_type": "bert",
    "signature": "s3-0123456789ab",
    "q": "onnx:fail and dynamo:pass",
    "number": 41992,
}
_ERRORS = {
    "400": "A parameter can't be read.",
    "401": "This needs somebody who has signed in, or a token.",
    "403": "Whoever asks may not do this.",
    "404": "Nothing of that name; the message says what there is.",
}
_ERROR = {
    "title": "Error",
    "type": "object",
    "required": ["error"],
    "properties": {"error": {"type": "string", "description": "In a line, with the way out."}},
}


def describe(app: FastAPI) -> None:
    """Have the application describe itself so."""
    app.openapi = lambda: _schema(app)  # type: ignore[method-assign]  # FastAPI's documented way


def _schema(app: FastAPI) -> dict[str, Any]:
    if app.openapi_schema is None:
        made = get_openapi(
            title="Export Matrix",
            version=app.version,
            description=_TOLD.strip(),
            routes=app.routes,
            separate_input_output_schemas=False,
        )
        made.setdefault("components", {}).setdefault("schemas", {})["Error"] = _ERROR
        for path in made["paths"].values():
            for operation in path.values():
                _completed(operation)
        app.openapi_schema = made
    return app.openapi_schema


def _completed(operation: dict[str, Any]) -> None:
    for parameter in operation.get("parameters", ()):
        if parameter["name"] in _EXAMPLES:
            parameter["example"] = _EXAMPLES[parameter["name"]]
    content = {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}
    operation["responses"].pop("422", None)
    for status, told in _ERRORS.items():
        operation["responses"].setdefault(status, {"description": told, "content": content})


def unique_id(route: APIRoute) -> str:
    """Names of operations as those who generate clients want them: that of the function."""
    return route.name


def summary_of(route: APIRoute) -> str:
    """What the returned page is, in a sentence."""
    told = getattr(route.response_model, "__doc__", None) or ""
    if told.startswith(("dict(", "tuple(")) or route.response_model in (dict, None):
        return route.name.replace("_", " ")
    return told.strip().partition("\n")[0].rstrip(".")
