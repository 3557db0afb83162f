// Log lines, names and messages that would run if anybody took them for markup: they are shown, letter by letter.

import assert from "node:assert/strict";
import { withPage } from "./browser.mjs";

const [url, lines] = process.argv.slice(2);
const hostile = JSON.parse(lines);

await withPage(url, {}, async (page) => {
  await page.locator("#traces li").first().waitFor();
  for (const button of await page.locator("#rows button.id").all()) await button.click();
  await page.waitForTimeout(1500); // for whatever would load or run
  const shown = (selector) => page.locator(selector).allTextContents();
  const traces = await shown("#traces .line");
  const faults = await shown("#faults .line");
  const messages = await shown("#faults .message");
  const names = await shown("#rows .id b");
  for (const line of hostile) {
    assert(traces.includes(line), `a trace shows ${line}`);
    assert(faults.includes(line), `a fault shows ${line}`);
    assert(messages.includes(line), `a message shows ${line}`);
    assert(names.some((name) => name.startsWith(line)), `a processor is called ${line}`);
  }
  const trouble = await shown("#trouble p");
  assert.equal(trouble[0], hostile[1]);
  assert(trouble[1].startsWith(`${hostile[0]}: ${hostile[2]}`), "a cause and an action");
  assert(trouble[2].endsWith(hostile[3]), "a sink's trouble");
  assert.equal(await page.locator("#origin-rows .path span").textContent(), hostile[0]);
  assert.equal(await page.locator("#origin-rows .path small").textContent(), hostile[1]);
  assert((await shown("#rows .detail dd")).some((text) => text.includes(hostile[1])), "a detail shows the configuration");
  // Nothing but our own picture, module and style.
  assert.equal(await page.locator("img").count(), 1);
  assert.equal(await page.locator("script").count(), 1);
  assert.equal(await page.locator("style, iframe, object, embed, [onerror], [onload], [style*='expression']").count(), 0);
  assert.equal(await page.locator("svg:not(#spark):not(#wires):not(#curve):not(.hist)").count(), 0);
});
