"""Query parameters about deposits."""

from typing import Annotated, Literal

from litestar.params import Parameter

Status = Literal["pending", "confirmed", "rejected", "reorged"]
Id = Annotated[str | None, Parameter(max_length=64)]
NetworkParameter = Annotated[str, Parameter(min_length=1, max_length=64)]
TxParameter = Annotated[str, Parameter(min_length=1, max_length=128, pattern="^[0-9A-Za-z:]+$")]
TxHash = Annotated[str | None, Parameter(max_length=128)]
Address = Annotated[str | None, Parameter(max_length=128)]
