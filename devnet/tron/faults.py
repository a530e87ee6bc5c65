"""What a test makes the node do wrong, and how its operator has set it up."""

from dataclasses import dataclass


@dataclass(slots=True)
class Faults:
    """What the node does wrong on request.

    `paused` stops block production. `refuse` is the code and message that every broadcast gets.
    `swallow` accepts transactions and forgets them. `hold_blocks` keeps each accepted one that
    many blocks outside. `remember_refused` answers the second try of a refused transaction
    with DUP. `blank` lists calls that answer as if nothing were known; `latency_s` delays all.
    `solid_at` keeps the solid block at that height while the head goes on.
    """

    paused: bool = False
    refuse: tuple[str, str] | None = None
    swallow: bool = False
    hold_blocks: int = 0
    remember_refused: bool = False
    blank: frozenset[str] = frozenset()
    latency_s: int | float = 0
    solid_at: int | None = None


@dataclass(slots=True)
class Settings:
    """How the node is configured: `save_internal` is java-tron's `vm.saveInternalTx`.

    Without it the inner transfers of what executes from then on are in no answer.
    """

    save_internal: bool = True
