"""Rules about the text of sources: includes, forbidden calls, single writers, reasons, docs."""

import re

from tidy_tree import FLOORS, circles, line_of

# Headers a file of floors 0-4 may name with <>.
FREESTANDING = {
    "stdint.h", "stdbool.h", "stddef.h", "stdarg.h", "limits.h", "stdalign.h", "stdnoreturn.h",
    "string.h",
}

CLOCK = ["clock_gettime", "clock_gettime64", "gettimeofday", "time", "clock", "timespec_get",
         "ftime", "__rdtsc", "__builtin_ia32_rdtsc"]
ALLOCATION = ["malloc", "calloc", "realloc", "reallocarray", "free", "aligned_alloc",
              "posix_memalign", "strdup", "strndup", "alloca", "mmap", "munmap", "brk", "sbrk"]
PRINTING = ["printf", "fprintf", "dprintf", "vprintf", "vfprintf", "vdprintf", "puts", "fputs",
            "putchar", "putc", "fputc", "perror", "fwrite", "syslog"]
PRINTING_TOP = 6  # floors up to this one print nothing

# One writer: what the pattern catches may stand only in the place named.
CONN_STATE_ANYWHERE = re.compile(r"\b(?:c|conn|tcp)->state\s*(?:=(?!=)|[-+|&^]=|\+\+|--)")
CONN_STATE_IN_TCP = re.compile(r"[\w)\]](?:->|\.)state\s*(?:=(?!=)|[-+|&^]=|\+\+|--)")
STATE_WRITER = "change_state"  # static in STATE_FILE: below slt_tcp_set_state and nothing else
STATE_FILE = "src/tcp/state.c"
TIMER_WRITES = [
    re.compile(r"[\w)\]](?:->|\.)due(?:_at)?_(?:ns|us|delta)\s*(?:\[[^\]]*\])?\s*(?:=(?!=)|[-+|&]=)"),
    re.compile(r"\bslt_wheel_set\s*\("),
    re.compile(r"\bslt_tcp_timer_(?:arm|set|stop|start|cancel|restart)\s*\("),
]
TIMER_FILES = ("src/tcp/timers.c", "src/tcp/timers.h")

REASON_TABLE = "src/base/reasons.def"
REASON_ROW = re.compile(r"^SLT_REASON\(\s*(\w+)\s*,\s*(\w+)", re.MULTILINE)
REASON_USE = re.compile(r"\bSLT_(?:DROP|CAUSE|SEND|NOTE)_[A-Z0-9_]+\b")


def include_floors(tree):
    for path, includes in tree.includes().items():
        for line, _, name, target in includes:
            complaint = _include_complaint(tree, path, name, target)
            if complaint:
                yield path, line, complaint


def _include_complaint(tree, path, name, target):
    target_folder = None if target is None else tree.folder(target)
    if path.startswith("include/"):
        if target is not None and not target.startswith("include/"):
            return f"a public header includes the internal {name}"
        return None
    if path.startswith("examples/"):
        if target is not None and not target.startswith(("include/", "examples/")):
            return f"an example includes the internal {name}"
        return None
    folder = tree.folder(path)
    if path.startswith(("src/", "cli/")) and folder is None:
        return "the file lies in no folder of the house"
    if folder is None or target is None:
        return None
    if target == "bench/bench.h" and path == "cli/cmd_bench.c":
        return None  # the verb that runs the benchmarks
    if target.startswith(("tests/", "bench/", "examples/", "tools/")):
        return f"{name} does not belong to the product"
    if target_folder is None or target_folder == folder:
        return None
    if FLOORS[target_folder] >= FLOORS[folder]:
        return (f"{folder} (floor {FLOORS[folder]}) includes {name} of {target_folder}"
                f" (floor {FLOORS[target_folder]})")
    return None


def include_circles(tree):
    graph = {path: {target for _, _, _, target in includes if target is not None}
             for path, includes in tree.includes().items()}
    for group in circles(graph):
        line = next(line for line, _, _, target in tree.includes()[group[0]] if target in group)
        yield group[0], line, "includes run in a circle: " + ", ".join(group)


def os_headers(tree):
    paths = tree.low() + tree.c_files("include")
    for path in paths:
        for line, bracket, name, target in tree.includes()[path]:
            if target is None and (bracket == '"' or name not in FREESTANDING):
                yield path, line, f"{name} is no freestanding header"


def _calls(tree, paths, names):
    """(path, line, name) wherever one of `names` is called or its address taken."""
    pattern = re.compile(r"(?<![\w.>])(?:" + "|".join(names) + r")\s*\(")
    for path in paths:
        code = tree.code(path)
        for match in pattern.finditer(code):
            before = code[:match.start()].rstrip()
            if before.endswith("->") or before.endswith("."):
                continue
            yield path, line_of(code, match.start()), match.group(0).rstrip("( \t\n")


def clock_reads(tree):
    paths = [path for path in tree.c_files("src") if not path.startswith("src/sock/runner")]
    for path, line, name in _calls(tree, paths, CLOCK):
        yield path, line, f"{name} reads a clock outside src/sock/runner*"


def allocations(tree):
    for path, line, name in _calls(tree, tree.low(), ALLOCATION):
        yield path, line, f"{name} on a floor that gets its memory handed in"


def printing(tree):
    paths = [path for path in tree.c_files("src")
             if tree.floor(path) is not None and tree.floor(path) <= PRINTING_TOP]
    for path, line, name in _calls(tree, paths, PRINTING):
        yield path, line, f"{name} on floor {tree.floor(path)}: print from floor 7 on"


def state_writers(tree):
    for path in tree.c_files("src", "cli"):
        in_tcp = path.startswith("src/tcp/")
        pattern = CONN_STATE_IN_TCP if in_tcp else CONN_STATE_ANYWHERE
        code = tree.code(path)
        for match in pattern.finditer(code):
            line = line_of(code, match.start())
            function = tree.function_at(path, line)
            if in_tcp and code[:match.end()].rstrip(" =").endswith("info->state"):
                continue  # the record a reader is given
            if path != STATE_FILE or function != STATE_WRITER:
                yield path, line, f"{function or 'this line'} writes a state: call slt_tcp_set_state"



def timer_writers(tree):
    for path in tree.c_files("src/tcp"):
        if path in TIMER_FILES:
            continue
        code = tree.code(path)
        for pattern in TIMER_WRITES:
            for match in pattern.finditer(code):
                yield path, line_of(code, match.start()), "a timer is armed outside timers.c"


def _reason_rows(tree):
    """{SLT_DROP_X: line} of the reason table."""
    text = tree.files.get(REASON_TABLE, "")
    return {f"SLT_{match.group(2)}_{match.group(1)}": line_of(text, match.start())
            for match in REASON_ROW.finditer(text)}


def reasons_unused(tree):
    used = set()
    for path in tree.c_files("src"):
        used.update(REASON_USE.findall(tree.code(path)))
    for name, line in _reason_rows(tree).items():
        if name not in used:
            yield REASON_TABLE, line, f"{name} is used nowhere in src"


def reasons_undeclared(tree):
    rows = _reason_rows(tree)
    for path in tree.c_files():
        code = tree.code(path)
        for match in REASON_USE.finditer(code):
            if match.group(0) not in rows:
                yield (path, line_of(code, match.start()),
                       f"{match.group(0)} is no row of {REASON_TABLE}")


def public_docs(tree):
    for path in tree.c_files("include"):
        lines = tree.files[path].split("\n")
        ends = _declaration_ends(tree, path, lines)
        for function in tree.functions(path):
            first = function.start - 1
            while first > 0 and (_continues(lines[first - 1])
                                 or first in ends):
                first -= 1
            if first == 0 or not lines[first - 1].rstrip().endswith("*/") \
                    or _is_trailing_comment(lines[first - 1]):
                yield path, function.start, f"{function.name} has no comment right above it"


def _declaration_ends(tree, path, lines):
    """Lines (from 1) on which a function's declaration ends: what follows at once shares its
    comment."""
    ends = set()
    for function in tree.functions(path):
        last = function.start
        while last < len(lines) and not lines[last - 1].rstrip().endswith((";", "}")):
            last += 1
        ends.add(last)
    return ends


def _continues(line):
    """True when the declaration began before this line's end."""
    text = line.strip()
    return bool(text) and not text.endswith((";", "}", "*/", "{", "\\")) \
        and not text.startswith("#")


def _is_trailing_comment(line):
    text = line.strip()
    return not text.startswith(("*", "/*"))
