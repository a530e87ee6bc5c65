"""The guards, each with the change that takes it away and the tests that must notice."""

from tests.mutations.guards_approvals import APPROVALS
from tests.mutations.guards_asking import ASKING
from tests.mutations.guards_audit import AUDIT
from tests.mutations.guards_beside import BESIDE
from tests.mutations.guards_clauses import CLAUSES
from tests.mutations.guards_clock import CLOCKS
from tests.mutations.guards_contract import CONTRACT
from tests.mutations.guards_credits import CREDIT_GUARDS
from tests.mutations.guards_custody import CUSTODY
from tests.mutations.guards_customers import CUSTOMERS
from tests.mutations.guards_decoding import DECODING
from tests.mutations.guards_door import DOOR
from tests.mutations.guards_dust import DUST
from tests.mutations.guards_engine import ENGINE
from tests.mutations.guards_explained import EXPLAINED
from tests.mutations.guards_factors import FACTORS
from tests.mutations.guards_failing import FAILING_GUARDS
from tests.mutations.guards_fresh_reading import FRESH_READING
from tests.mutations.guards_group import GROUPS
from tests.mutations.guards_hostile import HOSTILE
from tests.mutations.guards_http import HTTP_GUARDS
from tests.mutations.guards_invoices import INVOICES
from tests.mutations.guards_lean import LEANING
from tests.mutations.guards_liars import LIARS
from tests.mutations.guards_lists import LISTS
from tests.mutations.guards_merchants import MERCHANTS
from tests.mutations.guards_merge import MERGE
from tests.mutations.guards_money import MONEY
from tests.mutations.guards_notifications import NOTIFYING
from tests.mutations.guards_operation import OPERATION
from tests.mutations.guards_options import OPTION_GUARDS
from tests.mutations.guards_paying import PAYING_GUARDS
from tests.mutations.guards_payouts import PAYOUT_GUARDS
from tests.mutations.guards_people import PEOPLE
from tests.mutations.guards_places import PLACES
from tests.mutations.guards_recall import RECALLS
from tests.mutations.guards_referrals import REFERRALS
from tests.mutations.guards_reopening import REOPENING
from tests.mutations.guards_requests import REQUESTS
from tests.mutations.guards_rescans import RESCANS
from tests.mutations.guards_sealed import SEALED_GUARDS
from tests.mutations.guards_second_reading import SECOND_READING
from tests.mutations.guards_siblings import SIBLINGS
from tests.mutations.guards_sweeps import SWEEPS
from tests.mutations.guards_third_reading import THIRD_READING
from tests.mutations.guards_trips import TRIP_GUARDS
from tests.mutations.guards_turning import TURNS
from tests.mutations.guards_webhooks import WEBHOOKS

MUTATIONS = (
    *APPROVALS,
    *ASKING,
    *AUDIT,
    *BESIDE,
    *CLAUSES,
    *CLOCKS,
    *CONTRACT,
    *CREDIT_GUARDS,
    *CUSTODY,
    *CUSTOMERS,
    *DECODING,
    *DOOR,
    *DUST,
    *ENGINE,
    *EXPLAINED,
    *FACTORS,
    *FAILING_GUARDS,
    *OPERATION,
    *FRESH_READING,
    *GROUPS,
    *HTTP_GUARDS,
    *HOSTILE,
    *INVOICES,
    *LEANING,
    *LIARS,
    *LISTS,
    *MERCHANTS,
    *MERGE,
    *MONEY,
    *NOTIFYING,
    *OPTION_GUARDS,
    *PEOPLE,
    *PLACES,
    *RECALLS,
    *REFERRALS,
    *REOPENING,
    *REQUESTS,
    *RESCANS,
    *SEALED_GUARDS,
    *SECOND_READING,
    *SIBLINGS,
    *SWEEPS,
    *THIRD_READING,
    *TRIP_GUARDS,
    *TURNS,
    *PAYING_GUARDS,
    *PAYOUT_GUARDS,
    *WEBHOOKS,
)
