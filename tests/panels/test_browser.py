"""The panel in a real JupyterLab: a person's clicks, a real browser, no other host asked."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import ConsoleMessage, Page, expect, sync_playwright

from tests.panels.jupyter import Server, jupyterlab

CELL = "import fixlab as fx\nlab = fx.Loopback(seed=7)\npanel = fx.panels.session(lab)\npanel"
NOTEBOOK = {
    "cells": [
        {
            "cell_type": "code",
            "execution_count": None,
            "id": "panel",
            "metadata": {},
            "outputs": [],
            "source": CELL,
        }
    ],
    "metadata": {"kernelspec": {"name": "python3", "display_name": "Python 3"}},
    "nbformat": 4,
    "nbformat_minor": 5,
}
CONNECTED = """() => {
  const widget = window.jupyterapp?.shell?.currentWidget;
  const kernel = widget?.context?.sessionContext?.session?.kernel;
  return kernel?.connectionStatus === 'connected' && kernel?.status === 'idle';
}"""
RUN_ALL = "() => window.jupyterapp.commands.execute('notebook:run-all-cells')"
UP_MS = 60_000  # a cold JupyterLab on a busy machine
STEP_MS = 15_000


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("notebooks")
    (folder / "panel.ipynb").write_text(json.dumps(NOTEBOOK), encoding="utf-8")
    with jupyterlab(folder, tmp_path_factory.mktemp("private")) as server:
        yield server


@pytest.fixture(scope="module")
def page() -> Iterator[Page]:
    browser_path = os.environ.get("CHROMIUM") or shutil.which("chromium")
    if browser_path is None:
        # Not skipped: a panel nobody has looked at is not tested.
        raise FileNotFoundError(
            "this test needs the browser `chromium`: run .ci/run, which installs it, or set "
            "CHROMIUM to its path"
        )
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=browser_path,
            args=["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"],
        )
        yield browser.new_page(viewport={"width": 1400, "height": 1200})
        browser.close()


def click(page: Page, name: str) -> None:
    exact = re.compile(rf"^\s*{re.escape(name)}\s*$")
    page.locator("button.jupyter-button").filter(has_text=exact).click(timeout=STEP_MS)


def test_a_person_loses_an_order_and_sees_the_gap_close(server: Server, page: Page) -> None:
    complaints: list[str] = []
    elsewhere: list[str] = []

    def on_console(message: ConsoleMessage) -> None:
        if message.type == "error":
            complaints.append(message.text)

    page.on("console", on_console)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on(
        "request",
        lambda request: (
            None
            if request.url.startswith((server.url, "data:", "blob:"))
            else elsewhere.append(request.url)
        ),
    )
    page.goto(server.page("panel.ipynb"), timeout=UP_MS)
    page.wait_for_function(CONNECTED, timeout=UP_MS)
    page.evaluate(RUN_ALL)
    output = page.locator(".jp-OutputArea-output")
    status = page.get_by_role("status").filter(has_text=re.compile("."))

    expect(output).to_contain_text("No transitions yet", timeout=UP_MS)
    off = page.locator("button.jupyter-button", has_text="send TestRequest")
    expect(off).to_be_disabled()
    expect(off).to_have_attribute("title", re.compile("^Not now: BUY is not logged on"))

    click(page, "connect & log on")
    expect(output).to_contain_text("BUY is connected and logged on.", timeout=STEP_MS)
    click(page, "lose next")
    expect(output).to_contain_text("loses its next message", timeout=STEP_MS)
    click(page, "send order")
    expect(output).to_contain_text("1 ahead: lost, or still on the way", timeout=STEP_MS)
    click(page, "send order")
    expect(output).to_contain_text("GAP_CLOSED", timeout=STEP_MS)
    expect(output.get_by_text("in step", exact=True)).to_have_count(2)
    expect(status.last).to_contain_text("BUY sent MsgSeqNum 3.")

    picture = output.locator("img")
    expect(picture).to_have_js_property("complete", True)
    assert picture.evaluate("image => image.naturalWidth") > 1000
    # Nothing is cut off at a laptop's width.
    assert output.first.evaluate("area => area.scrollWidth <= area.clientWidth")

    click(page, "send message")
    field = output.locator("input[type=text]")
    field.fill("not a message")
    field.press("Tab")
    click(page, "send message")
    expect(output).to_contain_text("Error: MessageError: not a FIX message", timeout=STEP_MS)

    assert complaints == []
    assert elsewhere == []
