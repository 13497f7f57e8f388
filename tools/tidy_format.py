"""The formatting rule: C files must be as clang-format 14 leaves them.

What was found clean is remembered by content below the build directory, so a run formats only
what changed.
"""

import concurrent.futures
import hashlib
import json
import os
import shutil
import subprocess

FORMATTED = ("src/", "include/", "cli/", "tests/", "examples/", "bench/")
BATCH = 12


def _clang_format():
    for name in ("clang-format-14", "clang-format"):
        if shutil.which(name):
            version = subprocess.run([name, "--version"], text=True, check=True,
                                     stdout=subprocess.PIPE).stdout
            if " 14." in version:
                return name
    return None


def _digest(tree, style, path):
    return hashlib.sha256((style + "\0" + tree.files[path]).encode()).hexdigest()


def unformatted(tree):
    style_path = os.path.join(tree.root, ".clang-format")
    if not os.path.exists(style_path):
        return []
    with open(style_path, encoding="utf-8") as file:
        style = file.read()
    cache_path = os.path.join(tree.build, "tidy-format.json")
    known = _load(cache_path)
    digests = {path: _digest(tree, style, path) for path in tree.c_files()
               if path.startswith(FORMATTED)}
    todo = [path for path, digest in digests.items() if digest not in known]
    if not todo:
        return []
    tool = _clang_format()
    if tool is None:
        return [(".clang-format", 1, "clang-format 14 is missing: run `make deps`")]
    findings = _run(tree, tool, todo)
    dirty = {path for path, _, _ in findings}
    _save(cache_path, [digest for path, digest in digests.items() if path not in dirty])
    return findings


def _load(path):
    try:
        with open(path, encoding="utf-8") as file:
            return set(json.load(file))
    except (OSError, ValueError):
        return set()


def _save(path, digests):
    if os.path.isdir(os.path.dirname(path)):
        with open(path, "w", encoding="utf-8") as file:
            json.dump(sorted(digests), file)


def _run(tree, tool, paths):
    batches = [paths[i:i + BATCH] for i in range(0, len(paths), BATCH)]
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        results = pool.map(lambda batch: _check(tree.root, tool, batch), batches)
        return [finding for result in results for finding in result]


def _check(root, tool, paths):
    """The first unformatted line of each file of the batch."""
    output = subprocess.run([tool, "--dry-run", "--style=file"] + paths, text=True, cwd=root,
                            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                            check=False).stderr
    first = {}
    for line in output.splitlines():
        parts = line.split(":")
        if len(parts) > 3 and parts[0] in paths and parts[1].isdigit():
            first.setdefault(parts[0], int(parts[1]))
    return [(path, line, "not formatted: run `make format`") for path, line in first.items()]
