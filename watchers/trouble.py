"""What a node may answer instead of an answer, in words that every column can hold."""


def printable(text: str) -> str:
    """Return the text without what a column, a log line or a terminal cannot hold.

    Nodes and contracts choose their words: a merchant's own contract may put a NUL into the reason
    why it reverted.
    """
    return "".join(letter if letter.isprintable() else " " for letter in text)


class _InWords(Exception):
    """A reason that may hold somebody else's words."""

    def __init__(self, reason: str = "") -> None:
        super().__init__(printable(reason))


class Incomplete(_InWords):
    """The node does not know (yet): absent, empty, short or contradictory answers. Ask again."""


class Untraced(Incomplete):
    """The node has the block, and does not tell how its transactions ran."""


class NodeUnavailable(_InWords):
    """The node did not answer in time or not in its protocol. The world's fault: retry."""


class WrongChain(Exception):
    """The node serves another chain than the configuration pins. Never retried."""


class Refused(_InWords):
    """The chain cannot carry this payout as it stands (no funds for it, no such token account)."""


class BroadcastRejected(_InWords):
    """The node declined the bytes. It proves nothing about whether they land."""
