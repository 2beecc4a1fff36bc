"""How many orders of each fate a story holds, at which server and providers, and at what price."""

from dataclasses import KW_ONLY, dataclass
from typing import Final

from rekon.sandbox import traits as fate
from rekon.sandbox.catalog import PRODUCTS, PROVIDERS, Product
from rekon.sandbox.people import MANDIRI, TOKO
from rekon.sandbox.traits import Build

_RESEND: Final = ("digiflazz",)
_READ_ONLY: Final = ("iak", "otomax")
_CODED: Final = ("digiflazz", "iak")
_ALL_FAMILIES: Final = ("pulsa", "data", "pln_token", "ewallet", "game")


@dataclass(frozen=True, slots=True)
class Recipe:
    """One fate and how often it happens, spread evenly over the first `latest` of the story."""

    name: str
    count: int
    build: Build
    _: KW_ONLY
    source: str = TOKO
    providers: tuple[str, ...] = PROVIDERS
    latest: float = 1.0
    families: tuple[str, ...] = ("pulsa", "data")
    prices: tuple[int, int] = (0, 55_000)
    twin: Build | None = None
    """A second order of the same agent, product and number shortly after."""
    counted: bool = False
    """The second order carries a repeat counter: it is wanted."""
    charged: str = "agent_wallet"
    owed: bool = False
    """The agent will be owed money, so that these are spread over all agents."""
    surplus: bool = False
    """The agent will have got too much; these agents are kept apart from all other fates."""


def assortment(recipe: Recipe) -> list[Product]:
    """List the products a recipe may draw, in a fixed order."""
    low, high = recipe.prices
    return [p for p in PRODUCTS.values() if p.family in recipe.families and low <= p.price <= high]


PLAIN: Final = {
    source: Recipe("plain", 0, fate.plain, source=source, families=_ALL_FAMILIES, prices=(0, 150_000))
    for source in (TOKO, MANDIRI)
}
_FAILURES: Final = (
    Recipe("never_formed", 30, fate.never_formed, owed=True, prices=(0, 105_000)),
    Recipe("refused_at_once", 5, fate.refused_at_once, owed=True, providers=_RESEND, prices=(0, 105_000)),
    Recipe("refused_later", 9, fate.refused_later, owed=True, providers=_CODED),
    Recipe("refused_unheard", 5, fate.refused_unheard, owed=True, providers=_CODED),
    Recipe("unsure_at_once", 3, fate.unsure_at_once, owed=True, providers=_RESEND),
    Recipe("unsure_later", 9, fate.unsure_later, owed=True),
    Recipe("unsure_then_soon_delivered", 5, fate.unsure_then_soon_delivered, providers=_RESEND),
    Recipe("unsure_then_late_delivered", 4, fate.unsure_then_late_delivered, owed=True, providers=_RESEND, latest=0.8),
    Recipe("timed_out", 3, fate.timed_out, owed=True, providers=_RESEND, latest=0.5),
    Recipe("timed_out_kept", 4, fate.timed_out_kept, providers=_RESEND, prices=(0, 12_000)),
    Recipe("timed_out_then_delivered", 3, fate.timed_out_then_delivered, providers=_RESEND, prices=(0, 12_000)),
    Recipe("refused_dear", 2, fate.refused_later, providers=_CODED, prices=(140_000, 150_000)),
    Recipe("resent_unformed", 2, fate.resent_unformed, providers=_RESEND),
    Recipe("never_sent", 5, fate.never_sent, owed=True),
    Recipe("sent_not_there", 5, fate.sent_not_there, providers=_READ_ONLY),
    Recipe("sent_not_there_unasked", 3, fate.sent_not_there, providers=_RESEND),
    Recipe("taken_back", 5, fate.taken_back, owed=True, providers=_RESEND, latest=0.85),
    Recipe("taken_back_kept", 2, fate.taken_back_kept, providers=_RESEND, latest=0.85, prices=(0, 12_000)),
)
_WAITING: Final = (
    Recipe("slow", 16, fate.slow),
    Recipe("very_slow", 6, fate.very_slow),
    Recipe("slow_refused", 3, fate.slow_refused, owed=True, providers=_CODED),
    Recipe("very_slow_refused", 2, fate.very_slow_refused, owed=True, providers=_CODED),
    Recipe("never_ends", 5, fate.never_ends),
    Recipe("unreported", 5, fate.unreported),
    Recipe("unreported_known", 4, fate.unreported_known),
    Recipe("unreported_refused", 2, fate.unreported_refused, owed=True, providers=_CODED),
    Recipe("delivered_unheard", 6, fate.delivered_unheard),
    Recipe("serial_soon", 3, fate.serial_soon),
    Recipe("serial_late", 4, fate.serial_late),
    Recipe("serial_never", 4, fate.serial_never),
    Recipe("contradicted", 7, fate.contradicted, providers=_CODED),
    Recipe("odd_report", 3, fate.odd_report, providers=("otomax",)),
    Recipe("reply_lost", 6, fate.reply_lost),
    Recipe("resent", 5, fate.resent, providers=_CODED),
)
_DOUBLES: Final = (
    Recipe("debited_twice", 12, fate.debited_twice, owed=True),
    Recipe("equal_both_delivered", 5, fate.plain, twin=fate.plain, providers=_CODED),
    Recipe("equal_second_failed", 3, fate.plain, twin=fate.refused_later, owed=True, providers=_CODED),
    Recipe("wanted_repeat", 6, fate.plain, twin=fate.plain, counted=True, providers=_CODED),
)
_OWN_SHOP: Final = (
    Recipe("cash_delivered", 15, fate.in_cash(fate.plain), charged="cash"),
    Recipe("cash_refused", 3, fate.in_cash(fate.refused_later), charged="cash", providers=_CODED),
    Recipe("direct_delivered", 15, fate.from_deposit(fate.plain), charged="provider_deposit"),
    Recipe("direct_refused", 3, fate.from_deposit(fate.refused_later), charged="provider_deposit", providers=_CODED),
    Recipe(
        "direct_refused_kept",
        3,
        fate.from_deposit(fate.charge_kept(fate.refused_later)),
        charged="provider_deposit",
        providers=_CODED,
        prices=(0, 12_000),
    ),
)
_AT_MANDIRI: Final = (
    Recipe("never_formed", 8, fate.never_formed, source=MANDIRI),
    Recipe("refused_later", 8, fate.refused_later, source=MANDIRI, providers=_CODED),
    Recipe("unsure_later", 6, fate.unsure_later, source=MANDIRI),
    Recipe("refused_unheard", 5, fate.refused_unheard, source=MANDIRI, providers=_CODED),
    Recipe(
        "unsure_then_late_delivered", 4, fate.unsure_then_late_delivered, source=MANDIRI, providers=_RESEND, latest=0.8
    ),
    Recipe("credited_twice", 6, fate.credited_twice, source=MANDIRI, providers=_CODED, surplus=True),
    Recipe("debited_twice", 5, fate.debited_twice, source=MANDIRI, owed=True),
    Recipe("slow", 6, fate.slow, source=MANDIRI),
    Recipe("very_slow", 2, fate.very_slow, source=MANDIRI),
    Recipe("never_ends", 2, fate.never_ends, source=MANDIRI),
    Recipe("unreported", 3, fate.unreported, source=MANDIRI),
    Recipe("delivered_unheard", 4, fate.delivered_unheard, source=MANDIRI),
    Recipe("serial_never", 2, fate.serial_never, source=MANDIRI),
    Recipe("contradicted", 2, fate.contradicted, source=MANDIRI, providers=_CODED),
    Recipe("equal_both_delivered", 2, fate.plain, source=MANDIRI, twin=fate.plain, providers=_CODED),
    Recipe("wanted_repeat", 2, fate.plain, source=MANDIRI, twin=fate.plain, counted=True, providers=_CODED),
)
RECIPES: Final = (*_FAILURES, *_WAITING, *_DOUBLES, *_OWN_SHOP, *_AT_MANDIRI)
