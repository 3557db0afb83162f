// The past: two runs two hours apart. Whatever span is chosen, the page says what the endpoint says of it.

import assert from "node:assert/strict";
import { withPage } from "./browser.mjs";

const [url, first, name = "error"] = process.argv.slice(2);
const grouped = (n) => new Intl.NumberFormat("en-US").format(n);
const history = async (query) => (await fetch(new URL(`/api/v1/history${query}`, url))).json();
const [all, last] = [await history(""), await history("?from=-15m")];
assert.deepEqual([all.lines, last.lines], [1220, 610]);

const isOnce = first !== "all" || name !== "error";
for (const colorScheme of isOnce ? ["light"] : ["light", "dark"]) {
  for (const width of isOnce ? [1400] : [1400, 700, 420]) {
    await withPage(url, { viewport: { width, height: 900 }, colorScheme }, async (page) => {
      const text = (selector) => page.locator(selector).first().textContent();
      const texts = (selector) => page.locator(selector).allTextContents();
      const spoken = (values) => page.evaluate(async (list) => {
        const { nanos } = await import("/assets/tools.js");
        return list.map((ns) => (ns === null ? "–" : nanos(ns)));
      }, values);
      const shows = async (answer) => {
        await page.locator("#history-lines", { hasText: grouped(answer.lines) }).waitFor();
        assert.deepEqual(await texts("#history-rows .name b"), answer.processors.map(({ id }) => id));
        assert.deepEqual(await texts("#history-rows td:nth-child(2) span"), answer.processors.map(({ lines_in }) => grouped(lines_in)));
        for (const [column, key] of [["p50", "p50_ns"], ["p99", "p99_ns"]]) {
          const values = await spoken(answer.processors.map(({ latency }) => latency[key]));
          assert.deepEqual(await texts(`#history-rows .${column}`), values, column);
        }
      };

      await page.locator("#history-rows tr").first().waitFor();
      assert.equal(await page.locator("#history-none").isVisible(), false);
      assert.deepEqual(await texts("#spans [aria-pressed='true']"), [first]);
      await page.getByRole("button", { name: "all", exact: true }).click();
      await shows(all);
      assert.match(await text("#history-missing"), /^(1 h 59 min|2 h \d+ min)$/);
      assert.match(await text("#history-missing-note"), /^in 1 gap/);
      assert.equal(await page.locator("#curve .gap").count(), 1);
      assert.match(await text("#history-since"), /Totals of the last run count since/);
      assert((await texts("#history-rows .name b")).includes(name));

      await page.locator("#curve").focus();
      await page.keyboard.press("ArrowRight");
      assert.match(await text("#history-point"), / lines\/s · /);
      await page.getByRole("button", { name: "15 min" }).focus();
      assert.equal(await text("#history-point"), "");
      await page.keyboard.press("Enter");
      await shows(last);
      assert.equal(await text("#history-missing"), "–");
      assert.equal(await page.locator("#curve .gap").count(), 0);

      // A name that is changed by hand has lost its latencies, and that is said.
      assert.equal(await page.locator("#history-trouble").isVisible(), all.passed_over > 0);
      assert.equal(all.passed_over > 0, name !== "error");
      assert.equal(await page.locator("img").count(), 1);
      assert.equal(await page.locator("script").count(), 1);
      const overflow = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
      assert(overflow <= 0, `the page is ${overflow} pixels too wide at ${width}`);
    });
  }
}
