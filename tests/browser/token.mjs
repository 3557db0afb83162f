// With a token the page asks for it, takes only the right one, and remembers it for the session.

import assert from "node:assert/strict";
import { withPage } from "./browser.mjs";

const [url, token] = process.argv.slice(2);

await withPage(url, {}, async (page, seen) => {
  await page.locator("#login").waitFor();
  assert.equal(await page.locator("#main").isVisible(), false);
  await page.fill("#token", "wrong");
  await page.keyboard.press("Enter");
  await page.getByText("That was not the one.").waitFor();
  await page.fill("#token", token);
  await page.getByRole("button", { name: "Look" }).click();
  await page.locator("#rows tr").first().waitFor();
  assert.equal(await page.locator("#login").isVisible(), false);
  await page.reload();
  await page.locator("#rows tr").first().waitFor();
  assert(!page.url().includes(encodeURIComponent(token)), "it never stands in an address");
  // Chromium itself notes every 401; there were two, and nothing else.
  assert.deepEqual(seen.complaints.filter((text) => !text.includes("401")), []);
  seen.complaints.length = 0;
});
