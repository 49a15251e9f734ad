"""Takes what GitHub sends: believed by its signature, noted once, and left to workers."""

import json
from enum import Enum

from runner.core.pull.events import body_digest, read_event, signed
from runner.settings import Settings
from runner.store.engine import Engine
from runner.store.pulls import receive


class Taken(Enum):
    """What became of a delivery."""

    QUEUED = "queued"
    SEEN = "seen before"
    IGNORED = "means nothing here"
    FORGED = "the signature is not ours"
    UNREADABLE = "no JSON object"
    CLOSED = "no EXPORT_MATRIX_WEBHOOK_SECRET is set: no webhook is taken"


def take_delivery(  # noqa: PLR0913  (the parts of a delivery)
    engine: Engine, here: Settings, *, name: str, delivery: str, signature: str | None, body: bytes
) -> Taken:
    """Note a delivery and queue what it asks for; nothing of it is read before it is believed."""
    if here.webhook_secret is None:
        return Taken.CLOSED
    if not signed(body, signature, here.webhook_secret.get_secret_value()):
        return Taken.FORGED
    try:
        payload = json.loads(body)
    except (ValueError, RecursionError):
        return Taken.UNREADABLE
    if not isinstance(payload, dict) or not delivery:
        return Taken.UNREADABLE
    event = read_event(name, payload)
    if event is not None and event.repository != here.repository:
        event = None  # an App can be installed by others
    digest = body_digest(body)
    if not receive(engine, delivery=delivery[:100], digest=digest, name=name[:60], event=event):
        return Taken.SEEN
    return Taken.QUEUED if event else Taken.IGNORED
