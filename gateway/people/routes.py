"""Every controller of this room and of sessions."""

from collections.abc import Sequence

from litestar.types import ControllerRouterHandler

from gateway.people.controller import MerchantUserController, TeamController
from gateway.people.house_controller import OperatorController
from gateway.people.own_controller import DoorController, PersonController
from gateway.sessions.controller import SessionController

PEOPLE: Sequence[ControllerRouterHandler] = (
    DoorController,
    MerchantUserController,
    OperatorController,
    PersonController,
    SessionController,
    TeamController,
)
