"""What those see of a customer who count and check but have no business with the person: enough to tell two apart, not to find one."""

from msgspec import structs

from till_customer.domain.profile import Profile


def masked(profile: Profile) -> Profile:
    """Return the profile without what tells who somebody is."""
    return structs.replace(
        profile,
        name=masked_name(profile.name),
        phones=tuple(masked_address(phone) for phone in profile.phones),
        emails=tuple(masked_address(email) for email in profile.emails),
        birth_date=None,
        gender=None,
    )


def masked_name(name: str) -> str:
    """Return the initials: `A*** N***`."""
    return " ".join(f"{word[0]}***" for word in name.split())


def masked_address(address: str) -> str:
    """Return a phone by its country's first and its last two digits, an e-mail address by its first letter and domain."""
    user, at, domain = address.rpartition("@")
    if at:
        return f"{user[:1]}***@{domain}"
    return f"{address[:2]}***{address[-2:]}" if address.startswith("+") else "***"
