"""An API made with FastAPI, whose errors its own validation writes.

It prints its port, then listens. It runs in an environment of its own, so no tool of this repository imports it.
"""
# pyright: basic, reportMissingImports=false, reportMissingModuleSource=false

import socket
from typing import Annotated, Any

import uvicorn
from fastapi import FastAPI, HTTPException, Query, UploadFile
from pydantic import BaseModel, Field

app = FastAPI()


class Item(BaseModel):
    """An item of an order."""

    name: str = Field(min_length=2)
    price: float = Field(gt=0)


class Order(BaseModel):
    """An order."""

    items: list[Item]


@app.post("/orders", status_code=201)
def create(order: Order, limit: Annotated[int, Query(le=10)] = 5) -> Any:
    """Create an order; without a Location."""
    return {"id": 1, "limit": limit}


@app.get("/orders/{id_}")
def read(id_: int) -> Any:
    """Find no order."""
    raise HTTPException(404, detail=f"no order {id_}")


@app.get("/held")
def held() -> Any:
    """Refuse with an object."""
    raise HTTPException(409, detail={"code": "HELD", "message": "held by another"}, headers={"X-Held-By": "Ann"})


@app.post("/scans")
def scan(scan: UploadFile) -> Any:
    """Receive a file."""
    return {"name": scan.filename, "type": scan.content_type, "size": len(scan.file.read())}


@app.post("/slash/")
def slash() -> Any:
    """Be redirected to, from the URL without a slash."""
    return {"slash": True}


if __name__ == "__main__":
    listening = socket.create_server(("127.0.0.1", 0))
    print(listening.getsockname()[1], flush=True)
    uvicorn.Server(uvicorn.Config(app, log_level="error")).run([listening])
