"""Text messages over a gateway."""

import json

import httpx2
import pytest

from till_notification.sending.provider import NoAnswer, NoProvider, Outgoing, Refused
from till_notification.sending.sms_gateway import SmsGateway

SMS = Outgoing(message_id="m-1", address="+48601000001", text="Курьер приедет примерно через час.")


def gateway(answer, *, token=None):
    asked = []

    def handle(request):
        asked.append(request)
        if isinstance(answer, Exception):
            raise answer
        return answer

    client = httpx2.AsyncClient(transport=httpx2.MockTransport(handle))
    return SmsGateway(client, "http://gateway.example/messages", sender="SHOP", token=token), asked


async def test_a_text_is_posted_with_its_id_as_the_key():
    sms, asked = gateway(httpx2.Response(202, json={"id": "sms-7"}))
    assert await sms.send(SMS) == "sms-7"
    (request,) = asked
    assert request.headers["Idempotency-Key"] == "m-1"
    assert json.loads(request.content) == {"to": SMS.address, "from": "SHOP", "text": SMS.text}
    assert "Authorization" not in request.headers


async def test_a_gateway_that_wants_a_token_gets_one():
    sms, asked = gateway(httpx2.Response(200, json={}), token="t-1")
    await sms.send(SMS)
    assert asked[0].headers["Authorization"] == "Bearer t-1"


@pytest.mark.parametrize("body", ["", "OK", "[]", "{}"])
async def test_a_gateway_that_gives_no_id_has_taken_it_all_the_same(body):
    sms, _ = gateway(httpx2.Response(200, text=body))
    assert await sms.send(SMS) is None


@pytest.mark.parametrize("status", [400, 409, 422])
async def test_what_the_gateway_will_never_take_is_refused(status):
    sms, _ = gateway(httpx2.Response(status, text="+48601000001 is no number"))
    with pytest.raises(Refused) as refused:
        await sms.send(SMS)
    assert refused.value.code == f"sms-{status}"


@pytest.mark.parametrize("status", [301, 401, 403, 404, 408, 429, 500, 503])
async def test_what_may_mend_itself_is_no_answer_yet(status):
    sms, _ = gateway(httpx2.Response(status))
    with pytest.raises(NoAnswer) as unanswered:
        await sms.send(SMS)
    assert unanswered.value.code == f"sms-{status}"


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (httpx2.ReadTimeout("slow"), "sms-timeout"),
        (httpx2.ConnectError("down"), "sms-unreachable"),
        (httpx2.RemoteProtocolError("hung up"), "sms-unreachable"),
    ],
)
async def test_silence_is_no_answer(error, code):
    sms, _ = gateway(error)
    with pytest.raises(NoAnswer) as unanswered:
        await sms.send(SMS)
    assert unanswered.value.code == code


async def test_a_channel_that_nobody_carries_says_so():
    with pytest.raises(Refused) as refused:
        await NoProvider("sms").send(SMS)
    assert refused.value.code == "sms-not-configured"
