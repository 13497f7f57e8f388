/* What the page of `salut explain FILE --html` does.
 *
 * DATA, which the program writes before the scripts, holds the capture's connections, worst first;
 * cli/explain_html.c makes it. One connection is shown at a time: show() unpacks it into `flow` and
 * fills in its verdict, time budget, graph (graph.js), states, and ladder (ladder.js). Both may use
 * what is here.
 *
 * Colours are the style sheet's alone: elements get classes, data-state and data-share. What is
 * said beside the pointer is told by the element under it: data-says, a packet's row, or the graph.
 */
'use strict';

const SVG = 'http://www.w3.org/2000/svg';
const CLIENT = 0;
const SERVER = 1;
const END_NAMES = ['client', 'server'];
const AGAIN = new Set(['syn_again', 'rto', 'fast', 'tail_probe', 'spurious']);
const PROBES = new Set(['window_probe', 'keepalive']);

let flow; // the connection shown, unpacked

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
    const says = name + ' ' + durationText(us);
    const part = addHtml(bar, 'div', {'data-share': share, 'data-says': says});
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

// ---- which connection ------------------------------------------------------------------------

function show(index) {
  flow = unpackFlow(DATA.flows[index]);
  showVerdict();
  showBudget();
  showGraph();
  showStates();
  showLadder();
}

// ---- what is under the pointer ----------------------------------------------------------------

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

function listenForTips() {
  document.addEventListener('pointermove', showTip);
  document.addEventListener('pointerdown', showTip);
  document.addEventListener('pointerleave', hideTip);
  document.addEventListener('scroll', hideTip, true);
}

// ---- beginning --------------------------------------------------------------------------------

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
    document.body.classList.add('empty');
    return;
  }
  byId('connection').addEventListener('change', event => show(event.target.value));
  listenForTips();
  listenToGraph();
  show(0);
}

// Once graph.js and ladder.js are there, too.
document.addEventListener('DOMContentLoaded', begin);
