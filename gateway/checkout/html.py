"""HTML without a template language: every text is escaped unless this module made it."""

from collections.abc import Iterable
from html import escape

VOID = frozenset({"br", "img", "link", "meta"})


class Html(str):
    """Markup that is safe to put into a page as it is."""

    __slots__ = ()


Child = str | None | Iterable["Child"]


def tag(element: str, /, *children: Child, **attributes: str | None) -> Html:
    """Return one element; None drops a child or an attribute, `class_` and `aria_label` work.

    A child that is plain text, and every attribute, is escaped.
    """
    written = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(value)}"'
        for key, value in attributes.items()
        if value is not None
    )
    if element in VOID:
        return Html(f"<{element}{written}>")
    return Html(f"<{element}{written}>{together(children)}</{element}>")


def together(child: Child) -> Html:
    """Return a child, or several after one another, as markup."""
    if child is None:
        return Html("")
    if isinstance(child, str):
        return child if isinstance(child, Html) else Html(escape(child))
    return Html("".join(together(each) for each in child))


def document(*, head: Child, body: Child) -> Html:
    """Return a whole page in English."""
    page = tag("html", tag("head", head), tag("body", body), lang="en")
    return Html(f"<!doctype html>{page}")
