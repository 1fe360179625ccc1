"""Prices and costs as exact integers of pico-dollars.

One micro-dollar per million tokens is one pico-dollar per token, so a price from a catalogue
and the cost of a call stay integers. Micro-dollars would round the embedded models to zero.
"""

from decimal import Decimal

import msgspec

PICOS_PER_USD = 10**12


class Price(msgspec.Struct, frozen=True, kw_only=True):
    """What one token costs, in pico-dollars (= micro-dollars per million tokens)."""

    input_usd_picos: int
    output_usd_picos: int
    cached_input_usd_picos: int | None = None  # None: cached prompt tokens cost like others


class Usage(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Tokens one attempt consumed, and who counted them."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0  # the part of prompt_tokens that the engine took from its cache
    reasoning_tokens: int = 0  # the part of completion_tokens spent on thinking
    source: str = "reported"  # "reported" by the engine | "estimated" by us when it said nothing


def price_per_token(usd_per_mtok: Decimal | float | int) -> int:
    """Pico-dollars per token from dollars per million tokens, rounded to the nearest."""
    return int((Decimal(str(usd_per_mtok)) * 1_000_000).to_integral_value())


def cost_usd_picos(usage: Usage, price: Price | None) -> int:
    """What an attempt cost; an unpriced deployment costs nothing and the report says so."""
    if price is None:
        return 0
    cached = min(usage.cached_tokens, usage.prompt_tokens)
    per_cached = price.cached_input_usd_picos
    if per_cached is None:
        per_cached = price.input_usd_picos
    return (
        (usage.prompt_tokens - cached) * price.input_usd_picos
        + cached * per_cached
        + usage.completion_tokens * price.output_usd_picos
    )


def usd(picos: int) -> float:
    """Dollars, for people and for JSON."""
    return picos / PICOS_PER_USD
