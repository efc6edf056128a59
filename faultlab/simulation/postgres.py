"""A model of PostgreSQL as far as our code leans on it: READ COMMITTED, row locks until commit, unique keys, savepoints, lost sessions.

What a statement means is in `statements.py`; here is what a transaction means. Nothing is read of another transaction before it commits;
whoever wants a row that another one has locked waits, and then sees it as it is after that one's commit.
"""

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any, Self

from greenlet import GreenletExit
from psycopg import OperationalError
from psycopg.errors import IdleInTransactionSessionTimeout, LockNotAvailable
from psycopg.pq import ExecStatus, PipelineStatus

from faultlab.simulation.world import Process, Thread, World, here

LOCK_TIMEOUT = 10.0
IDLE_IN_TRANSACTION = 2.0
Row = dict[str, Any]
Key = tuple[str, Any]


class Database:
    """One service's database: committed rows by table and key, and who holds which lock."""

    def __init__(self, world: World, name: str) -> None:
        self.world = world
        self.name = name
        self.tables: dict[str, dict[Any, Row]] = {}
        self.streams: dict[str, list[Row]] = {}
        self.locks: dict[Key, Lock] = {}
        self.sessions: list[Session] = []
        self.away = False
        self.numbers: dict[str, int] = {}
        self.broker: Any = None
        self.watchers: list[Callable[[Mapping[Key, Row | None], Mapping[Key, Row | None]], None]] = []

    def table(self, name: str) -> dict[Any, Row]:
        """Return the committed rows of a table by key."""
        return self.tables.setdefault(name, {})

    def number(self, sequence: str, amount: int = 1) -> int:
        """Take the next numbers of a sequence, whatever becomes of the transaction; return the last of them."""
        self.numbers[sequence] = self.numbers.get(sequence, 0) + amount
        return self.numbers[sequence]

    def connect(self, process: Process) -> "Session":
        """Open a session for a process."""
        if self.away:
            raise OperationalError("connection refused")
        session = Session(self, process)
        self.sessions.append(session)
        return session

    def end_sessions(self, process: Process | None, error: str) -> None:
        """End the sessions of one process, or of all: what they had not committed is gone."""
        for session in list(self.sessions):
            if process is None or session.process is process:
                session.end(OperationalError(error))

    def commit(self, writes: Mapping[Key, Row | None]) -> None:
        """Make the writes of a transaction true, all at once."""
        before = {key: self.table(key[0]).get(key[1]) for key in writes} if self.watchers else {}
        for (name, key), row in writes.items():
            if row is None:
                self.table(name).pop(key, None)
            else:
                self.table(name)[key] = row
                if name == "log":
                    self.streams.setdefault(row["stream"], []).append(row)
        for watch in self.watchers:
            watch(before, writes)


class Lock:
    """The lock of one row or key: one exclusive holder or several shared ones, and a queue."""

    __slots__ = ("holders", "queue")

    def __init__(self) -> None:
        self.holders: dict[Transaction, bool] = {}
        self.queue: deque[Waiting] = deque()

    def free_for(self, transaction: "Transaction", *, shared: bool) -> bool:
        """Whether the transaction may have it now."""
        others = [mode for holder, mode in self.holders.items() if holder is not transaction]
        return not others or (shared and all(others))


class Waiting:
    """A transaction in the queue for a lock."""

    __slots__ = ("granted", "shared", "thread", "transaction")

    def __init__(self, transaction: "Transaction", thread: Thread, *, shared: bool) -> None:
        self.transaction = transaction
        self.thread = thread
        self.shared = shared
        self.granted = False


class Transaction:
    """What one transaction has written and locked so far."""

    def __init__(self, database: Database, session: "Session") -> None:
        self.database = database
        self.session = session
        self.writes: dict[Key, Row | None] = {}
        self.held: dict[Key, Lock] = {}
        self.waiting: Waiting | None = None

    def get(self, table: str, key: Any) -> Row | None:
        """Return a row as this transaction sees it."""
        place = (table, key)
        return self.writes[place] if place in self.writes else self.database.table(table).get(key)

    def rows(self, table: str) -> list[tuple[Any, Row]]:
        """Return all rows of a table as this transaction sees them."""
        seen: dict[Any, Row | None] = dict(self.database.table(table))
        seen.update({key: row for (name, key), row in self.writes.items() if name == table})
        return [(key, row) for key, row in seen.items() if row is not None]

    def stream(self, stream: str) -> list[Row]:
        """Return the events of a stream in order, those this transaction wrote last."""
        mine = [
            row
            for (name, _), row in self.writes.items()
            if name == "log" and row is not None and row["stream"] == stream
        ]
        return [*self.database.streams.get(stream, ()), *mine]

    def put(self, table: str, key: Any, row: Row) -> None:
        """Write a row that this transaction has locked."""
        self.writes[table, key] = row

    def delete(self, table: str, key: Any) -> None:
        """Remove a row that this transaction has locked."""
        self.writes[table, key] = None

    def insert(self, table: str, key: Any, row: Row) -> bool:
        """Insert a row unless there is one; wait for whoever is inserting the same key. Return whether it was inserted."""
        if self.get(table, key) is not None:
            return False
        self.lock(table, key)
        if self.get(table, key) is not None:
            return False
        self.put(table, key, row)
        return True

    def lock(self, table: str, key: Any, *, shared: bool = False) -> None:
        """Lock a row until the transaction ends; wait for whoever has it."""
        place = (table, key)
        lock = self.database.locks.get(place)
        if lock is None:
            lock = self.database.locks[place] = Lock()
        mine = self in lock.holders and (shared or not lock.holders[self])  # whoever has it waits for nobody
        if mine or (lock.free_for(self, shared=shared) and not lock.queue):
            self._hold(place, lock, shared=shared)
            return
        self._wait(place, lock, shared=shared)

    def may_lock(self, table: str, key: Any) -> bool:
        """Lock a row if nobody else has it: `FOR UPDATE SKIP LOCKED`."""
        lock = self.database.locks.setdefault((table, key), Lock())
        if not lock.free_for(self, shared=False):
            return False
        self._hold((table, key), lock, shared=False)
        return True

    def release(self, keep: int = 0) -> None:
        """Give back the locks taken after the first `keep`, and let those who wait for them have them."""
        for place in list(self.held)[keep:]:
            lock = self.held.pop(place)
            lock.holders.pop(self, None)
            self._pass_on(place, lock)

    def abort(self) -> None:
        """Give up: its locks, and its place in a queue."""
        self.release()
        if (waiting := self.waiting) is not None and not waiting.granted:
            for place, lock in list(self.database.locks.items()):
                if waiting in lock.queue:
                    lock.queue.remove(waiting)
                    self._pass_on(place, lock)
            waiting.thread.wake()

    def _wait(self, place: Key, lock: Lock, *, shared: bool) -> None:
        world, thread = self.database.world, here()
        waiting = self.waiting = Waiting(self, thread, shared=shared)
        lock.queue.append(waiting)
        world.after(LOCK_TIMEOUT, self._give_up, waiting)
        world.note(thread.process.name, f"waits for {place[0]} {place[1]}")
        thread.block()
        self.waiting = None
        if not waiting.granted and waiting in lock.queue:
            lock.queue.remove(waiting)
            self._pass_on(place, lock)
        self.session.must_live()
        if not waiting.granted:
            raise LockNotAvailable("canceling statement due to lock timeout")

    def _give_up(self, waiting: Waiting) -> None:
        if self.waiting is waiting and not waiting.granted:
            waiting.thread.wake()

    def _pass_on(self, place: Key, lock: Lock) -> None:
        while lock.queue and lock.free_for(lock.queue[0].transaction, shared=lock.queue[0].shared):
            waiting = lock.queue.popleft()
            waiting.granted = True
            waiting.transaction._hold(place, lock, shared=waiting.shared)
            waiting.thread.wake()
        if not lock.queue and not lock.holders:
            self.database.locks.pop(place, None)

    def _hold(self, place: Key, lock: Lock, *, shared: bool) -> None:
        lock.holders[self] = shared and lock.holders.get(self, True)
        self.held.setdefault(place, lock)


class Session:
    """What our code takes for a psycopg connection in autocommit mode."""

    def __init__(self, database: Database, process: Process) -> None:
        self.database = database
        self.process = process
        self.current: Transaction | None = None
        self.schema = "public"
        self.error: Exception | None = None
        self.idle_timeout: float | None = None
        self.advisory: set[Key] = set()
        self._shut = False
        self.pgconn = SimpleNamespace(pipeline_status=PipelineStatus.OFF)

    @property
    def closed(self) -> bool:
        return self._shut or self.error is not None

    @property
    def broken(self) -> bool:
        return self.error is not None

    def must_live(self) -> None:
        """Raise what the server said when it ended this session."""
        if self.error is not None:
            raise self.error
        if self._shut:
            raise OperationalError("the connection is closed")

    def close(self) -> None:
        """Close the session; an open transaction is rolled back."""
        if not self.closed:
            self.end(None)

    def end(self, error: Exception | None) -> None:
        """End the session on the server's side."""
        self.error, self._shut = error, True
        if self in self.database.sessions:
            self.database.sessions.remove(self)
        transaction, self.current = self.current, None
        self.advisory.clear()
        if transaction is not None:
            transaction.abort()

    def frozen(self) -> None:
        """The client was stopped: the server gives it up if it is still idle after a while."""
        self.database.world.after(IDLE_IN_TRANSACTION, self._idle, self.current)
        if self.idle_timeout is not None and self.current is None:
            self.database.world.after(self.idle_timeout, self._idle, None)

    def _idle(self, transaction: Transaction | None) -> None:
        if not self.process.frozen or self.closed or transaction is not self.current:
            return
        if transaction is None:
            if self.idle_timeout is not None:
                self.end(OperationalError("terminating connection due to idle-session timeout"))
        elif transaction.waiting is None or transaction.waiting.granted:
            self.database.world.note(self.process.name, "idle in a transaction: ended by the server")
            self.end(IdleInTransactionSessionTimeout("terminating connection due to idle-in-transaction timeout"))
        else:
            self.database.world.after(IDLE_IN_TRANSACTION, self._idle, transaction)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """A transaction, or a savepoint inside one."""
        self.must_live()
        outer = self.current
        if outer is None:
            mine = self.current = Transaction(self.database, self)
            try:
                yield
            except GreenletExit:
                raise
            except BaseException:
                self._roll_back(mine)
                raise
            here().pause()  # the COMMIT is on its way
            self.must_live()
            self._commit(mine)
            return
        writes, held = dict(outer.writes), len(outer.held)
        try:
            yield
        except BaseException:
            outer.writes = writes
            outer.release(held)
            raise

    def _commit(self, mine: Transaction) -> None:
        self.database.commit(mine.writes)
        self.current = None
        mine.release()
        here().pause()  # the answer is on its way
        self.must_live()

    def _roll_back(self, mine: Transaction) -> None:
        if self.current is mine:
            self.current = None
            mine.release()

    @contextmanager
    def pipeline(self) -> Iterator[None]:
        """A pipeline whose answers are read one by one: what fails is known at once, and not a little later."""
        self.pgconn.pipeline_status = PipelineStatus.ON
        try:
            yield
        finally:
            self.pgconn.pipeline_status = PipelineStatus.OFF

    def execute(
        self,
        query: Any,
        parameters: Any = (),
        *,
        binary: bool = False,  # noqa: ARG002 - the model has one format, and no plans
        prepare: bool | None = None,  # noqa: ARG002
    ) -> "Cursor":
        return Cursor(self).execute(query, parameters)

    def cursor(self, *, row_factory: Any = None) -> "Cursor":
        return Cursor(self, row_factory)


class Cursor:
    """What our code takes for a psycopg cursor."""

    def __init__(self, session: Session, row_factory: Any = None) -> None:
        self.session = session
        self.rowcount = -1
        self.description: Sequence[str] | None = None
        self.pgresult: Any = None
        self._encoding = "utf-8"
        self._row_factory = row_factory
        self._rows: list[Any] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing is to be closed."""

    def execute(self, query: Any, parameters: Any = ()) -> "Cursor":
        from faultlab.simulation.statements import meaning_of

        run = meaning_of(query)
        here().pause()  # the statement is on its way
        self.session.must_live()
        if self.session.current is not None:
            self._keep(run(self.session.current, parameters))
        else:
            mine = self.session.current = Transaction(self.session.database, self.session)
            try:
                result = run(mine, parameters)
                if mine.writes:
                    self.session._commit(mine)
            except BaseException:
                self.session._roll_back(mine)
                raise
            self.session._roll_back(mine)
            self._keep(result)
        return self

    def stream(self, query: Any, parameters: Any = (), *, size: int = 1) -> Iterator[Any]:  # noqa: ARG002 - all rows are here at once
        yield from self.execute(query, parameters)

    def executemany(self, query: Any, many: Sequence[Any]) -> None:
        for parameters in many:
            self.execute(query, parameters)

    @contextmanager
    def copy(self, query: str) -> Iterator[Any]:
        from faultlab.simulation.statements import copied_by

        assert self.session.pgconn.pipeline_status == PipelineStatus.OFF, "COPY in a pipeline"
        rows: list[Sequence[Any]] = []
        yield SimpleNamespace(set_types=lambda _: None, write_row=rows.append)
        here().pause()
        self.session.must_live()
        assert self.session.current is not None, "COPY outside a transaction"
        copied_by(query, self.session.current, rows)

    def fetchone(self) -> Any:
        return self._rows[0] if self._rows else None

    def fetchall(self) -> list[Any]:
        return self._rows

    def __iter__(self) -> Iterator[Any]:
        return iter(self._rows)

    def _keep(self, result: "Result") -> None:
        self.rowcount = result.count
        self.description = result.names
        self._rows = result.rows
        if self._row_factory is not None and result.names is not None:
            names = result.names
            self.pgresult = SimpleNamespace(
                nfields=len(names), status=ExecStatus.TUPLES_OK, fname=lambda place: names[place].encode()
            )
            make = self._row_factory(self)
            self._rows = [make(row) for row in result.rows]


class _Line:
    """Whom a process asks to wait for one connection."""

    _max_workers = 1


class SessionInLoop:
    """What our code takes for an `AsyncConnection`: the event loop goes on while a statement is on its way."""

    def __init__(self, session: Session, line: _Line) -> None:
        self._session = session
        self._line = line
        self.pgconn = SimpleNamespace(finish=session.close)

    @property
    def closed(self) -> bool:
        return self._session.closed

    async def execute(
        self,
        query: Any,
        parameters: Any = (),
        *,
        prepare: bool | None = None,  # noqa: ARG002 - the model has no plans, and one format
        binary: bool = False,  # noqa: ARG002
    ) -> "CursorInLoop":
        run = self._session.process.run_in_executor
        return CursorInLoop(await run(self._line, self._session.execute, query, parameters))


class CursorInLoop:
    """What our code takes for an `AsyncCursor`; all rows are here at once."""

    def __init__(self, cursor: Cursor) -> None:
        self._cursor = cursor

    async def fetchall(self) -> list[Any]:
        return list(self._cursor.fetchall())


async def connect_in_loop(database: "Database", process: Process) -> SessionInLoop:
    """Open a session that the event loop of a process waits for."""
    line = _Line()
    return SessionInLoop(await process.run_in_executor(line, database.connect, process), line)


class Result:
    """What a statement brings back."""

    __slots__ = ("count", "names", "rows")

    def __init__(
        self, rows: list[Any] | None = None, count: int | None = None, names: Sequence[str] | None = None
    ) -> None:
        self.rows = rows or []
        self.count = len(self.rows) if count is None else count
        self.names = names


class Pool:
    """What our code takes for a psycopg pool: a session of its own for each use."""

    def __init__(self, database: Database, process: Process) -> None:
        self._database = database
        self._process = process

    @contextmanager
    def connection(self) -> Iterator[Session]:
        here().pause()
        session = self._database.connect(self._process)
        try:
            yield session
        finally:
            session.close()
