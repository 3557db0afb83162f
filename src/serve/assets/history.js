// The past: a span of what was recorded, as totals, as a curve, and by processor. It moves every ten seconds, and so it
// is asked for apart from the stream.
//
// The invariant of page.js holds here too: names and times become text nodes, numbers alone become shapes.

import { percentiles } from "./processors.js";
import { ask, bytes, byId, count, draw, make, many, nanos, percent, plural, say, sayId, span } from "./tools.js";

const EVERY_MS = 10_000; // as often as an interval is recorded
const EVERY_LONG_MS = 60_000; // a long span hardly changes, and takes longer to add up
const GAP_MS = 1_000; // within one run an interval begins where the last one ended
const [WIDTH, HEIGHT] = [1000, 100]; // of the curve, in its own units

let isRecorded = null; // not known yet
let isReplay = false;
let chosen = null; // the button
let asked = 0; // counts questions: only the last one is shown
let timer = 0;
let shown = null; // the answer, and where the curve has its pieces
let pointed = -1; // the piece that is pointed at

const buttons = () => Array.from(byId("spans").children);

/** What the stream says about the past: only whether there is one. */
export function noteHistory({ recorded, run }) {
  if (recorded === isRecorded) return;
  isRecorded = recorded;
  isReplay = run.mode === "replay";
  for (const id of ["spans", "history-body", "history-link"]) byId(id).hidden = true;
  byId("history-none").hidden = recorded;
  if (!recorded) return void clearTimeout(timer);
  byId("spans").hidden = byId("history-link").hidden = false;
  choose(chosen ?? buttons().at(isReplay ? -1 : 0));
}

function choose(button) {
  chosen = button;
  for (const each of buttons()) each.setAttribute("aria-pressed", String(each === button));
  question();
}

async function question() {
  clearTimeout(timer);
  asked += 1;
  const mine = asked;
  const { from } = chosen.dataset;
  let answer = null;
  let trouble = "the server is gone";
  try {
    const response = await ask(`/api/v1/history${from ? `?from=${from}` : ""}`);
    if (response.ok) answer = await response.json();
    else trouble = `the server says ${response.status}`;
  } catch (error) {
    if (!(error instanceof TypeError)) console.error(error);
  }
  if (mine !== asked || !isRecorded) return;
  if (answer) showHistory(answer);
  else sayTrouble([`The past cannot be asked for: ${trouble}`]);
  // What was recorded once stays as it is.
  if (isReplay && answer) return;
  timer = setTimeout(question, ["-6h", "-1d", ""].includes(from) ? EVERY_LONG_MS : EVERY_MS);
}

const ms = (time) => new Date(time).getTime();
const seconds = ({ from, to }) => (ms(to) - ms(from)) / 1000;
/** Time in which nothing was recorded. What is left by rounding does not count. */
const missing = (stretch) => { const rest = seconds(stretch) - stretch.recorded_s; return rest < GAP_MS / 1000 ? 0 : rest; };
const rate = (n, recorded_s) => (recorded_s > 0 ? n / recorded_s : 0);

function showHistory(answer) {
  const { covered, recorded } = answer;
  const isEmpty = covered.from === null;
  byId("history-body").hidden = isEmpty;
  sayTrouble([
    ...(answer.trouble ? [`Nothing can be recorded now: ${answer.trouble}`] : []),
    ...(answer.passed_over ? [`${plural(answer.passed_over, "recorded line")} cannot be read: what they held is missing here`] : []),
  ]);
  sayId("history-note", isEmpty ? recorded.from === null ? "nothing is recorded yet: that takes ten seconds" : "nothing was recorded in this span"
    : `${range(covered)} · ${plural(answer.intervals, "interval")}`);
  const since = answer.since === null ? "" : `. Totals of the last run count since ${moment(answer.since)}`;
  sayId("history-since", recorded.from === null ? "" : `Recorded: ${range(recorded)}${since}.`);
  if (isEmpty) { shown = null; return; }
  showTotals(answer);
  showCurve(answer);
  showNodes(answer);
}

function sayTrouble(lines) {
  const band = byId("history-trouble");
  band.hidden = lines.length === 0;
  band.replaceChildren(...lines.map((line) => make("p", "", line)));
}

// ---- times

const DAY = { day: "numeric", month: "short" };
const CLOCK = { hour: "2-digit", minute: "2-digit", second: "2-digit", hour12: false };
const MINUTE = { hour: "2-digit", minute: "2-digit", hour12: false };
const format = (time, form) => new Date(time).toLocaleString([], form);
const moment = (time) => format(time, { ...DAY, ...CLOCK });
const isOneDay = ({ from, to }) => new Date(from).toDateString() === new Date(to).toDateString();
const range = ({ from, to }) => `${moment(from)} – ${isOneDay({ from, to }) ? format(to, CLOCK) : moment(to)}`;

// ---- totals

function showTotals(answer) {
  const { lines, bytes: size, recorded_s, covered, processors, series } = answer;
  const sum = (key) => processors.reduce((total, processor) => total + processor[key], 0);
  const most = Math.max(...series.map((piece) => rate(piece.lines, piece.recorded_s)));
  const gap = missing({ ...covered, recorded_s });
  tile("lines", count(lines), `${bytes(size)}`);
  tile("pace", many(rate(lines, recorded_s)), series.length > 1 ? `at most ${many(most)}` : "");
  tile("speed", `${bytes(rate(size, recorded_s))}/s`, `over ${span(recorded_s)}`);
  tile("failed", count(sum("failed")), sum("failed") ? `${percent(sum("failed") / Math.max(lines, 1))} of lines` : "none in this span");
  byId("history-failed").classList.toggle("bad", sum("failed") > 0);
  tile("missing", gap ? span(gap) : "–", gap ? `in ${plural(gaps(series), "gap")}: nothing ran` : "without a gap");
}

function tile(name, text, note) {
  sayId(`history-${name}`, text);
  sayId(`history-${name}-note`, note, note);
}

const isGap = (piece, next) => ms(next.from) - ms(piece.to) >= GAP_MS;
/** Those between pieces, and those that went into a piece when it was added up. */
const gaps = (series) => series.filter((piece, at) => missing(piece) > 0 || (at > 0 && isGap(series[at - 1], piece))).length;

// ---- the curve

function showCurve(answer) {
  const { covered, series } = answer;
  const [start, length] = [ms(covered.from), Math.max(ms(covered.to) - ms(covered.from), 1)];
  const x = (time) => (WIDTH * (ms(time) - start)) / length;
  const pieces = series.map((piece) => ({ piece, x0: x(piece.from), x1: x(piece.to), value: rate(piece.lines, piece.recorded_s) }));
  const top = rounded(Math.max(...pieces.map(({ value }) => value)));
  const y = (value) => HEIGHT - ((HEIGHT - 4) * value) / top;
  shown = { pieces };
  pointed = -1;
  const line = steps(pieces, y, HEIGHT);
  byId("curve").replaceChildren(
    ...gapsOf(pieces).map(([from, to]) => draw("rect", { class: "gap", x: from, y: 0, width: to - from, height: HEIGHT })),
    draw("line", { class: "grid", x1: 0, x2: WIDTH, y1: y(top), y2: y(top) }),
    draw("line", { class: "grid", x1: 0, x2: WIDTH, y1: y(top / 2), y2: y(top / 2) }),
    draw("path", { class: "area", d: line }), draw("path", { d: line }),
    draw("line", { class: "grid base", x1: 0, x2: WIDTH, y1: HEIGHT, y2: HEIGHT }),
    draw("line", { class: "pointer", x1: 0, x2: 0, y1: 0, y2: HEIGHT, visibility: "hidden" }),
  );
  byId("curve").setAttribute("aria-label", `Lines a second, from 0 to ${many(top)}; the arrow keys move through it`);
  sayId("curve-top", short(top));
  sayId("curve-half", short(top / 2));
  showTicks(start, length);
  point(-1);
}

/** Without the zeros that say nothing on an axis. */
const short = (n) => many(n).replace(/\.(\d*?)0+(?= |$)/, (_, digits) => (digits ? `.${digits}` : ""));

/** The next one of 1, 1.5, 2, 3, 4, 5, 6, 8 and their tens. */
function rounded(value) {
  const tens = 10 ** Math.floor(Math.log10(Math.max(value, 1)));
  return tens * ([1, 1.5, 2, 3, 4, 5, 6, 8].find((step) => step * tens >= value) ?? 10);
}

/** A flat piece for each that has a value, down to `base` where there is a gap; without a base nothing is drawn there. */
function steps(pieces, y, base) {
  let path = "";
  let last = null;
  const down = () => (last && base !== undefined ? ` V${base}` : "");
  for (const next of pieces) {
    const isNext = next.value !== null && last && !isGap(last.piece, next.piece);
    if (!isNext) path += down();
    if (next.value !== null) {
      const height = y(next.value).toFixed(2);
      const begin = base === undefined ? `M${next.x0.toFixed(2)},${height}` : `M${next.x0.toFixed(2)},${base} V${height}`;
      path += `${isNext ? ` V${height}` : begin} H${next.x1.toFixed(2)}`;
    }
    last = next.value === null ? null : next;
  }
  return path + down();
}

function gapsOf(pieces) {
  return pieces.flatMap((next, at) => (at > 0 && isGap(pieces[at - 1].piece, next.piece) ? [[pieces[at - 1].x1, next.x0]] : []));
}

function showTicks(start, length) {
  const form = !isOneDay({ from: start, to: start + length }) ? { ...DAY, ...MINUTE } : length < 600_000 ? CLOCK : MINUTE;
  byId("ticks").replaceChildren(...[0, 1, 2, 3, 4].map((tick) => make("span", "", format(start + (length * tick) / 4, form))));
}

/** Says what piece number `at` is; with -1 none. */
function point(at) {
  pointed = shown && at >= 0 ? Math.min(at, shown.pieces.length - 1) : -1;
  const marker = byId("curve").querySelector(".pointer");
  marker?.setAttribute("visibility", pointed < 0 ? "hidden" : "visible");
  if (pointed < 0) return sayId("history-point", "");
  const { piece, x0, x1 } = shown.pieces[pointed];
  marker.setAttribute("x1", (x0 + x1) / 2);
  marker.setAttribute("x2", (x0 + x1) / 2);
  const failed = piece.processors.reduce((sum, processor) => sum + processor.failed, 0);
  sayId("history-point", [
    range(piece), `${many(rate(piece.lines, piece.recorded_s))} lines/s`, `${bytes(rate(piece.bytes, piece.recorded_s))}/s`,
    ...(failed ? [`${count(failed)} failed`] : []), ...(missing(piece) ? [`${span(missing(piece))} of it not recorded`] : []),
  ].join(" · "));
}

function pointAt(event) {
  const box = byId("curve").getBoundingClientRect();
  const x = (WIDTH * (event.clientX - box.left)) / Math.max(box.width, 1);
  const far = ({ x0, x1 }) => Math.max(x0 - x, x - x1, 0);
  const { pieces } = shown ?? { pieces: [] };
  point(pieces.reduce((best, piece, at) => (best < 0 || far(piece) < far(pieces[best]) ? at : best), -1));
}

// ---- by processor

function showNodes({ processors, series, covered, recorded_s }) {
  const values = series.map(({ processors: nodes }) => new Map(nodes.map((node) => [node.id, node.latency])));
  const all = values.flatMap((nodes) => [...nodes.values()].flatMap(({ p50_ns, p99_ns }) => [p50_ns, p99_ns].filter(Boolean)));
  const axis = all.length ? { from: Math.log2(all.reduce((a, b) => Math.min(a, b))), to: Math.log2(all.reduce((a, b) => Math.max(a, b))) } : null;
  sayId("history-axis", axis ? `${nanos(2 ** axis.from)} – ${nanos(2 ** axis.to)}` : "");
  byId("history-rows").replaceChildren(...processors.map((node) => {
    const pieces = shown.pieces.map(({ x0, x1, piece }, at) => ({ x0, x1, piece, latency: values[at].get(node.id) }));
    return nodeRow(node, spark(pieces, axis, node.latency), recorded_s);
  }));
}

function nodeRow(node, picture, recorded_s) {
  const cell = (name, text, small, title) => {
    const made = make("td", name, make("span", "", text), ...(small === undefined ? [] : [make("small", "", small)]));
    if (title) made.title = title;
    return made;
  };
  const name = make("td", "name", make("b", "", node.id));
  name.title = node.id;
  return make("tr", "", name,
    cell("", count(node.lines_in), `${many(rate(node.lines_in, recorded_s))}/s`),
    cell(node.failed ? "bad" : "", node.failed ? count(node.failed) : "–", node.dropped ? count(node.dropped) : ""),
    cell("", node.ns_per_line === null ? "–" : nanos(node.ns_per_line)),
    make("td", "picture", picture),
    ...percentiles(node.latency).map(({ name: which, text, title }) => cell(which, text, undefined, title)));
}

/** Median and 99th percentile over time, on an axis that all processors share. */
function spark(pieces, axis, latency) {
  const svg = draw("svg", { class: "hist", viewBox: `0 0 ${WIDTH} 30`, preserveAspectRatio: "none", role: "img" });
  const half = latency.p50_ns === null ? "no median" : `median ${nanos(latency.p50_ns)}`;
  svg.setAttribute("aria-label", `${half}, over time`);
  svg.append(draw("line", { class: "base", x1: 0, x2: WIDTH, y1: 29.5, y2: 29.5 }));
  if (!axis) return svg;
  const y = (ns) => 27 - (24 * (Math.log2(ns) - axis.from)) / Math.max(axis.to - axis.from, 0.01);
  for (const [key, name] of [["p99_ns", "mark tail"], ["p50_ns", "mark"]]) {
    const line = pieces.map((piece) => ({ ...piece, value: piece.latency?.[key] || null }));
    svg.append(draw("path", { class: name, d: steps(line, y) }));
  }
  return svg;
}

// ---- what can be done

for (const button of buttons()) button.addEventListener("click", () => choose(button));
const curve = byId("curve");
curve.addEventListener("pointermove", pointAt);
curve.addEventListener("pointerdown", pointAt);
for (const event of ["pointerleave", "blur"]) curve.addEventListener(event, () => point(-1));
curve.addEventListener("keydown", (event) => {
  const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
  if (!step || !shown) return;
  event.preventDefault();
  point(Math.max(pointed < 0 ? (step > 0 ? 0 : shown.pieces.length - 1) : pointed + step, 0));
});
