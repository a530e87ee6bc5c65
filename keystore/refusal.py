"""The one way to say no: a stable code and a sentence that names the field, without secrets."""


class Refused(Exception):
    """The caller's fault: asking again the same way gets the same answer.

    `code` is part of the wire contract; `message` is for people and names the field.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class Unfit(Exception):
    """The keystore's own files or settings are not usable: one line, and the process stops."""
