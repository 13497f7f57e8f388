#!/usr/bin/env python3
"""Feed tools/tidy small bad trees and see that each rule fires where it should, and only there."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
TIDY = os.path.join(ROOT, "tools/tidy")
THEORY = "/* What the file is for. */\n"


class TidyCase(unittest.TestCase):
    def setUp(self):
        self.root = tempfile.mkdtemp(prefix="tidy-")
        self.addCleanup(shutil.rmtree, self.root)

    def write(self, path, text, theory=True):
        full = os.path.join(self.root, path)
        os.makedirs(os.path.dirname(full), exist_ok=True)
        is_c = path.endswith((".c", ".h"))
        with open(full, "w", encoding="utf-8") as file:
            file.write((THEORY if theory and is_c else "") + text)

    def compile(self, *paths, flags=()):
        for path in paths:
            target = os.path.join(self.root, "b/CMakeFiles/x.dir", path + ".o")
            os.makedirs(os.path.dirname(target), exist_ok=True)
            subprocess.run(["cc", "-std=gnu11", "-w", "-fPIC", "-Isrc", "-c", path, "-o", target,
                            *flags], cwd=self.root, check=True)

    def run_tidy(self, *arguments):
        result = subprocess.run([sys.executable, TIDY, "--root", self.root, "--build", "b",
                                 *arguments], text=True, capture_output=True, check=False)
        self.assertEqual(result.stderr, "")
        found = re.findall(r"^(\S+):(\d+): ([\w-]+): (.*)$", result.stdout, re.MULTILINE)
        self.assertEqual(result.returncode, 1 if found else 0, result.stdout)
        return found

    def expect(self, rule, *places):
        """The rule complains about exactly these `path:line` places."""
        found = self.run_tidy("--only", rule)
        self.assertEqual(sorted(f"{path}:{line}" for path, line, _, _ in found), sorted(places),
                         found)


class Includes(TidyCase):
    def test_upwards_and_sideways(self):
        self.write("src/base/a.h", '#include "wire/w.h"\n')
        self.write("src/wire/w.h", "")
        self.write("src/tcp/t.c", '#include "wire/w.h"\n#include "udp/u.h"\n#include "tcp/x.h"\n')
        self.write("src/tcp/x.h", "/* #include \"stack/s.h\" */\n")
        self.write("src/udp/u.h", "")
        self.expect("include-floor", "src/base/a.h:2", "src/tcp/t.c:3")

    def test_public_examples_and_strangers(self):
        self.write("src/base/a.h", "")
        self.write("include/salut/s.h", '#include "base/a.h"\n')
        self.write("examples/e.c", '#include <salut/s.h>\n#include "base/a.h"\n')
        self.write("src/misc/m.c", "#include <salut/s.h>\n")
        self.expect("include-floor", "include/salut/s.h:2", "examples/e.c:3", "src/misc/m.c:2")

    def test_circle(self):
        self.write("src/base/a.h", '#include "base/b.h"\n')
        self.write("src/base/b.h", '\n#include "base/c.h"\n')
        self.write("src/base/c.h", '#include "base/a.h"\n')
        self.write("src/base/d.h", '#include "base/a.h"\n')
        self.expect("include-circle", "src/base/a.h:2")

    def test_os_headers(self):
        self.write("src/ip/i.c", "#include <stdint.h>\n#include <string.h>\n#include <stdio.h>\n")
        self.write("src/ip/j.c", '#include "missing.h"\n')
        self.write("src/link/l.c", "#include <stdio.h>\n")
        self.expect("os-header", "src/ip/i.c:4", "src/ip/j.c:2")


class Calls(TidyCase):
    def test_clock(self):
        body = "void f(void)\n{\n    clock_gettime(0, p);\n    s->time(1);\n}\n"
        self.write("src/lab/l.c", body)
        self.write("src/sock/runner.c", body)
        self.write("src/observe/o.c", "long f(void)\n{\n    return time(0); /* time(1) */\n}\n")
        self.write("cli/c.c", body)
        self.expect("clock", "src/lab/l.c:4", "src/observe/o.c:4")

    def test_allocation(self):
        body = "void f(void)\n{\n    g(malloc(3));\n    mem->free(x);\n    slt_free(x);\n}\n"
        self.write("src/stack/s.c", body)
        self.write("src/link/l.c", body)
        self.expect("allocation", "src/stack/s.c:4")

    def test_printing(self):
        body = 'void f(void)\n{\n    printf("puts(1)");\n}\n'
        self.write("src/sock/s.c", body)
        self.write("src/observe/o.c", body)
        self.expect("printing", "src/sock/s.c:4")


class Writers(TidyCase):
    def test_state(self):
        self.write("src/tcp/state.c", "static void change_state(struct c *c, int to)\n{\n"
                                      "    c->state = to;\n}\n")
        self.write("src/tcp/close.c", "void f(struct c *c)\n{\n    if (c->state == 3) {\n"
                                      "        c->state = 4;\n    }\n"
                                      "    g((struct d){\n        .state = 1});\n}\n")
        self.write("src/stack/s.c", "void f(struct c *conn)\n{\n    conn->state |= 1;\n"
                                    "    neighbour->state = 1;\n}\n")
        self.expect("state-writer", "src/tcp/close.c:5", "src/stack/s.c:4")

    def test_state_writer_elsewhere(self):
        self.write("src/tcp/a.c", "static void change_state(struct c *c, int to)\n{\n"
                                  "    info->state = to;\n    c->state = to;\n}\n")
        self.expect("state-writer", "src/tcp/a.c:5")

    def test_timers(self):
        body = ("void f(struct c *c)\n{\n    c->due_ns[2] = 4;\n    c->timers.due_at_ns = 1;\n"
                "    slt_wheel_set(w, 1);\n    if (c->due_ns[1] == 3) {\n    }\n}\n")
        self.write("src/tcp/ack.c", body)
        self.write("src/tcp/timers.c", body)
        self.write("src/stack/s.c", body)
        self.expect("timer-writer", "src/tcp/ack.c:4", "src/tcp/ack.c:5", "src/tcp/ack.c:6")


class Reasons(TidyCase):
    def setUp(self):
        super().setUp()
        self.write("src/base/reasons.def", 'SLT_REASON(SHORT, DROP, "s", "t")\n'
                                           'SLT_REASON(LATE, CAUSE, "s", "t")\n')

    def test_unused(self):
        self.write("src/wire/w.c", "int f(void)\n{\n    return SLT_DROP_SHORT;"
                                   " /* SLT_CAUSE_LATE */\n}\n")
        self.expect("reason-unused", "src/base/reasons.def:2")

    def test_undeclared(self):
        self.write("src/wire/w.c", "int f(void)\n{\n    return SLT_DROP_SHRT;\n}\n")
        self.expect("reason-undeclared", "src/wire/w.c:4")

    def test_later(self):
        self.write("src/wire/w.c", "int f(void)\n{\n    return SLT_DROP_SHORT;\n}\n")
        rows = "reason-unused\tsrc/base/reasons.def\tSLT_CAUSE_*\tcomes with the engine\n"
        self.write("tools/tidy_later.tsv", rows)
        self.compile("src/wire/w.c", flags=["-DSLT_DROP_SHORT=1"])
        self.assertEqual(self.run_tidy(), [])
        self.write("tools/tidy_later.tsv", rows + "clock\tsrc/*\tf\tno such finding\n")
        self.assertEqual([(path, line) for path, line, _, _ in self.run_tidy()],
                         [("tools/tidy_later.tsv", "2")])


class PublicDocs(TidyCase):
    def test_missing(self):
        self.write("include/salut/s.h", "\n/* Do it. */\nint salut_do(int a,\n"
                                        "             int b);\n"
                                        "int salut_undo(void);\n\nint salut_bare(void);\n\n"
                                        "/* Far away. */\n\nint salut_far(void);\n"
                                        "int x; /* trailing */\nint salut_after(void);\n")
        self.expect("public-doc", "include/salut/s.h:8", "include/salut/s.h:12",
                    "include/salut/s.h:14")


class Shapes(TidyCase):
    def test_sizes(self):
        self.write("src/base/long.c", "\n" * 800)
        self.write("src/base/fine.c", "\n" * 799)
        self.write("src/base/table.def", "\n" * 900)
        self.expect("file-size", "src/base/long.c:801")

    def test_function_size(self):
        def make(name, lines):
            return f"int {name}(void)\n{{\n" + "    x++;\n" * (lines - 3) + "}\n"
        self.write("src/base/f.c", make("long_one", 71) + make("fine", 70))
        self.write("tools/t.py", "def g():\n" + "    x = 1\n" * 70)
        self.expect("function-size", "src/base/f.c:2", "tools/t.py:1")

    def test_parameters(self):
        self.write("src/base/p.c", "int f(int a, int b, int c, int d, int (*e)(int, int))\n{\n"
                                   "    return 0;\n}\n"
                                   "int g(int a, int b, int c, int d, int e, int f, int h, int i, int j)\n{\n"
                                   "    return 0;\n}\n")
        self.expect("parameters", "src/base/p.c:6")

    def test_nesting(self):
        deep = "if (a) {\nfor (;;) {\nwhile (b) {\n%s}\n}\n}\n"
        self.write("src/base/n.c", "void f(void)\n{\n" + deep % "x = (struct y){1};\n" + "}\n"
                                   "void g(void)\n{\n" + deep % "do {\n} while (c);\n" + "}\n")
        self.expect("nesting", "src/base/n.c:17")

    def test_braces(self):
        self.write("src/base/b.c", "void f(void)\n{\n    if (a)\n        b();\n    else\n"
                                   "        c();\n    do {\n    } while (d);\n"
                                   "    while (e) {\n    }\n    for (;;) {\n    }\n"
                                   "    if (a) {\n    } else if (b) {\n    }\n}\n"
                                   "#if defined(X)\n#endif\n")
        self.expect("braces", "src/base/b.c:4", "src/base/b.c:6")

    def test_ifdef_and_recursion(self):
        self.write("src/base/r.c", "#ifdef A\n#endif\nint f(int n)\n{\n#ifdef B\n#endif\n"
                                   "    return s->f(f(n));\n}\n")
        self.expect("ifdef", "src/base/r.c:6")
        self.expect("recursion", "src/base/r.c:8")

    def test_theory(self):
        self.write("src/base/t.c", "int x;\n", theory=False)
        self.write("src/base/u.c", "int x;\n")
        self.expect("file-theory", "src/base/t.c:1")


class Objects(TidyCase):
    def test_call_circle_and_floor(self):
        self.write("src/base/a.c", "void b(void);\nvoid a(void)\n{\n    b();\n}\n")
        self.write("src/base/b.c", "void c(void);\nvoid b(void)\n{\n    c();\n}\n")
        self.write("src/base/c.c", "void a(void);\nvoid up(void);\nvoid c(void)\n{\n    a();\n"
                                   "    up();\n}\n")
        self.write("src/tcp/up.c", "void up(void)\n{\n}\n")
        self.write("src/udp/side.c", "void up(void);\nvoid side(void)\n{\n    up();\n}\n")
        self.compile("src/base/a.c", "src/base/b.c", "src/base/c.c", "src/tcp/up.c",
                     "src/udp/side.c")
        self.expect("call-circle", "src/base/a.c:2")
        self.expect("call-floor", "src/base/c.c:3", "src/udp/side.c:2")

    def test_weak_symbols_count(self):
        self.write("src/base/a.c", "void b(void);\n__attribute__((weak)) void a(void)\n{\n"
                                   "    b();\n}\n")
        self.write("src/base/b.c", "void a(void);\nvoid b(void)\n{\n    a();\n}\n")
        self.compile("src/base/a.c", "src/base/b.c")
        self.expect("call-circle", "src/base/a.c:2")

    def test_os_symbols(self):
        body = "void *memcpy(void *, const void *, unsigned long);\nint getpid(void);\n" \
               "void f%s(void *p, unsigned long n)\n{\n    memcpy(p, p, n);\n    getpid();\n}\n"
        self.write("src/tcp/o.c", body % 1)
        self.write("src/link/o.c", body % 2)
        self.compile("src/tcp/o.c", "src/link/o.c")
        self.expect("os-symbol", "src/tcp/o.c:3")

    def test_mutable_globals(self):
        self.write("src/tcp/g.c", "int zero;\nstatic int count = 3;\n"
                                  'const char *const names[] = {"a"};\n'
                                  "int f(void)\n{\n    static int calls;\n"
                                  "    return calls++ + count++;\n}\n"
                                  "_Thread_local int each;\n")
        self.write("src/sock/g.c", "int zero_2;\n")
        self.compile("src/tcp/g.c", "src/sock/g.c")
        self.expect("mutable-global", "src/tcp/g.c:2", "src/tcp/g.c:3", "src/tcp/g.c:7",
                    "src/tcp/g.c:10")

    def test_missing(self):
        self.write("src/tcp/a.c", "")
        self.write("src/tcp/b.c", "")
        self.compile("src/tcp/a.c")
        self.expect("objects", "src/tcp/b.c:1")


class Format(TidyCase):
    def test_unformatted(self):
        shutil.copy(os.path.join(ROOT, ".clang-format"), self.root)
        self.write("src/base/f.c", "int f(void)\n{\n  return 1;\n}\n")
        self.write("src/base/g.c", "int f(void)\n{\n    return 1;\n}\n")
        os.mkdir(os.path.join(self.root, "b"))
        for _ in range(2):  # the second run answers from what the first remembered
            self.expect("format", "src/base/f.c:3")


class Interface(TidyCase):
    def test_clean_tree_and_summary(self):
        self.write("src/base/a.c", "")
        result = subprocess.run([sys.executable, TIDY, "--root", self.root, "--no-objects"],
                                text=True, capture_output=True, check=False)
        self.assertEqual(result.returncode, 0)
        self.assertRegex(result.stdout, r"^tidy: 1 files, \d+ rules, 0 findings, [\d.]+ s\n$")

    def test_unknown_rule(self):
        result = subprocess.run([sys.executable, TIDY, "--only", "nonsense"], text=True,
                                capture_output=True, check=False)
        self.assertEqual(result.returncode, 2)
        self.assertIn("nonsense", result.stderr)

    def test_every_rule_has_a_test(self):
        listed = subprocess.run([sys.executable, TIDY, "--list"], text=True, check=True,
                                stdout=subprocess.PIPE).stdout
        with open(__file__, encoding="utf-8") as file:
            tested = set(re.findall(r'self\.expect\("([\w-]+)"', file.read()))
        self.assertEqual({line.split()[0] for line in listed.splitlines()} - tested, set())


if __name__ == "__main__":
    unittest.main()
