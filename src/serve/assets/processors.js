// The processors: a row each, and the graph drawn beside them.

import { bar, bytes, byId, count, draw, make, many, nanos, percent, plural, say, sayId } from "./tools.js";

let rows = []; // {id, row, cells}, in the order of the graph
let shape = ""; // what the rows and wires were made for
let wires = [];
const open = new Set();

export function showProcessors(event) {
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
  for (const { name, text, title } of percentiles(latency)) say(cells[name], text, title);
  if (open.has(processor.id)) showDetail(entry);
}

/** What stands in the last columns, and why where nothing does. */
export function percentiles({ samples, p50_ns, p99_ns, p999_ns, max_ns }) {
  const cells = [["p50", p50_ns, 2], ["p99", p99_ns, 100], ["p999", p999_ns, 1000], ["max", max_ns, 1]];
  return cells.map(([name, value, needed]) => ({
    name,
    text: value === null ? "–" : nanos(value),
    title: value === null ? `needs ${plural(needed, "probe")}, has ${count(samples)}` : `of ${plural(samples, "probe")}`,
  }));
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

export function placeWires() {
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
