"""Guards of the webhook sender: its slots, what a lease reads, what an endpoint is forgiven."""

from tests.mutations.mutation import Mutation

QUEUE = "tests/gateway/worker/test_queue.py"
SLOTS = "tests/gateway/worker/test_slots.py"
CROWDS = "tests/gateway/worker/test_crowds.py"

WEBHOOKS = (
    Mutation(
        guard="a lease looks up the order of a subject by its own index",
        path="gateway/webhooks/leases.py",
        old="              ORDER BY o.sequence LIMIT 1 OFFSET 0)\n        ORDER",
        new="              OFFSET 0)\n        ORDER",
        tests=(f"{QUEUE}::test_a_backlog_costs_a_lease_nothing",),
    ),
    Mutation(
        guard="a result finds its delivery by id",
        path="gateway/webhooks/results.py",
        old="WHERE d.id = ANY (ARRAY(SELECT id FROM r)) AND d.id = r.id",
        new="WHERE d.id = r.id",
        tests=(f"{QUEUE}::test_a_backlog_costs_a_result_nothing",),
    ),
    Mutation(
        guard="a result that came after its lease is dropped",
        path="gateway/webhooks/results.py",
        old=" AND d.leased_until = r.leased_until\n",
        new="\n",
        tests=(f"{QUEUE}::test_a_result_of_a_lease_that_ran_out_is_dropped",),
    ),
    Mutation(
        guard="a success forgives an endpoint what was used up before",
        path="gateway/webhooks/results.py",
        old="CASE WHEN t.arrived THEN 0 ELSE e.exhausted_in_a_row END",
        new="e.exhausted_in_a_row",
        tests=(f"{QUEUE}::test_a_success_forgives_what_was_used_up_before",),
    ),
    Mutation(
        guard="a slow request passes its slot on",
        path="gateway/webhooks/slots.py",
        old="        self.gave_up = True\n        self._slow()\n",
        new="        self.gave_up = True\n",
        tests=(f"{SLOTS}::test_a_slow_one_goes_on_without_its_slot",),
    ),
    Mutation(
        guard="a slot is passed on once",
        path="gateway/webhooks/slots.py",
        old="                if watch.gave_up:\n                    self._fill()  # its merchant may have waited for it\n                    return\n",
        new="",
        tests=(f"{SLOTS}::test_a_slow_one_goes_on_without_its_slot",),
    ),
    Mutation(
        guard="so many requests at once",
        path="gateway/webhooks/slots.py",
        old="        for _ in range(min(self._free, self.ready)):\n",
        new="        for _ in range(self.ready):\n",
        tests=(f"{SLOTS}::test_so_many_at_once_and_in_order",),
    ),
    Mutation(
        guard="so many requests of one merchant at once",
        path="gateway/webhooks/slots.py",
        old="            if self._room(merchant_id):\n",
        new="            if True:\n",
        tests=(
            f"{SLOTS}::test_a_merchant_at_its_bound_is_passed_over",
            "tests/gateway/worker/test_breaker.py::test_a_merchant_has_a_bounded_share",
        ),
    ),
    Mutation(
        guard="merchants take turns",
        path="gateway/webhooks/slots.py",
        old="            self._lines[merchant_id] = line\n",
        new="            self._lines = {merchant_id: line, **self._lines}\n",
        tests=(f"{SLOTS}::test_merchants_take_turns",),
    ),
    Mutation(
        guard="what was chosen for a lease is not looked for among all that waits",
        path="gateway/webhooks/leases.py",
        old="      AND d.status NOT IN ('succeeded', 'exhausted', 'skipped')\n      AND (d.leased",
        new="      AND d.status IN ('scheduled', 'retrying')\n      AND (d.leased",
        tests=(f"{QUEUE}::test_a_backlog_costs_a_lease_nothing",),
    ),
    Mutation(
        guard="nothing more is sent while results cannot be written",
        path="gateway/webhooks/sender.py",
        old="        unsettled = len(self._unsettled) + len(self._tried)\n",
        new="        unsettled = 0\n",
        tests=(f"{QUEUE}::test_nothing_more_is_sent_while_results_cannot_be_written",),
    ),
    Mutation(
        guard="what waits for its merchant's bound keeps nobody from a lease",
        path="gateway/webhooks/slots.py",
        old="            self.ready += len(line) <= self._room(delivery.merchant_id)\n",
        new="            self.ready += 1\n",
        tests=(
            f"{SLOTS}::test_a_merchant_at_its_bound_is_passed_over",
            f"{QUEUE}::test_slow_merchants_with_a_backlog_do_not_hold_up_another",
        ),
    ),
    Mutation(
        guard="no merchant may have more than is left free",
        path="gateway/webhooks/sender.py",
        old="        per_merchant = min(self._per_merchant, free)\n",
        new="        per_merchant = self._per_merchant\n",
        tests=(f"{QUEUE}::test_slow_merchants_with_a_backlog_do_not_hold_up_another",),
    ),
    Mutation(
        guard="a lease looks at a window of an endpoint's due deliveries",
        path="gateway/webhooks/leases.py",
        old="            ORDER BY d.next_attempt_at LIMIT %(window)s) d\n",
        new="            ORDER BY d.next_attempt_at LIMIT 100 * %(window)s) d\n",
        tests=(f"{CROWDS}::test_what_waits_for_another_makes_room",),
    ),
    Mutation(
        guard="what is put off is due once it may pass an old one",
        path="gateway/webhooks/crowds.py",
        old="least(o.next_attempt_at, o.created_at + CAST(:passable AS interval))\n",
        new="greatest(o.next_attempt_at, o.created_at + CAST(:passable AS interval))\n",
        tests=(f"{CROWDS}::test_what_waits_for_another_makes_room",),
    ),
    Mutation(
        guard="behind a head that is due its followers stand in line",
        path="gateway/webhooks/crowds.py",
        old="CASE WHEN o.attempts > 0 AND o.next_attempt_at > :at\n",
        new="CASE WHEN true\n",
        tests=(f"{CROWDS}::test_old_heads_that_are_due_come_before_their_followers",),
    ),
    Mutation(
        guard="what a crowd puts off is not passed by",
        path="gateway/webhooks/leases.py",
        old='"soon": moment.at + SOON,',
        new='"soon": moment.at,',
        tests=(f"{CROWDS}::test_an_old_line_that_is_put_off_loses_nothing",),
    ),
    Mutation(
        guard="a long line of one subject is put off",
        path="gateway/webhooks/crowds.py",
        old="CASE WHEN l.place > :line THEN",
        new="CASE WHEN l.place > 1000 * :line THEN",
        tests=(f"{CROWDS}::test_a_long_line_of_one_subject_lets_others_through",),
    ),
    Mutation(
        guard="an answer of an old URL disables nothing",
        path="gateway/webhooks/failing.py",
        old="WHERE id = :endpoint_id AND url = :url AND status",
        new="WHERE id = :endpoint_id AND status",
        tests=(
            "tests/gateway/worker/test_answers.py::test_a_late_410_of_an_old_url_disables_nothing",
        ),
    ),
)
