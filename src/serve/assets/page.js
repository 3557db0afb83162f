// The page of logweir. It reads one stream of snapshots and draws the last one.
//
// Invariant: whatever comes from a log, a path or a configuration becomes a text node (`textContent`) and nothing else.
// There is no innerHTML, no attribute made of such text but `title`, and the server's policy forbids anything inline.

const EVERY_MS = 250; // numbers that change faster cannot be read
const RECORDS_MS = 2000; // lines take longer to read than numbers
const RETRY_MS = [500, 1000, 2000, 5000];
const SPEEDS_KEPT = 240;
const STALE = "server gone; this is what it said last";

const byId = (id) => document.getElementById(id);
const SVG = "http://www.w3.org/2000/svg";

// ---- words and numbers

const whole = new Intl.NumberFormat("en-US");
const count = (n) => whole.format(n);

/** Three digits and a unit: 1.62 GB, 812 ns. */
function scaled(value, units, step = 1000) {
  let at = 0;
  while (value >= step * 0.9995 && at < units.length - 1) { value /= step; at += 1; }
  const digits = at === 0 && Number.isInteger(value) ? 0 : value < 10 ? 2 : value < 100 ? 1 : 0;
  return `${value.toFixed(digits)} ${units[at]}`;
}
const bytes = (n) => scaled(n, ["B", "kB", "MB", "GB", "TB", "PB"]);
const many = (n) => scaled(n, ["", "k", "M", "G"]).trim();
const nanos = (n) => (n < 1e9 ? scaled(n, ["ns", "µs", "ms"]) : span(n / 1e9));
const percent = (share) => {
  const value = share * 100;
  if (value > 0 && value < 0.01) return "< 0.01 %";
  return `${value.toFixed(value === 0 || value === 100 ? 0 : value < 10 ? 2 : 1)} %`;
};
function span(seconds) {
  if (seconds < 60) return `${seconds.toFixed(seconds < 10 ? 1 : 0)} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min ${Math.floor(seconds % 60)} s`;
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}
const plural = (n, word) => `${count(n)} ${word}${n === 1 ? "" : "s"}`;
const clock = (time) => new Date(time).toLocaleTimeString([], { hour12: false });

// ---- small tools for the document

function make(tag, className, ...children) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  element.append(...children);
  return element;
}
function draw(tag, attributes) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  return element;
}
/** Writes only what has changed, so that a selection survives. */
function say(element, text, title) {
  if (element.textContent !== text) element.textContent = text;
  if (title !== undefined && element.title !== title) element.title = title;
}
const sayId = (id, text, title) => say(byId(id), text, title);
function bar(share) {
  const fill = make("i");
  fill.style.width = `${Math.max(share * 100, share > 0 ? 1.5 : 0)}%`;
  return make("span", "share", fill);
}

// ---- the run

const speeds = [];

function showRun(event) {
  const { run } = event;
  const over = ["finished", "interrupted", "closed", "failed"].includes(run.state);
  sayId("state", run.state);
  byId("state").className = `pill ${run.state}`;
  const counted = run.since === run.started ? "" : ` · counts since ${new Date(run.since).toLocaleString([], { hour12: false })}`;
  sayId("when", `${run.mode} · since ${clock(run.started)} · ${span(run.elapsed_s)}${counted}`);
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
  (lost_unknown ? bytes_lost ? `${bytes(bytes_lost)} or more` : "not known" : bytes_lost ? bytes(bytes_lost) : "none");

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

// ---- the processors

let rows = []; // {id, row, cells}, in the order of the graph
let shape = ""; // what the rows and wires were made for
let wires = [];
const open = new Set();

function showProcessors(event) {
  const { processors } = event;
  const next = JSON.stringify(processors.map((p) => [p.id, p.kind, p.edges.map((edge) => [edge.to, edge.on_error])]));
  const isNew = next !== shape;
  if (isNew) { shape = next; makeRows(processors); }
  const axis = commonAxis(processors);
  processors.forEach((processor, number) => fillRow(rows[number], processor, axis));
  sayId("axis", axis ? `${nanos(2 ** axis.from)} – ${nanos(2 ** axis.to)}` : "");
  showStages(event.run.stages);
  if (isNew) drawWires(processors);
  else styleWires(processors);
}

function makeRows(processors) {
  rows = processors.map((processor, number) => {
    const row = make("tr");
    const button = make("button", "id", make("b", "", processor.id), make("span", "", processor.kind));
    button.type = "button";
    button.setAttribute("aria-expanded", "false");
    const cells = { outs: make("small", "outs") };
    for (const name of ["lines", "faults", "busy", "picture", "p50", "p99", "p999", "max"]) cells[name] = make("td", name);
    row.append(make("td", "name", button, cells.outs), ...Object.values(cells).slice(1));
    const entry = { row, button, cells, processor };
    button.addEventListener("click", () => toggle(entry));
    for (const [event, lit] of [["mouseenter", true], ["mouseleave", false], ["focusin", true], ["focusout", false]]) {
      row.addEventListener(event, () => light(number, lit));
    }
    return entry;
  });
  byId("rows").replaceChildren(...rows.map((entry) => entry.row));
}

function fillRow(entry, processor, axis) {
  const { cells } = entry;
  entry.processor = processor;
  say(cells.outs, outputsOf(processor), processor.config);
  pair(cells.lines, count(processor.lines_in), percent(processor.line_share));
  pair(cells.faults, processor.failed ? count(processor.failed) : "–", processor.dropped ? count(processor.dropped) : "");
  cells.faults.classList.toggle("bad", processor.failed > 0);
  const cost = processor.ns_per_line === null ? ["–"]
    : [nanos(processor.ns_per_line), make("span", "more", ` a line, ${nanos(processor.busy_ms * 1e6)} in all`)];
  cells.busy.replaceChildren(bar(processor.busy_share), percent(processor.busy_share), make("small", "", ...cost));
  const { latency } = processor;
  cells.picture.replaceChildren(histogram(latency, axis));
  for (const [cell, value, needed] of [["p50", latency.p50_ns, 2], ["p99", latency.p99_ns, 100], ["p999", latency.p999_ns, 1000], ["max", latency.max_ns, 1]]) {
    say(cells[cell], value === null ? "–" : nanos(value),
      value === null ? `needs ${plural(needed, "probe")}, has ${count(latency.samples)}` : `of ${plural(latency.samples, "probe")}`);
  }
  if (open.has(processor.id)) showDetail(entry);
}

const outputsOf = (processor) => {
  if (processor.outputs.length < 2) return processor.edges.length ? `to ${processor.edges.map((edge) => edge.to).join(", ")}` : "end";
  return processor.outputs.map((output) => `${output.output} ${output.dropped_as ? "dropped" : many(output.lines)}`).join(" · ");
};

function pair(cell, text, small) {
  if (!cell.firstChild) cell.append(make("span"), make("small"));
  say(cell.firstChild, text);
  say(cell.lastChild, small);
}

/** From and to (powers of two) that every picture shares, so that they can be compared. */
function commonAxis(processors) {
  const used = processors.flatMap((p) => p.latency.log2_counts.flatMap((n, power) => (n ? [power] : [])));
  return used.length ? { from: Math.min(...used), to: Math.max(...used) + 1 } : null;
}

/** Bars by power of two; their height is the root of the count, so that a tail of a few can be seen. */
function histogram(latency, axis) {
  const svg = draw("svg", { class: "hist", viewBox: "0 0 150 30", preserveAspectRatio: "none", role: "img" });
  const words = latency.samples ? `${plural(latency.samples, "probe")}, half within ${latency.p50_ns === null ? "–" : nanos(latency.p50_ns)}` : "no probes";
  svg.setAttribute("aria-label", words);
  svg.append(draw("line", { class: "base", x1: 0, x2: 150, y1: 29.5, y2: 29.5 }));
  if (!axis || !latency.samples) return svg;
  const width = 150 / (axis.to - axis.from);
  const top = Math.sqrt(Math.max(...latency.log2_counts));
  latency.log2_counts.forEach((n, power) => {
    if (!n) return;
    const height = Math.max((26 * Math.sqrt(n)) / top, 1.5);
    svg.append(draw("rect", { x: (power - axis.from) * width + 0.5, y: 29 - height, width: Math.max(width - 1, 1), height, rx: 1 }));
  });
  for (const [value, name] of [[latency.p50_ns, "mark"], [latency.p99_ns, "mark tail"]]) {
    if (!value) continue;
    const x = (Math.log2(value) - axis.from) * width;
    svg.append(draw("line", { class: name, x1: x, x2: x, y1: 1, y2: 29 }));
  }
  return svg;
}

function toggle(entry) {
  const { id } = entry.processor;
  if (open.delete(id)) entry.detail?.remove();
  else { open.add(id); showDetail(entry); }
  entry.button.setAttribute("aria-expanded", String(open.has(id)));
  entry.row.classList.toggle("open", open.has(id));
  placeWires();
}

function showDetail(entry) {
  const { processor } = entry;
  const { latency } = processor;
  entry.detail ??= make("tr", "detail");
  const slowest = latency.slowest;
  const kinds = Object.entries(processor.failed_by_kind).map(([kind, n]) => `${count(n)} ${kind}`).join(", ");
  const facts = [
    ["configuration", processor.config_line === null ? processor.config : `line ${processor.config_line}: ${processor.config}`],
    ["leads to", processor.edges.map((edge) => `${edge.output} → ${edge.to} (${count(edge.lines)})`).join(", ") || "nothing"],
    ["outputs", processor.outputs.map((o) => o.dropped_as ? `${o.output}: dropped as ${o.dropped_as}` : `${o.output}: ${plural(o.lines, "line")}, ${bytes(o.bytes)}`).join("; ")],
    ["failed", kinds ? `${kinds}; then: ${processor.on_error}` : `none; would: ${processor.on_error}`],
    ["probes", `${count(latency.samples)}; p90 ${latency.p90_ns === null ? "–" : nanos(latency.p90_ns)}`],
    ["slowest", slowest ? `${nanos(slowest.ns)}: ${slowest.source} @ ${count(slowest.offset)}` : "–"],
  ];
  if (!entry.detail.firstChild) {
    const list = make("dl", "", ...facts.flatMap(([name]) => [make("dt", "", name), make("dd", "mono")]));
    const cell = make("td", "name", list);
    cell.colSpan = 9;
    cell.style.paddingLeft = `${gutter}px`;
    entry.detail.append(cell);
  }
  const places = entry.detail.querySelectorAll("dd");
  facts.forEach(([, text], at) => say(places[at], text));
  if (entry.row.nextSibling !== entry.detail) entry.row.after(entry.detail);
}

function showStages(stages) {
  byId("stages").replaceChildren(...stages.map((stage) => {
    const cell = (name, ...content) => make("td", name, ...content);
    return make("tr", "", cell("name", make("span", "", stage.stage)), cell(""), cell(""),
      cell("busy", bar(stage.busy_share), percent(stage.busy_share)), cell("picture", nanos(stage.busy_ms * 1e6)), ...[0, 0, 0, 0].map(() => cell("")));
  }));
  indent();
}

// ---- the wires: the graph, drawn beside the rows

const LANE = 12;
let gutter = 0;

/** A lane per depth, and in it a channel per node that leads on, so that no wire runs over another's node. */
function drawWires(processors) {
  const at = new Map(processors.map((processor, number) => [processor.id, number]));
  const depth = processors.map(() => 0);
  processors.forEach((p, from) => p.edges.forEach((edge) => { depth[at.get(edge.to)] = Math.max(depth[at.get(edge.to)], depth[from] + 1); }));
  const lanes = Math.max(...depth, 0) + 1;
  const channels = Array(lanes).fill(0);
  const channel = processors.map((p, number) => (p.edges.length ? channels[depth[number]]++ : 0));
  const lane = [8];
  for (let d = 1; d < lanes; d += 1) lane[d] = lane[d - 1] + LANE + 4 * channels[d - 1];
  gutter = lane[lanes - 1] + 18;
  wires = processors.flatMap((p, from) => p.edges.map((edge) => ({
    from, to: at.get(edge.to), failed: edge.on_error, element: draw("path", {}),
    x0: lane[depth[from]], x: lane[depth[from]] + 9 + 4 * channel[from], x1: lane[depth[at.get(edge.to)]],
  })));
  rows.forEach((entry, number) => { entry.x = lane[depth[number]]; entry.dot = draw("circle", { r: 4.5 }); });
  byId("wires").replaceChildren(...wires.map((wire) => wire.element), ...rows.map((entry) => entry.dot));
  indent();
  styleWires(processors);
  placeWires();
}

function indent() {
  for (const cell of document.querySelectorAll("#processors .name")) cell.style.paddingLeft = `${gutter}px`;
}

function styleWires(processors) {
  const most = Math.max(...processors.map((p) => p.lines_in), 2);
  let at = 0;
  processors.forEach((processor, number) => {
    rows[number].dot.classList.toggle("faulty", processor.failed > 0);
    for (const edge of processor.edges) {
      const { element, failed } = wires[at++];
      element.classList.toggle("failed", failed);
      element.setAttribute("stroke-width", edge.lines ? (1 + (2.4 * Math.log(edge.lines)) / Math.log(most)).toFixed(2) : 0.8);
    }
  });
}

function placeWires() {
  const top = byId("board").getBoundingClientRect().top;
  const heights = rows.map(({ row }) => { const box = row.getBoundingClientRect(); return box.top - top + box.height / 2; });
  rows.forEach((entry, number) => { entry.dot.setAttribute("cx", entry.x); entry.dot.setAttribute("cy", heights[number]); });
  for (const { element, from, to, x0, x, x1 } of wires) {
    const [y0, y1] = [heights[from], heights[to]];
    element.setAttribute("d", `M${x0},${y0} H${x - 5} Q${x},${y0} ${x},${y0 + 5} V${y1 - 5} Q${x},${y1} ${x + 5},${y1} H${x1}`);
  }
  const board = byId("processors");
  byId("wires").setAttribute("width", gutter);
  byId("wires").setAttribute("height", board.offsetHeight);
}

function light(number, lit) {
  rows[number].dot.classList.toggle("lit", lit);
  for (const wire of wires) if (wire.from === number || wire.to === number) wire.element.classList.toggle("lit", lit);
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
  byId("faults").replaceChildren(...(faults.length ? faults.toReversed().map(faultItem) : [make("li", "empty", "none: every line went where it should")]));
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
  const token = sessionStorage.getItem("logweir-token");
  const headers = token ? { authorization: `Bearer ${token}` } : {};
  const response = await fetch(`/api/v1/events?every_ms=${EVERY_MS}`, { headers, cache: "no-store" });
  if (response.status === 401) {
    await askForToken(token ? "That was not the one." : "It is kept for this session only.");
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
