"""What tills ask and do with a card."""

from fastapi import APIRouter, Response

from till_events.ids import new_id
from till_loyalty.api.access import AtTheTill, Reader
from till_loyalty.api.barcode import svg_of
from till_loyalty.api.bodies import BlockBody, CardNumber, HoldBody
from till_loyalty.api.replies import AccountCardsReply, CardReply, HoldReply
from till_loyalty.commands.correct_account import block
from till_loyalty.commands.redeem_points import HoldPoints, hold
from till_loyalty.domain.errors import CardBlocked, NotEnoughPoints, UnknownCard
from till_loyalty.projections.till_answers import TillAnswers
from till_platform.http import ClockDep, LogDep, Once, PartsDep, problems

_FOR_EVER = {"Cache-Control": "private, max-age=31536000, immutable"}


def routes(answers: TillAnswers) -> APIRouter:
    """Return the routes about cards; `answers` is where the till's question is answered from."""
    router = APIRouter(prefix="/v1/cards", tags=["cards"])

    @router.get("/{number}.svg", response_class=Response, responses=problems(UnknownCard))
    async def picture(number: CardNumber, who: Reader, parts: PartsDep) -> Response:  # noqa: ARG001 - any role may see it
        """Return the bar code of a card as SVG."""
        if await answers.about(number, parts) is None:
            raise UnknownCard("nobody was given a card with this number")
        return Response(svg_of(number), media_type="image/svg+xml", headers=_FOR_EVER)

    @router.get("/{number}", response_model=CardReply, responses=problems(UnknownCard))
    async def show(number: CardNumber, who: Reader, parts: PartsDep) -> Response:  # noqa: ARG001 - any role may ask
        """Tell a till whose card this is, on which level, and what can be spent with it now."""
        body = await answers.about(number, parts)
        if body is None:
            raise UnknownCard("nobody was given a card with this number")
        return Response(body, media_type="application/json")

    @router.post("/{number}/holds", status_code=201, responses=problems(UnknownCard, CardBlocked, NotEnoughPoints))
    async def put_aside(
        number: CardNumber, body: HoldBody, who: AtTheTill, log: LogDep, clock: ClockDep, once: Once
    ) -> HoldReply:
        """Put points aside for a sale. Nobody else can spend them until they are captured, released, or time runs out."""
        who.must_reach(body.store_id)
        now = clock.now()
        command = HoldPoints(card_number=number, hold_id=new_id(), **body.model_dump())
        return await once(lambda: hold(command, log, now), lambda account: HoldReply.of(account, command.hold_id, now))

    @router.post("/{number}/block", responses=problems(UnknownCard))
    async def block_(
        number: CardNumber,
        body: BlockBody,
        who: AtTheTill,  # noqa: ARG001 - a lost card is blocked by whoever hears of it first
        log: LogDep,
        clock: ClockDep,
        once: Once,
    ) -> AccountCardsReply:
        """Block a lost, stolen or replaced card. The points stay on the account."""
        return await once(lambda: block(number, body.reason, log, clock.now()), AccountCardsReply.of)

    return router
