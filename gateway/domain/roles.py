"""What people may do: fixed sets of scopes per role, and per role in a merchant's team."""

from typing import Literal

from gateway.domain.actor import MERCHANT_SCOPES, OPERATOR_SCOPES

ADMIN = "ADMIN"
OPERATOR = "OPERATOR"
MERCHANT = "MERCHANT"
OWNER = "owner"
HouseRole = Literal["ADMIN", "OPERATOR"]
TeamRole = Literal["owner", "manager", "developer", "accountant", "viewer"]

TEAM_SCOPES = frozenset({"team:read", "team:write"})
"""Only people have these: a key that invited somebody would outlive its own limits."""
HOUSE_SCOPES = frozenset({"people:read", "people:write"})
"""Likewise, for the operator's own people."""

_READING = frozenset(scope for scope in MERCHANT_SCOPES if scope.endswith(":read")) - {
    "audit:read"  # it tells of colleagues, and from where they come
}
_SELLING = frozenset({"customers:write", "invoices:write", "subscriptions:write"})
_BUILDING = frozenset({"settings:write", "webhooks:write"})
_PAYING = frozenset({"transfers:create", "withdrawals:approve", "withdrawals:create"})
_OF_TEAM_ROLES = {
    OWNER: MERCHANT_SCOPES | TEAM_SCOPES,
    "manager": _READING | _SELLING | _PAYING | {"audit:read", "team:read"},
    "developer": _READING | _SELLING | _BUILDING | {"team:read"},
    "accountant": _READING | {"withdrawals:create"},
    "viewer": _READING,
}
_OF_ROLES = {ADMIN: OPERATOR_SCOPES | HOUSE_SCOPES, OPERATOR: OPERATOR_SCOPES}


def scopes_of(role: str, team_role: str | None) -> frozenset[str]:
    """Return what a person may do; a role that is not known may do nothing."""
    if role == MERCHANT:
        return _OF_TEAM_ROLES.get(team_role or "", frozenset())
    return _OF_ROLES.get(role, frozenset())
