"""Rules about the shape of files and functions: sizes, nesting, braces, preprocessor."""

import re

from tidy_tree import line_of

FILE_LINES_MAX = 800
FUNCTION_LINES_MAX = 70
PARAMETERS_MAX = 8  # aim at 5; the engine's doors carry engine, connection, time and results
NESTING_MAX = 3

SIZED = ("src/", "cli/", "tests/", "tools/", "include/")  # folders with size limits
SHAPED = ("src/", "cli/", "include/")                      # folders with all the other limits

_CONTROL = re.compile(r"\b(if|for|while|switch)\b")
_DO_ELSE = re.compile(r"\b(do|else)\b")


def file_sizes(tree):
    for path, text in tree.files.items():
        if path.startswith(SIZED) and not path.endswith(".def"):
            count = text.count("\n")
            if count > FILE_LINES_MAX:
                yield path, count, f"{count} lines, more than {FILE_LINES_MAX}"


def _functions(tree, folders):
    for path in tree.files:
        if path.startswith(folders):
            for function in tree.functions(path):
                if function.kind == "f":
                    yield path, function


def function_sizes(tree):
    for path, function in _functions(tree, SIZED):
        count = function.end - function.start + 1
        if count > FUNCTION_LINES_MAX:
            yield (path, function.start,
                   f"{function.name} has {count} lines, more than {FUNCTION_LINES_MAX}")


def parameters(tree):
    for path, function in _functions(tree, SHAPED):
        count = _parameter_count(function.signature)
        if count > PARAMETERS_MAX:
            yield (path, function.start,
                   f"{function.name} takes {count} parameters, more than {PARAMETERS_MAX}")


def _parameter_count(signature):
    inner = signature.strip()[1:-1].strip()
    if inner in ("", "void"):
        return 0
    depth, count = 0, 1
    for char in inner:
        depth += (char in "([") - (char in ")]")
        count += char == "," and depth == 0
    return count


def _body(tree, path, function):
    """(offset of the opening brace, code of the body) of a C function."""
    code = tree.code(path)
    start = 0
    for _ in range(function.start - 1):
        start = code.index("\n", start) + 1
    end = start
    for _ in range(function.end - function.start + 1):
        end = code.find("\n", end) + 1
        if end == 0:
            end = len(code)
            break
    brace = code.find("{", start, end)
    return (brace, code[brace:end]) if brace >= 0 else (start, "")


def _c_functions(tree):
    for path, function in _functions(tree, SHAPED):
        if path.endswith((".c", ".h")):
            yield path, function


def nesting(tree):
    for path, function in _c_functions(tree):
        start, body = _body(tree, path, function)
        deepest, where = _deepest(body)
        if deepest > NESTING_MAX:
            yield (path, line_of(tree.code(path), start + where),
                   f"{function.name} nests {deepest} levels deep, more than {NESTING_MAX}")


def _deepest(body):
    """Levels of control blocks; braces of initialisers and of the function do not count."""
    stack, deepest, where = [], 0, 0
    for position, char in enumerate(body):
        if char == "{":
            before = body[:position].rstrip()
            stack.append(bool(before) and (before.endswith(")") or
                                           re.search(r"\b(do|else)$", before) is not None)
                         and not _is_compound_literal(before))
            level = sum(stack)
            if level > deepest:
                deepest, where = level, position
        elif char == "}" and stack:
            stack.pop()
    return deepest, where


def _is_compound_literal(before):
    return re.search(r"\(\s*(?:const\s+)?(?:struct|union)\s+\w+\s*(?:\[\d*\])?\s*\)$",
                     before) is not None


def braces(tree):
    for path in tree.c_files("src", "cli", "tests", "examples", "bench"):
        code = _without_directives(tree.code(path))
        for match in _CONTROL.finditer(code):
            after = _after_parentheses(code, match.end())
            if after is None:
                continue
            char = code[after:after + 1]
            ends_do = match.group(1) == "while" and char == ";"
            if char != "{" and not ends_do:
                yield path, line_of(code, match.start()), f"{match.group(1)} without braces"
        for match in _DO_ELSE.finditer(code):
            rest = code[match.end():match.end() + 80].lstrip()
            if not rest.startswith("{") and not re.match(r"if\b", rest):
                yield path, line_of(code, match.start()), f"{match.group(1)} without braces"


def _without_directives(code):
    """Code with preprocessor lines (and their continuations) blanked."""
    return re.sub(r"^[ \t]*#(?:[^\n]*\\\n)*[^\n]*",
                  lambda match: re.sub(r"[^\n]", " ", match.group(0)), code, flags=re.MULTILINE)


def _after_parentheses(code, position):
    """Offset of the first character after `( ... )`, or None when no parenthesis follows."""
    while position < len(code) and code[position].isspace():
        position += 1
    if code[position:position + 1] != "(":
        return None
    depth = 0
    while position < len(code):
        depth += (code[position] == "(") - (code[position] == ")")
        position += 1
        if depth == 0:
            break
    while position < len(code) and code[position].isspace():
        position += 1
    return position


def ifdefs(tree):
    for path, function in _c_functions(tree):
        start, body = _body(tree, path, function)
        for match in re.finditer(r"^[ \t]*#[ \t]*if", body, re.MULTILINE):
            yield (path, line_of(tree.code(path), start + match.start()),
                   f"#if inside {function.name}")


def recursion(tree):
    for path, function in _c_functions(tree):
        start, body = _body(tree, path, function)
        match = re.search(r"(?<![\w.>])" + re.escape(function.name) + r"\s*\(", body)
        if match:
            yield (path, line_of(tree.code(path), start + match.start()),
                   f"{function.name} calls itself")


def file_theory(tree):
    for path in tree.c_files("src", "include", "cli", "examples", "bench"):
        if not tree.files[path].lstrip().startswith("/*"):
            yield path, 1, "the file does not open with a comment on what it is for"
