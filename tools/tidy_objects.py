"""Rules about the compiled objects: who calls whom, what is linked, what is writable.

The objects of the debug build are read with `nm`. A file calls another when it needs a symbol
the other one defines; a `static inline` function counts as its header's, as it should.
"""

import collections
import os
import subprocess

from tidy_tree import FLOORS, FREESTANDING_TOP, circles

# What floors 0-4 may need beyond one another: string.h, and what compilers call by themselves.
ALLOWED_SYMBOLS = {
    "memcpy", "memmove", "memset", "memcmp", "memchr", "strlen", "strcmp", "strncmp", "strchr",
    "strrchr", "strstr", "strnlen", "bcmp", "__stack_chk_fail", "_GLOBAL_OFFSET_TABLE_",
    "__udivdi3", "__umoddi3", "__divdi3", "__moddi3", "__udivmoddi4", "__muldi3",
    "__memcpy_chk", "__memset_chk", "__memmove_chk", "_dl_relocate_static_pie",
}
WRITABLE = (".data", ".bss", ".tdata", ".tbss", "*COM*")
READ_ONLY = (".data.rel.ro", ".data.rel.ro.local")

Object = collections.namedtuple("Object", "path defined needed writable")


def _object_files(tree):
    """{source: object file} for sources of src/ and cli/ that exist."""
    found = {}
    for where, _, names in os.walk(tree.build):
        for name in names:
            if not name.endswith(".c.o"):
                continue
            full = os.path.join(where, name)
            tail = full.split(".dir/", 1)[-1]
            source = tail[:-len(".o")]
            if source in tree.files and source.startswith(("src/", "cli/")):
                if source not in found or os.path.getmtime(full) > os.path.getmtime(found[source]):
                    found[source] = full
    return found


def _objects(tree):
    if not hasattr(tree, "_objects"):
        tree._objects = _read_objects(_object_files(tree))
    return tree._objects


def _read_objects(files):
    by_file = {os.path.abspath(file): source for source, file in files.items()}
    objects = {source: Object(source, {}, set(), []) for source in files}
    if not files:
        return objects
    output = subprocess.run(["nm", "-A", "-f", "sysv"] + list(by_file), text=True, check=True,
                            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout
    for line in output.splitlines():
        parts = [part.strip() for part in line.split("|")]
        if len(parts) < 7:
            continue
        file, _, name = parts[0].rpartition(":")
        source = by_file.get(file)
        if source is not None:
            _take_symbol(objects[source], name.strip(), parts[2], parts[3], parts[6])
    return objects


def _take_symbol(thing, name, kind, sort, section):
    if kind in ("U", "w"):
        thing.needed.add(name)
        return
    if sort not in ("FUNC", "OBJECT", "IFUNC", "TLS", "NOTYPE"):
        return
    if kind.isupper() or kind == "u":
        thing.defined[name] = kind
    if section.startswith(WRITABLE) and not section.startswith(READ_ONLY) and sort != "NOTYPE":
        thing.writable.append(name)


def _owners(objects):
    return {name: path for path, thing in sorted(objects.items()) for name in thing.defined}


def _edges(tree):
    """{path: {called path: [symbols]}}"""
    objects = _objects(tree)
    owners = _owners(objects)
    edges = {}
    for path, thing in objects.items():
        edges[path] = collections.defaultdict(list)
        for name in sorted(thing.needed):
            if owners.get(name, path) != path:
                edges[path][owners[name]].append(name)
    return edges


def _line_of_name(tree, path, name):
    position = tree.code(path).find(name)
    return 1 if position < 0 else tree.files[path].count("\n", 0, position) + 1


def call_floors(tree):
    for path, targets in _edges(tree).items():
        floor, folder = tree.floor(path), tree.folder(path)
        for target, names in targets.items():
            other, other_folder = tree.floor(target), tree.folder(target)
            if None in (floor, other) or folder == other_folder or other < floor:
                continue
            yield (path, _line_of_name(tree, path, names[0]),
                   f"{folder} (floor {floor}) calls {names[0]} of {target}"
                   f" (floor {FLOORS[other_folder]})")


def call_circles(tree):
    edges = _edges(tree)
    for group in circles({path: set(targets) for path, targets in edges.items()}):
        parts = [f"{path} -> {target} ({', '.join(names[:3])})"
                 for path in group for target, names in sorted(edges[path].items())
                 if target in group]
        first = next(names for target, names in sorted(edges[group[0]].items())
                     if target in group)
        yield (group[0], _line_of_name(tree, group[0], first[0]),
               "calls run in a circle: " + "; ".join(parts))


def os_symbols(tree):
    objects = _objects(tree)
    owners = _owners(objects)
    for path, thing in objects.items():
        floor = tree.floor(path)
        if floor is None or floor > FREESTANDING_TOP:
            continue
        for name in sorted(thing.needed):
            if name not in owners and name not in ALLOWED_SYMBOLS:
                yield path, _line_of_name(tree, path, name), f"needs {name} from the system"


def mutable_globals(tree):
    for path, thing in _objects(tree).items():
        floor = tree.floor(path)
        if floor is None or floor > FREESTANDING_TOP:
            continue
        for name in sorted(thing.writable):
            base = name.split(".")[0]
            yield path, _line_of_name(tree, path, base), f"{base} is a writable global"


def missing_objects(tree):
    objects = _objects(tree)
    for path in tree.c_files("src", "cli"):
        if path.endswith(".c") and path not in objects:
            yield path, 1, f"no object below {os.path.relpath(tree.build, tree.root)}: build first"
