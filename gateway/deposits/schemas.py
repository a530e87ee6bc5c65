"""Query parameters about deposits."""

from typing import Annotated, Literal

from litestar.params import Parameter

Status = Literal["pending", "confirmed", "rejected", "reorged"]
Id = Annotated[str | None, Parameter(max_length=64)]
TxHash = Annotated[str | None, Parameter(max_length=128)]
