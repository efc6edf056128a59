"""Sessions that take turns, on a real PostgreSQL or on the model: what happens on one must happen on the other.

A script is a generator over a connection: it runs to its next `yield`, and what it yields is what was seen.
"""

import time
from concurrent.futures import Future, ThreadPoolExecutor

import psycopg
from faultlab.simulation.postgres import Database
from faultlab.simulation.world import Thread, World

FINISHED = "finished"
BLOCKED = "waits"
ENOUGH_LOOKS = 5


def advance(script):
    """Run a script to its next yield; what it raises is seen by its name."""
    try:
        return next(script)
    except StopIteration:
        return FINISHED
    except Exception as error:  # noqa: BLE001 - whatever it is, it is what was seen
        return type(error).__name__


class Stage:
    """Lets scripts take turns and writes down what each saw, and who had to wait."""

    def __init__(self):
        self.seen = []
        self._scripts = {}
        self._waiting = {}
        self._told = set()

    def play(self, scripts, turns):
        for name, script in scripts.items():
            self._scripts[name] = script(self.open(name))
        for name in turns:
            self._waiting[name] = self.begin(name, self._scripts[name])
            self._look()
        return self.seen

    def _look(self):
        """Write down who is done and who begins to wait; whoever is let go on by another's turn comes after it."""
        for name, turn in sorted(self._waiting.items()):
            done, value = self.result(name, turn)
            if done:
                del self._waiting[name]
                self._told.discard(name)
                self.seen.append((name, value))
            elif name not in self._told:
                self._told.add(name)
                self.seen.append((name, BLOCKED))


class ModelStage(Stage):
    def __init__(self):
        super().__init__()
        self.world = World(1)
        self.world.haste = self.world.slow = 0.0
        self.database = Database(self.world, "model")
        self.database.table("log_head")[True] = {"position": 0}
        self.process = self.world.process("stage")

    def open(self, name):
        return self.database.connect(self.process)

    def begin(self, name, script):
        turn = []
        Thread(self.process, lambda: turn.append(advance(script))).wake()
        while self.world.runnable:
            self.world.step()
        return turn

    def result(self, name, turn):
        return (True, turn[0]) if turn else (False, None)


class RealStage(Stage):
    def __init__(self, dsn):
        super().__init__()
        self._dsn = dsn
        self._watcher = psycopg.connect(dsn, autocommit=True)
        self._connections = {}
        self._threads = ThreadPoolExecutor(6)

    def open(self, name):
        self._connections[name] = psycopg.connect(self._dsn, autocommit=True)
        return self._connections[name]

    def begin(self, name, script):
        return self._threads.submit(advance, script)

    def result(self, name, turn: Future):
        """Tell whether a turn is done; it waits if it is seen to wait for a lock several times running."""
        deadline = time.monotonic() + 10
        times = 0
        while not turn.done():
            times = times + 1 if self._waits(name) else 0
            if times == ENOUGH_LOOKS:
                return False, None
            assert time.monotonic() < deadline, f"{name} neither waits nor ends"
            time.sleep(0.01)
        return True, turn.result()

    def close(self):
        for connection in self._connections.values():
            connection.close()
        self._watcher.close()
        self._threads.shutdown(wait=True)

    def _waits(self, name):
        query = "SELECT wait_event_type = 'Lock' FROM pg_stat_activity WHERE pid = %s"
        found = self._watcher.execute(query, [self._connections[name].info.backend_pid]).fetchone()
        return bool(found and found[0])
