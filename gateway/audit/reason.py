"""Why an operator did what the audit log keeps: what every command with `--reason` asks for."""

from gateway.settings import SettingsError

LENGTH_MAX = 500


def stated(text: str) -> str:
    """Return the reason without blanks around it; raise `SettingsError` for none or a long one."""
    reason = text.strip()
    if not 0 < len(reason) <= LENGTH_MAX:
        raise SettingsError(f"--reason: 1 to {LENGTH_MAX} characters")
    return reason
