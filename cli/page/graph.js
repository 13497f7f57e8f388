/* The graph of the page of `salut explain --html`: one direction's sequence numbers over time.
 *
 * A time-sequence diagram: a stroke for each segment of the direction, and from what came the other
 * way the line of what was acknowledged, the line of what the window allows, and SACK blocks. Both
 * ends' states stand above it as bands.
 *
 * `view` is the part of the plane that is seen, in microseconds and sequence numbers from the
 * first; zooming and moving change it and draw everything anew, at most once a frame. A kind of
 * thing is one path however many there are, so that thousands of segments stay quick; what lies
 * under the pointer is looked up in `strokes`, not told by an element of its own.
 */
'use strict';

let side = CLIENT; // whose sequence numbers are shown
let view; // {t0, t1, y0, y1}
let strokes = []; // {x, top, bottom, step}: segments as drawn last

// ---- legend -----------------------------------------------------------------------------------

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

// ---- planes and axes --------------------------------------------------------------------------

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
  const timeStep = niceStep(view.t1 - view.t0, (right - left) / 110);
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

// ---- what is in it ----------------------------------------------------------------------------

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
function drawLabels(plot, scale) {
  const taken = new Set();
  for (const {x, top, bottom, step} of strokes) {
    const text = step.again ? 'R' : step.probe ? 'P' : step.control;
    const above = step.again || step.probe || bottom + 11 > scale.bottom;
    const y = above ? top - 2 : bottom + 11;
    const cell = text + Math.round(x / 9) + ',' + Math.round(y / 10);
    if (text && !taken.has(cell)) {
      taken.add(cell);
      const [out, place] = x > scale.right - 30 ? [-3, ' end'] : [3, ''];
      addSvg(plot, 'text', {x: x + out, y, class: 'label ' + kindOf(step) + place}, text);
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
  drawLabels(plot, scale);
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

// ---- which direction ---------------------------------------------------------------------------

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

/* Of this connection: first the direction in which more went. */
function showGraph() {
  const sent = [0, 0];
  for (const step of flow.steps) {
    sent[step.from] += step.bytes;
  }
  showSide(sent[SERVER] > sent[CLIENT] ? SERVER : CLIENT);
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

function listenToGraph() {
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
  byId('whole').addEventListener('click', showWhole);
  for (const button of document.querySelectorAll('[data-side]')) {
    button.addEventListener('click', () => showSide(Number(button.dataset.side)));
  }
  followWidth();
}
