"""The page of the local platform in a real browser, headless, with a real device on the other side."""

import shutil
import threading

import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

from device import Device
from iotx_abi import BUILD
from isolation import run_isolated

TOPIC = "/{}/{}/user/get"


@pytest.fixture
def browser(tmp_path):
    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium") or pytest.fail("chromium is not installed: make deps")
    for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars",
                     f"--user-data-dir={tmp_path / 'profile'}", "--window-size=1200,860"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = shutil.which("chromedriver") or pytest.fail("chromedriver is not installed: make deps")
    opened = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
    yield opened
    opened.quit()


def until(browser, condition, what):
    return WebDriverWait(browser, 20, 0.05).until(lambda _: condition(), what)


def listen_and_wait(library, credentials, port):
    """Subscribes, says so, waits for the message of the page, then for the end of the connection."""
    device = Device(library, **credentials)
    device.construct(host="localhost", port=port)
    topic = TOPIC.format(*device.names())
    device.subscribe(topic, qos=1)
    device.publish(topic.replace("get", "update"), b'{"temperature": 21.5, "deviceSecret": "not-for-eyes"}', qos=1)
    got = device.until(lambda: any(m["topic"] == topic for m in device.messages), 40)
    lost = device.until(lambda: any(name == "DISCONNECT" for name, _ in device.events), 40)
    return device.report(got=got, lost=lost, payloads=[str(m["payload"]) for m in device.messages])


def test_page_with_a_device(pki, start_platform, browser):
    platform = start_platform("--listen-page", "127.0.0.1:0")
    browser.get(f"http://127.0.0.1:{platform.ports['page']}/")
    until(browser, lambda: browser.find_element(By.ID, "link").text == "live", "live")
    assert "None" in browser.find_element(By.ID, "devices").text
    triple = pki.devices()[0]
    name = "/".join(triple[:2])

    def drive():
        until(browser, lambda: name in browser.find_element(By.ID, "devices").text, "the device on the page")
        until(browser, lambda: "temperature" in browser.find_element(By.ID, "log").text, "its message")
        assert "not-for-eyes" not in browser.page_source
        until(browser, lambda: TOPIC.format(*triple) in browser.find_element(By.ID, "devices").text, "its subscription")
        # By the keyboard alone, as without a mouse.
        browser.find_element(By.ID, "topic").send_keys(TOPIC.format(*triple), Keys.TAB, "from the page")
        browser.find_element(By.CSS_SELECTOR, "#publish button").send_keys(Keys.ENTER)
        until(browser, lambda: browser.find_element(By.ID, "said").text == "delivered to 1 device", "delivered")
        browser.find_element(By.ID, "spec").send_keys("no-pingresp:1", Keys.ENTER)
        off = until(browser, lambda: browser.find_elements(By.CSS_SELECTOR, "#active button"), "the fault on the page")[0]
        assert off.accessible_name == "Switch off no-pingresp:1"
        browser.save_screenshot(str(BUILD / "platform-page.png"))
        off.click()
        until(browser, lambda: not browser.find_elements(By.CSS_SELECTOR, "#active button"), "the fault gone")
        kick = browser.find_element(By.CSS_SELECTOR, "#devices button")
        assert kick.accessible_name == f"Kick {name}"
        kick.click()
        platform.wait_log('"kicked"', triple[1])
        browser.find_element(By.ID, "spec").send_keys("nonsense", Keys.ENTER)
        until(browser, lambda: "unknown fault" in browser.find_element(By.ID, "said").text, "the complaint")

    outcome = {}
    thread = threading.Thread(target=lambda: outcome.update(value=run_isolated(
        listen_and_wait, credentials={**pki.trust(), "triple": triple}, port=platform.port).value))
    thread.start()
    try:
        drive()
    finally:
        thread.join(90)
    value = outcome["value"]
    assert value["got"] and value["lost"], value
    assert any("from the page" in payload for payload in value["payloads"])
    assert platform.command("clear", name="no-pingresp")["active"] == []

    # The device is gone: its row would go while it is looked at.
    until(browser, lambda: "None" in browser.find_element(By.ID, "devices").text, "the device gone")
    # Narrow: nothing is wider than the window. Every control has a name.
    browser.set_window_size(500, 900)
    width = browser.execute_script("return [document.documentElement.scrollWidth, innerWidth]")
    assert width[0] <= width[1], width
    browser.save_screenshot(str(BUILD / "platform-page-narrow.png"))
    for control in browser.find_elements(By.CSS_SELECTOR, "button, input, select, textarea"):
        assert control.accessible_name, control.get_attribute("outerHTML")
    assert not [entry for entry in browser.get_log("browser") if entry["level"] == "SEVERE"]
