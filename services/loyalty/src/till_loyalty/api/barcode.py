"""A card as a picture: what is printed on it, or shown on a phone."""

from io import BytesIO

from barcode.ean import EuropeanArticleNumber13
from barcode.writer import SVGWriter


def svg_of(card_number: str) -> bytes:
    """Return the EAN-13 bars of a card number as SVG."""
    picture = BytesIO()
    EuropeanArticleNumber13(card_number[:12], writer=SVGWriter()).write(picture)
    return picture.getvalue()
