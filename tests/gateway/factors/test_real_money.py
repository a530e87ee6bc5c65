"""Where money is real the house's own need a second factor; nobody is locked out of setting one up."""

import pytest
from msgspec.structs import replace

from tests.gateway.factors.authenticator import Authenticator
from tests.gateway.factors.people import Person, person
from tests.gateway.http.test_problems import assert_problem
from tests.gateway.shop import Shop, opened, shop

pytestmark = pytest.mark.anyio
__all__ = ["opened", "shop"]


async def opens_merchant(somebody: Person) -> tuple[int, str | None]:
    """Try what only the house may; return status and code."""
    answer = await somebody.call("POST", "/v1/merchants", {"name": "Shop"})
    return answer.status_code, answer.json().get("code")


@pytest.mark.parametrize("role", ["ADMIN", "OPERATOR"])
async def test_a_password_steps_nobody_of_the_house_up_for_real_money(
    shop: Shop, role: str
) -> None:
    """The way out is in the answer: the password opens the setting up, and nothing else."""
    first = await person(shop, role)
    assert await opens_merchant(first) == (403, "second_factor_missing")
    await first.step_up()
    refused = await first.call("POST", "/v1/merchants", {"name": "Shop"})
    assert_problem(refused, 403, "second_factor_missing")
    assert "/v1/factors/totp" in refused.json()["detail"]
    assert (await first.call("GET", "/v1/merchants")).status_code == 200, "reading stays"
    await first.set_up_app()
    assert await opens_merchant(first) == (201, None)
    again = await first.beside()
    assert await opens_merchant(again) == (403, "second_factor_required")
    await again.step_up()
    assert await opens_merchant(again) == (201, None)
    await again.ok("DELETE", "/v1/factors/totp")
    assert await opens_merchant(again) == (403, "second_factor_missing")


async def test_a_passkey_will_do_and_merchants_people_choose_for_themselves(shop: Shop) -> None:
    """Any second factor counts; a merchant's owner without one steps up as before."""
    first = await person(shop, "ADMIN")
    await first.step_up()
    await first.set_up_passkey(Authenticator())
    assert await opens_merchant(first) == (201, None)
    owner = await person(shop)
    await owner.step_up()
    changed = await owner.call("PATCH", "/v1/merchant", {"name": "Mine"})
    assert changed.status_code == 200, changed.text


async def test_play_money_asks_for_a_password_alone(shop: Shop) -> None:
    """A house of test networks only is as it was."""
    only = {name: each for name, each in shop.settings.networks.items() if each.test}
    async with shop.beside(replace(shop.settings, networks=only)) as sandbox:
        first = await person(sandbox, "ADMIN")
        await first.step_up()
        assert await opens_merchant(first) == (201, None)
