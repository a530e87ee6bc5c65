"""Guards that a reading clause by clause found missing: invitations, sessions elsewhere, odd answers."""

from tests.mutations.mutation import Mutation

LEAVING = "tests/gateway/people/test_leaving.py"
ELSEWHERE = "tests/gateway/people/test_elsewhere.py"
ONCE = "tests/gateway/http/test_idempotency.py"
VISITORS = "tests/gateway/checkout/test_visitors.py"
CONDITIONS = "tests/gateway/invoices/test_conditions.py"
MARKET = "tests/gateway/worker/test_price_market.py"
INVITATIONS = "gateway/people/invitations.py"
SOURCE = "gateway/prices/source.py"

CLAUSES = (
    Mutation(
        guard="the next invitation to a mailbox ends the one before",
        path=INVITATIONS,
        old='    await replace_letters(desk, merchant_id, str(values["email"]))\n',
        new="",
        tests=(f"{LEAVING}::test_an_older_invitation_is_no_way_back_and_no_choice_of_roles",),
    ),
    Mutation(
        guard="whoever is removed has no invitation left",
        path="gateway/people/service.py",
        old="    await take_back_places(desk, row)\n",
        new="",
        tests=(
            f"{LEAVING}::test_an_older_invitation_is_no_way_back_and_no_choice_of_roles",
            f"{LEAVING}::test_whom_the_house_let_go_has_no_older_invitation_either",
        ),
    ),
    Mutation(
        guard="the house invites nobody beside a team's people",
        path=INVITATIONS,
        old="    if await repository.has_people(desk.session, merchant_id):\n",
        new="    if False:\n",
        tests=(f"{LEAVING}::test_the_house_invites_the_first_one_of_a_team_and_nobody_beside",),
    ),
    Mutation(
        guard="one offer of the house stands at a time",
        path=INVITATIONS,
        old="    await replace_letters(desk, merchant_id, None)\n",
        new="",
        tests=(f"{LEAVING}::test_the_house_invites_the_first_one_of_a_team_and_nobody_beside",),
    ),
    Mutation(
        guard="a session used from elsewhere spends nothing of the person's",
        path="migrations/sql/0007_2_people.sql",
        old="    astray := NOT is_within(source, s.allowed_ips);\n",
        new="    astray := false;\n",
        tests=(f"{ELSEWHERE}::test_a_session_used_from_a_forbidden_address_spends_nothing",),
    ),
    Mutation(
        guard="bytes that are no text are an unreadable answer",
        path=SOURCE,
        old="msgspec.DecodeError, UnicodeDecodeError, ArithmeticError",
        new="msgspec.DecodeError, ArithmeticError",
        tests=(f"{MARKET}::test_whatever_a_source_answers_the_others_make_the_price",),
    ),
    Mutation(
        guard="a price that no column holds is none",
        path=SOURCE,
        old="    if len(price.as_tuple().digits) > DIGITS_MAX:\n",
        new="    if False:\n",
        tests=(f"{MARKET}::test_an_answer_with_a_wrong_entry_is_refused_whole",),
    ),
    Mutation(
        guard="a body that a route does not read means nothing",
        path="gateway/http/call.py",
        old='        body=body if takes_one else b"",\n',
        new="        body=body,\n",
        tests=(f"{ONCE}::test_what_a_route_does_not_read_may_be_anything",),
    ),
    Mutation(
        guard="who asks for payers' pages too often waits",
        path="gateway/checkout/controller.py",
        old="    visitors.admit(address, moment.at)\n",
        new="",
        tests=(f"{VISITORS}::test_too_many_visits_are_told_with_a_time_to_come_again",),
    ),
    Mutation(
        guard="a shop's page may read when to come again",
        path="gateway/checkout/controller.py",
        old="    answer.headers.update(REFUSED_FOR_EVERYBODY)\n",
        new="",
        tests=(f"{VISITORS}::test_too_many_visits_are_told_with_a_time_to_come_again",),
    ),
    Mutation(
        guard="a reused invoice gives the addresses that are asked for",
        path="gateway/invoices/reuse.py",
        old="    if found is None or not order.activate:\n",
        new="    if True:\n",
        tests=(f"{CONDITIONS}::test_a_reused_invoice_gives_the_addresses_that_are_asked_for",),
    ),
)
