"""Guards of messages to people, of usage, and of what one endpoint may take of the sender."""

from tests.mutations.mutation import Mutation

NOTIFICATIONS = "tests/gateway/notifications"
SENDING = f"{NOTIFICATIONS}/test_sending.py"
TARGETS = f"{NOTIFICATIONS}/test_targets.py"
OUTBOX = f"{NOTIFICATIONS}/test_outbox.py"
ANNOUNCING = f"{NOTIFICATIONS}/test_announcing.py"
USAGE = "tests/gateway/usage/test_usage.py"
BREAKER = "tests/gateway/worker/test_breaker.py"

NOTIFYING = (
    Mutation(
        guard="a secret body is sealed",
        path="gateway/notifications/outbox.py",
        old="    if not message.secret:\n",
        new='    if message.secret:\n        row["secret"] = False\n    if True:\n',
        tests=(f"{OUTBOX}::test_a_secret_body_stands_nowhere_in_the_database",),
    ),
    Mutation(
        guard="nobody posts for another merchant",
        path="migrations/sql/0004_4_notifications.sql",
        old="    WITH CHECK (merchant_id IS NULL OR merchant_id = (SELECT current_merchant()));\n",
        new="    WITH CHECK (true);\n",
        tests=(f"{OUTBOX}::test_nobody_posts_for_another_merchant_or_reads_what_is_sealed",),
    ),
    Mutation(
        guard="only services with a host of their own",
        path="gateway/notifications/services.py",
        old="    if scheme_of(address) not in SERVICES:\n",
        new="    if False:\n",
        tests=(f"{TARGETS}::test_whatever_takes_its_host_from_the_address_is_refused",),
    ),
    Mutation(
        guard="no option weakens TLS or the time-out",
        path="gateway/notifications/services.py",
        old='    if "?" in address:\n',
        new="    if False:\n",
        tests=(f"{TARGETS}::test_whatever_takes_its_host_from_the_address_is_refused",),
    ),
    Mutation(
        guard="a refusal for good is not repeated",
        path="gateway/notifications/mail.py",
        old='"refused" if code >= 500 else "later"',
        new='"later"',
        tests=(
            f"{SENDING}::test_a_passing_fault_is_tried_again_and_a_refusal_is_not",
            f"{SENDING}::test_a_refused_message_is_not_sent_either",
        ),
    ),
    Mutation(
        guard="an attempt counts when it begins",
        path="gateway/notifications/leases.py",
        old="attempts = n.attempts + 1",
        new="attempts = n.attempts",
        tests=(
            f"{SENDING}::test_killed_between_sending_and_writing_it_is_sent_once_more",
            f"{SENDING}::test_ten_attempts_are_enough",
        ),
    ),
    Mutation(
        guard="one conversation with a person at a time",
        path="gateway/notifications/leases.py",
        old="AND o.leased_until > :at)",
        new="AND o.leased_until > 'infinity')",
        tests=(f"{SENDING}::test_a_server_that_hangs_holds_up_nobody_else",),
    ),
    Mutation(
        guard="so many messages to a person in an hour",
        path="gateway/notifications/leases.py",
        old="< :per_hour\n",
        new="< :per_hour + 1000\n",
        tests=(f"{SENDING}::test_who_gets_too_many_gets_the_others_later",),
    ),
    Mutation(
        guard="an event is told once",
        path="gateway/notifications/announcing.py",
        old='        await session.execute(_MOVE, {"source": source, "place": rows[-1].place})\n',
        new="        pass\n",
        tests=(f"{ANNOUNCING}::test_changes_of_the_account_are_alerts",),
    ),
    Mutation(
        guard="an unusable address stops nobody",
        path="gateway/notifications/announcing.py",
        old="            if address is not None and is_mail_address(address)\n",
        new="            if address is not None\n",
        tests=(f"{ANNOUNCING}::test_a_broken_address_stops_nobody",),
    ),
    Mutation(
        guard="an address that the mail library would decode is none",
        path="gateway/notifications/outbox.py",
        old='re.compile(r"(?!.*=\\?)',
        new='re.compile(r"',
        tests=(f"{SENDING}::test_an_address_that_pretends_to_be_encoded_is_refused",),
    ),
    Mutation(
        guard="alerts are not led away in silence",
        path="gateway/merchant_settings/service.py",
        old="        if channels(before, ALERT) != channels(after, ALERT):\n",
        new="        if False:\n",
        tests=(
            "tests/gateway/merchant_settings/test_settings.py::test_alerts_are_not_led_away_in_silence",
        ),
    ),
    Mutation(
        guard="what was counted outlives a flush that failed",
        path="gateway/usage/flushing.py",
        old="    except _AWAY as trouble:\n        usage.put_back(counts)\n",
        new="    except _AWAY as trouble:\n",
        tests=(f"{USAGE}::test_every_process_adds_and_a_failed_flush_is_kept",),
    ),
    Mutation(
        guard="what was counted is bounded",
        path="gateway/usage/counting.py",
        old="            if len(self._counts) >= self._entries_max:\n",
        new="            if False:\n",
        tests=(f"{USAGE}::test_every_process_adds_and_a_failed_flush_is_kept",),
    ),
    Mutation(
        guard="an endpoint that is down is left alone",
        path="gateway/webhooks/sender.py",
        old="        allowed |= self._breakers.rooms(at)\n",
        new="",
        tests=(f"{BREAKER}::test_an_endpoint_that_is_down_is_left_alone",),
    ),
    Mutation(
        guard="a merchant has a bounded share of the sender",
        path="gateway/webhooks/leases.py",
        old="    WHERE t.turn <= coalesce(CAST(m.room AS integer), %(per_merchant)s)\n",
        new="    WHERE t.turn <= coalesce(CAST(m.room AS integer), %(per_merchant)s) + 1000\n",
        tests=(
            "tests/gateway/worker/test_queue.py::test_a_lease_leaves_room_for_other_merchants",
        ),
    ),
)
