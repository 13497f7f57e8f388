/* What the page of `salut explain FILE --html` does.
 *
 * DATA, which the program writes before this script, holds the capture's connections, worst first;
 * cli/explain_html.c makes it. One connection is shown at a time: show() fills in its verdict, time
 * budget, graph, states and ladder. The rest of the page's life is about the graph.
 *
 * The graph is one direction's sequence numbers over time, as in a time-sequence diagram: a stroke
 * for each segment of that direction, and from what came the other way the line of what was
 * acknowledged, the line of what the window allows, and SACK blocks. `view` is the part of the plane
 * that is seen, in microseconds and sequence numbers from the first; zooming and moving change the
 * view and draw everything anew, at most once a frame. A kind of thing is one path however many
 * there are, so that thousands of segments stay quick; what lies under the pointer is looked up in
 * `strokes`, not told by an element of its own.
 *
 * The ladder is made once for a connection, in sheets of some rows: browsers leave out sheets that
 * are not in sight (content-visibility), and paper is cut between them.
 *
 * Colours are the style sheet's alone: elements get classes, data-state and data-share.
 */
'use strict';

const SVG = 'http://www.w3.org/2000/svg';
const CLIENT = 0;
const SERVER = 1;
const END_NAMES = ['client', 'server'];
const AGAIN = new Set(['syn_again', 'rto', 'fast', 'tail_probe', 'spurious']);
const PROBES = new Set(['window_probe', 'keepalive']);

let flow; // the connection shown, unpacked
let side = CLIENT; // whose sequence numbers the graph shows
let view; // {t0, t1, y0, y1}: the part of the graph that is seen
let strokes = []; // {x, top, bottom, step}: segments as drawn last

// ---- elements and words -----------------------------------------------------------------------

const byId = id => document.getElementById(id);

function add(parent, element, attributes, text) {
  for (const name in attributes) {
    element.setAttribute(name, attributes[name]);
  }
  if (text !== undefined) {
    element.textContent = text;
  }
  parent.appendChild(element);
  return element;
}

function addHtml(parent, name, attributes, text) {
  return add(parent, document.createElement(name), attributes, text);
}

function addSvg(parent, name, attributes, text) {
  return add(parent, document.createElementNS(SVG, name), attributes, text);
}

function addLine(parent, x1, y1, x2, y2, kind) {
  return addSvg(parent, 'line', {x1, y1, x2, y2, class: kind});
}

function durationText(us) {
  const size = Math.abs(us);
  if (size >= 1e6) {
    return (us / 1e6).toFixed(3) + ' s';
  }
  return size >= 1e3 ? (us / 1e3).toFixed(3) + ' ms' : us.toFixed(1) + ' µs';
}

/* 12345678 as 12 345 678, with spaces that keep it on one line. */
function grouped(number) {
  return String(number).replace(/\B(?=(\d{3})+$)/g, '\u00a0');
}

function counted(number, noun) {
  return grouped(number) + ' ' + noun + (number === 1 ? '' : 's');
}

function fitted(text, length) {
  return text.length > length ? text.slice(0, length - 1) + '…' : text;
}

/* The state without the mark that it is not proved. */
const bare = state => state.replace('?', '');

// ---- the data ---------------------------------------------------------------------------------

/* Steps come as rows, in the order of put_steps() in cli/explain_html.c. */
function unpackStep(row, index) {
  const [packet, at, from, seq, bytes, ack, window, mark, segment, remark, client, server, sackLeft,
    sackRight] = row;
  return {
    index, packet, at, from, seq, bytes, ack, window, segment, remark, sackLeft, sackRight,
    states: [client, server],
    again: AGAIN.has(mark),
    probe: PROBES.has(mark),
    control: /SYN|FIN|RST/.exec(segment)?.[0],
  };
}

/* Changes likewise, in the order of put_changes(). */
function unpackChange(row) {
  const [packet, end, from, to, certainty, proof, why, shown] = row;
  return {packet, end, from, to, certainty, proof, why, shown};
}

function unpackFlow(raw) {
  return {
    ...raw,
    steps: raw.steps.map(unpackStep),
    changes: raw.changes.map(unpackChange),
    lost: new Set(raw.lost),
  };
}

function stepWords(step) {
  const lines = [
    '#' + step.packet + '  ' + durationText(step.at),
    'from ' + (step.from === SERVER ? flow.server : flow.client),
    step.segment,
    'window ' + step.window,
    'client ' + step.states[CLIENT] + ', server ' + step.states[SERVER],
  ];
  if (step.remark) {
    lines.splice(3, 0, step.remark);
  }
  return lines.join('\n');
}

// ---- verdict, time budget, states -------------------------------------------------------------

function showVerdict() {
  byId('verdict').textContent = flow.verdict;
  const list = byId('findings');
  list.replaceChildren();
  for (const [id, severity, evidence] of flow.findings) {
    const item = addHtml(list, 'li', {'data-severity': severity});
    addHtml(item, 'b', {}, id);
    item.append(evidence);
  }
}

function showBudget() {
  const [bar, key] = [byId('budget'), byId('budget-key')];
  bar.replaceChildren();
  key.replaceChildren();
  const whole = flow.time.reduce((sum, [, us]) => sum + us, 0) || 1;
  flow.time.forEach(([name, us], share) => {
    if (us <= 0) {
      return;
    }
    const part = addHtml(bar, 'div', {'data-share': share, 'data-says': name + ' ' + durationText(us)});
    part.style.flexGrow = us / whole;
    const item = addHtml(key, 'span', {'data-share': share});
    addHtml(item, 'i');
    item.append(name + ' ' + (100 * us / whole).toFixed(1) + ' %');
  });
}

function showStates() {
  const table = byId('states');
  table.replaceChildren();
  const head = addHtml(table, 'tr');
  for (const title of ['packet', 'end', 'from', 'to', 'certainty', 'shown by', 'why']) {
    addHtml(head, 'th', {scope: 'col'}, title);
  }
  for (const change of flow.changes) {
    const row = addHtml(table, 'tr');
    for (const name of ['packet', 'end', 'from', 'to', 'certainty', 'proof', 'why']) {
      addHtml(row, 'td', {}, change[name]);
    }
  }
}

// ---- the graph's legend -----------------------------------------------------------------------

/* A line of the graph as it is drawn there, and what it is. */
function addLineKey(key, kind, name) {
  const item = addHtml(key, 'span');
  const sample = addSvg(item, 'svg', {width: 22, height: 10, 'aria-hidden': 'true'});
  addLine(sample, 0, 5, 22, 5, kind);
  item.append(name);
}

/* What the graph shows of this connection and direction, and nothing else. */
function showGraphKey() {
  const key = byId('graph-key');
  key.replaceChildren();
  const sent = flow.steps.filter(step => step.from === side);
  const back = flow.steps.filter(step => step.from !== side);
  const kinds = [
    ['data', 'sent', true],
    ['again', 'sent again (R)', sent.some(step => step.again)],
    ['probe', 'probe, keepalive (P)', sent.some(step => step.probe)],
    ['acked', 'acknowledged', true],
    ['window', 'allowed by the window', true],
    ['sacked', 'SACK', back.some(step => step.sackRight > step.sackLeft)],
  ];
  kinds.filter(([, , there]) => there).forEach(([kind, name]) => addLineKey(key, kind, name));
  const states = new Set([...flow.first, ...flow.steps.flatMap(step => step.states)].map(bare));
  for (const state of states) {
    const item = addHtml(key, 'span', {'data-state': state});
    addHtml(item, 'i');
    item.append(state);
  }
}

// ---- the graph: planes and axes ---------------------------------------------------------------

const PLOT = {left: 92, right: 10, top: 34, bottom: 35};
const BAND_HEIGHT = 11;

function wholeView() {
  let t1 = 1;
  let y1 = 1;
  for (const step of flow.steps) {
    t1 = Math.max(t1, step.at);
    y1 = Math.max(y1, step.from === side ? step.seq + step.bytes : step.ack);
  }
  return {t0: -t1 * 0.02, t1: t1 * 1.02, y0: -y1 * 0.03, y1: y1 * 1.06};
}

/* Where things are in the drawing: a pixel of it is one of the screen, so that text keeps its size
 * in a narrow window. */
function plotScale(width) {
  const height = Math.round(Math.min(460, Math.max(300, width * 0.45)));
  const [left, top] = [PLOT.left, PLOT.top];
  const [right, bottom] = [width - PLOT.right, height - PLOT.bottom];
  const {t0, t1, y0, y1} = view;
  return {
    width, height, left, right, top, bottom,
    x: at => left + (at - t0) / (t1 - t0) * (right - left),
    y: number => bottom - (number - y0) / (y1 - y0) * (bottom - top),
  };
}

/* A step of 1, 2 or 5 times a power of ten that cuts the range into about `count` parts. */
function niceStep(range, count) {
  const rough = range / count;
  const power = 10 ** Math.floor(Math.log10(rough));
  const factor = rough / power;
  return (factor > 5 ? 10 : factor > 2 ? 5 : factor > 1 ? 2 : 1) * power;
}

function ticks(from, to, step) {
  const list = [];
  for (let n = Math.ceil(from / step); n * step < to; n++) {
    list.push(n * step);
  }
  return list;
}

/* A time of the axis, in one unit along it and no more digits than tell two ticks apart. */
function tickText(us, step) {
  const far = Math.max(Math.abs(view.t0), Math.abs(view.t1));
  const [unit, name] = far >= 1e6 ? [1e6, ' s'] : far >= 1e3 ? [1e3, ' ms'] : [1, ' µs'];
  const digits = Math.max(0, Math.ceil(-Math.log10(step / unit) - 1e-9));
  return (us / unit).toFixed(digits) + name;
}

function drawAxes(graph, scale) {
  const {left, right, top, bottom} = scale;
  const timeStep = niceStep(view.t1 - view.t0, (right - left) / 130);
  for (const at of ticks(view.t0, view.t1, timeStep)) {
    const x = scale.x(at);
    addLine(graph, x, top, x, bottom, 'grid');
    const place = x > right - 40 ? 'end' : 'middle';
    addSvg(graph, 'text', {x, y: bottom + 16, class: 'dim axis ' + place}, tickText(at, timeStep));
  }
  const numberStep = Math.max(1, niceStep(view.y1 - view.y0, (bottom - top) / 65));
  for (const number of ticks(view.y0, view.y1, numberStep)) {
    const y = scale.y(number);
    addLine(graph, left, y, right, y, 'grid');
    addSvg(graph, 'text', {x: left - 6, y: y + 4, class: 'dim axis end'}, grouped(number));
  }
}

// ---- the graph: what is in it -----------------------------------------------------------------

/* The states an end went through: [{state, from, to}], in time. */
function statesOf(end) {
  const spans = [{state: flow.first[end], from: -Infinity, to: Infinity}];
  for (const step of flow.steps) {
    const state = bare(step.states[end]);
    const last = spans[spans.length - 1];
    if (state !== last.state) {
      last.to = step.at;
      spans.push({state, from: step.at, to: Infinity});
    }
  }
  return spans;
}

function drawBands(graph, scale, end) {
  const y = 6 + end * (BAND_HEIGHT + 2);
  addSvg(graph, 'text', {x: scale.left - 6, y: y + 9, class: 'dim end'}, END_NAMES[end]);
  for (const {state, from, to} of statesOf(end)) {
    const x0 = Math.max(scale.left, scale.x(from));
    const x1 = Math.min(scale.right, scale.x(to));
    if (x1 <= x0) {
      continue;
    }
    const says = END_NAMES[end] + ' ' + state;
    const band = addSvg(graph, 'g', {'data-state': state, 'data-end': end, 'data-says': says});
    addSvg(band, 'rect', {x: x0, y, width: x1 - x0, height: BAND_HEIGHT, class: 'band'});
    if (x1 - x0 > state.length * 7) {
      addSvg(band, 'text', {x: (x0 + x1) / 2, y: y + 9, class: 'band-name middle'}, state);
    }
  }
}

/* What came the other way: acknowledged, allowed, SACKed. Acknowledgements that were overtaken
 * would only draw the lines back. */
function drawAnswers(plot, scale) {
  let acked = '';
  let allowed = '';
  let sacked = '';
  let highest = -1;
  for (const step of flow.steps) {
    if (step.from === side || step.ack < 0) {
      continue;
    }
    const x = scale.x(step.at);
    if (step.ack >= highest) {
      const [move, rise] = highest < 0 ? ['M', ','] : ['H', 'V'];
      acked += move + x + rise + scale.y(step.ack);
      allowed += move + x + rise + scale.y(step.ack + step.window);
      highest = step.ack;
    }
    if (step.sackRight > step.sackLeft) {
      sacked += 'M' + x + ',' + scale.y(step.sackLeft) + 'V' + scale.y(step.sackRight);
    }
  }
  if (highest >= 0) {
    addSvg(plot, 'path', {d: sacked, class: 'sacked'});
    addSvg(plot, 'path', {d: acked + 'H' + scale.right, class: 'acked'});
    addSvg(plot, 'path', {d: allowed + 'H' + scale.right, class: 'window'});
  }
}

const kindOf = step => step.again ? 'again' : step.probe ? 'probe' : 'data';

/* Strokes of the segments in sight; an acknowledgement alone has none. At least three pixels high,
 * so that a SYN is seen beside a megabyte. */
function findStrokes(scale) {
  const shown = step => step.from === side &&
    (step.bytes > 0 || step.again || step.probe || step.control);
  return flow.steps.filter(shown).map(step => {
    const bottom = scale.y(step.seq);
    const top = Math.min(scale.y(step.seq + step.bytes), bottom - 3);
    return {x: scale.x(step.at), top, bottom, step};
  }).filter(({x}) => x >= scale.left - 4 && x <= scale.right + 4);
}

function drawStrokes(plot) {
  const paths = {data: '', probe: '', again: ''};
  for (const {x, top, bottom, step} of strokes) {
    paths[kindOf(step)] += 'M' + x + ',' + bottom + 'V' + top;
  }
  for (const kind in paths) {
    addSvg(plot, 'path', {d: paths[kind], class: kind});
  }
}

/* Letters beside strokes, unless they would stand on one another. */
function drawLabels(plot) {
  const taken = new Set();
  for (const {x, top, bottom, step} of strokes) {
    const text = step.again ? 'R' : step.probe ? 'P' : step.control;
    const y = step.again || step.probe ? top - 2 : bottom + 11;
    const place = text + Math.round(x / 9) + ',' + Math.round(y / 10);
    if (text && !taken.has(place)) {
      taken.add(place);
      addSvg(plot, 'text', {x: x + 3, y, class: 'label ' + kindOf(step)}, text);
    }
  }
}

function drawGraph() {
  const graph = byId('graph');
  const scale = plotScale(graph.clientWidth || 1140);
  const box = {x: scale.left, y: scale.top, width: scale.right - scale.left,
    height: scale.bottom - scale.top};
  graph.replaceChildren();
  graph.setAttribute('viewBox', '0 0 ' + scale.width + ' ' + scale.height);
  addSvg(addSvg(graph, 'clipPath', {id: 'box'}), 'rect', box);
  drawAxes(graph, scale);
  const plot = addSvg(graph, 'g', {'clip-path': 'url(#box)'});
  drawBands(graph, scale, CLIENT);
  drawBands(graph, scale, SERVER);
  drawAnswers(plot, scale);
  strokes = findStrokes(scale);
  drawStrokes(plot);
  drawLabels(plot);
  addSvg(graph, 'rect', {...box, class: 'frame'});
}

let waiting = false;

/* However many events a frame brings. */
function drawGraphSoon() {
  if (!waiting) {
    waiting = true;
    requestAnimationFrame(() => {
      waiting = false;
      drawGraph();
    });
  }
}

// ---- the ladder -------------------------------------------------------------------------------

const LADDER = {width: 1140, row: 28, slant: 15, head: 44, client: 330, server: 870, sheet: 25};
/* Characters between the ends, and between an end and the edge: of 7.3 pixels. */
const ROOM = {says: 72, states: [24, 34]};

/* The states that a packet shows an end to have entered since the one before it. */
function stateNames() {
  const names = new Map();
  for (const change of flow.changes) {
    if (change.certainty !== 'refuted') {
      const place = change.shown + change.end;
      names.set(place, [...names.get(place) ?? [], change.to]);
    }
  }
  return names;
}

function drawArrow(row, step, y) {
  const out = step.from === CLIENT ? 1 : -1;
  const start = (step.from === CLIENT ? LADDER.client : LADDER.server) + 7 * out;
  const length = LADDER.server - LADDER.client - 14;
  const lost = flow.lost.has(step.packet);
  const [x, tip] = [start + out * length * (lost ? 0.8 : 1), y + LADDER.slant];
  const kind = 'arrow from-' + END_NAMES[step.from] + (lost || step.again ? ' lost' : '');
  addLine(row, start, y, x, tip, kind);
  const head = lost ? `M${x - 5},${tip - 5}l10,10m0,-10l-10,10`
    : `M${x - 9 * out},${tip - 5}L${x},${tip}L${x - 9 * out},${tip + 4}`;
  addSvg(row, 'path', {d: head, class: kind});
}

function drawRow(sheet, step, y) {
  const row = addSvg(sheet, 'g', {'data-step': step.index});
  addSvg(row, 'rect', {x: 0, y: y - 12, width: LADDER.width, height: LADDER.row, class: 'row-area'});
  drawArrow(row, step, y);
  const says = step.segment + (step.remark ? '  · ' + step.remark : '');
  const middle = (LADDER.client + LADDER.server) / 2;
  addSvg(row, 'text', {x: middle, y, class: 'says middle'}, fitted(says, ROOM.says));
  const when = '#' + step.packet + ' ' + durationText(step.at);
  addSvg(row, 'text', {x: 8, y: y + 4, class: 'dim'}, when);
}

/* One end's line in a sheet: its state as a band that goes on from sheet to sheet. */
class LifeLine {
  constructor(end, names) {
    this.end = end;
    this.names = names;
    this.state = flow.first[end];
    this.x = LADDER[END_NAMES[end]];
    this.from = 0;
  }

  name(sheet, y, text, kind) {
    const out = this.end === CLIENT ? -1 : 1;
    const place = kind + (this.end === CLIENT ? ' end' : '');
    addSvg(sheet, 'text', {x: this.x + 14 * out, y, class: place}, text);
  }

  /* The band down to here. */
  draw(sheet, to) {
    const state = bare(this.state);
    addSvg(sheet, 'rect', {x: this.x - 6, y: this.from, width: 12, class: 'band',
      height: Math.max(1, to - this.from), 'data-state': state,
      'data-says': END_NAMES[this.end] + ' ' + this.state});
    this.from = to;
  }

  step(sheet, step, y) {
    const state = step.states[this.end];
    if (bare(state) === bare(this.state)) {
      return;
    }
    const at = step.from === this.end ? y : y + LADDER.slant;
    this.draw(sheet, at);
    this.state = state;
    const passed = (this.names.get(step.packet + END_NAMES[this.end]) ?? []).slice(0, -1);
    const text = [...passed, state].join(' → ');
    const short = text.length > ROOM.states[this.end] ? '… → ' + state : text;
    this.name(sheet, at + 4, short, 'strong');
  }
}

function drawHead(sheet, lines) {
  for (const [line, name] of [[lines[CLIENT], flow.client], [lines[SERVER], flow.server]]) {
    addSvg(sheet, 'text', {x: line.x, y: 18, class: 'strong middle'}, name);
    line.name(sheet, 36, line.state, 'dim');
  }
}

function drawSheet(ladder, steps, lines) {
  const first = steps[0].index === 0;
  const sheet = addSvg(ladder, 'svg', {class: 'sheet'});
  const top = first ? LADDER.head : 12;
  const height = top + steps.length * LADDER.row - 12;
  sheet.setAttribute('viewBox', `0 0 ${LADDER.width} ${height}`);
  sheet.style.containIntrinsicSize = `auto ${LADDER.width}px auto ${height}px`;
  if (first) {
    drawHead(sheet, lines);
  }
  for (const line of lines) {
    line.from = first ? LADDER.head - 4 : 0;
  }
  const rows = addSvg(sheet, 'g');
  steps.forEach((step, i) => {
    const y = top + i * LADDER.row;
    drawRow(rows, step, y);
    lines.forEach(line => line.step(sheet, step, y));
  });
  lines.forEach(line => line.draw(sheet, height));
}

function showLadder() {
  const ladder = byId('ladder');
  ladder.replaceChildren();
  ladder.scrollTop = 0;
  const names = stateNames();
  const lines = [new LifeLine(CLIENT, names), new LifeLine(SERVER, names)];
  for (let i = 0; i < flow.steps.length; i += LADDER.sheet) {
    drawSheet(ladder, flow.steps.slice(i, i + LADDER.sheet), lines);
  }
  const more = flow.packets - flow.steps.length;
  if (more > 0) {
    addHtml(ladder, 'p', {class: 'dim'}, counted(more, 'more packet') + ', which are not shown');
  }
}

/* Bring a segment's row into sight and mark it. */
function chooseRow(step) {
  const ladder = byId('ladder');
  ladder.querySelector('.chosen')?.classList.remove('chosen');
  const row = ladder.querySelector(`[data-step="${step.index}"]`);
  row.classList.add('chosen');
  row.scrollIntoView({block: 'center'});
}

// ---- which connection, which side -------------------------------------------------------------

function showSide(chosen) {
  side = chosen;
  for (const button of document.querySelectorAll('[data-side]')) {
    button.setAttribute('aria-pressed', Number(button.dataset.side) === side);
  }
  showWhole();
  showGraphKey();
}

function showWhole() {
  view = wholeView();
  drawGraph();
}

function show(index) {
  flow = unpackFlow(DATA.flows[index]);
  showVerdict();
  showBudget();
  const sent = [0, 0];
  for (const step of flow.steps) {
    sent[step.from] += step.bytes;
  }
  showSide(sent[SERVER] > sent[CLIENT] ? SERVER : CLIENT);
  showStates();
  showLadder();
}

// ---- zooming and moving -----------------------------------------------------------------------

/* Where in the plot the pointer is, as shares of its width and height from the lower left. */
function placeInPlot(event) {
  const graph = byId('graph').getBoundingClientRect();
  const {left, right, top, bottom} = plotScale(graph.width);
  return {
    x: (event.clientX - graph.left - left) / (right - left),
    y: (graph.top + bottom - event.clientY) / (bottom - top),
  };
}

/* A range scaled about a share of it, within what can be told apart and what makes sense. */
function zoomed(from, to, share, factor, least, most) {
  const range = Math.min(most, Math.max(least, (to - from) * factor));
  const fixed = from + share * (to - from);
  return [fixed - share * range, fixed + (1 - share) * range];
}

function zoom(place, factor, onlyTime) {
  const all = wholeView();
  const most = {t: 20 * (all.t1 - all.t0), y: 20 * (all.y1 - all.y0)};
  [view.t0, view.t1] = zoomed(view.t0, view.t1, place.x, factor, 1, most.t);
  if (!onlyTime) {
    [view.y0, view.y1] = zoomed(view.y0, view.y1, place.y, factor, 10, most.y);
  }
  drawGraphSoon();
}

/* By shares of what is seen. */
function move(x, y) {
  const [dt, dy] = [x * (view.t1 - view.t0), y * (view.y1 - view.y0)];
  view = {t0: view.t0 + dt, t1: view.t1 + dt, y0: view.y0 + dy, y1: view.y1 + dy};
  drawGraphSoon();
}

const KEYS = {
  ArrowLeft: () => move(-0.1, 0),
  ArrowRight: () => move(0.1, 0),
  ArrowUp: () => move(0, 0.1),
  ArrowDown: () => move(0, -0.1),
  '+': () => zoom({x: 0.5, y: 0.5}, 0.8),
  '=': () => zoom({x: 0.5, y: 0.5}, 0.8),
  '-': () => zoom({x: 0.5, y: 0.5}, 1.25),
  0: showWhole,
  Home: showWhole,
};

function pressKey(event) {
  const act = KEYS[event.key];
  if (act && !event.ctrlKey && !event.metaKey && !event.altKey) {
    event.preventDefault();
    act();
  }
}

/* A press is a drag once the pointer has left its place by some pixels, else it chooses. */
const DRAG_FROM = 4;
let press = null; // {clientX, clientY, place, moved}

function startPress(event) {
  const {clientX, clientY} = event;
  press = {clientX, clientY, place: placeInPlot(event), moved: false};
  byId('graph').setPointerCapture(event.pointerId);
}

function drag(event) {
  if (!press) {
    return;
  }
  const far = Math.hypot(event.clientX - press.clientX, event.clientY - press.clientY);
  press.moved ||= far >= DRAG_FROM;
  if (press.moved) {
    const place = placeInPlot(event);
    move(press.place.x - place.x, event.shiftKey ? 0 : press.place.y - place.y);
    press.place = place;
  }
}

function endPress(event) {
  const step = press && !press.moved ? stepNear(event) : null;
  press = null;
  if (step) {
    chooseRow(step);
  }
}

// ---- what is under the pointer ----------------------------------------------------------------

const REACH = 6; // pixels

function stepNear(event) {
  const graph = byId('graph').getBoundingClientRect();
  const [x, y] = [event.clientX - graph.left, event.clientY - graph.top];
  let nearest = null;
  let best = REACH;
  for (const stroke of strokes) {
    const beside = Math.max(0, stroke.top - y, y - stroke.bottom);
    const far = Math.hypot(stroke.x - x, beside);
    if (far <= best) { // of several in one place the last: it lies on top
      [nearest, best] = [stroke.step, far];
    }
  }
  return nearest;
}

function wordsUnder(event) {
  const said = event.target.closest('[data-says]');
  if (said) {
    return said.dataset.says;
  }
  const row = event.target.closest('[data-step]');
  const step = row ? flow.steps[row.dataset.step]
    : event.target.closest('#graph') ? stepNear(event) : null;
  return step ? stepWords(step) : null;
}

function hideTip() {
  byId('tip').style.display = 'none';
}

/* Beside the pointer, and never beyond the window's edge. */
function showTip(event) {
  const words = event.target instanceof Element && !press?.moved ? wordsUnder(event) : null;
  if (!words) {
    hideTip();
    return;
  }
  const tip = byId('tip');
  tip.textContent = words;
  tip.style.display = 'block';
  const left = Math.min(event.clientX + 14, innerWidth - tip.offsetWidth - 8);
  const top = Math.min(event.clientY + 14, innerHeight - tip.offsetHeight - 8);
  tip.style.left = Math.max(0, left) + 'px';
  tip.style.top = Math.max(0, top) + 'px';
}

// ---- beginning --------------------------------------------------------------------------------

function listen() {
  const graph = byId('graph');
  graph.addEventListener('wheel', event => {
    event.preventDefault();
    // With shift, some systems turn the wheel sideways.
    zoom(placeInPlot(event), (event.deltaY || event.deltaX) < 0 ? 0.8 : 1.25, event.shiftKey);
  }, {passive: false});
  graph.addEventListener('pointerdown', startPress);
  graph.addEventListener('pointermove', drag);
  graph.addEventListener('pointerup', endPress);
  graph.addEventListener('pointercancel', () => { press = null; });
  graph.addEventListener('keydown', pressKey);
  document.addEventListener('pointermove', showTip);
  document.addEventListener('pointerdown', showTip);
  document.addEventListener('pointerleave', hideTip);
  document.addEventListener('scroll', hideTip, true);
  byId('whole').addEventListener('click', showWhole);
  byId('connection').addEventListener('change', event => show(event.target.value));
  for (const button of document.querySelectorAll('[data-side]')) {
    button.addEventListener('click', () => showSide(Number(button.dataset.side)));
  }
}

/* The graph's height follows its width, of which alone it must take notice. */
function followWidth() {
  let width = byId('graph').clientWidth;
  new ResizeObserver(() => {
    if (byId('graph').clientWidth !== width) {
      width = byId('graph').clientWidth;
      drawGraphSoon();
    }
  }).observe(byId('graph'));
}

function begin() {
  const left = DATA.shown < DATA.connections ? ', the ' + DATA.shown + ' worst shown' : '';
  byId('file').textContent = DATA.file + ': ' + counted(DATA.packets, 'packet') + ', ' +
    counted(DATA.connections, 'connection') + left;
  document.title = DATA.file + ' - salut explain';
  DATA.flows.forEach(({id, client, server, ended}, index) => {
    const name = '#' + id + ' ' + client + ' → ' + server + ': ' + ended;
    addHtml(byId('connection'), 'option', {value: index}, name);
  });
  if (DATA.flows.length === 0) {
    byId('verdict').textContent = 'There is no TCP connection in it.';
    return;
  }
  listen();
  show(0);
  followWidth();
}

begin();
