"""Tills that send payments until each is answered, and the history of what they sent and heard: kept outside of all that can fail."""

import asyncio
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

from faultlab.simulation.installation import Installation, Running
from faultlab.simulation.shop import REFUSED, Order, receipt
from faultlab.simulation.world import World
from till_platform.context import Context, within
from till_platform.domain import DomainError
from till_platform.eventstore.errors import DATABASE_AWAY
from till_platform.http.idempotency import OnceCommand
from till_platform.http.problems import Refusal

PATIENCE = 1.5
"""So many seconds a till waits for an answer before it asks again, perhaps elsewhere."""


@dataclass(slots=True)
class Command:
    """One payment as the till knows it, and every answer it was given."""

    key: str
    order_id: str
    customer_id: str
    payment_id: str
    amount: int
    answers: list[tuple[int, bytes]] = field(default_factory=list)
    asked: int = 0
    done: bool = False


class Tills:
    """Three tills of one shop."""

    def __init__(self, world: World, installation: Installation, commands: int, *, refused: bool) -> None:
        self.world = world
        self.installation = installation
        self.history: list[Command] = []
        self.other_bodies: list[int] = []
        self.lost_answers = 0.08
        self._process = world.process("tills")
        for number in range(commands):
            customer = int(world.random.random() * 3)
            amount = REFUSED if refused and world.chance(0.12) else 1 + int(world.random.random() * 99)
            order = f"{customer}-{int(world.random.random() * 2)}"
            command = Command(f"k{number}", order, f"customer-{customer}", f"p{number}", amount)
            self.history.append(command)
            self._process.call_later(
                (0.2 + 4.5 * world.random.random() ** 2), lambda given=command: self._process.start(self._send(given))
            )

    @property
    def done(self) -> bool:
        """Whether every payment was answered."""
        return all(command.done for command in self.history)

    async def _send(self, command: Command) -> None:
        while not command.done:
            answer = await self._ask(command, command.amount)
            if answer is not None:
                command.answers.append(answer)
                command.done = answer[0] in {201, 409}
            if not command.done:
                await asyncio.sleep(self.world.between(0.05, 0.5))
        if self.world.chance(
            0.15
        ):  # a till that sends it once more, and one that sends something else under the same key
            answer = await self._ask(command, command.amount)
            if answer is not None and answer[0] < 500:
                command.answers.append(answer)
            answer = await self._ask(command, command.amount + 1)
            if answer is not None and answer[0] < 500:
                self.other_bodies.append(answer[0])

    async def _ask(self, command: Command, amount: int) -> tuple[int, bytes] | None:
        """Send a request to either process; return status and body, or nothing if nothing came back in time."""
        command.asked += 1
        running = self.installation.running["order-1" if self.world.chance(0.5) else "order-2"]
        heard: asyncio.Future[tuple[int, bytes]] = self._process.create_future()
        arrives = self.world.between(0.0, 0.01)
        running.process.call_later(arrives, lambda: running.process.start(self._serve(running, command, amount, heard)))
        try:
            return await asyncio.wait_for(heard, PATIENCE)
        except TimeoutError:
            return None

    async def _serve(
        self, running: Running, command: Command, amount: int, heard: "asyncio.Future[tuple[int, bytes]]"
    ) -> None:
        answer = await self._handle(running, command, amount)
        if self.world.chance(self.lost_answers):
            self.world.note(running.process.name, f"the answer to {command.key} is lost")
            return
        self._process.call_later(self.world.between(0.0, 0.01), _hear, heard, answer)

    async def _handle(self, running: Running, command: Command, amount: int) -> tuple[int, bytes]:
        """What a route does: the command runs once per key, whatever way its answer takes."""
        log = running.log
        assert log is not None

        async def pay() -> Order:
            order = await log.find(Order, command.order_id)
            order.pay(command.payment_id, command.customer_id, amount, self.world.clock())
            await log.save(order)
            return order

        request: Any = SimpleNamespace(
            scope={"route": SimpleNamespace(status_code=201)},
            app=SimpleNamespace(state=SimpleNamespace(parts=SimpleNamespace(log=log))),
        )
        once = OnceCommand(request, f"till:{command.key}", f"{command.order_id} {amount}".encode())
        try:
            with within(Context(correlation_id=self.world.new_id())):
                response: Any = await once(lambda: log.retrying(pay), receipt)
        except Refusal as refusal:
            return refusal.status_code, b""
        except DomainError as error:
            return 409, error.code.encode()
        except DATABASE_AWAY:
            return 503, b""
        return response.status_code, response.body


def _hear(heard: "asyncio.Future[tuple[int, bytes]]", answer: tuple[int, bytes]) -> None:
    if not heard.done():
        heard.set_result(answer)
