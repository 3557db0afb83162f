// The page of logweir. It reads one stream of snapshots and draws the last one.
//
// Invariant: whatever comes from a log, a path or a configuration becomes a text node (`textContent`) and nothing else.
// There is no innerHTML, no attribute made of such text but `title`, and the server's policy forbids anything inline.

import { noteHistory } from "./history.js";
import { placeWires, showProcessors } from "./processors.js";
import { ask, bytes, byId, clock, count, draw, make, many, nanos, percent, plural, say, sayId, span } from "./tools.js";

const EVERY_MS = 250; // numbers that change faster cannot be read
const RECORDS_MS = 2000; // lines take longer to read than numbers
const RETRY_MS = [500, 1000, 2000, 5000];
const SPEEDS_KEPT = 240;
const STALE = "server gone; this is what it said last";

// ---- the run

const speeds = [];

function showRun(event) {
  const { run } = event;
  const over = ["finished", "interrupted", "closed", "failed"].includes(run.state);
  sayId("state", run.state);
  byId("state").className = `pill ${run.state}`;
  // Totals without a checkpoint begin a moment before the run does.
  const counted = new Date(run.started) - new Date(run.since) < 1000 ? "" : ` · counts since ${new Date(run.since).toLocaleString([], { hour12: false })}`;
  const rewound = run.rewinds ? ` · went back to the last checkpoint ${run.rewinds === 1 ? "once" : `${count(run.rewinds)} times`}` : "";
  sayId("when", `${run.mode} · since ${clock(run.started)} · ${span(run.elapsed_s)}${counted}${rewound}`,
    run.rewinds ? "what came after that checkpoint was read again: counts went back" : "");
  document.title = over ? `${run.state} · logweir`
    : run.lag ? `${behindWords(run.lag)} · logweir`
      : run.bytes_total ? `${Math.floor((100 * run.bytes_done) / run.bytes_total)} % · logweir` : `${run.state} · logweir`;
  showTrouble(run);
  byId("keeping").hidden = !run.lag;
  byId("progress").hidden = Boolean(run.lag);
  if (run.lag) showLag(run.lag, over);
  else showProgress(run, over);
  showSpeed(run, over);
  sayId("lines", count(run.lines_done));
  sayId("sources", run.lag ? `from ${plural(run.lag.sources, "source")}` : `${count(run.sources_done)} of ${plural(run.sources_total, "source")} done`);
  sayId("faulty", count(event.faults_total));
  byId("faulty").classList.toggle("bad", event.faults_total > 0);
  const failed = event.processors.reduce((sum, processor) => sum + processor.failed, 0);
  sayId("faulty-note", failed ? `${percent(failed / run.lines_done)} of lines` : event.faults_total ? "no line, a source" : over ? "none" : "none so far");
  sayId("watching", percent(run.watching.share));
  sayId("watching-note", `budget ${percent(run.watching.budget)}`);
  showWorkers(run.workers);
}

/** What holds it up, a line each; the run's own first. */
function showTrouble(run) {
  const { error, trouble, lag, sinks } = run;
  const lines = [
    ...(error ? [error] : []),
    ...(trouble ? [`${trouble.cause}: ${trouble.action} (since ${clock(trouble.since)})`] : []),
    ...sinks.filter((sink) => sink.trouble).map((sink) => `sink ${sink.id}: ${sink.trouble}`),
    ...(lag?.in_trouble ? [`${plural(lag.in_trouble, "source")} cannot be read now, see below`] : []),
  ];
  const band = byId("trouble");
  band.hidden = lines.length === 0;
  // Only what is new is said to those who listen.
  const said = Array.from(band.children, (line) => line.textContent);
  if (said.join("\n") !== lines.join("\n")) band.replaceChildren(...lines.map((line) => make("p", "", line)));
}

/** Less than this is what a poll takes, and nobody is behind. */
const BEHIND_S = 1.5;
const behindWords = (lag) => (lag.seconds_behind < BEHIND_S ? "keeping up" : `${span(lag.seconds_behind)} behind`);
const level = (seconds) => (seconds < BEHIND_S ? "good" : seconds < 30 ? "wait" : "bad");

function showLag(lag, over) {
  byId("keeping").className = `keeping ${level(lag.seconds_behind)}`;
  sayId("behind", span(lag.seconds_behind), "since the oldest byte that was not read came");
  const gone = lag.gone ? ` · ${plural(lag.gone, "source")} without a file` : "";
  sayId("behind-words", `behind${lag.seconds_behind < BEHIND_S ? over ? "" : ": keeping up" : ""}${gone}`);
  sayId("behind-bytes", bytes(lag.bytes_behind));
  sayId("rotations", count(lag.rotations));
  sayId("truncations", count(lag.truncations));
  sayId("lost", lostWords(lag), lag.lost_unknown ? "something may have been lost that was never seen" : "");
  byId("lost").classList.toggle("bad", lag.bytes_lost > 0 || lag.lost_unknown);
  sayId("held", bytes(lag.held_bytes));
}

const lostWords = ({ bytes_lost, lost_unknown }) =>
  (lost_unknown ? bytes_lost ? `at least ${bytes(bytes_lost)}` : "not known" : bytes_lost ? bytes(bytes_lost) : "none");

/** The sources that most want to be looked at. */
function showSources({ sources }) {
  byId("origins").hidden = !sources;
  if (!sources) return;
  const { shown, total } = sources;
  sayId("origins-note", shown.length < total ? `the ${count(shown.length)} that most want to be looked at, of ${count(total)}` : plural(total, "source"));
  byId("origin-rows").replaceChildren(...(shown.length ? shown.map(sourceRow) : [make("tr", "", emptyCell("no file to follow yet"))]));
}

function emptyCell(text) {
  const cell = make("td", "path quiet", text);
  cell.colSpan = 8;
  return cell;
}

function sourceRow(source) {
  const { live } = source;
  const wrong = source.fault ?? (live.gone ? "its file is gone" : "");
  const path = make("td", "path", make("span", "", source.path), ...(wrong ? [make("small", source.fault ? "bad" : "", wrong)] : []));
  path.title = source.path;
  const cell = (text, name = "") => make("td", name, text);
  return make("tr", "", path,
    cell(source.bytes_behind ? span(source.seconds_behind) : "–", level(source.seconds_behind)),
    cell(source.bytes_behind ? bytes(source.bytes_behind) : "–"), cell(bytes(source.bytes_read)), cell(count(source.lines)),
    cell(live.rotations ? count(live.rotations) : "–"), cell(live.truncations ? count(live.truncations) : "–"),
    cell(live.bytes_lost || live.lost_unknown ? lostWords(live) : "–", live.bytes_lost || live.lost_unknown ? "bad" : ""));
}

function showProgress(run, over) {
  const total = run.bytes_total ?? (over ? run.bytes_done : null);
  const element = byId("bar");
  element.className = `bar ${total === null ? "unknown" : run.state}`;
  const share = total === null ? null : total === 0 ? Number(over) : Math.min(run.bytes_done / total, 1);
  byId("bar-fill").style.width = share === null ? "" : `${share * 100}%`;
  if (share === null) element.removeAttribute("aria-valuenow");
  else element.setAttribute("aria-valuenow", Math.floor(share * 100));
  sayId("percent", share === null ? "reading" : `${(share * 100).toFixed(share === 1 ? 0 : 1)} %`);
  sayId("amount", total === null ? `${bytes(run.bytes_done)} so far, the end is not known`
    : run.bytes_done === total ? bytes(total) : `${bytes(run.bytes_done)} of ${bytes(total)}`);
  sayId("left", over ? `took ${span(run.elapsed_s)}` : run.remaining_s === null ? "" : `${span(run.remaining_s)} left`);
}

function showSpeed(run, over) {
  const rate = over ? run.rates.life : run.rates.now;
  sayId("speed-name", over ? "Speed, on average" : "Speed");
  sayId("speed", `${bytes(rate.bytes_per_s)}/s`);
  sayId("pace-name", over ? "Lines a second, on average" : "Lines a second");
  sayId("pace", many(rate.lines_per_s));
  sayId("pace-note", over ? "over the whole run" : `${many(run.rates.life.lines_per_s)} on average`);
  if (!over) speeds.push(run.rates.now.bytes_per_s);
  if (speeds.length > SPEEDS_KEPT) speeds.shift();
  const top = Math.max(...speeds, 1);
  const points = speeds.map((speed, at) => `${((at * 240) / Math.max(speeds.length - 1, 1)).toFixed(1)},${(32 - (28 * speed) / top).toFixed(1)}`);
  const worthIt = points.length > 2;
  byId("spark").replaceChildren(...(worthIt ? [
    draw("path", { class: "area", d: `M0,34 L${points.join(" L")} L240,34 Z` }),
    draw("path", { d: `M${points.join(" L")}` }),
  ] : []));
}

function showWorkers(workers) {
  const busy = workers.reduce((sum, worker) => sum + worker.busy_share, 0) / Math.max(workers.length, 1);
  sayId("busy", workers.length ? percent(busy) : "–");
  byId("workers").replaceChildren(...workers.map((worker, number) => {
    const whole_ms = worker.busy_ms + worker.sink_wait_ms + worker.idle_ms || 1;
    const parts = [worker.busy_ms, worker.sink_wait_ms].map((part) => {
      const fill = make("i");
      fill.style.width = `${(100 * part) / whole_ms}%`;
      return fill;
    });
    const element = make("div", "worker", ...parts);
    element.title = `worker ${number + 1}: ${percent(worker.busy_share)} busy, ${percent(worker.sink_wait_ms / whole_ms)} waiting for a sink`;
    return element;
  }));
}

// ---- single lines

let recordsShown = 0;

function showRecords(event, now) {
  const held = ["traces", "faults"].some((id) => byId(id).matches(":hover, :focus-within"));
  if (recordsShown && (held || now - recordsShown < RECORDS_MS)) return;
  recordsShown = now;
  const { traces, faults } = event;
  sayId("traces-note", traces.length ? "newest first; times where the line was a probe" : "");
  byId("traces").replaceChildren(...(traces.length ? traces.toReversed().map(traceItem) : [make("li", "empty", "nothing has come through yet")]));
  sayId("faults-note", event.faults_total ? `${plural(event.faults_total, "fault")} in all; the last ones of each processor are kept` : "");
  byId("faults").replaceChildren(...(faults.length ? faults.toReversed().map(faultItem) : [make("li", "empty", event.faults_total ? "none is kept: they came before this process began" : "none: every line went where it should")]));
}

const origin = (record) => make("span", "origin", `${record.source} @ ${count(record.offset)}`);

function lineOf(record) {
  const line = make("div", "line", record.line);
  if (record.line_cut) line.append(make("span", "ghost", " … cut here"));
  if (record.line_base64) line.title = "not all of it is UTF-8";
  return line;
}

function item(...children) {
  const element = make("li", "", ...children);
  element.tabIndex = 0;
  return element;
}

function traceItem(trace) {
  const hops = trace.hops.flatMap((hop, at) => [
    ...(at ? [make("span", "then", "›")] : []),
    make("span", "chip", hop.processor, ...(hop.ns === null ? [] : [make("span", "ghost", ` ${nanos(hop.ns)}`)])),
  ]);
  return item(make("div", "path", ...hops, origin(trace)), lineOf(trace));
}

function faultItem(fault) {
  const path = make("div", "path", make("span", "chip kind", fault.kind), make("span", "chip", fault.processor ?? "source"),
    make("span", "then", `${fault.count === 1 ? "the only one" : `${count(fault.count)} of these`} · ${clock(fault.time)}`), origin(fault));
  return item(path, make("div", "message", fault.message), ...(fault.length ? [lineOf(fault)] : []));
}

// ---- the ledger

function showLedger({ audit, run }) {
  const verdict = byId("verdict");
  verdict.className = `verdict ${audit.balanced ? "good" : "bad"}`;
  say(verdict, audit.balanced ? `✓ balanced: ${plural(audit.lines.entered, "line")} in, every one accounted for` : "✗ it does not balance");
  const { sources, nodes } = audit;
  const items = [
    `${plural(nodes.length, "processor")}: in = out + dropped + failed`,
    `${count(audit.lines.split)} lines found, ${count(audit.lines.entered)} entered`,
    run.lag && sources.complete === 0 ? "what is followed is proven when the run ends" : sources.complete === 0 ? "no source finished yet" : sources.tiled ? `${bytes(sources.bytes_covered)} of finished sources covered without gap or overlap` : "finished sources are not covered",
    ...(run.lag && sources.complete === 0 ? [] : [`${count(sources.complete)} sources read to the end, ${count(sources.incomplete)} not${["finished", "failed"].includes(run.state) ? "" : " yet"}`]),
    ...run.sinks.map((sink) => `${sink.id}: ${plural(sink.lines, "line")}, ${bytes(sink.bytes_written)} written${sink.path ? ` to ${sink.path}` : ""}${deliveryOf(sink)}`),
  ].map((text) => make("li", "", text));
  byId("ledger").replaceChildren(...items, ...audit.problems.map((text) => make("li", "bad", text)));
}

const deliveryOf = (sink) => [
  sink.refused ? `, ${count(sink.refused)} refused` : "",
  sink.retries ? `, ${count(sink.retries)} tried again` : "",
  sink.waiting_lines || sink.waiting_bytes ? `, ${plural(sink.waiting_lines, "line")} waiting` : "",
].join("");

// ---- the stream

function show(event) {
  byId("main").hidden = false;
  showRun(event);
  showProcessors(event);
  showSources(event);
  noteHistory(event);
  showRecords(event, performance.now());
  showLedger(event);
}

function link(live, text) {
  byId("link").classList.toggle("live", live);
  sayId("link", text);
}

/** Reads events until the stream ends; true if there was one. */
async function read(response) {
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  let any = false;
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return any;
    text += value;
    const blocks = text.split("\n\n");
    text = blocks.pop();
    // Only the last one counts: a page that was asleep has nothing to catch up with.
    const last = blocks.findLast((block) => block.includes("data: "));
    if (!last) continue;
    any = true;
    link(true, "live");
    show(JSON.parse(last.slice(last.indexOf("data: ") + 6)));
  }
}

async function follow() {
  const hadToken = sessionStorage.getItem("logweir-token") !== null;
  const response = await ask(`/api/v1/events?every_ms=${EVERY_MS}`);
  if (response.status === 401) {
    await askForToken(hadToken ? "That was not the one." : "It is kept for this session only.");
    return true;
  }
  if (!response.ok) throw new Error(`the server says ${response.status}`);
  return read(response);
}

function askForToken(note) {
  const form = byId("login");
  form.hidden = false;
  sayId("login-note", note);
  link(false, "waiting for the token");
  byId("token").focus();
  return new Promise((resolve) => {
    form.onsubmit = (event) => {
      event.preventDefault();
      sessionStorage.setItem("logweir-token", byId("token").value.trim());
      byId("token").value = "";
      form.hidden = true;
      resolve();
    };
  });
}

async function main() {
  new ResizeObserver(placeWires).observe(byId("board"));
  for (let failures = 0; ;) {
    try {
      failures = (await follow()) ? 1 : failures + 1;
    } catch (error) {
      failures += 1;
      if (!(error instanceof TypeError)) console.error(error);
    }
    link(false, byId("main").hidden ? "cannot reach the server" : STALE);
    await new Promise((resolve) => { setTimeout(resolve, RETRY_MS[Math.min(failures, RETRY_MS.length) - 1]); });
  }
}

main();
