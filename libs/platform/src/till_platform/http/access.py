"""Who may call a route: `who: Annotated[Who, allow("cashier", "manager")]`."""

from typing import Any

from fastapi import Request, Security
from fastapi.openapi.models import HTTPBearer as HTTPBearerModel
from fastapi.security.base import SecurityBase

from till_platform.auth import ROLES, Tokens, Unauthenticated, Who
from till_platform.domain import Forbidden
from till_platform.keys import KeysUnavailable

SCOPE_KEY = "till.who"


class Allowed(SecurityBase):
    """Lets callers in who have one of some roles."""

    model = HTTPBearerModel(description="A JSON web token of the chain's issuer.", bearerFormat="JWT")
    scheme_name = "token"

    def __init__(self, roles: frozenset[str]) -> None:
        self.roles = roles

    async def __call__(self, request: Request) -> Who:
        who = caller(request)
        if who.roles.isdisjoint(self.roles):
            raise Forbidden("your role may not do this", roles=sorted(self.roles))
        return who


def allow(*roles: str) -> Any:
    """Let in who has at least one of these roles; without any named, every role there is.

    Answers 401 to who shows no good token, 403 to who lacks the role. Which stores the caller reaches is for the route to ask
    (`who.must_reach(store_id)`), since only it knows which store is meant.
    """
    unknown = set(roles) - ROLES
    if unknown:
        raise ValueError(f"there is no role {', '.join(sorted(unknown))}")
    return Security(Allowed(frozenset(roles) or ROLES))


def caller(request: Request) -> Who:
    """Return who is calling; raise `Unauthenticated`."""
    who = request.scope.get(SCOPE_KEY)
    if isinstance(who, Who):
        return who
    if isinstance(who, Exception):
        raise who
    raise Unauthenticated("a bearer token is needed", missing=True)


async def identify(authorization: bytes | None, tokens: Tokens | None) -> Who | Exception | None:
    """Return whom an Authorization header speaks for, or why it cannot be told. Refusing is left to the routes that ask who it is."""
    if authorization is None or tokens is None:
        return None
    scheme, _, token = authorization.partition(b" ")
    if scheme.lower() != b"bearer" or not token.isascii():
        return Unauthenticated("a bearer token is needed", missing=True)
    try:
        return await tokens.who(token.strip().decode("ascii"))
    except (Unauthenticated, KeysUnavailable) as error:
        return error
