"""What the played operator sells, to whose numbers, and the serial numbers that come back. Nothing here is real."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from random import Random
from typing import Final

WIB: Final = timezone(timedelta(hours=7), "WIB")
PROVIDERS: Final = ("digiflazz", "iak", "otomax")

_PREFIXES: Final[Mapping[str, tuple[str, ...]]] = {
    "telkomsel": ("0812", "0813", "0821", "0822", "0852"),
    "indosat": ("0815", "0856", "0857", "0858"),
    "tri": ("0895", "0896", "0897", "0898"),
    "xl": ("0817", "0818", "0877", "0878"),
    "axis": ("0831", "0832", "0838"),
    "smartfren": ("0881", "0882", "0888"),
    "dana": ("0812", "0857", "0878"),
    "gopay": ("0813", "0858", "0877"),
}
_ROWS: Final = """
S5 pulsa telkomsel 5000 5650 230
S10 pulsa telkomsel 10000 10600 240
S20 pulsa telkomsel 20000 20450 260
S25 pulsa telkomsel 25000 25350 260
S50 pulsa telkomsel 50000 50500 300
S100 pulsa telkomsel 100000 99100 420
S150 pulsa telkomsel 150000 148300 600
I5 pulsa indosat 5000 5900 210
I10 pulsa indosat 10000 10900 230
I25 pulsa indosat 25000 25600 280
I50 pulsa indosat 50000 50200 320
T5 pulsa tri 5000 5600 200
T10 pulsa tri 10000 10500 220
T20 pulsa tri 20000 20150 250
T50 pulsa tri 50000 49500 320
X5 pulsa xl 5000 5850 210
X10 pulsa xl 10000 10800 230
X25 pulsa xl 25000 25150 260
X50 pulsa xl 50000 49900 330
X150 pulsa xl 150000 147600 620
A5 pulsa axis 5000 5700 210
A10 pulsa axis 10000 10700 230
A25 pulsa axis 25000 25100 260
SM5 pulsa smartfren 5000 5400 190
SM10 pulsa smartfren 10000 10300 210
SM20 pulsa smartfren 20000 19950 240
SD2 data telkomsel 25000 26100 400
XD3 data xl 30000 31200 450
ID2 data indosat 20000 20800 350
TD5 data tri 40000 40900 500
PLN20 pln_token pln 20000 20400 300
PLN50 pln_token pln 50000 50400 300
PLN100 pln_token pln 100000 100300 300
DANA20 ewallet dana 20000 20600 250
DANA50 ewallet dana 50000 50700 250
GOPAY25 ewallet gopay 25000 25700 250
FF70 game freefire 10000 10400 350
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Product:
    """One article of the price list. Amounts are whole rupiah."""

    code: str
    """What agents type."""
    family: str
    """pulsa, data, pln_token, ewallet or game."""
    brand: str
    face_value: int
    price: int
    """What an agent pays."""
    cost: int
    """What every provider charges the operator."""

    def sku(self, provider: str) -> str:
        """Name this product as `provider` does."""
        names = {"digiflazz": self.code.lower(), "iak": f"{self.brand}{self.code.lower()}"}
        return names.get(provider, self.code)


def _products() -> Mapping[str, Product]:
    found = {}
    for line in _ROWS.split("\n"):
        if line:
            code, family, brand, face, price, margin = line.split()
            found[code] = Product(
                code=code,
                family=family,
                brand=brand,
                face_value=int(face),
                price=int(price),
                cost=int(price) - int(margin),
            )
    return found


PRODUCTS: Final = _products()


def price_list(provider: str) -> dict[str, int]:
    """List what `provider` charges for each of its own product codes."""
    return {product.sku(provider): product.cost for product in PRODUCTS.values()}


class Numbers:
    """Draws destinations and serial numbers, none of them twice in one story."""

    def __init__(self, rng: Random) -> None:
        self._rng = rng
        self._drawn: set[str] = set()

    def destination(self, product: Product) -> str:
        """Draw a customer's number that fits the product."""
        return self._fresh(lambda: self._number(product))

    def serial(self, product: Product, at: datetime) -> str:
        """Draw the operator's serial number of a delivery at `at`; Tri's own begins with that minute in WIB."""
        return self._fresh(lambda: self._serial(product, at))

    def _fresh(self, draw: Callable[[], str]) -> str:
        text = draw()
        while text in self._drawn:
            text = draw()
        self._drawn.add(text)
        return text

    def _digits(self, count: int) -> str:
        return f"{self._rng.randrange(10**count):0{count}d}"

    def _number(self, product: Product) -> str:
        if product.family == "pln_token":
            return f"32{self._digits(9)}"
        if product.family == "game":
            return f"1{self._digits(8)}"
        return self._rng.choice(_PREFIXES[product.brand]) + self._digits(8)

    def _serial(self, product: Product, at: datetime) -> str:
        if product.family == "pln_token":
            token = "-".join(self._digits(4) for _ in range(5))
            return f"{token}/PELANGGAN DEMO/R1/900VA/{product.face_value / 1500:.1f}"
        if product.family in {"ewallet", "game"}:
            return f"{product.brand[:4].upper()}{self._digits(12)}"
        if product.brand == "tri":
            return f"{at.astimezone(WIB):%m%d%H%M%S}{self._digits(9)}"
        heads = {"telkomsel": ("0041", 12), "indosat": ("013", 17), "smartfren": ("52", 12)}
        head, tail = heads.get(product.brand, ("61", 17))
        return head + self._digits(tail)
