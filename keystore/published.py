"""The policy as others may see it: wire types of the answer to `rules`. No secret is in them."""

from typing import Literal

import msgspec

from keystore.shapes import Class, Purpose, Wire


class PublishedApprover(Wire, frozen=True):
    """A person or a merchant's system that a rule names. `public_key` is hex.

    `subjects` are its ids in the gateway, none where the policy knows none; `subject` is the
    first, or empty.
    """

    name: str
    kind: Literal["key", "passkey"]
    public_key: str
    subject: str
    merchant: str | None
    subjects: list[str] = msgspec.field(default_factory=list)


class PublishedWindow(Wire, frozen=True):
    """A rolling limit in base units, and what the rule let go within it so far."""

    hours: int
    units: str
    spent: str


class PublishedRule(Wire, frozen=True):
    """One rule of the policy. Empty lists mean any; None means no limit.

    `kind` is the rule's class. Fees are in the network's own base units. `destinations` names
    the first 100 of `destinations_count`.
    """

    name: str
    kind: Class
    assets: list[str]
    destinations: list[str]
    destinations_count: int
    sources: list[Purpose]
    units_max: str | None
    window: PublishedWindow | None
    fee_max: str | None
    approvals: int
    approvers: list[PublishedApprover]
    fee_window: PublishedWindow | None = None


class Rules(Wire, frozen=True):
    """Rules in order. Without a policy file `policy` and `rules` are empty.

    `policy` is the file's SHA-256; `more` says that others follow after the last one here.
    """

    policy: str
    rules: list[PublishedRule]
    more: bool
