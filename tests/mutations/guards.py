"""The guards, each with the change that takes it away and the tests that must notice."""

from tests.mutations.guards_decoding import DECODING
from tests.mutations.guards_engine import ENGINE

MUTATIONS = (*DECODING, *ENGINE)
