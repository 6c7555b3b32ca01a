"""The pages: a form, what becomes of a number, the history."""

import re

import pytest
from tornkit import Application
from tornkit.testing import Client

from number_service.tasks import factorise, summarise
from tests.helpers import HTML, send, tasks_of


async def submit(client: Client, n: str) -> str:
    """Send the form; return the address that the browser is sent to."""
    answer = await client.post("/number_request", data={"n": n}, headers=HTML)
    assert answer.status_code == 303
    return answer.headers["location"]


async def test_the_form_asks_for_a_number(client: Client) -> None:
    page = (await client.get("/")).text
    assert "A whole number from 1 to 9007199254740991" in page
    assert "Results at" not in page


async def test_there_is_a_summary_once_there_was_one(client: Client, app: Application) -> None:
    await send(client, 12)
    await tasks_of(app).run_all()
    await summarise.enqueue()
    await tasks_of(app).run_all()
    assert " UTC: 1; the slowest took" in (await client.get("/")).text


async def test_a_page_follows_the_job_without_a_script_too(
    client: Client, app: Application
) -> None:
    place = await submit(client, "360")
    page = (await client.get(place)).text
    assert '<noscript><meta http-equiv="refresh" content="2"></noscript>' in page
    assert f'data-events="/tasks/{place.rpartition("/")[2]}/events"' in page
    assert "Queued" in page
    await tasks_of(app).run_all()
    page = (await client.get(place)).text
    assert "= 2 · 2 · 2 · 3 · 3 · 5" in page
    assert "refresh" not in page
    assert "<script" not in page


@pytest.mark.parametrize(
    ("n", "said"), [("1", "1 has no prime factors."), ("97", "This is a prime number.")]
)
async def test_one_and_primes(client: Client, app: Application, n: str, said: str) -> None:
    place = await submit(client, n)
    await tasks_of(app).run_all()
    assert said in (await client.get(place)).text


async def test_an_aborted_job_says_so(client: Client) -> None:
    place = await submit(client, "97")
    await client.delete(f"/tasks/{place.rpartition('/')[2]}")
    page = (await client.get(place)).text
    assert "Aborted: aborted by its owner" in page
    assert "refresh" not in page


@pytest.mark.parametrize("n", ["0", "ten", ""])
async def test_what_is_no_such_number_is_told_beside_the_field(client: Client, n: str) -> None:
    answer = await client.post("/number_request", data={"n": n}, headers=HTML)
    assert answer.status_code == 422
    assert 'aria-describedby="problem"' in answer.text
    assert f'value="{n}"' in answer.text


async def test_what_was_typed_is_shown_and_never_run(client: Client) -> None:
    data = {"n": '"><script>alert(1)</script>'}
    page = (await client.post("/number_request", data=data, headers=HTML)).text
    assert "<script" not in page


async def test_a_page_of_no_job_or_of_somebody_elses(client: Client, app: Application) -> None:
    assert (await client.get("/numbers/nothing")).status_code == 404
    polling = await summarise.enqueue()
    assert (await client.get(f"/numbers/{polling.id}")).status_code == 404
    place = await submit(client, "12")
    client.cookies.clear()
    assert (await client.get(place)).status_code == 404
    await tasks_of(app).run_all()
    assert (await client.get(place)).status_code == 200  # the history shows it too


async def test_the_history_has_pages(client: Client, app: Application) -> None:
    assert "Nothing yet." in (await client.get("/history")).text
    for n in range(1, 24):
        await factorise.enqueue(n)
    await tasks_of(app).run_all()
    first, second = [(await client.get(f"/history?page={page}")).text for page in (1, 2)]
    assert (first.count("/numbers/"), second.count("/numbers/")) == (20, 3)
    assert "2 · 11" in first
    assert (await client.get("/history?page=3")).status_code == 404


async def test_every_file_of_the_pages_is_there(client: Client) -> None:
    answer = await client.get(await submit(client, "12"))
    assert "unsafe" not in answer.headers["content-security-policy"]
    files = re.findall(r'"(/static/[^"]+)"', answer.text)
    assert len(files) == 3
    for file in files:
        assert (await client.get(file)).status_code == 200, file
