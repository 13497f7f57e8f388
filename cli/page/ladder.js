/* The ladder of the page of `salut explain --html`: a row for each packet between two life lines.
 *
 * It is made once for a connection, in sheets of some rows: browsers leave out sheets that are not
 * in sight (content-visibility), and paper is cut between them. The life lines' bands of states go
 * on from sheet to sheet. Who is who stays in sight above.
 */
'use strict';

const LADDER = {width: 1140, row: 28, slant: 15, head: 32, client: 330, server: 870, sheet: 15};
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
  const [width, height] = [LADDER.width, LADDER.row];
  addSvg(row, 'rect', {x: 0, y: y - 12, width, height, class: 'row-area'});
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

function drawHead(ladder) {
  const head = addSvg(ladder, 'svg', {class: 'head', viewBox: `0 0 ${LADDER.width} 24`});
  addSvg(head, 'text', {x: LADDER.client, y: 16, class: 'strong middle'}, flow.client);
  addSvg(head, 'text', {x: LADDER.server, y: 16, class: 'strong middle'}, flow.server);
}

function drawSheet(ladder, steps, lines) {
  const first = steps[0].index === 0;
  const sheet = addSvg(ladder, 'svg', {class: 'sheet'});
  const top = first ? LADDER.head : 12;
  const last = steps[steps.length - 1].index === flow.steps.length - 1;
  const height = top + steps.length * LADDER.row - 12 + (last ? 16 : 0);
  sheet.setAttribute('viewBox', `0 0 ${LADDER.width} ${height}`);
  sheet.style.containIntrinsicSize = `auto ${LADDER.width}px auto ${height}px`;
  for (const line of lines) {
    line.from = 0;
    if (first) {
      line.name(sheet, 14, line.state, 'dim');
    }
  }
  const rows = addSvg(sheet, 'g');
  steps.forEach((step, i) => {
    const y = top + i * LADDER.row;
    drawRow(rows, step, y);
    lines.forEach(line => line.step(sheet, step, y));
  });
  lines.forEach(line => line.draw(sheet, last ? height - 6 : height));
}

function showLadder() {
  const ladder = byId('ladder');
  ladder.replaceChildren();
  ladder.scrollTop = 0;
  drawHead(ladder);
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
