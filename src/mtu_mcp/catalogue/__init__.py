"""Catalogue: which models there are, what each can do, what it takes, what it costs.

Owns: the shipped facts (`models.json`), the gateway's live list, preference lists, near names, token and price sums.
Asks for: settings and a function that fetches the gateway's list of models; opens no connection and no file of a user.
Knows nothing of: the protocol, the wire, conversations, files.
Because: models come and go each month, so everything that names one is data here and nothing elsewhere has to change.
"""

from mtu_mcp.catalogue.catalogue import Catalogue, Offer
from mtu_mcp.catalogue.choices import Choice
from mtu_mcp.catalogue.entries import CAPABILITIES, AudioLimits, Capability, Entry, ImageLimits, OmniLimits
from mtu_mcp.catalogue.facts import Facts
from mtu_mcp.catalogue.prices import Cost, PriceLine, Prices, UsageLike
from mtu_mcp.catalogue.tokens import OmniRates

__all__ = [
    "CAPABILITIES",
    "AudioLimits",
    "Capability",
    "Catalogue",
    "Choice",
    "Cost",
    "Entry",
    "Facts",
    "ImageLimits",
    "Offer",
    "OmniLimits",
    "OmniRates",
    "PriceLine",
    "Prices",
    "UsageLike",
]
