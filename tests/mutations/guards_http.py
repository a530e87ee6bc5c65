"""Guards of an exchange with a node: whose answer it is, and what is sent."""

from tests.mutations.mutation import Mutation

HTTP = "tests/watchers/providers/test_http.py"

HTTP_GUARDS = (
    Mutation(
        guard="a connection with an answer under way is not used again",
        path="watchers/providers/transport.py",
        old="                    connection.close()\n",
        new="                    connection.release()\n",
        tests=(f"{HTTP}::test_an_answer_that_nobody_waited_for_is_not_the_next_ones",),
    ),
    Mutation(
        guard="a configured header brings no other one",
        path="watchers/providers/http.py",
        old="    if not all(line.isprintable() for line in lines):\n",
        new="    if not lines:\n",
        tests=(f"{HTTP}::test_a_header_cannot_bring_another_one",),
    ),
    Mutation(
        guard="a silent node is not waited for",
        path="watchers/providers/http.py",
        old="    protocol.start_timeout()\n",
        new="",
        tests=(f"{HTTP}::test_case_38_silence_is_not_waited_out",),
    ),
)
