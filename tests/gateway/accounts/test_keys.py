"""The text of a key."""

from hypothesis import given
from hypothesis import strategies as st

from gateway.accounts.keys import hashed, is_well_formed, new_key, shown

SECRETS = st.binary(min_size=32, max_size=32)


@given(SECRETS, st.booleans())
def test_a_new_key_is_well_formed(randomness: bytes, livemode: bool) -> None:
    """57 characters whatever the randomness, with the mode in front."""
    key = new_key(randomness, livemode=livemode)
    assert len(key) == 57
    assert key.startswith("gw_live_" if livemode else "gw_test_")
    assert is_well_formed(key)
    assert len(shown(key)) == 12


@given(SECRETS, st.integers(8, 56), st.sampled_from("0aZ"))
def test_a_typing_error_is_noticed(randomness: bytes, place: int, character: str) -> None:
    """Any one character changed breaks the checksum."""
    key = new_key(randomness, livemode=False)
    changed = key[:place] + character + key[place + 1 :]
    assert is_well_formed(changed) == (changed == key)


@given(SECRETS, SECRETS)
def test_different_randomness_is_a_different_key(one: bytes, other: bytes) -> None:
    """Nothing of the 256 bits is lost."""
    keys = {new_key(one, livemode=False), new_key(other, livemode=False)}
    assert len(keys) == len({one, other})


def test_the_mode_is_part_of_the_checksum() -> None:
    """A test key with a live prefix is not a key."""
    key = new_key(bytes(range(32)), livemode=False)
    assert not is_well_formed(key.replace("gw_test_", "gw_live_"))


def test_what_is_stored_depends_on_the_pepper() -> None:
    """Without the pepper the database's column says nothing."""
    key = new_key(bytes(32), livemode=False)
    assert hashed("a", key) != hashed("b", key)
    assert len(hashed("a", key)) == 32
