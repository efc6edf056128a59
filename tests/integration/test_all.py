"""`till-order all`: two processes that live and die together, and that leave nothing undone."""

import os
import signal

import httpx2
import psutil
import pytest

from till_platform.audit.keys import new_key
from till_platform.testing.running import eventually

from .conftest import open_store

pytestmark = [pytest.mark.integration, pytest.mark.timeout(120)]


@pytest.fixture(scope="module")
def migrated(chain):
    return chain("order", TILL_AUDIT_KEY=new_key(), TILL_AUDIT_SECONDS="1")


@pytest.fixture
def order(migrated):
    yield migrated.start()
    migrated.stop()


def family(service) -> tuple[psutil.Process, psutil.Process]:
    """Return the process of the API and that of worker and relay."""
    api = psutil.Process(service._processes["all"].pid)
    (background,) = api.children()
    return api, background


def published(service) -> int:
    return service.rows("SELECT coalesce(max(position), 0) FROM relay_mark")[0][0]


def test_what_the_api_appends_the_relay_publishes_without_having_to_poll(order):
    with order.client() as client:
        open_store(client)
    # alone it would look again after a second
    eventually(lambda: published(order) == order.rows("SELECT position FROM log_head")[0][0], within=0.9)


def test_the_worker_has_the_log_signed_by_and_by(order):
    query = "SELECT count(*) FROM log WHERE type = 'tillstream.order.OrderLogSigned.v1' AND public"
    eventually(lambda: order.rows(query)[0][0], within=30)
    assert "log_signed" in order.log_text()
    assert order.log_text().count("job_stopped") == 0


def test_the_api_goes_first_where_both_want_the_processor(order):
    api, background = family(order)
    assert background.nice() > api.nice()


def test_when_worker_and_relay_die_the_api_ends_and_says_that_it_failed(order):
    api, background = family(order)
    background.kill()
    assert order._processes["all"].wait(timeout=15) != 0
    assert "worker_gone" in order.log_text()
    assert not api.is_running()


def test_when_the_api_is_killed_worker_and_relay_end_at_once(order):
    api, background = family(order)
    os.kill(api.pid, signal.SIGKILL)
    order._processes["all"].wait()
    eventually(lambda: not background.is_running() or background.status() == psutil.STATUS_ZOMBIE, within=5)


def test_told_to_stop_both_end_in_order(order):
    _, background = family(order)
    before = len(order.log_text())
    order._processes["all"].terminate()
    assert order._processes["all"].wait(timeout=30) == 0
    assert not psutil.pid_exists(background.pid)
    assert "_gone" not in order.log_text()[before:]


def test_the_service_is_not_ready_while_its_worker_does_not_answer(order):
    _, background = family(order)
    background.suspend()
    address = f"http://127.0.0.1:{order._port}/readyz"
    try:
        eventually(lambda: httpx2.get(address, timeout=10).status_code == 503, within=20)
        assert "worker" in httpx2.get(address, timeout=10).json()["checks"]
    finally:
        background.resume()
    eventually(lambda: httpx2.get(address, timeout=10).status_code == 200, within=20)
