"""Both documentations of a service come from the service alone."""

import re
from html.parser import HTMLParser
from urllib.parse import urljoin, urlsplit

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from till_platform.http import create_app

HOST = "http://shop.example"


class Addresses(HTMLParser):
    """Every address that a page loads by itself or sends its reader to."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: set[str] = set()
        self.feed(page)

    def handle_starttag(self, tag, attrs) -> None:
        self.found |= {value for name, value in attrs if name in {"src", "href", "action", "srcset"} and value}

    def handle_data(self, data) -> None:
        self.found |= set(re.findall(r"https?://[^\s'\")]+", data))
        self.found |= set(re.findall(r"\burl: '([^']+)'", data))


def foreign(page: str, at: str) -> set[str]:
    whole = {urljoin(at, address) for address in Addresses(page).found}
    return {address for address in whole if urlsplit(address).netloc != urlsplit(HOST).netloc}


@pytest.mark.parametrize("path", ["/docs", "/docs/asyncapi"])
def test_a_page_names_own_addresses_only_and_all_of_them_answer(path) -> None:
    client = TestClient(create_app("order", "1"), base_url=HOST)
    page = client.get(path)
    assert page.status_code == 200
    assert foreign(page.text, HOST + path) == set()
    addresses = {urljoin(HOST + path, address) for address in Addresses(page.text).found}
    assert addresses, "a page that names nothing would prove nothing"
    assert {address: client.get(address).status_code for address in addresses} == dict.fromkeys(addresses, 200)


def test_control_the_page_that_fastapi_makes_loads_from_elsewhere() -> None:
    page = TestClient(FastAPI()).get("/docs").text
    assert {urlsplit(address).netloc for address in foreign(page, HOST)} >= {"cdn.jsdelivr.net"}


def test_behind_a_gateways_path_the_page_still_finds_its_files() -> None:
    page = TestClient(create_app("order", "1"), base_url=HOST).get("/docs").text
    found = {urljoin(f"{HOST}/gateway/order/docs", address) for address in Addresses(page).found}
    assert all(address.startswith(f"{HOST}/gateway/order/") for address in found)


def test_the_browser_is_told_to_ask_nobody_else() -> None:
    answer = TestClient(create_app("order", "1")).get("/docs")
    assert answer.headers["content-security-policy"].startswith("default-src 'self'")
    assert "http" not in answer.headers["content-security-policy"]
    assert '"validatorUrl": null' in answer.text


def test_the_scripts_are_not_sent_again_to_who_has_them() -> None:
    client = TestClient(create_app("order", "1"))
    first = client.get("/docs/static/swagger-ui-bundle.js")
    again = client.get("/docs/static/swagger-ui-bundle.js", headers={"If-None-Match": first.headers["etag"]})
    assert (first.status_code, again.status_code, again.content) == (200, 304, b"")


@pytest.mark.parametrize("path", ["/docs/static/%2e%2e/core.py", "/docs/static/../core.py", "/docs/static/none.js"])
def test_only_the_files_of_the_page_are_handed_out(path) -> None:
    answer = TestClient(create_app("order", "1"), base_url=HOST).get(path)
    assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")
