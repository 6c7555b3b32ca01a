"""``/ops/tasks`` in a real browser: on every width, live, without scripts; and a task followed."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

from tests.browser.actions import PASSWORD, press, sign_in, text
from tests.browser.conftest import make_project, serve

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from selenium.webdriver import Chrome

    from tests.browser.conftest import Site

pytestmark = pytest.mark.slow

TASKS = """
    import asyncio

    from tornkit.tasks import TaskContext, task


    @task(name="myschool.modules.teacher.tasks:report_of_a_class_with_a_long_name")
    async def report(ctx: TaskContext, seconds: float) -> str:
        for step in range(round(seconds * 10)):
            await ctx.progress(step / (seconds * 10), f"page {step + 1}")
            await asyncio.sleep(0.1)
        return "done"


    @task
    async def fail(why: str) -> None:
        raise ValueError(why)


    @task(cron="0 3 * * *")
    async def nightly() -> None: ...
"""

MODULE = """
    from myschool.tasks import fail, report
    from tornkit import PUBLIC, BaseHandler, Module, path


    class Start(BaseHandler):
        async def get(self, seconds: int) -> None:
            job = await self.enqueue(report, seconds)
            self.response_html("work/followed.html", job_id=job.id)


    class Fail(BaseHandler):
        async def get(self) -> None:
            await self.enqueue(fail, "<script>document.title = 'broken into'</script>" * 9)
            self.response_json()


    module = Module(
        access=PUBLIC, routes=[path("/start/{seconds:int}", Start), path("/fail", Fail)]
    )
"""

FOLLOWED = """
    <!doctype html>
    <title>Followed</title>
    <link rel="icon" href="data:,">
    <p id="place"></p>
    <script>
      const place = document.getElementById("place");
      const events = new EventSource({{ url("tasks:task-events", job_id=job_id) | tojson }});
      events.onmessage = (event) => {
        const task = JSON.parse(event.data);
        place.textContent += `${task.status} ${task.message}; `;
        if (["complete", "failed", "aborted"].includes(task.status)) events.close();
      };
    </script>
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Make a project with tasks, and somebody who runs it."""
    project = make_project(tmp_path_factory.mktemp("ops"))
    package = project / "myschool"
    work = package / "modules" / "work"
    (work / "templates").mkdir(parents=True)
    (package / "tasks.py").write_text(textwrap.dedent(TASKS))
    (work / "__init__.py").write_text(textwrap.dedent(MODULE))
    (work / "templates" / "followed.html").write_text(textwrap.dedent(FOLLOWED))
    with (project / "settings.toml").open("a") as settings:
        settings.write('\n[tasks]\nops_roles = ["principal"]\n')
    with serve(project) as served:
        served.tornkit(
            *("user", "create", "head@school.example", "--role", "principal", "--password-stdin"),
            stdin=f"{PASSWORD}\n",
        )
        yield served


def open_page(browser: Chrome, site: Site, address: str = "/ops/tasks") -> None:
    browser.get(f"{site.url}{address}")
    if "/account/login" in browser.current_url:
        sign_in(browser, site, "head@school.example")
        browser.get(f"{site.url}{address}")


def until(browser: Chrome, is_so: Callable[[], object]) -> None:
    WebDriverWait(browser, 20, ignored_exceptions=[Exception]).until(lambda _: is_so())


def messages(browser: Chrome) -> list[str]:
    entries: list[dict[str, str]] = browser.get_log("browser")  # type: ignore[no-untyped-call]
    return [entry["message"] for entry in entries]


def test_the_page_fits_every_window_and_says_what_failed(browser: Chrome, site: Site) -> None:
    browser.get(f"{site.url}/work/fail")
    open_page(browser, site)
    until(browser, lambda: browser.find_element(By.CSS_SELECTOR, "#failures details"))
    for width in (320, 360, 390, 1280):
        metrics = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500}
        browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
        for address in ("/ops/tasks", "/ops/tasks?status=failed"):
            open_page(browser, site, address)
            wide = "return document.documentElement.scrollWidth <= window.innerWidth"
            assert browser.execute_script(wide), (width, address)
            assert browser.title == "Tasks"
            assert len(browser.find_elements(By.TAG_NAME, "h1")) == 1
        browser.find_element(By.CSS_SELECTOR, "#list h3 a").click()
        assert browser.execute_script(wide), width
        assert "Traceback (most recent call last)" in text(browser)
    assert messages(browser) == []


def test_it_keeps_itself_up_to_date_and_what_is_open_stays_open(
    browser: Chrome, site: Site
) -> None:
    browser.get(f"{site.url}/work/fail")
    open_page(browser, site)
    until(browser, lambda: browser.find_element(By.CSS_SELECTOR, "#failures details"))
    browser.find_element(By.CSS_SELECTOR, "#failures summary").click()
    browser.execute_script(
        "window.same = true; fetch('/work/start/30');"
        "document.querySelector('#failures details[open] a').focus()"
    )
    until(browser, lambda: browser.find_element(By.CSS_SELECTOR, "#list progress"))
    until(browser, lambda: "Live" in text(browser))
    assert browser.execute_script("return window.same")
    assert browser.find_element(By.CSS_SELECTOR, "#failures details[open] pre").is_displayed()
    focused = browser.execute_script("return document.activeElement.id")
    assert str(focused).startswith("all-")
    press(browser, "#list button[name=abort]")
    assert browser.current_url == f"{site.url}/ops/tasks"
    assert "report_of_a_class_with_a_long_name is abort" in text(browser)
    until(browser, lambda: browser.find_element(By.CSS_SELECTOR, "#list .tag.aborted"))
    assert messages(browser) == []
    browser.delete_all_cookies()
    until(browser, lambda: "You are signed out" in browser.find_element(By.ID, "told").text)


def test_without_scripts_all_of_it_works(plain_browser: Chrome, site: Site) -> None:
    plain_browser.get(f"{site.url}/work/start/60")
    open_page(plain_browser, site, "/ops/tasks?status=active")
    until(plain_browser, lambda: _reloaded(plain_browser, "#list button[name=abort]"))
    press(plain_browser, "#list button[name=abort]")
    assert "is abort" in text(plain_browser)
    assert plain_browser.current_url.endswith("?status=active")
    refresh = plain_browser.find_element(By.CSS_SELECTOR, "meta[http-equiv=refresh]")
    assert refresh.get_attribute("content") == "10"


def _reloaded(browser: Chrome, selector: str) -> object:
    browser.refresh()
    return browser.find_element(By.CSS_SELECTOR, selector)


def test_whoever_began_a_task_follows_it_in_a_page(browser: Chrome, site: Site) -> None:
    browser.get(f"{site.url}/work/start/1")
    place = browser.find_element(By.ID, "place")
    until(browser, lambda: "complete" in place.text)
    assert "active page" in place.text
    assert messages(browser) == []
