"""Text messages, by an HTTP gateway as mobile operators offer it."""

import httpx2

from till_notification.sending.provider import NoAnswer, Outgoing, Provider, Refused

_AGAIN = frozenset({401, 403, 404, 408, 425, 429})
"""Errors that say nothing of this message: a wrong password, a wrong address of the gateway, too many at once. Waiting may mend them."""


class SmsGateway(Provider):
    """Posts `{to, from, text}` with the message's id as `Idempotency-Key`.

    So a gateway that took the message and lost its answer can be asked again harmlessly.
    """

    def __init__(self, client: httpx2.AsyncClient, url: str, *, sender: str, token: str | None) -> None:
        self._client = client
        self._url = url
        self._sender = sender
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}

    async def send(self, outgoing: Outgoing) -> str | None:
        body = {"to": outgoing.address, "from": self._sender, "text": outgoing.text}
        headers = {**self._headers, "Idempotency-Key": outgoing.message_id}
        try:
            answer = await self._client.post(self._url, json=body, headers=headers)
        except httpx2.TimeoutException:
            raise NoAnswer("sms-timeout") from None
        except httpx2.HTTPError:
            raise NoAnswer("sms-unreachable") from None
        if answer.is_success:
            return _id_in(answer)
        code = f"sms-{answer.status_code}"
        if answer.is_client_error and answer.status_code not in _AGAIN:
            raise Refused(code)
        raise NoAnswer(code)


def _id_in(answer: httpx2.Response) -> str | None:
    try:
        given = answer.json()
    except ValueError:
        return None
    found = given.get("id") if isinstance(given, dict) else None
    return str(found)[:200] if found is not None else None
