// What the browser tests share: a Chromium that talks to nobody but the page's own server, and says what it did.

import assert from "node:assert/strict";
import { createRequire } from "node:module";
import path from "node:path";

const { chromium } = createRequire(path.join(process.env.LOGWEIR_PLAYWRIGHT, "from-here.js"))("playwright-core");

const FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
  "--disable-component-update", "--disable-sync"];

/** Opens `url`, lets `test` work on the page, and asserts that nothing happened that should not. */
export async function withPage(url, options, test) {
  const browser = await chromium.launch({ executablePath: process.env.LOGWEIR_CHROMIUM, args: FLAGS });
  const page = await browser.newPage(options);
  const seen = { dialogs: [], foreign: [], complaints: [] };
  page.on("dialog", (dialog) => { seen.dialogs.push(dialog.message()); dialog.dismiss(); });
  page.on("request", (request) => {
    if (new URL(request.url()).origin !== new URL(url).origin) seen.foreign.push(request.url());
  });
  page.on("console", (message) => { if (message.type() === "error") seen.complaints.push(message.text()); });
  page.on("pageerror", (error) => seen.complaints.push(String(error)));
  try {
    await page.goto(url);
    await test(page, seen);
    assert.deepEqual(seen, { dialogs: [], foreign: [], complaints: [] });
  } finally {
    await browser.close();
  }
}
