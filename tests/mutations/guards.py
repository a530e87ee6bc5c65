"""The guards, each with the change that takes it away and the tests that must notice."""

from tests.mutations.guards_approvals import APPROVALS
from tests.mutations.guards_contract import CONTRACT
from tests.mutations.guards_custody import CUSTODY
from tests.mutations.guards_customers import CUSTOMERS
from tests.mutations.guards_decoding import DECODING
from tests.mutations.guards_engine import ENGINE
from tests.mutations.guards_factors import FACTORS
from tests.mutations.guards_invoices import INVOICES
from tests.mutations.guards_lean import LEANING
from tests.mutations.guards_merchants import MERCHANTS
from tests.mutations.guards_notifications import NOTIFYING
from tests.mutations.guards_people import PEOPLE
from tests.mutations.guards_referrals import REFERRALS
from tests.mutations.guards_requests import REQUESTS
from tests.mutations.guards_sweeps import SWEEPS

MUTATIONS = (
    *APPROVALS,
    *CONTRACT,
    *CUSTODY,
    *CUSTOMERS,
    *DECODING,
    *ENGINE,
    *FACTORS,
    *INVOICES,
    *LEANING,
    *MERCHANTS,
    *NOTIFYING,
    *PEOPLE,
    *REFERRALS,
    *REQUESTS,
    *SWEEPS,
)
