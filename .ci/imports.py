"""Which file of a crate imports from which, without tests and comments. Enough of Rust is understood for that: modules that are
files, `use` with braces, paths in code, and items that a module re-exports from a file below it."""

import os
import re


def crate_files(root):
    """{module path: file} of the modules that are compiled without `cfg(test)`."""
    found = {}
    for folder, _, names in os.walk(root):
        for name in names:
            if name.endswith(".rs"):
                path = os.path.join(folder, name)
                segments = os.path.relpath(path, root)[: -len(".rs")].split("/")
                if segments[-1] == "mod" or segments == ["lib"]:
                    segments.pop()
                found[tuple(segments)] = path
    return found


def without_comments_and_texts(code):
    out, at = [], 0
    token = re.compile(
        r"//[^\n]*|/\*.*?\*/|\bb?r(#*)\".*?\"\1|b?\"(?:\\.|[^\"\\])*\"|'(?:\\.[^']*|[^'\\])'", re.DOTALL
    )
    for match in token.finditer(code):
        out.append(code[at : match.start()])
        out.append("''" if match.group()[0] == "'" else '""' if not match.group().startswith("/") else "")
        at = match.end()
    return "".join(out) + code[at:]


def without_tests(code):
    """Items under `#[cfg(test)]` cut out."""
    while match := re.search(r"#\[cfg\((?:test|any\(test[^\]]*)\)\]\s*", code):
        depth, at = 0, match.end()
        while at < len(code):
            depth += {"{": 1, "}": -1}.get(code[at], 0)
            at += 1
            if depth == 0 and code[at - 1] in ";}":
                break
        code = code[: match.start()] + code[at:]
    return code


def paths_of(tree):
    """`a::{b, c::{d}}` as `a::b`, `a::c::d`; `as` is cut off."""
    tree = tree.strip()
    brace = tree.find("{")
    if brace < 0:
        return [tree.split(" as ")[0].replace(" ", "")]
    parts, depth, begin = [], 0, 0
    body = tree[brace + 1 : tree.rfind("}")]
    for at, char in enumerate(body + ","):
        depth += {"{": 1, "}": -1}.get(char, 0)
        if char == "," and depth == 0:
            parts.append(body[begin:at])
            begin = at + 1
    head = tree[:brace]
    return [path for part in parts if part.strip() for path in paths_of(head + part.strip())]


USE = re.compile(r"(pub(?:\([^)]*\))?\s+)?\buse\s+([^;]+);")
VISIBILITY = re.compile(r"\bpub\s*\([^)]*\)")
PATH = re.compile(r"(?<![\w:.])\w+(?:::\w+)+")


class Crate:
    def __init__(self, root):
        files = crate_files(root)
        code = {m: without_tests(without_comments_and_texts(open(p, encoding="utf-8").read())) for m, p in files.items()}
        known = {m for m in files if len(m) == 0 or m == ("main",)}
        for module in sorted(files, key=len):
            parent = code.get(module[:-1], "") if module else ""
            if module and module[:-1] in known and re.search(rf"\bmod\s+{module[-1]}\s*;", parent):
                known.add(module)
        self.files = {module: files[module] for module in known}
        self.code = {module: code[module] for module in known}
        self.exports = {module: self._uses(module, public=True) for module in known}

    def _uses(self, module, public):
        found = USE.finditer(self.code[module])
        return [path for match in found if bool(match.group(1)) == public for path in paths_of(re.sub(r"\s+", " ", match.group(2)))]

    def _absolute(self, module, path):
        segments = path.split("::")
        if segments[0] == "crate":
            return segments[1:]
        if segments[0] == "self":
            return [*module, *segments[1:]]
        if segments[0] == "super":
            ups = next(at for at, segment in enumerate([*segments, ""]) if segment != "super")
            return [*module[: len(module) - ups], *segments[ups:]] if ups <= len(module) else None
        return [*module, *segments] if (*module, segments[0]) in self.files else None

    def resolve(self, module, path, depth=0):
        """The module whose file defines what the path names; None: it is in another crate."""
        segments = self._absolute(module, path)
        if segments is None:
            return None
        known = max((n for n in range(len(segments) + 1) if tuple(segments[:n]) in self.files), default=0)
        at, rest = tuple(segments[:known]), segments[known:]
        if not rest or rest == ["*"] or depth > 8:
            return at
        for export in self.exports.get(at, []):
            target = None
            if export.split("::")[-1] == rest[0]:
                target = self.resolve(at, export, depth + 1)
            elif export.endswith("::*"):
                target = self.resolve(at, export[: -len("::*")], depth + 1)
                item = rf"\b(?:fn|struct|enum|trait|type|const|static|macro_rules!)\s+{rest[0]}\b"
                target = target if target and re.search(item, self.code.get(target, "")) else None
            if target is not None:
                return target
        return at

    def imports(self):
        """{module: set of modules}."""
        edges = {module: set() for module in self.files}
        for module, code in self.code.items():
            uses = self._uses(module, public=False)
            local = {path.split("::")[-1]: path for path in uses}
            paths = set(uses)
            for path in PATH.findall(VISIBILITY.sub("", USE.sub(" ", code))):
                head, *tail = path.split("::")
                if head in ("crate", "self", "super") or (*module, head) in self.files:
                    paths.add(path)
                elif head in local:
                    paths.add("::".join([local[head], *tail]))
            targets = {self.resolve(module, path) for path in paths}
            edges[module] |= {target for target in targets if target in self.files and target != module}
        return edges


def circles(edges):
    """Groups of modules that import each other, directly or through others (Tarjan)."""
    index, low, stack, found = {}, {}, [], []

    def visit(node):
        index[node] = low[node] = len(index)
        stack.append(node)
        for other in sorted(edges[node]):
            if other not in index:
                visit(other)
                low[node] = min(low[node], low[other])
            elif other in stack:
                low[node] = min(low[node], index[other])
        if low[node] == index[node]:
            group = stack[stack.index(node) :]
            del stack[stack.index(node) :]
            if len(group) > 1:
                found.append(sorted(group))

    for node in sorted(edges):
        if node not in index:
            visit(node)
    return found


def name(module):
    return "::".join(module) or "lib"
