"""How an open page follows its invoice: by one script of ours, or slowly without any script. Pure.

The script stands in the page as it is in `checkout.js`, and the content policy names its hash: no
other script runs, whatever a merchant's text or a stranger brings in (decision 0032).
"""

from base64 import b64encode
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from pathlib import Path

from gateway.checkout.html import Html, tag

REFRESH_SECONDS = 20
"""Between two loads of the page where there is no script: time enough to select an address."""


@dataclass(frozen=True, slots=True)
class Following:
    """Where the page is asked for again, and where its state is, which costs less."""

    page: str
    status: str


def without_script(following: Following) -> Html:
    """Return what loads the page again in a browser that runs no script."""
    again = f"{REFRESH_SECONDS}; url={following.page}"
    return tag("noscript", tag("meta", http_equiv="refresh", content=again))


def script() -> Html:
    """Return the script; it finds on the page what it has to ask."""
    return tag("script", Html(_source()))


@lru_cache(maxsize=1)
def script_policy() -> str:
    """Return what the content policy says of a page that follows its invoice."""
    digest = b64encode(sha256(_source().encode()).digest()).decode()
    return f"script-src 'sha256-{digest}'; connect-src 'self'"


@lru_cache(maxsize=1)
def _source() -> str:
    return (Path(__file__).parent / "checkout.js").read_text()
