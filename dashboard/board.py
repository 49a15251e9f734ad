"""The rows of a matrix as HTML.

Ten thousand squares are too many for a template: each is one string here, of the same parts, with
all that comes from elsewhere escaped.
"""

from html import escape
from urllib.parse import quote

from markupsafe import Markup

from dashboard.matrix import Band, Matrix, Row, Square
from dashboard.words import LETTERS

_NONE = '<td class="none"><span class="hidden">not meant to run</span></td>'


def board(matrix: Matrix, run: int, query: str = "") -> Markup:
    """The table's bodies, a band each. Squares lead to their cell, or to the type's classes."""
    span = len(matrix.columns) + 1
    return Markup("").join(
        Markup(_band(band, run, query, span, named=bool(band.name)))  # noqa: S704  (escaped below)
        for band in matrix.bands
    )


def _band(band: Band, run: int, query: str, span: int, *, named: bool) -> str:
    rows = "".join(_row(row, run, query) for row in band.rows)
    if not named:
        return f"<tbody>{rows}</tbody>"
    word = "row" if len(band.rows) == 1 else "rows"
    head = (
        f'<tr class="band"><th colspan="{span}" scope="rowgroup"><span>{escape(band.name)} '
        f"<small>{len(band.rows)} {word}, {band.passed} of {band.ran} pass</small></span></th></tr>"
    )
    return f"<tbody>{head}{rows}</tbody>"


def _row(row: Row, run: int, query: str) -> str:
    down = escape(_down(row.model_type, run, query))
    model = escape(row.model_type)
    page = f'<a href="/models/{quote(row.model_type)}">{model}</a>'
    if row.model_class is not None:
        page += f" {escape(row.model_class)}"
    squares = "".join(_NONE if each is None else _square(each, run, down) for each in row.squares)
    return f'<tr><th scope="row">{page}</th>{squares}</tr>'


def _down(model_type: str, run: int, query: str) -> str:
    """Where the classes of a type are shown, of those cells that the query means."""
    inner = f"({query}) and model:{model_type}" if query else f"model:{model_type}"
    return f"/matrix?run={run}&q={quote(inner, safe=':')}"


def _square(square: Square, run: int, down: str) -> str:
    verdict = square.verdict
    if square.cell is None:
        href, word = (
            down,
            f'{square.passed}/{square.ran}<span class="hidden"> pass, {verdict}</span>',
        )
    else:
        href, word = f"/cells/{quote(square.cell.id)}?run={run}", str(verdict)
    return (
        f'<td><a class="sq {verdict}" href="{href}" title="{escape(square.title)}">'
        f"<b>{LETTERS[verdict]}</b> {word}</a></td>"
    )
