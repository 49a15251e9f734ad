"""What a model takes, as the names of the inputs of its case tell: text, image, video, audio, …"""

from collections.abc import Iterable

#: a part of an input's name -> what it is; the first that fits counts
_PARTS = {
    "video": "video",
    "pixel": "image",
    "image": "image",
    "input_features": "audio",
    "input_values": "audio",
    "audio": "audio",
    "speech": "audio",
    "past_values": "series",
    "input_ids": "text",
}


def kinds_of(names: Iterable[str]) -> frozenset[str]:
    """What these inputs are; those that only go with others (masks, positions) say nothing."""
    found = (next((kind for part, kind in _PARTS.items() if part in name), None) for name in names)
    return frozenset(kind for kind in found if kind)


def modality(kinds: Iterable[str]) -> str:
    """`audio, image and text`."""
    *first, last = sorted(kinds) or ["not known"]
    return f"{', '.join(first)} and {last}" if first else last
