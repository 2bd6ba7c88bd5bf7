"""Proverbs over HTTP: a small FastAPI app."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from fastapi import FastAPI, HTTPException, Query
from pydantic import BaseModel


class Quote(BaseModel):
    number: int
    text: str


PROVERBS = [
    "A rolling stone gathers no moss.",
    "Measure twice, cut once.",
    "Many hands make light work.",
    "Constant dripping wears away the stone.",
    "A stitch in time saves nine.",
    "Still waters run deep.",
    "The proof of the pudding is in the eating.",
]
QUOTES = [Quote(number=number, text=text) for number, text in enumerate(PROVERBS, start=1)]

app = FastAPI(title="Quotes")


@app.get("/")
async def quote_of_the_day() -> Quote:
    return QUOTES[datetime.now(UTC).toordinal() % len(QUOTES)]


@app.get("/quotes")
async def every_quote() -> list[Quote]:
    return QUOTES


@app.get("/quotes/{number}")
async def one_quote(number: int) -> Quote:
    if not 1 <= number <= len(QUOTES):
        raise HTTPException(404, f"there are quotes 1 to {len(QUOTES)}")
    return QUOTES[number - 1]


@app.get("/search")
async def search(word: Annotated[str, Query(min_length=2)]) -> list[Quote]:
    return [quote for quote in QUOTES if word.casefold() in quote.text.casefold()]
