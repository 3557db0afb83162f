// The page says what the endpoints say, fits, and can be used with the keyboard, in light and dark, wide and narrow.

import assert from "node:assert/strict";
import { withPage } from "./browser.mjs";

const [url] = process.argv.slice(2);
const json = async (path) => (await fetch(new URL(path, url))).json();
const grouped = (n) => new Intl.NumberFormat("en-US").format(n);

const [stats, run, errors] = [await json("/stats"), await json("/api/v1/run"), await json("/api/v1/errors")];

for (const colorScheme of ["light", "dark"]) {
  for (const width of [1400, 700]) {
    await withPage(url, { viewport: { width, height: 900 }, colorScheme }, async (page) => {
      const text = (selector) => page.locator(selector).first().textContent();
      await page.locator("#rows tr").first().waitFor();
      assert.equal(await text("#state"), run.state);
      assert.equal(await text("#lines"), grouped(run.lines_done));
      assert.equal(await text("#faulty"), grouped(errors.total));
      assert.equal(await text("#link"), "live");
      assert.match(await text("#verdict"), /^✓ balanced/);

      const ids = await page.locator("#rows .id b").allTextContents();
      assert.deepEqual(ids, Object.keys(stats), "rows stand in the order of the graph");
      const counts = await page.locator("#rows td.lines span").allTextContents();
      assert.deepEqual(counts, Object.values(stats).map((entry) => grouped(entry.processed)));
      assert.equal(await page.locator("#wires circle").count(), ids.length);
      assert.equal(await page.locator("#rows svg.hist").count(), ids.length);
      assert.equal(await page.locator("#stages tr").count(), run.stages.length);
      assert.equal(await page.locator("#faults .chip.kind").count() > 0, errors.samples.length > 0);

      if (errors.total > 0 && errors.samples.length === 0) assert.match(await text("#faults .empty"), /came before/);
      assert(await page.locator("#history-none").isVisible(), "nothing is recorded, and it says so");
      assert.equal(await page.locator("#spans, #history-body, #history-link").filter({ visible: true }).count(), 0);

      const overflow = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
      assert(overflow <= 0, `the page is ${overflow} pixels too wide at ${width}`);

      await page.locator("#rows button.id").nth(1).focus();
      await page.keyboard.press("Enter");
      assert.equal(await page.locator("#rows button.id").nth(1).getAttribute("aria-expanded"), "true");
      assert.match(await text("#rows .detail"), /configuration/);
      await page.keyboard.press("Enter");
      assert.equal(await page.locator("#rows .detail").count(), 0);
    });
  }
}
