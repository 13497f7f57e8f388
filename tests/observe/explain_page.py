#!/usr/bin/env python3
"""The page of `salut explain --html` in a real browser, used as a reader would.

    explain_page.py [FOLDER]

Three captures, made in virtual time: a lossy path with thousands of packets, a reset, and several
connections. What the page shows is compared with what `explain --json` says of the same capture.
Pictures of it, light, dark, narrow and printed, go to FOLDER (build-check-logs/explain_page). Exits
77 without a browser.
"""
import json
import os
import re
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import browser  # noqa: E402

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SALUT = os.path.abspath(os.environ.get("SALUT", os.path.join(ROOT, "build-debug/salut")))
PICTURES = sys.argv[1] if len(sys.argv) > 1 else os.path.join(ROOT, "build-check-logs/explain_page")
CONTRAST_LEAST = 4.5  # WCAG 2.1, 1.4.3
GRAPH_ELEMENTS_MAX = 600
PAGE_PIXELS = 1123  # A4 at 96 a inch

LOSSY = ("host a; host b\nlink a b rate 20Mb/s delay 20ms queue 1bdp loss 3%\n"
         "app bulk a -> b bytes 2MB\nrun 20s\n")
SEVERAL = ("host a; host b\nlink a b rate 20Mb/s delay 5ms\n"
           "app request a -> b request 300B reply 9KB think 10ms rounds 20\n"
           "app bulk a -> b bytes 300KB\napp bulk b -> a bytes 200KB\nrun 20s\n")

# Every piece of text that is seen, with its colour's contrast to what is behind it.
CONTRASTS = """(() => {
  const numbers = colour => colour.match(/[\\d.]+/g).map(Number);
  const linear = c => (c /= 255) <= .04045 ? c / 12.92 : ((c + .055) / 1.055) ** 2.4;
  const light = ([r, g, b]) => .2126 * linear(r) + .7152 * linear(g) + .0722 * linear(b);
  const behind = e => {
    if (e.classList.contains('band-name')) return getComputedStyle(e.previousSibling).fill;
    for (let p = e; p; p = p.parentElement) {
      const colour = getComputedStyle(p).backgroundColor;
      if ((numbers(colour)[3] ?? 1) > 0) return colour;
    }
    return 'rgb(255, 255, 255)';
  };
  const worst = {};
  for (const e of document.querySelectorAll('body *')) {
    const own = [...e.childNodes].some(n => n.nodeType === 3 && n.data.trim());
    if (!own || !e.getClientRects().length || e.closest('script, option')) continue;
    const style = getComputedStyle(e);
    const text = e instanceof SVGElement ? style.fill : style.color;
    const [a, b] = [text, behind(e)].map(c => light(numbers(c)));
    const contrast = (Math.max(a, b) + .05) / (Math.min(a, b) + .05);
    const name = e.localName + '.' + (e.getAttribute('class') ?? e.id);
    worst[`${name} ${text} on ${behind(e)}`] = contrast;
  }
  return worst;
})()"""

failures = []


def check(fact, what):
    if not fact:
        failures.append(what)
        print("FAIL", what, flush=True)


def bare(state):
    return state.replace("?", "")


# ---- captures --------------------------------------------------------------------------------

def run(*words):
    return subprocess.run(words, capture_output=True, text=True, timeout=60, check=True).stdout


def simulate(work, name, text):
    scenario = os.path.join(work, name + ".scn")
    with open(scenario, "w", encoding="ascii") as f:
        f.write(text)
    run(SALUT, "sim", scenario, "--pcap", os.path.join(work, name))
    return os.path.join(work, name, "a.pcapng")


def explained(capture):
    """The page, and the connections as objects, both in the same order."""
    page = capture + ".html"
    run(SALUT, "explain", "--html", page, capture)
    objects = [json.loads(line) for line in run(SALUT, "explain", "--json", capture).splitlines()]
    return page, objects[1:]


def make_captures(work):
    script = os.path.join(ROOT, "tests/scripts/close-linger-zero.pkt")
    run(SALUT, "test", "--pcapng=" + work, script)
    return {"lossy": explained(simulate(work, "lossy", LOSSY)),
            "reset": explained(os.path.join(work, "close-linger-zero.pkt.pcapng")),
            "several": explained(simulate(work, "several", SEVERAL))}


# ---- what is shown ---------------------------------------------------------------------------

def states_of(connection, end):
    """The states an end goes through, as the capture shows them, each named once."""
    states = [c for c in connection["changes"] if c["end"] == end and c["certainty"] != "refuted"]
    return [bare(states[0]["from"])] + [c["to"] for c in states] if states else []


def is_within(few, many):
    """True when the few come in the many, in this order."""
    rest = iter(many)
    return all(any(one == other for other in rest) for one in few)


def check_connection(page, name, connection):
    seen = page.ask("""({
      verdict: byId('verdict').textContent,
      findings: [...document.querySelectorAll('#findings b')].map(e => e.textContent),
      rows: [...document.querySelectorAll('#ladder [data-step]')].map(e => +e.dataset.step),
      changes: document.querySelectorAll('#states tr').length - 1,
      bands: [0, 1].map(end => [...document.querySelectorAll(`#graph [data-end="${end}"]`)]
        .map(e => [e.querySelector('rect').x.baseVal.value, e.dataset.state])),
      again: document.querySelector('#graph path.again')?.getAttribute('d').length ?? 0,
    })""")
    check(seen["verdict"] == connection["verdict"], f"{name}: the verdict")
    check(seen["findings"] == [f["id"] for f in connection["findings"]], f"{name}: the findings")
    check(seen["rows"] == list(range(connection["packets"])),
          f"{name}: {len(seen['rows'])} rows for {connection['packets']} packets")
    check(seen["changes"] == len(connection["changes"]), f"{name}: a row for each change of state")
    for end, bands in zip(("client", "server"), seen["bands"]):
        places = [x for x, _ in bands]
        check(bands and places == sorted(places), f"{name}: bands of the {end} from left to right")
        check(is_within([state for _, state in bands], states_of(connection, end)),
              f"{name}: bands of the {end}: {[state for _, state in bands]}")
    return seen


def check_choice(page, name, connections):
    """Each connection in turn: verdict, ladder and graph are its own."""
    drawings = set()
    for index, connection in enumerate(connections):
        page.ask(f"""(() => {{ const select = byId('connection'); select.value = {index};
            select.dispatchEvent(new Event('change', {{bubbles: true}})); }})()""")
        page.settle()
        check_connection(page, f"{name} {index}", connection)
        drawings.add(page.ask("byId('graph').innerHTML"))
    check(len(drawings) == len(connections), f"{name}: each connection has a graph of its own")


def check_complaints(page, name, path):
    check(page.complaints == [], f"{name}: complaints: {page.complaints[:3]}")
    check(set(page.requests) <= {"file://" + path, "data:,"}, f"{name}: fetches {page.requests}")
    page.complaints.clear()
    page.requests.clear()


# ---- what is done ----------------------------------------------------------------------------

def axis(page):
    """What is written along the axes, and where."""
    return page.ask("""[...document.querySelectorAll('#graph .axis')].map(e =>
      [e.textContent, ...[e.x, e.y].map(at => Math.round(at.baseVal[0].value))].join(' '))""")


def middle_of_graph(page):
    """After bringing it into sight."""
    page.ask("byId('graph').scrollIntoView({block: 'center'})")
    page.settle()
    box = page.ask("(b => [b.x, b.y, b.width, b.height])(byId('graph').getBoundingClientRect())")
    return box[0] + box[2] / 2, box[1] + box[3] / 2


def tip(page):
    return page.ask("getComputedStyle(byId('tip')).display === 'none' ? '' : "
                    "byId('tip').textContent")


def check_hover(page, name):
    middle_of_graph(page)
    places = page.ask("""(box => strokes.filter(s => s.step.again || s.step.control).slice(0, 2)
      .map(s => [box.x + s.x, box.y + (s.top + s.bottom) / 2, '#' + s.step.packet + ' ',
                 s.step.segment]))(byId('graph').getBoundingClientRect())""")
    check(places, f"{name}: the graph has segments")
    for x, y, number, segment in places:
        page.mouse("mouseMoved", x, y)
        check(segment in tip(page), f"{name}: hovering over {number}{segment} says {tip(page)!r}")
    page.click(*places[-1][:2])
    chosen = page.ask("document.querySelector('.chosen')?.textContent ?? ''")
    check(chosen.count(places[-1][2]) == 1, f"{name}: a pressed segment is found in the ladder")
    heads = page.ask("""['.head', '#ladder'].map(e =>
      document.querySelector(e).getBoundingClientRect().top)""")
    check(abs(heads[0] - heads[1]) < 3, f"{name}: who is who stays above the ladder")
    page.mouse("mouseMoved", 2, 2)
    check(tip(page) == "", f"{name}: no words where nothing is")


def check_graph(page, name):
    """Wheel, drag, `whole` and the keys."""
    x, y = middle_of_graph(page)
    whole = axis(page)
    page.mouse("mouseWheel", x, y, deltaX=0, deltaY=-100)
    page.settle()
    near = axis(page)
    check(near != whole, f"{name}: the wheel zooms")
    page.drag((x, y), (x + 60, y + 20), (x + 160, y + 60))
    moved = axis(page)
    check(moved != near, f"{name}: dragging moves")
    page.ask("byId('whole').click()")
    page.settle()
    check(axis(page) == whole, f"{name}: `whole` shows the whole again")
    page.ask("byId('graph').focus()")
    for key in ("+", "ArrowRight"):
        before = axis(page)
        page.key(key, key if len(key) == 1 else "")
        check(axis(page) != before, f"{name}: the key {key} acts on the graph")
    page.key("0", "0")
    check(axis(page) == whole, f"{name}: the key 0 shows the whole")


def check_sides(page, name):
    drawn = page.ask("byId('graph').innerHTML")
    pressed = "[...document.querySelectorAll('[data-side]')].map(b => b.ariaPressed)"
    before = page.ask(pressed)
    page.ask("document.querySelector('[data-side][aria-pressed=false]').click()")
    check(page.ask("byId('graph').innerHTML") != drawn, f"{name}: the other side is drawn")
    check(page.ask(pressed) == before[::-1], f"{name}: the other button is pressed")
    page.ask("document.querySelector('[data-side][aria-pressed=false]').click()")
    check(page.ask("byId('graph').innerHTML") == drawn, f"{name}: and the first again")


def check_focus(page):
    """Everything can be reached by Tab, in the order of the page, and pressed by Enter."""
    page.ask("document.activeElement.blur(); scrollTo(0, 0)")
    page.click(3, 3)
    order = []
    for _ in range(6):
        page.key("Tab")
        order.append(page.ask("document.activeElement.id || document.activeElement.dataset.side"))
        if order[-1] == "0":
            page.key("Enter", "\r")
            check(page.ask("document.activeElement.ariaPressed") == "true", "Enter presses")
    check(order == ["connection", "0", "1", "whole", "graph", "ladder"], f"Tab goes {order}")


# ---- how it looks ----------------------------------------------------------------------------

def from_the_top(page):
    page.ask("scrollTo(0, 0); byId('ladder').scrollTop = 0; document.activeElement.blur()")
    page.settle()


def check_schemes(page, name):
    from_the_top(page)
    for scheme in ("light", "dark"):
        page.media(scheme=scheme)
        contrasts = page.ask(CONTRASTS)
        low = {what: round(c, 2) for what, c in contrasts.items() if c < CONTRAST_LEAST}
        check(len(contrasts) > 8 and not low, f"{name}, {scheme}: hard to read: {low}")
        page.picture(os.path.join(PICTURES, f"{name}-{scheme}.png"))
    page.media()


def check_widths(page, name):
    for width in (360, 800, 1400):
        page.size(width)
        page.settle()
        beyond = page.ask("document.documentElement.scrollWidth - innerWidth")
        check(beyond <= 0, f"{name}: {beyond} pixels too wide at {width}")
        least = page.ask("Math.min(...[...document.querySelectorAll('#graph .axis, .says')]"
                         ".slice(0, 40).map(e => e.getBoundingClientRect().height))")
        check(least >= 9, f"{name}: letters of {least} pixels at {width}")
        page.picture(os.path.join(PICTURES, f"{name}-{width}.png"))
    page.size(1200)


def check_print(page, name):
    page.size(718)
    page.media(kind="print", scheme="dark")
    seen = page.ask("""(() => { const ladder = byId('ladder'); return {
      cut: ladder.scrollHeight - ladder.clientHeight, height: ladder.getBoundingClientRect().height,
      sheets: [...document.querySelectorAll('.sheet')].map(e => e.getBoundingClientRect().height),
      paper: getComputedStyle(document.body).backgroundColor,
      tools: getComputedStyle(document.querySelector('.tools')).display}; })()""")
    check(seen["cut"] <= 1 and sum(seen["sheets"]) <= seen["height"] + 1,
          f"{name}: the printed ladder is whole")
    check(max(seen["sheets"]) < PAGE_PIXELS / 2, f"{name}: sheets fit on a page")
    check(seen["paper"] == "rgb(255, 255, 255)", f"{name}: paper is {seen['paper']}")
    check(seen["tools"] == "none", f"{name}: nothing to press on paper")
    printed = page.printed()
    pages = len(re.findall(rb"/Type\s*/Page\b(?!s)", printed))
    check(printed.startswith(b"%PDF-") and pages * PAGE_PIXELS >= seen["height"],
          f"{name}: {pages} pages of paper for {seen['height']} pixels")
    with open(os.path.join(PICTURES, name + ".pdf"), "wb") as f:
        f.write(printed)
    page.media()
    page.size(1200)


def check_many(page, connection):
    """What thousands of packets cost: elements, counted; times are for the log."""
    check(connection["packets"] > 1500, f"{connection['packets']} packets are many")
    elements = page.ask("document.querySelectorAll('#graph *').length")
    check(elements <= GRAPH_ELEMENTS_MAX, f"{elements} elements in the graph")
    took = page.ask("""[() => show(0), () => drawGraph(), () => byId('ladder').offsetHeight]
      .map(act => { const t = performance.now(); act(); return performance.now() - t; })""")
    print(f"{connection['packets']} packets: {elements} elements in the graph; shown in "
          f"{took[0]:.0f} ms, graph drawn in {took[1]:.1f} ms, laid out in {took[2]:.0f} ms")


def try_page(page, name, path, connections):
    page.open(path)
    page.settle()
    check(page.ask("byId('connection').length") == len(connections), f"{name}: all to choose from")
    first = check_connection(page, name, connections[0])
    if name == "lossy":
        check(first["again"] > 0, "what was sent again is drawn")
        check_many(page, connections[0])
    check_choice(page, name, connections)
    check_hover(page, name)
    check_graph(page, name)
    check_sides(page, name)
    check_schemes(page, name)
    check_widths(page, name)
    check_complaints(page, name, path)


def try_empty(page, capture):
    """A page of no connection says so, and shows nothing else."""
    html = capture + ".none.html"
    run(SALUT, "explain", "--html", html, capture, "port", "1")
    page.open(html)
    shown = page.ask("[...document.body.children].filter(e => e.offsetHeight).map(e => e.id)")
    check(shown == ["", "verdict"], f"without a connection: {shown}")
    check_complaints(page, "empty", html)


def main():
    path = browser.find()
    if path is None:
        print("there is no chromium: the page is not tried")
        return 77
    os.makedirs(PICTURES, exist_ok=True)
    with tempfile.TemporaryDirectory(dir="/tmp") as work, browser.Browser(path) as page:
        page.size(1200)
        captures = make_captures(work)
        try:
            for name, (html, connections) in captures.items():
                try_page(page, name, html, connections)
            check(len(captures["several"][1]) > 1, "several connections")
            check_focus(page)
            check_print(page, "several")
            try_empty(page, captures["reset"][0].removesuffix(".html"))
        except browser.BrowserError as e:
            check(False, f"{e}; the page complains: {page.complaints[:3]}")
    print("explain's page: " + (f"{len(failures)} failures" if failures else
                                f"all right; pictures in {PICTURES}"))
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
