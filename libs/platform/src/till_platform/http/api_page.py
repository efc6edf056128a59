"""`/docs`: the routes for people, to read and to try out. Its scripts come with the service, and nothing outside is asked for."""

from fastapi import FastAPI
from fastapi.openapi.docs import get_swagger_ui_html
from starlette.responses import HTMLResponse
from starlette.staticfiles import StaticFiles

# What the page may reach, told to the browser too: a token typed into it must not leave for elsewhere.
_OWN_ONLY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


def show(app: FastAPI) -> None:
    """Add the page and its files. Addresses are relative, so it works behind any path a gateway puts before it."""
    app.mount("/docs/static", StaticFiles(packages=[("fastapi_offline", "static")]))

    @app.get("/docs", include_in_schema=False)
    async def docs() -> HTMLResponse:
        page = get_swagger_ui_html(
            title=app.title,
            openapi_url="openapi.json",
            swagger_js_url="docs/static/swagger-ui-bundle.js",
            swagger_css_url="docs/static/swagger-ui.css",
            swagger_favicon_url="docs/static/favicon.png",
            swagger_ui_parameters={"validatorUrl": None},  # else the document's address is sent to a checker on the web
        )
        page.headers["Content-Security-Policy"] = _OWN_ONLY
        return page
