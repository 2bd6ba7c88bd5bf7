"""Thumbnails as a service: POST a picture, get a small one back."""

from __future__ import annotations

from io import BytesIO

from chalice import BadRequestError, Chalice, Response
from PIL import Image, ImageOps

app = Chalice(app_name="thumbnails")

PICTURES = ["image/png", "image/jpeg", "image/gif", "image/webp"]
FORMATS = {"png": "image/png", "jpeg": "image/jpeg"}
app.api.binary_types.extend(PICTURES)


@app.route("/")
def index():
    return {
        "app": "thumbnails",
        "use": "POST a picture here; ?size=128 is its longest side in pixels, ?format=png or jpeg",
        "try": "GET demo",
    }


@app.route("/", methods=["POST"], content_types=PICTURES)
def create():
    query = app.current_request.query_params or {}
    size, format_ = parse_size(query.get("size", "128")), query.get("format", "png")
    if format_ not in FORMATS:
        raise BadRequestError(f"format is one of {', '.join(FORMATS)}")
    small = shrink(open_picture(app.current_request.raw_body), size)
    return Response(encode(small, format_), headers={"Content-Type": FORMATS[format_]})


@app.route("/demo")
def demo():
    picture = Image.linear_gradient("L").resize((640, 480))
    small = shrink(picture, 128)
    return {"picture": picture.size, "thumbnail": small.size, "bytes": len(encode(small, "png"))}


def parse_size(text: str) -> int:
    if not (text.isdecimal() and 1 <= int(text) <= 1024):
        raise BadRequestError("size is a number of pixels from 1 to 1024")
    return int(text)


def open_picture(data: bytes) -> Image.Image:
    try:
        picture = Image.open(BytesIO(data))
        picture.load()
    except (OSError, Image.DecompressionBombError) as error:
        raise BadRequestError("the body is not a picture that can be read") from error
    return ImageOps.exif_transpose(picture)


def shrink(picture: Image.Image, size: int) -> Image.Image:
    small = picture.convert("RGB")
    small.thumbnail((size, size))
    return small


def encode(picture: Image.Image, format_: str) -> bytes:
    buffer = BytesIO()
    picture.save(buffer, format_)
    return buffer.getvalue()
