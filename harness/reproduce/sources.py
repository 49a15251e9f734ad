"""Functions of this project as a script has them: the same code, without what only readers need.

A script repeats how weights are made by having the very functions that make them, so that the two
can't come apart.
"""

import ast
import inspect
import textwrap
from collections.abc import Callable
from typing import Any


def plain_source(*functions: Callable[..., Any]) -> str:
    """The functions' code, one after the other: no comments, docstrings or annotations."""
    return "\n\n\n".join(map(_plain, functions))


def _plain(function: Callable[..., Any]) -> str:
    tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and ast.get_docstring(node) is not None:
            node.body = node.body[1:] or [ast.Pass()]
        if isinstance(node, ast.FunctionDef):
            node.returns = None
        if isinstance(node, ast.arg):
            node.annotation = None
    return ast.unparse(tree)
