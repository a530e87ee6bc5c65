"""Calls that read TRC-10 assets."""

from devnet.tron import forms
from devnet.tron.forms import Json
from devnet.tron.query import Query
from devnet.tron.reads import Handler


async def get_asset(query: Query) -> Json:
    """Show an asset by its numeric id, `{}` where there is none."""
    found = query.view.state.world.assets.get(str(query.number("value")))
    return forms.to_json("AssetIssueContract", found, visible=query.visible) if found else {}


async def list_assets(query: Query) -> Json:
    """List every asset."""
    found = [
        forms.to_json("AssetIssueContract", each, visible=query.visible)
        for each in query.view.state.world.assets.values()
    ]
    return {"assetIssue": found} if found else {}


ASSETS: dict[str, Handler] = {
    "getassetissuebyid": get_asset,
    "getassetissuelist": list_assets,
}
