"""The guards, each with the change that takes it away and the tests that must notice."""

from tests.mutations.guards_approvals import APPROVALS
from tests.mutations.guards_custody import CUSTODY
from tests.mutations.guards_decoding import DECODING
from tests.mutations.guards_engine import ENGINE
from tests.mutations.guards_lean import LEANING
from tests.mutations.guards_requests import REQUESTS
from tests.mutations.guards_sweeps import SWEEPS

MUTATIONS = (*APPROVALS, *CUSTODY, *DECODING, *ENGINE, *LEANING, *REQUESTS, *SWEEPS)
