"""A HAL API made with FastAPI and fastapi-hypermodel; prints its port once it listens.

Runs in its own environment: fastapi-hypermodel needs ``pydantic<2.11``.
"""
# pyright: basic, reportMissingImports=false, reportMissingModuleSource=false

import socket
from collections.abc import Sequence
from typing import Any

import uvicorn
from fastapi import FastAPI, Response
from fastapi_hypermodel import FrozenDict, HALFor, HALForType, HALHyperModel, HALLinks, HALResponse, UrlType
from pydantic import BaseModel, Field


class Wheel(HALHyperModel):
    """Embedded in a car."""

    place: str
    links: HALLinks = FrozenDict({"self": HALFor("read_wheel", {"id_": "<id_>", "place": "<place>"})})
    id_: str


class Car(HALHyperModel):
    """Embedded in a collection, with wheels embedded in it."""

    id_: str
    colour: str
    wheels: Sequence[Wheel] = Field(alias="ex:wheels")
    links: HALLinks = FrozenDict(
        {
            "self": HALFor("read_car", {"id_": "<id_>"}),
            "ex:paint": HALFor("paint_car", {"id_": "<id_>"}, title="another colour"),
        }
    )


class Cars(HALHyperModel):
    """The collection."""

    cars: Sequence[Car] = Field(alias="ex:cars")
    first: str = "a"
    second: str = "b"
    links: HALLinks = FrozenDict(
        {
            "self": HALFor("read_cars"),
            "find": HALFor("read_car", templated=True),
            "items": [HALFor("read_car", {"id_": f"<{place}>"}, name=place) for place in ("first", "second")],
        }
    )


class Root(HALHyperModel):
    """The entry point."""

    welcome: bool = True
    links: HALLinks = FrozenDict({"self": HALFor("read_root"), "ex:garage": HALFor("read_cars")})


class Paint(BaseModel):
    """Body of a request to paint a car."""

    colour: str


colours = {"a": "red", "b": "blue"}
app = FastAPI()
HALHyperModel.init_app(app)
HALHyperModel.register_curies([HALForType(href=UrlType("https://docs.example/rels/{rel}"), templated=True, name="ex")])


def _car(id_: str) -> dict[str, Any]:
    return {
        "id_": id_,
        "colour": colours[id_],
        "ex:wheels": [{"id_": id_, "place": place} for place in ("front", "rear")],
    }


@app.get("/", response_model=Root, response_class=HALResponse)
def read_root() -> Any:
    """Return the entry point."""
    return {}


@app.get("/cars", response_model=Cars, response_class=HALResponse)
def read_cars() -> Any:
    """Return the collection."""
    return {"ex:cars": [_car(id_) for id_ in colours]}


@app.get("/cars/{id_}", response_model=Car, response_class=HALResponse)
def read_car(id_: str) -> Any:
    """Return a car."""
    return _car(id_)


@app.get("/cars/{id_}/wheels/{place}", response_model=Wheel, response_class=HALResponse)
def read_wheel(id_: str, place: str) -> Any:
    """Return a wheel."""
    return {"id_": id_, "place": place}


@app.put("/cars/{id_}/colour", response_model=Car, response_class=HALResponse)
def paint_car(id_: str, paint: Paint, response: Response) -> Any:
    """Paint a car."""
    colours[id_] = paint.colour
    response.headers["Location"] = f"/cars/{id_}"
    return _car(id_)


if __name__ == "__main__":
    listening = socket.create_server(("127.0.0.1", 0))
    print(listening.getsockname()[1], flush=True)
    uvicorn.Server(uvicorn.Config(app, log_level="error")).run([listening])
