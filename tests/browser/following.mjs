// A run that follows: how far behind it is stands first, and what is wrong can be seen.

import assert from "node:assert/strict";
import { withPage } from "./browser.mjs";

const [url] = process.argv.slice(2);
const run = await (await fetch(new URL("/api/v1/run", url))).json();
const sources = await (await fetch(new URL("/api/v1/sources", url))).json();

for (const colorScheme of ["light", "dark"]) {
  for (const width of [1400, 700, 420]) {
    await withPage(url, { viewport: { width, height: 900 }, colorScheme }, async (page) => {
      const text = (selector) => page.locator(selector).first().textContent();
      await page.locator("#origin-rows tr").first().waitFor();
      assert.equal(await text("#behind"), `${run.lag.seconds_behind.toFixed(1)} s`);
      assert.equal(await text("#rotations"), String(run.lag.rotations));
      assert.equal(await text("#truncations"), String(run.lag.truncations));
      assert.equal(await text("#lost"), "512 B or more");
      assert.equal(await page.locator("#progress").isVisible(), false);
      assert.match(await page.title(), /behind/);
      assert.match(await text("#when"), / · went back to the last checkpoint once$/);

      const band = await page.locator("#trouble p").allTextContents();
      assert(band[0].startsWith(`${run.trouble.cause}: ${run.trouble.action}`));
      assert.equal(band[1], `sink memory.log: ${run.sinks[0].trouble}`);
      assert.match(band[2], /^1 source cannot be read now/);

      const paths = await page.locator("#origin-rows .path span").allTextContents();
      assert.deepEqual([...paths].sort(), sources.listed.map((source) => source.path).sort());
      assert.equal(paths[0], "/var/log/app/secret.log", "what is wrong comes first");
      assert.equal(await text("#origin-rows small.bad"), "permission denied");

      const overflow = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
      assert(overflow <= 0, `the page is ${overflow} pixels too wide at ${width}`);
    });
  }
}
