"""Other origins at a site: preflights, readable answers, and what may change something."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import tornado.web
from pydantic import BaseModel
from tornado.httpclient import HTTPClientError, HTTPRequest
from tornado.websocket import websocket_connect

from tornkit import (
    PUBLIC,
    SIGNED_IN,
    BaseHandler,
    Cors,
    Module,
    WebSocketHandler,
    path,
    roles,
)
from tornkit.errors import DiscoveryError, TooManyRequests, TornkitError
from tornkit.modules import mount

if TYPE_CHECKING:
    import httpx

    from tests.handlers.conftest import StartSite
    from tornkit import Settings
    from tornkit.testing import Client

APP, EVIL = "https://app.example", "https://evil.example"
ALLOWED, TRUE = "Access-Control-Allow-Origin", "true"
JSON = {"Accept": "application/json"}
APP_ONLY = Cors(origins=[APP], headers=["X-Token"], expose=["X-Total"])


class Api(BaseHandler):
    async def get(self) -> None:
        self.set_header("X-Total", "1")
        self.response_json()

    async def post(self) -> None:
        self.response_json(posted=True)


class Form(BaseModel):
    age: int


class Failing(BaseHandler):
    async def get(self, status: int) -> None:
        if status == 422:
            self.parse_query(Form)
        if status == 429:
            raise TooManyRequests(retry_after=3)
        if status == 500:
            raise ZeroDivisionError
        raise tornado.web.HTTPError(status)


def api(*, cors: Cors | None = APP_ONLY, handler: type[Any] = Api, access: Any = PUBLIC) -> Module:
    routes = [path("/", handler), path("/failing/{status:int}", Failing)]
    return Module(name="api", access=access, routes=routes, cors=cors)


async def preflight(
    client: Client, address: str = "/api/", origin: str = APP, method: str = "POST", **more: str
) -> httpx.Response:
    asked = {"Origin": origin, "Access-Control-Request-Method": method, **more}
    return await client.request("OPTIONS", address, headers=asked)


def cors_headers(answer: httpx.Response) -> set[str]:
    return {name for name in answer.headers if name.startswith("access-control-")}


async def test_a_preflight_is_answered_with_what_the_handler_can_do(start: StartSite) -> None:
    client = await start(api())
    answer = await preflight(client, **{"Access-Control-Request-Headers": "x-token, content-type"})
    assert (answer.status_code, answer.content) == (204, b"")
    assert answer.headers[ALLOWED] == APP
    assert answer.headers["Access-Control-Allow-Methods"] == "GET, HEAD, POST, OPTIONS"
    assert answer.headers["Access-Control-Allow-Headers"] == "Content-Type, X-Token"
    assert answer.headers["Access-Control-Max-Age"] == "600"
    assert "Access-Control-Allow-Credentials" not in answer.headers
    assert "Access-Control-Expose-Headers" not in answer.headers
    assert answer.headers["Vary"] == "Origin"
    assert "Allow" not in answer.headers


async def test_a_preflight_stands_before_the_door_and_prepare(start: StartSite) -> None:
    class Refusing(Api):
        def prepare(self) -> None:
            raise tornado.web.HTTPError(418)

    for access in (SIGNED_IN, roles("teacher")):
        client = await start(api(access=access, handler=Refusing))
        answer = await preflight(client)
        assert (answer.status_code, answer.headers[ALLOWED]) == (204, APP)
        assert "Set-Cookie" not in answer.headers
        strange = await client.get("/api/", headers={"Origin": APP, **JSON})
        assert (strange.status_code, strange.headers[ALLOWED]) == (401, APP)


async def test_a_preflight_of_another_origin_is_told_nothing(start: StartSite) -> None:
    client = await start(api())
    for origin in (EVIL, "null", f"{APP}.evil.example", APP.upper(), f"{APP}, {EVIL}"):
        answer = await preflight(client, origin=origin)
        assert answer.status_code == 204
        assert cors_headers(answer) == set()
        assert answer.headers["Vary"] == "Origin"


async def test_a_preflight_at_a_wrong_host_is_refused(start: StartSite) -> None:
    client = await start(api())
    assert (await preflight(client, Host="evil.example")).status_code == 400


async def test_a_plain_options_stays_as_it_is(start: StartSite) -> None:
    client = await start(api(), Module(name="other", access=PUBLIC, routes=[path("/", Api)]))
    for headers in ({}, {"Origin": APP}, {"Access-Control-Request-Method": "POST"}):
        answer = await client.request("OPTIONS", "/api/", headers=headers)
        assert (answer.status_code, answer.headers["Allow"]) == (204, "GET, HEAD, POST, OPTIONS")
    answer = await preflight(client, "/other/")
    assert (answer.status_code, answer.headers["Allow"]) == (204, "GET, HEAD, POST, OPTIONS")
    assert cors_headers(answer) == set()


async def test_listed_methods_are_those_of_the_preflight(start: StartSite) -> None:
    client = await start(api(cors=Cors(origins=[APP], methods=["GET"])))
    answer = await preflight(client)
    assert answer.headers["Access-Control-Allow-Methods"] == "GET"
    # A form needs no preflight; it must not get in by that.
    posted = await client.post("/api/", headers={"Origin": APP})
    assert (posted.status_code, posted.headers[ALLOWED]) == (403, APP)


async def test_an_answer_can_be_read_by_the_origins_that_are_named(start: StartSite) -> None:
    client = await start(api())
    answer = await client.get("/api/", headers={"Origin": APP})
    assert answer.headers[ALLOWED] == APP
    assert answer.headers["Access-Control-Expose-Headers"] == "X-Total"
    for headers in ({"Origin": EVIL}, {"Origin": "null"}, {}):
        answer = await client.get("/api/", headers=headers)
        assert answer.status_code == 200
        assert cors_headers(answer) == set()
        assert answer.headers["Vary"] == "Origin"


@pytest.mark.parametrize("status", [403, 404, 422, 429, 500, 503])
async def test_errors_can_be_read_too(start: StartSite, status: int) -> None:
    client = await start(api())
    answer = await client.get(f"/api/failing/{status}", headers={"Origin": APP, **JSON})
    assert (answer.status_code, answer.headers[ALLOWED]) == (status, APP)
    assert "Origin" in answer.headers["Vary"]
    assert answer.json()["code"] == status


async def test_a_path_that_no_route_of_the_module_has_can_be_read(start: StartSite) -> None:
    other = Module(name="other", access=PUBLIC, routes=[path("/", Api)])
    inner = Module(
        name="inner",
        prefix="/api/inner",
        access=PUBLIC,
        routes=[path("/", Api)],
        cors=Cors(origins=["https://inner.example"]),
    )
    client = await start(api(), other, inner)
    asked = {"Origin": APP, **JSON}
    answer = await client.get("/api/missing", headers=asked)
    assert (answer.status_code, answer.headers[ALLOWED]) == (404, APP)
    asked_first = await preflight(client, "/api/missing", method="PUT")
    assert "PUT" in asked_first.headers["Access-Control-Allow-Methods"].split(", ")
    assert (await client.put("/api/missing", headers=asked)).status_code == 404
    assert (await client.get("/api", headers=asked)).headers[ALLOWED] == APP  # the 308
    for address in ("/missing", "/other/missing", "/apix", "/api/inner/missing"):
        answer = await client.get(address, headers=asked)
        assert (answer.status_code, cors_headers(answer)) == (404, set()), address


async def test_the_handlers_own_rule_wins(start: StartSite) -> None:
    class Own(Api):
        cors = Cors(origins=["https://own.example"])

    class Closed(Api):
        cors = None

    class Below(Own):
        pass

    module = Module(
        name="api",
        access=PUBLIC,
        routes=[path("/own", Own), path("/closed", Closed), path("/below", Below)],
        cors=APP_ONLY,
    )
    client = await start(module)
    for address in ("/api/own", "/api/below"):
        answer = await client.get(address, headers={"Origin": "https://own.example"})
        assert answer.headers[ALLOWED] == "https://own.example"
        assert cors_headers(await client.get(address, headers={"Origin": APP})) == set()
    answer = await client.get("/api/closed", headers={"Origin": APP})
    assert cors_headers(answer) == set()
    assert "Vary" not in answer.headers
    assert (await preflight(client, "/api/closed")).headers["Allow"]


async def test_everybody_may_read_what_is_for_everybody(start: StartSite) -> None:
    client = await start(api(cors=Cors(origins=["*"])))
    for headers in ({"Origin": EVIL}, {"Origin": "null"}, {}):
        answer = await client.get("/api/", headers=headers)
        assert answer.headers[ALLOWED] == "*"
        assert "Vary" not in answer.headers
    assert (await preflight(client, origin=EVIL)).headers[ALLOWED] == "*"


async def test_credentials_are_allowed_by_name(start: StartSite) -> None:
    client = await start(api(cors=Cors(origins=[APP], credentials=True)))
    for answer in (await preflight(client), await client.get("/api/", headers={"Origin": APP})):
        assert answer.headers["Access-Control-Allow-Credentials"] == TRUE
        assert answer.headers[ALLOWED] == APP


@pytest.mark.parametrize("site", [None, "same-site", "cross-site"])
async def test_an_unsafe_request_passes_for_named_origins_only(
    start: StartSite, site: str | None
) -> None:
    client = await start(api(), Module(name="other", access=PUBLIC, routes=[path("/", Api)]))
    fetched = {"Sec-Fetch-Site": site} if site else {}
    answer = await client.post("/api/", headers={"Origin": APP, **fetched})
    assert (answer.status_code, answer.headers[ALLOWED]) == (200, APP)
    for address, origin in (("/api/", EVIL), ("/api/", "null"), ("/other/", APP)):
        answer = await client.post(address, headers={"Origin": origin, **fetched})
        assert (answer.status_code, cors_headers(answer)) == (403, set())


async def test_cookies_may_change_something_only_where_they_were_agreed_on(
    start: StartSite,
) -> None:
    posted = {"Origin": APP, "Sec-Fetch-Site": "same-site", "Cookie": "a=b"}
    client = await start(api())
    answer = await client.post("/api/", headers=posted)
    assert (answer.status_code, answer.headers[ALLOWED]) == (403, APP)
    client = await start(api(cors=Cors(origins=[APP], credentials=True)))
    assert (await client.post("/api/", headers=posted)).status_code == 200


async def test_trusted_origins_of_the_settings_stay_trusted(start: StartSite) -> None:
    client = await start(api(), overrides={"trusted_origins": [EVIL]})
    assert (await client.post("/api/", headers={"Origin": EVIL})).status_code == 200


async def test_vary_is_joined_with_what_else_it_names(start: StartSite) -> None:
    class Own(Api):
        async def get(self) -> None:
            self.set_header("Vary", "Accept-Language")
            self.response_json(user=self.current_user)

    client = await start(api(handler=Own))
    vary = (await client.get("/api/", headers={"Origin": APP})).headers["Vary"]
    assert {*vary.split(", ")} == {"Accept-Language", "Cookie", "Origin"}


async def test_what_a_handler_allows_itself_stays(start: StartSite) -> None:
    class Own(Api):
        def set_default_headers(self) -> None:
            self.set_header(ALLOWED, "https://own.example")

    client = await start(api(handler=Own))
    answer = await client.get("/api/", headers={"Origin": APP})
    assert answer.headers.get_list(ALLOWED) == ["https://own.example"]


async def test_a_plain_handler_answers_as_its_module_says(start: StartSite) -> None:
    class Plain(tornado.web.RequestHandler):
        cors = "a name of its own"

        def put(self) -> None:
            self.write("done")

    module = Module(name="api", access=PUBLIC, routes=[("/", Plain)], cors=APP_ONLY)
    client = await start(module)
    answer = await preflight(client, method="PUT")
    assert answer.headers["Access-Control-Allow-Methods"] == "PUT, OPTIONS"
    assert (await client.put("/api/", headers={"Origin": APP})).headers[ALLOWED] == APP


async def test_a_websocket_opens_for_the_same_origins(start: StartSite) -> None:
    class Live(WebSocketHandler):
        def on_message(self, message: str | bytes) -> None: ...

    client = await start(api(handler=Live))
    address = str(client.base_url).replace("http", "ws") + "/api/"
    connection = await websocket_connect(HTTPRequest(address, headers={"Origin": APP}))
    connection.close()
    for headers in ({"Origin": EVIL}, {"Origin": APP, "Cookie": "a=b"}):
        with pytest.raises(HTTPClientError) as refused:
            await websocket_connect(HTTPRequest(address, headers=headers))
        assert refused.value.code == 403


def test_a_wrong_type_is_refused_where_it_is_written() -> None:
    with pytest.raises(TypeError, match=r"^class Own: cors: expected tornkit\.Cors"):
        type("Own", (BaseHandler,), {"cors": ["https://app.example"]})
    with pytest.raises(DiscoveryError, match=r"test_cors\.py:\d+: Module\(\): cors is '\*'"):
        Module(access=PUBLIC, routes=[], cors="*")  # type: ignore[arg-type]


async def test_a_module_can_take_its_origins_from_the_settings(start: StartSite) -> None:
    def of_settings(settings: Settings) -> Cors | None:
        return Cors(origins=settings.trusted_origins) if settings.trusted_origins else None

    module = Module(name="api", access=PUBLIC, routes=[path("/", Api)], cors=of_settings)
    for origins, expected in (([APP], APP), ([], None)):
        client = await start(module, overrides={"trusted_origins": origins})
        answer = await client.get("/api/", headers={"Origin": APP})
        assert answer.headers.get("Access-Control-Allow-Origin") == expected


@pytest.mark.parametrize(
    "given", [lambda settings: 5, lambda settings: settings.nothing], ids=["number", "raises"]
)
def test_a_function_of_the_settings_that_fails_is_named_with_its_module(given: Any) -> None:
    module = Module(name="api", access=PUBLIC, routes=[], cors=given)
    with pytest.raises(TornkitError, match="cors") as refused:
        mount([module], settings=object())
    assert refused.value.check_id == "modules.bad-module"
    assert refused.value.file == __file__
