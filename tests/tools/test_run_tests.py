#!/usr/bin/env python3
"""tools/run-tests: verdicts, limits, skips in CI, nested lists, and what it prints."""

import os
import subprocess
import sys
import tempfile
import time
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
RUN_TESTS = os.path.join(ROOT, "tools/run-tests")


class RunTests(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="run-tests-")
        self.addCleanup(folder.cleanup)
        self.folder = folder.name

    def list_file(self, name, text):
        path = os.path.join(self.folder, name)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        return path

    def run_list(self, text, *arguments, ci=False):
        path = self.list_file("main.list", text)
        environment = dict(os.environ, CI="true" if ci else "")
        result = subprocess.run([sys.executable, RUN_TESTS, "--logs", self.folder, *arguments,
                                 path], text=True, capture_output=True, check=False,
                                env=environment)
        return result.returncode, result.stdout, result.stderr

    def test_verdicts(self):
        status, out, _ = self.run_list("# a comment\n\ngood | true | 5\n"
                                       "bad | echo hopeless | tr a-z A-Z; false | 5\n")
        self.assertEqual(status, 1)
        self.assertIn("ok    good", out)
        self.assertIn("FAIL  bad", out)
        self.assertIn("| HOPELESS", out)
        self.assertTrue(out.endswith("1 passed, 1 failed\n"), out)

    def test_all_good(self):
        status, out, _ = self.run_list("good | true | 5\n")
        self.assertEqual(status, 0)
        self.assertTrue(out.endswith("1 passed, 0 failed\n"), out)

    def test_failures_are_named_again_at_the_end(self):
        _, out, _ = self.run_list("bad | echo hopeless; false | 5\ngood | true | 5\n")
        self.assertIn("FAIL  bad\n              | hopeless", out[out.index("ok    good"):])

    def test_measurements_get_a_second_try(self):
        mark = os.path.join(self.folder, "tried")
        text = (f"moody | test -e {mark} || {{ touch {mark}; echo upset; false; }} | 5 measures\n"
                "bad | false | 5 measures\n"
                "plain | false | 5\n"
                "crash | echo 'x.c:3: runtime error: overflow'; false | 5 measures\n"
                "killed | kill -SEGV $$ | 5 measures\n")
        status, out, _ = self.run_list(text)
        self.assertEqual(status, 1)
        self.assertIn("AGAIN  moody\n              | upset", out)
        self.assertIn("ok    moody", out)
        self.assertIn("AGAIN  bad", out)
        self.assertNotIn("AGAIN  plain", out)
        self.assertNotIn("AGAIN  crash", out)
        self.assertNotIn("AGAIN  killed", out)
        self.assertTrue(out.endswith("1 passed, 4 failed, 2 tried twice\n"), out)

    def test_limit_ends_children_too(self):
        mark = os.path.join(self.folder, "mark")
        started = time.monotonic()
        status, out, _ = self.run_list(f"slow | (sleep 2; touch {mark}) & sleep 60 | 0.3\n")
        self.assertEqual(status, 1)
        self.assertLess(time.monotonic() - started, 2)
        self.assertIn("over its limit of 0.3 s", out)
        time.sleep(2.2)
        self.assertFalse(os.path.exists(mark))

    def test_skips(self):
        text = "device | echo no device; exit 77 | 5\nodd | exit 77 | 5 may-skip\ngood | true | 5\n"
        status, out, _ = self.run_list(text)
        self.assertEqual(status, 0)
        self.assertIn("| no device", out)
        self.assertTrue(out.endswith("1 passed, 0 failed, 2 skipped\n"), out)
        status, out, _ = self.run_list(text, ci=True)
        self.assertEqual(status, 1)
        self.assertTrue(out.endswith("1 passed, 1 failed, 1 skipped\n"), out)

    def test_nested_list_is_read_late(self):
        inner = os.path.join(self.folder, "inner.list")
        status, out, _ = self.run_list(
            f"make it | printf 'a/x | true | 5 par\\nb/y | false | 5 par\\n' > {inner} | 5\n"
            f"@list {inner} pre/ a/*\n")
        self.assertEqual(status, 0, out)
        self.assertIn("ok    pre/a/x", out)
        self.assertNotIn("b/y", out)

    def test_missing_list_fails(self):
        status, out, _ = self.run_list("@list nowhere.list\n")
        self.assertEqual(status, 1)
        self.assertIn("there is no such list", out)

    def test_parallel(self):
        text = "".join(f"t{i} | sleep 0.5 | 5 par\n" for i in range(2))
        started = time.monotonic()
        status, _, _ = self.run_list(text)
        self.assertEqual(status, 0)
        if (os.cpu_count() or 1) > 1:
            self.assertLess(time.monotonic() - started, 0.95)

    def test_only(self):
        status, out, _ = self.run_list("one | true | 5\ntwo | false | 5\n", "--only", "one")
        self.assertEqual(status, 0)
        self.assertTrue(out.endswith("1 passed, 0 failed\n"), out)
        status, _, err = self.run_list("one | true | 5\n", "--only", "three")
        self.assertEqual(status, 2)
        self.assertIn("no test was selected", err)

    def test_bad_line(self):
        status, _, err = self.run_list("just a name\n")
        self.assertEqual(status, 2)
        self.assertIn("main.list:1", err)


if __name__ == "__main__":
    unittest.main()
