"""The page of the whole table in headless Chromium (`python -m benchmarks.explorer`).

Needs `pip install '.[test]'` and Chromium. A frame is measured from an event (a turn of the wheel, a drag) to
the end of the frame that draws it. This includes the wait for the display's next frame, up to 16.7 ms.
"""

import shutil
import statistics
import tempfile
import time
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from benchmarks.timing import print_conditions
from nasbench.__main__ import main as nasbench
from nasbench.runs.text import format_table

RUNS = 5
FRAMES = 120
_SENT = """async ([kind, frames]) => {
  const plot = document.querySelector(".over"), {left, top, width, height} = plot.getBoundingClientRect();
  const at = (n) => ({
    clientX: left + width / 2 + 60 * Math.sin(n / 10), clientY: top + height / 2 + 60 * Math.cos(n / 10),
    pointerId: 1, pointerType: "mouse", bubbles: true, cancelable: true,
  });
  plot.setPointerCapture = () => {};  // events of a script have no pointer to capture
  if (kind === "pan") plot.dispatchEvent(new PointerEvent("pointerdown", at(0)));
  const times = [];
  for (let n = 1; n <= frames; n++) {
    const start = performance.now();
    if (kind === "pan") plot.dispatchEvent(new PointerEvent("pointermove", at(n)));
    else plot.dispatchEvent(new WheelEvent("wheel", {...at(n), deltaY: Math.floor(n / 20) % 2 ? 60 : -60}));
    await new Promise((drawn) => requestAnimationFrame(() => {
      const {port1, port2} = new MessageChannel();
      port1.onmessage = drawn;
      port2.postMessage(0);
    }));
    times.push(performance.now() - start);
  }
  if (kind === "pan") plot.dispatchEvent(new PointerEvent("pointerup", at(frames)));
  return times;
}"""


def main() -> None:
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    loads: list[float] = []
    frames: dict[str, list[float]] = {"pan": [], "zoom": []}
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as driver:
        path = Path(folder) / "explorer.html"
        nasbench(["explore", "--out", str(path)])
        browser = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        for run in range(RUNS + 1):
            page = browser.new_page(viewport={"width": 1280, "height": 900})
            start = time.perf_counter()
            page.goto(path.as_uri())
            page.locator(".figures svg").first.wait_for()
            if run:  # the first one starts the browser's processes
                loads.append(1e3 * (time.perf_counter() - start))
                for kind in frames:
                    frames[kind] += _frames(page, kind)
            page.close()
        print_conditions(RUNS, Chromium=browser.version)
        print(f"{path.stat().st_size / 1e6:.1f} MB; 15,625 points at 1280x900")
        browser.close()
    rows = [["load until a cell is drawn", *_summary(loads)]]
    rows += [[f"frame while the view {kind}s", *_summary(times)] for kind, times in frames.items()]
    print(format_table(["", "median [ms]", "95th percentile", "max"], rows))


def _frames(page: Page, kind: str) -> list[float]:
    times: list[float] = page.evaluate(_SENT, [kind, FRAMES])
    return times


def _summary(times: list[float]) -> list[float]:
    percentile = statistics.quantiles(times, n=20, method="inclusive")[-1]
    return [round(value, 1) for value in (statistics.median(times), percentile, max(times))]


if __name__ == "__main__":
    main()
