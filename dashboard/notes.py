"""Notes of people, in Markdown: rendered without HTML of theirs, and cleaned all the same.

markdown-it reads it with HTML off; nh3 lets through what text is made of: no picture, which could
tell others who reads, no style, no address but web and mail.
"""

from functools import cache

import nh3
from markdown_it import MarkdownIt
from markupsafe import Markup

_TAGS = {
    *("p", "br", "hr", "em", "strong", "s", "code", "pre", "blockquote", "a"),
    *("ul", "ol", "li", "h1", "h2", "h3", "h4", "h5", "h6"),
    *("table", "thead", "tbody", "tr", "th", "td"),
}


@cache
def _reader() -> MarkdownIt:
    made = MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"])
    return made.disable("image")


def markdown(text: str) -> Markup:
    """The note as HTML that is safe to show; its links are nobody's recommendation."""
    cleaned = nh3.clean(
        _reader().render(text),
        tags=_TAGS,
        attributes={"a": {"href", "title"}, "ol": {"start"}},
        url_schemes={"http", "https", "mailto"},
        link_rel="noopener noreferrer nofollow ugc",
    )
    return Markup(cleaned)  # noqa: S704  (cleaned by nh3)
