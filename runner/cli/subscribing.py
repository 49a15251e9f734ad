"""`subscribe`: webhooks of searches."""

import getpass
import json
import secrets
from typing import Annotated

import typer

from runner.cli.console import as_json, err, listed, out
from runner.cli.options import Database, Json, opened
from runner.core.plain import plain
from runner.settings import settings
from runner.steps.subscribing import new_subscription, send
from runner.store.subscriptions import active, one, unsubscribe

app = typer.Typer(help="Webhooks of searches: what came and went.", no_args_is_help=True)

Number = Annotated[int, typer.Argument(min=1, help="The subscription's number.")]


@app.command()
def add(
    url: Annotated[str, typer.Argument(help="Where to: https://host/path.", show_default=False)],
    search: Annotated[str, typer.Argument(help="A search, as one word.", show_default=False)],
    *,
    database: Database = None,
) -> None:
    """Tell an address of a search from now on; the secret of its signatures is told once, here."""
    made = new_subscription(opened(database), url, search, by=getpass.getuser())
    err.print(f"subscription {made.id}; its deliveries are signed with:", markup=False)
    out.print(made.secret, markup=False, soft_wrap=True)


@app.command("list")
def list_(*, as_json_: Json = False, database: Database = None) -> None:
    """List all subscriptions, without their secrets."""
    found = active(opened(database))
    if as_json_:
        names = ("id", "url", "search", "created_at", "created_by", "told_at")
        as_json([{name: getattr(each, name) for name in names} for each in found])
        return
    for each in found:
        told = f"told {each.told_at}" if each.told_at else "told nothing yet"
        listed([plain(f"{each.id}  {each.url}  {each.search}  {told}")])


@app.command()
def remove(number: Number, *, database: Database = None) -> None:
    """Send nothing more, and forget address and secret."""
    unsubscribe(opened(database), number)
    out.print(f"subscription {number} has ended")


@app.command("test")
def try_out(number: Number, *, database: Database = None) -> None:
    """Send a delivery that says nothing, to see whether it is taken."""
    meant = one(opened(database), number)
    body = json.dumps({"type": "test", "data": {"search": meant.search}}).encode()
    status = send(meant, body, message=f"msg_{secrets.token_hex(12)}", here=settings())
    out.print(f"taken, with status {status}")
