"""What the generated requests found, each by itself."""

import pytest

from tests.contract.sides import Stage

pytestmark = pytest.mark.anyio


async def test_an_address_with_a_control_character_is_refused(stage: Stage) -> None:
    """An e-mail address is 422 where it is given, not a fault where the letter is written."""
    odd = ("a\x17b@shop.example", "a@shop\x86.example", "a@shop.example\x00")
    places = [
        ("/v1/team/invitations", stage.mine.person, {"team_role": "viewer"}),
        ("/v1/customers", stage.mine.key, {}),
        ("/v1/merchants", stage.live_operator, {"name": "x"}),
        ("/v1/password_resets", None, {}),
    ]
    for path, secret, body in places:
        for email in odd:
            answer = await stage.shop.call("POST", path, secret, json={**body, "email": email})
            assert answer.status_code == 422, (path, email)
            assert answer.json()["errors"][0]["pointer"] == "/email"


async def test_a_live_key_does_not_see_what_was_played(stage: Stage) -> None:
    """A simulation is a test key's."""
    path = f"/v1/test/simulations/{stage.mine.ids['simulation_id']}"
    assert (await stage.shop.call("GET", path, stage.mine.key)).status_code == 200
    assert (await stage.shop.call("GET", path, stage.mine.live_key)).status_code == 404


async def test_a_time_is_text_or_seconds_as_the_document_says(stage: Stage) -> None:
    """Both forms are read, and both are documented."""
    operation = stage.document["paths"]["/v1/invoices"]["get"]
    [schema] = [
        each["schema"] for each in operation["parameters"] if each["name"] == "created[lt]"
    ]
    assert {"type": "number"} in schema["anyOf"]
    for value in ("2026-11-20T00:00:00Z", "1763596800"):
        answer = await stage.shop.call(
            "GET", "/v1/invoices", stage.mine.key, params={"created[lt]": value}
        )
        assert (answer.status_code, answer.json()["data"]) == (200, [])


async def test_a_factor_that_is_not_there_is_a_documented_404(stage: Stage) -> None:
    """A status of a route without an id in its path is in the document as well."""
    answer = await stage.shop.call("DELETE", "/v1/factors/totp", stage.mine.person)
    documented = stage.document["paths"]["/v1/factors/totp"]["delete"]["responses"]
    assert answer.status_code == 404
    assert "404" in documented
