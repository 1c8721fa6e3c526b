"""Catalogue: which models there are, what each can do, what it takes, what it costs.

Owns: the shipped facts (`models.json`, `figures.json`), the gateway's live list, preference lists, near names, token and price sums.
Asks for: settings and a function that fetches the gateway's list of models; opens no connection and no file of a user.
Knows nothing of: the protocol, the wire, conversations, files.
Because: models come and go each month, so everything that names one is data here and nothing elsewhere has to change.
"""

from typing import TYPE_CHECKING

from mtu_mcp.catalogue.capabilities import CAPABILITIES, Capability
from mtu_mcp.catalogue.catalogue import Catalogue, Offer
from mtu_mcp.catalogue.choices import Choice
from mtu_mcp.deferral import deferred

if TYPE_CHECKING:
    from mtu_mcp.catalogue.assumptions import Assumed, Figures, kind_of
    from mtu_mcp.catalogue.costs import Cost, Pieces, UsageLike, cost
    from mtu_mcp.catalogue.entries import AudioLimits, EmbeddingLimits, Entry, ImageLimits, OmniLimits
    from mtu_mcp.catalogue.facts import Facts
    from mtu_mcp.catalogue.prices import PicturePrice, PriceLine, Prices, Tier
    from mtu_mcp.catalogue.tokens import OmniRates

__all__ = [
    "CAPABILITIES",
    "Assumed",
    "AudioLimits",
    "Capability",
    "Catalogue",
    "Choice",
    "Cost",
    "EmbeddingLimits",
    "Entry",
    "Facts",
    "Figures",
    "ImageLimits",
    "Offer",
    "OmniLimits",
    "OmniRates",
    "PicturePrice",
    "Pieces",
    "PriceLine",
    "Prices",
    "Tier",
    "UsageLike",
    "cost",
    "kind_of",
]

# Building these classes takes longer than a server has before it must list its tools, so they wait for their use.
_LATER = {
    "Assumed": "assumptions",
    "Figures": "assumptions",
    "kind_of": "assumptions",
    "Pieces": "costs",
    "cost": "costs",
    "AudioLimits": "entries",
    "EmbeddingLimits": "entries",
    "Entry": "entries",
    "ImageLimits": "entries",
    "OmniLimits": "entries",
    "Facts": "facts",
    "Cost": "costs",
    "PicturePrice": "prices",
    "PriceLine": "prices",
    "Prices": "prices",
    "Tier": "prices",
    "UsageLike": "costs",
    "OmniRates": "tokens",
}

__getattr__ = deferred(__name__, _LATER)
