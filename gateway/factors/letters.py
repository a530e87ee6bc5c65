"""What people are written about their second factors. Pure."""

from gateway.notifications import Message

SET_UP = "An authenticator app was set up for your account."
REMOVED = "The authenticator app of your account was removed."
NEW_CODES = "Your account has new recovery codes; the ones before them are void."
PASSKEY_ADDED = "A passkey was added to your account."
PASSKEY_REMOVED = "A passkey of your account was removed."
RESET = (
    "An admin removed every second factor of your account, and every session ended. "
    "The password alone opens it until you set one up again."
)
_TAIL = "\n\nIf this was not you, tell whoever runs the gateway at once.\n"


def factor_letter(email: str, merchant_id: str | None, sentence: str) -> Message:
    """Tell that something about the factors is another."""
    return Message(
        merchant_id,
        email,
        "person.factors_changed",
        "Your sign-in was changed",
        sentence + _TAIL,
    )


def guessing_letter(email: str, merchant_id: str | None) -> Message:
    """Warn that somebody got as far as the second factor."""
    body = (
        "Somebody who signed in with your password showed a wrong second factor several times "
        "within an hour.\n\nIf this was not you, change your password now.\n"
    )
    return Message(
        merchant_id,
        email,
        "person.factor_guessed",
        "Is somebody else using your password?",
        body,
    )


def code_used(left: int) -> str:
    """Say that a recovery code is spent."""
    return f"A recovery code of your account was used; {left} are left."
