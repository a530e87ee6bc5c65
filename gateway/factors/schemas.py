"""Request bodies about second factors."""

from typing import Annotated

import msgspec

from gateway.factors.proofs import Code, NewCredential, Shown

Name = Annotated[str, msgspec.Meta(min_length=1, max_length=100)]


class ConfirmTotp(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """The first code of the app that was set up."""

    code: Code


class AddPasskey(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """What the browser made, and how the person calls it."""

    name: Name
    credential: NewCredential


class RenamePasskey(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Another name."""

    name: Name


class StepUp(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Proof that the person is there; see `kinds` of the challenge."""

    proof: Shown
