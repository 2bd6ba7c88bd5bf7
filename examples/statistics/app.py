"""Statistics as a service: POST numbers or a CSV table, get count, mean, spread and quartiles back."""

from __future__ import annotations

from io import BytesIO

import pandas as pd
from flask import Flask, abort, request

app = Flask(__name__)

SAMPLE = pd.DataFrame({"celsius": [19.5, 21.0, 22.5, 20.0], "humidity": [41, 40, 38, 44]})


@app.get("/")
def sample():
    return {"app": "statistics", "sample": describe(SAMPLE)}


@app.post("/")
def statistics():
    table = read_numbers() if request.is_json else read_csv()
    return describe(table)


def read_numbers() -> pd.DataFrame:
    try:
        return pd.DataFrame({"numbers": pd.Series(request.json["numbers"], dtype="float64")})
    except (KeyError, TypeError, ValueError):
        abort(400, 'JSON is expected to look like {"numbers": [1, 2.5, 3]}')


def read_csv() -> pd.DataFrame:
    try:
        return pd.read_csv(BytesIO(request.get_data()))
    except (ValueError, UnicodeDecodeError) as error:
        abort(400, f"this is not CSV: {error}")


def describe(table: pd.DataFrame) -> dict[str, dict[str, float]]:
    numbers = table.select_dtypes("number")
    if numbers.empty:
        abort(400, "there is no column of numbers in it")
    return numbers.describe().astype(object).where(lambda cell: cell.notna(), None).to_dict()
