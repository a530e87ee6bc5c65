"""Which passwords are too easy to guess. Pure; the limits are NIST SP 800-63B's, and a little more."""

import itertools
import re
import unicodedata
from collections.abc import Sequence

from gateway.domain.errors import Invalid

LENGTH_MIN = 12
LENGTH_MAX = 256
_DISTINCT_MIN = 5
_OWN_MIN = 8
"""Characters that must remain when the person's own names are taken out."""
_WORDS = frozenset(
    re.findall(
        r"\w+",
        """
        abc access account admin administrator angel asdfgh autumn azerty backup baseball batman
        bitcoin blockchain changeme charlie cheese chelsea company computer
        correcthorsebatterystaple crypto cryptogateway cryptic dragon ethereum football freedom
        friday gateway guest hello hunter iloveyou internet jesus killer letmein login love
        lovely loveme manager master merchant michael monday monkey mustang mypassword money
        nothing operator pass passphrase passw passwd password passwords payment payments
        pokemon princess purple qazwsx qwer qwerty qwertyuiop qwertz root samsung secret secure
        service shadow solana spring starwars summer sunday sunshine superman support system
        temp temporary test tester testing thisis thisismy topsecret trustno tron trustnoone
        user wallet welcome whatever winter yesterday zxcvbn zxcvbnm
        """,
    )
)
_ROWS = ("1234567890", "qwertyuiop", "asdfghjkl", "zxcvbnm", "qwertzuiop", "azertyuiop")
_LEET = str.maketrans("@4301!|$57+", "aaeolilsstt")
_LETTERS = re.compile(r"[a-z]+")
_TAIL = re.compile(r"[^a-z]+$")


def normalized(password: str) -> str:
    """Return the form that is hashed: the same characters, however a keyboard composes them."""
    return unicodedata.normalize("NFKC", password)


def require_strong(pointer: str, password: str, names: Sequence[str]) -> str:
    """Return the normalized password; refuse a weak one. `names` are the person's own."""
    text = normalized(password)
    if not LENGTH_MIN <= len(text) <= LENGTH_MAX:
        raise Invalid.field(
            pointer,
            "password_length",
            f"a password has {LENGTH_MIN} to {LENGTH_MAX} characters",
        )
    if weakness := _weakness(text.casefold(), names):
        raise Invalid.field(pointer, "password_weak", f"this password {weakness}")
    return text


def _weakness(text: str, names: Sequence[str]) -> str | None:
    if len(set(text)) < _DISTINCT_MIN:
        return "has too few different characters"
    if _predictable(text) * 2 > len(text):
        return "is a sequence"
    if text in (text + text)[1:-1]:
        return "repeats itself"
    if _is_common(text):
        return "is one that many people have"
    if len(_without(text, names)) < _OWN_MIN:
        return "is made of your own names"
    return None


def _predictable(text: str) -> int:
    """Count the characters that follow from the one before: alike, next, or beside it on a row."""
    return sum(
        abs(ord(b) - ord(a)) <= 1 or any(a + b in row or b + a in row for row in _ROWS)
        for a, b in itertools.pairwise(text)
    )


def _is_common(text: str) -> bool:
    """Tell whether nothing is left but common words, with digits and signs around them."""
    for spelled in (text, text.translate(_LEET), _TAIL.sub("", text).translate(_LEET)):
        parts = _LETTERS.findall(spelled)
        if parts and all(_made_of_words(part) for part in parts):
            return True
    return False


def _made_of_words(part: str) -> bool:
    """Tell whether a run of letters can be cut into common words."""
    reachable = {0}
    for end in range(1, len(part) + 1):
        if any(start in reachable and part[start:end] in _WORDS for start in range(end)):
            reachable.add(end)
    return len(part) in reachable


def _without(text: str, names: Sequence[str]) -> str:
    parts = {part for name in names for part in re.split(r"[^\w]+", name.casefold())}
    for part in sorted(parts, key=len, reverse=True):
        if len(part) > 2:
            text = text.replace(part, "")
    return text
