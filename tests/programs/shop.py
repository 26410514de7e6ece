"""A client of another HAL API, a shop: typed orders, a form of writing, and errors with their documents."""

from dataclasses import dataclass, field
from decimal import Decimal

from stellantis_hal import ApiError, HalClient, Rel


@dataclass
class Line:
    """A line of an order."""

    article: str
    price: Decimal


@dataclass
class Order:
    """An order."""

    id: int
    status: str = "open"
    lines: list[Line] = field(default_factory=list)


async def main(url: str = "https://shop.example/") -> None:
    """Print the open orders, then add one; what the shop refuses is shown by field."""
    async with HalClient(url) as shop:
        async for order in shop.follow(Rel("orders", Order)).items().filter(lambda order: order.status == "open"):
            print(order.id, sum(line.price for line in order.lines))
        orders = await shop.follow("orders")
        made = await orders.post(json={"lines": [{"article": "tyre", "price": "80.50"}]})
        print("made", (await made.fetch())["id"])
        try:
            await orders.post(json={"lines": []})
        except ApiError as error:
            print(error.status, dict(error.errors))
