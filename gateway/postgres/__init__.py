"""The database server itself: the embedded cluster, its roles, its schema version, its doors."""

from gateway.settings import SettingsError


class Unusable(SettingsError):
    """The database cannot be used as it stands; one line that names the key or the command."""
