"""The frame of every page for payers, and the page that says why there is nothing to show. Pure.

No style of its own stands in it and no script but the one that follows an open invoice, so the
strictest content policy fits.
"""

from gateway.checkout.following import Following, script, without_script
from gateway.checkout.html import Child, Html, document, tag


def problem_page(title: str, detail: str, *, css: str) -> Html:
    """Return a page that says why there is nothing to show."""
    body = tag("section", tag("h1", title), tag("p", detail), class_="status invalid")
    return frame(title, body, css=css)


def frame(
    title: str,
    body: Child,
    *,
    css: str,
    color: str | None = None,
    following: Following | None = None,
) -> Html:
    """Put a body into the page's frame; `color` is the sheet of the merchant's own colour.

    With `following` the page brings itself up to date.
    """
    page, status = (following.page, following.status) if following else (None, None)
    return document(
        head=(
            tag("meta", charset="utf-8"),
            tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
            tag("meta", name="robots", content="noindex, nofollow"),
            tag("meta", name="color-scheme", content="light dark"),
            without_script(following) if following else None,
            tag("title", title),
            tag("link", rel="icon", href="data:,"),
            tag("link", rel="stylesheet", href=css),
            tag("link", rel="stylesheet", href=color) if color else None,
        ),
        body=(
            tag("main", body, data_page=page, data_status=status),
            script() if following else None,
        ),
    )
