"""Phones and e-mail addresses in the one form in which they are kept, compared and written to."""

from functools import lru_cache

import phonenumbers
from email_validator import EmailNotValidError, validate_email
from phonenumbers import NumberParseException, PhoneNumberFormat, ValidationResult

from till_platform.domain import Invalid

# A phone or an address of a list is looked at several times: for the profile, and for each consent.
_REMEMBERED = 1024


@lru_cache(_REMEMBERED)
def phone(written: str, country: str | None) -> str:
    """Return a phone as E.164 (`+48501234567`) however it was written; `country` (ISO 3166, `PL`) reads one without its country code.

    Only the length is checked against the country's numbering plan: new ranges are handed out faster than lists of them are updated, and a
    shop must not send a customer away. Raises `Invalid`, without repeating the number.
    """
    try:
        number = phonenumbers.parse(written, country)
    except NumberParseException as error:
        if error.error_type == NumberParseException.INVALID_COUNTRY_CODE and country is None:
            raise Invalid(
                "a phone needs its country code (+48 …), or a country to read it in", field="phones"
            ) from None
        raise Invalid("this is not a phone number", field="phones") from None
    if phonenumbers.is_possible_number_with_reason(number) != ValidationResult.IS_POSSIBLE:
        raise Invalid("this phone number has too few or too many digits", field="phones")
    return phonenumbers.format_number(number, PhoneNumberFormat.E164)


@lru_cache(_REMEMBERED)
def email(written: str) -> str:
    """Return an e-mail address in lower case and Unicode's composed form. Raises `Invalid`, without repeating the address.

    Nobody is asked whether the domain exists. The reserved domain `.test` is accepted, so that staff can be trained.
    """
    try:
        checked = validate_email(written.strip(), check_deliverability=False, test_environment=True)
    except EmailNotValidError:
        raise Invalid("this is not an e-mail address", field="emails") from None
    return checked.normalized.lower()


def address(written: str, channel: str, country: str | None) -> str:
    """Return what a message by this channel is addressed to: a phone, an e-mail address, or (post, push) plain text."""
    match channel:
        case "sms" | "phone":
            return phone(written, country)
        case "email":
            return email(written)
        case _:
            text = " ".join(written.split())
            if not 0 < len(text) <= 500 or not text.isprintable():
                raise Invalid("this is not an address", field="address")
            return text
