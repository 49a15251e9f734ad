"""What the models of a type take, of all cases that were ever run."""

from collections import defaultdict

from sqlalchemy import Engine, select

from runner.core.modalities import modality
from runner.store.tables import takes


def modalities_of(engine: Engine) -> dict[str, str]:
    """model type -> its modality, `image and text`."""
    found: dict[str, set[str]] = defaultdict(set)
    with engine.connect() as connection:
        for model_type, kind in connection.execute(select(takes)):
            found[model_type].add(kind)
    return {model_type: modality(kinds) for model_type, kinds in found.items()}
