import pytest
from starlette.requests import Request

from till_customer.api.uploads import received
from till_platform.http import Refusal

BOUNDARY = "cut-here"


def form(**fields: str) -> Request:
    """Return a request with a form as it comes over the wire; `file` is the name of a file."""
    lines = []
    for name, value in fields.items():
        shown = f'name="file"; filename="{value}"' if name == "file" else f'name="{name}"'
        lines += [f"--{BOUNDARY}", f"Content-Disposition: form-data; {shown}", "", "x" if name == "file" else value]
    body = "\r\n".join([*lines, f"--{BOUNDARY}--", ""]).encode()
    headers = {"content-type": f"multipart/form-data; boundary={BOUNDARY}", "content-length": str(len(body))}

    async def receive():
        return {"type": "http.request", "body": body, "more_body": False}

    raw = [(name.encode(), value.encode()) for name, value in headers.items()]
    return Request({"type": "http", "method": "POST", "headers": raw}, receive)


async def test_a_form_is_taken_with_its_files_name() -> None:
    upload = await received(form(file="list.csv", wording="as they said"), 1_000)
    assert (upload.file_name, upload.form["wording"], upload.file.read()) == ("list.csv", "as they said", b"x")
    await upload.form.close()


@pytest.mark.parametrize("field", ["file", "wording", "mapping"])
async def test_a_nul_in_a_form_is_refused_by_the_name_of_its_field(field) -> None:
    fields = {"file": "list.csv", "wording": "said", "mapping": "{}", field: "na\x00me"}
    with pytest.raises(Refusal) as refused:
        await received(form(**fields), 1_000)
    assert refused.value.status_code == 422
    assert [error["field"] for error in refused.value.facts["errors"]] == [field]
