"""The source tree as tidy sees it: files, floors, code without comments, functions, includes."""

import collections
import os
import re
import subprocess

# The map of the house: a folder of src/ (or cli) and its floor.
FLOORS = {
    "base": 0, "wire": 1, "tcp": 2, "udp": 2, "ip": 3, "stack": 4, "link": 5, "sock": 6,
    "observe": 7, "lab": 8, "run": 8, "cli": 9,
}
FREESTANDING_TOP = 4  # floors 0 to this one know no operating system

# Folders whose files are read, and the names in them that count as sources.
FOLDERS = ["include", "src", "cli", "tests", "tools", "bench", "examples", "cmake", ".ci"]
C_SUFFIXES = (".c", ".h")
SUFFIXES = C_SUFFIXES + (".py", ".sh", ".cc", ".def", ".html", ".css", ".js")

_NOISE = re.compile(
    r"//[^\n]*|/\*.*?\*/|\"(?:\\.|[^\\\"\n])*\"|'(?:\\.|[^\\'\n])*'", re.DOTALL)
_INCLUDE = re.compile(r"^[ \t]*#[ \t]*include[ \t]*([<\"])([^>\"]+)[>\"]", re.MULTILINE)

Function = collections.namedtuple("Function", "name start end signature kind")


class Finding(collections.namedtuple("Finding", "path line rule message")):
    """One complaint; words() are the names in it that tidy_later.tsv may point at."""

    def words(self):
        return re.findall(r"[\w./-]+", self.message) + ["*"]


def _blank(match):
    text = match.group(0)
    if text[0] in "\"'":
        return text[0] + " " * (len(text) - 2) + text[0]
    return re.sub(r"[^\n]", " ", text)


def strip_noise(text):
    """C text with comments and the insides of strings blanked; every position stays."""
    return _NOISE.sub(_blank, text)


def line_of(text, position):
    return text.count("\n", 0, position) + 1


class Tree:
    """Files below root, read once; everything derived from them is made on first use."""

    def __init__(self, root, build):
        self.root = os.path.abspath(root)
        self.build = os.path.join(self.root, build)
        self.files = {}
        self._code = {}
        self._functions = None
        self._includes = None
        for folder in FOLDERS:
            self._read_folder(folder)

    def _read_folder(self, folder):
        for where, folders, names in os.walk(os.path.join(self.root, folder)):
            folders[:] = [name for name in folders if not name.startswith((".", "__", "build"))]
            for name in names:
                if name.startswith("."):
                    continue
                path = os.path.join(where, name)
                relative = os.path.relpath(path, self.root)
                if name.endswith(SUFFIXES) or self._is_script(path, name):
                    with open(path, encoding="utf-8", errors="replace") as file:
                        self.files[relative] = file.read()

    @staticmethod
    def _is_script(path, name):
        if "." in name or not os.access(path, os.X_OK):
            return False
        with open(path, "rb") as file:
            return file.read(2) == b"#!"

    def c_files(self, *folders):
        """Paths of C files, all or those below one of `folders`."""
        prefixes = tuple(folder.rstrip("/") + "/" for folder in folders)
        return sorted(path for path in self.files
                      if path.endswith(C_SUFFIXES) and (not prefixes or path.startswith(prefixes)))

    def code(self, path):
        """The file without comments and strings, positions kept."""
        if path not in self._code:
            self._code[path] = strip_noise(self.files[path])
        return self._code[path]

    @staticmethod
    def folder(path):
        """`tcp` for src/tcp/x.c, `cli` for cli/x.c, None outside the floors."""
        parts = path.split("/")
        if parts[0] == "src" and len(parts) > 2 and parts[1] in FLOORS:
            return parts[1]
        return "cli" if parts[0] == "cli" else None

    @classmethod
    def floor(cls, path):
        folder = cls.folder(path)
        return None if folder is None else FLOORS[folder]

    def low(self):
        """C files of floors 0-4."""
        return [path for path in self.c_files("src")
                if self.floor(path) is not None and self.floor(path) <= FREESTANDING_TOP]

    def includes(self):
        """{path: [(line, '<' or '"', name, resolved path or None)]} for C files."""
        if self._includes is None:
            self._includes = {}
            for path in self.c_files():
                text, code = self.files[path], self.code(path)
                found = []
                for match in _INCLUDE.finditer(text):
                    if "include" in code[match.start():match.end()]:
                        found.append((line_of(text, match.start()), match.group(1),
                                      match.group(2), self._resolve(path, match.group(2))))
                self._includes[path] = found
        return self._includes

    def _resolve(self, path, name):
        for base in (os.path.dirname(path), "src", "include", "", "tests"):
            candidate = os.path.normpath(os.path.join(base, name))
            if candidate in self.files:
                return candidate
        return None

    def functions(self, path):
        """Function definitions (kind f) and prototypes (kind p) of a C or Python file."""
        if self._functions is None:
            self._functions = self._run_ctags()
        return self._functions.get(path, [])

    def _run_ctags(self):
        paths = [path for path in self.files if path.endswith(C_SUFFIXES + (".py",))]
        result = collections.defaultdict(list)
        if not paths:
            return result
        command = [self._ctags(), "--options=NONE", "-f", "-", "--sort=no", "--fields=+neKS",
                   "--kinds-C=fp", "--languages=C,Python", "--langmap=C:.c.h", "-L", "-"]
        command += ["-I", "SLT_MUST_USE,SLT_PRINTF+,SALUT_MUST_USE,SALUT_API"]
        output = subprocess.run(command, input="\n".join(paths), text=True, check=True,
                                cwd=self.root, stdout=subprocess.PIPE,
                                stderr=subprocess.DEVNULL).stdout
        for line in output.splitlines():
            self._take_tag(line, result)
        return result

    @staticmethod
    def _ctags():
        for name in ("ctags-universal", "ctags"):
            for folder in os.environ.get("PATH", "").split(":"):
                if os.access(os.path.join(folder, name), os.X_OK):
                    return name
        raise SystemExit("tidy: universal-ctags is missing: run `make deps`")

    @staticmethod
    def _take_tag(line, result):
        parts = line.split("\t")
        if line.startswith("!") or len(parts) < 4:
            return
        tail = line[line.rfind(';"\t') + 3:].split("\t")
        fields = dict(part.split(":", 1) for part in tail[1:] if ":" in part)
        kind = {"function": "f", "prototype": "p", "member": "f"}.get(tail[0])
        if kind is None or (tail[0] == "member" and not parts[1].endswith(".py")):
            return
        start = int(fields.get("line", 0))
        result[parts[1]].append(Function(parts[0], start, int(fields.get("end", start)),
                                         fields.get("signature", ""), kind))

    def function_at(self, path, line):
        """Name of the function definition that spans `line`, or None."""
        for function in self.functions(path):
            if function.kind == "f" and function.start <= line <= function.end:
                return function.name
        return None


def circles(graph):
    """Strongly connected components of more than one node, and self-loops: Tarjan, iterative."""
    order, low, stack, on_stack, found = {}, {}, [], set(), []
    for root in sorted(graph):
        if root in order:
            continue
        work = [(root, iter(sorted(graph.get(root, ()))))]
        order[root] = low[root] = len(order)
        stack.append(root)
        on_stack.add(root)
        while work:
            node, successors = work[-1]
            pushed = False
            for successor in successors:
                if successor not in order:
                    order[successor] = low[successor] = len(order)
                    stack.append(successor)
                    on_stack.add(successor)
                    work.append((successor, iter(sorted(graph.get(successor, ())))))
                    pushed = True
                    break
                if successor in on_stack:
                    low[node] = min(low[node], order[successor])
            if pushed:
                continue
            work.pop()
            if work:
                low[work[-1][0]] = min(low[work[-1][0]], low[node])
            if low[node] == order[node]:
                found.append(_unwind(stack, on_stack, node))
    return sorted(group for group in found
                  if len(group) > 1 or group[0] in graph.get(group[0], ()))


def _unwind(stack, on_stack, node):
    group = []
    while True:
        top = stack.pop()
        on_stack.discard(top)
        group.append(top)
        if top == node:
            return sorted(group)
