"""Request bodies about merchants. The limits are those of the database's checks."""

from typing import Annotated

import msgspec
from msgspec import UNSET, UnsetType

Name = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
Email = Annotated[str, msgspec.Meta(pattern=r"^[^@\s]+@[^@\s]+$(?!\n)", max_length=254)]
ExpiryMinutes = Annotated[int, msgspec.Meta(ge=1, le=10_080)]
MonitoringDays = Annotated[int, msgspec.Meta(ge=1, le=365)]
Percent = Annotated[str, msgspec.Meta(pattern=r"^(10|[0-9])(\.[0-9]{1,2})?$(?!\n)")]
"""0 to 10 with at most two decimals; the service checks the upper end.

`(?!\\n)`, because in Python `$` would also match before a last line break.
"""


class CreateMerchant(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """A new merchant; settings that are left out take the house's defaults."""

    name: Name
    email: Email | None = None
    invoice_expiry_minutes: ExpiryMinutes = 60
    monitoring_days: MonitoringDays = 7
    payment_tolerance_percent: Percent = "0.5"


class ChangeMerchant(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """What to change; fields that are left out stay."""

    name: Name | UnsetType = UNSET
    email: Email | UnsetType | None = UNSET
    invoice_expiry_minutes: ExpiryMinutes | UnsetType = UNSET
    monitoring_days: MonitoringDays | UnsetType = UNSET
    payment_tolerance_percent: Percent | UnsetType = UNSET
