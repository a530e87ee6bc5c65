"""What people are written about their accounts. Pure; the token is in the body alone, a secret one."""

from gateway.notifications import Message

_TAIL = "\n\nIf this was not you, somebody else may know your password: change it.\n"


def reset_letter(email: str, merchant_id: str | None, token: str, page_url: str) -> Message:
    """Tell how to set a new password."""
    body = (
        "Somebody, probably you, has forgotten the password of your account.\n"
        f"Within one hour it can be set anew with this:\n\n{shown('reset', token, page_url)}\n\n"
        "If it was not you, do nothing.\n"
    )
    return Message(
        merchant_id, email, "person.password_reset", "Set a new password", body, secret=True
    )


def proof_letter(email: str, merchant_id: str | None, token: str, page_url: str) -> Message:
    """Ask whoever reads this mailbox to say so."""
    body = (
        "This address was given for an account. If that was you, say so within one day:\n\n"
        f"{shown('verify', token, page_url)}\n\nIf it was not you, do nothing.\n"
    )
    return Message(
        merchant_id, email, "person.email_proof", "Is this your address?", body, secret=True
    )


def password_letter(email: str, merchant_id: str | None, sessions: str) -> Message:
    """Tell that the password is another."""
    body = f"The password of your account was changed, and {sessions} ended.{_TAIL}"
    return Message(
        merchant_id, email, "person.password_changed", "Your password was changed", body
    )


def moved_letter(email: str, merchant_id: str | None) -> Message:
    """Tell the old address that it is the account's no more."""
    body = (
        "Your account has another e-mail address from now on; nothing more will come here."
        f"{_TAIL}"
    )
    return Message(merchant_id, email, "person.email_changed", "Your address was changed", body)


def account_letter(email: str, merchant_id: str | None, sentence: str) -> Message:
    """Tell somebody what others did to the account."""
    body = f"{sentence}\n\nIf you did not expect that, ask whoever runs your team.\n"
    return Message(
        merchant_id, email, "person.account_changed", "Your account was changed", body
    )


def shown(purpose: str, token: str, page_url: str) -> str:
    """Return the link to a page of the house, or the token itself where there is no page.

    It stands behind the `#`, which no browser sends and no server logs.
    """
    return f"{page_url}#{purpose}={token}" if page_url else token
