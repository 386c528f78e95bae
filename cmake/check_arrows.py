#!/usr/bin/env python3
"""Holds the includes under src/ to the arrows of CMakeLists.txt.

Every `aeterna_module(path DEPS ...)` line says which modules its files may include. Also refused:
headers of third-party libraries anywhere but in .cpp files, includes that are not rooted at src/,
and arrows that go round in a circle. Prints one line per offence; exit 1 when there is any.
"""
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SRC = ROOT / "src"

# Named in .cpp files only, so that no other file pays for them or depends on them.
PRIVATE_HEADERS = re.compile(
    r"^(sqlite3\.h|boost/beast|spdlog/|prometheus/|CLI/|yaml-cpp/|utf8proc\.h|libstemmer\.h|openssl/)")
# Test suites that several modules share: headers for *_test.cpp files only, with the modules they
# may include.
TEST_SUITES = {"storage/contract": {"base", "runtime", "json", "retrieval", "security", "memory"}}
# Headers that only *_test.cpp files include, and which therefore may name a third-party library.
TEST_HEADERS = {"storage/embedded/fault_vfs.hpp"}
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')


def read_modules(text):
    """{module: set of modules it may include} from the aeterna_module lines."""
    text = re.sub(r"#[^\n]*", "", text)
    modules = {}
    for call in re.findall(r"aeterna_module\(([^)]*)\)", text):
        name, *words = call.split()
        deps, taking = set(), False
        for word in words:
            if word in ("DEPS", "LINK_PRIVATE"):
                taking = word == "DEPS"
            elif taking and "::" not in word:
                deps.add(word)
        modules[name] = deps
    return modules


def circles(modules):
    """Every module that can reach itself."""
    found = []
    for start in modules:
        seen, todo = set(), list(modules[start])
        while todo:
            at = todo.pop()
            if at == start:
                found.append(start)
                break
            if at not in seen:
                seen.add(at)
                todo.extend(modules.get(at, ()))
    return found


def module_of(path, modules):
    """The module whose folder holds `path` (relative to src/), or None."""
    folder = Path(path).parent
    while str(folder) != ".":
        if folder.as_posix() in modules:
            return folder.as_posix()
        folder = folder.parent
    return None


def check_file(file, modules):
    where = file.relative_to(SRC).as_posix()
    own = module_of(where, modules)
    if own is None and where != "main.cpp":
        yield f"src/{where}: belongs to no aeterna_module of CMakeLists.txt"
        return
    allowed = modules[own] | {own} if own else {"cli"}
    if where.endswith("_test.cpp"):
        allowed = allowed | TEST_SUITES.keys()
    for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
        match = INCLUDE.match(line)
        if not match:
            continue
        kind, target = match.groups()
        place = f"src/{where}:{number}"
        if PRIVATE_HEADERS.match(target):
            if file.suffix != ".cpp" and where not in TEST_HEADERS:
                yield f"{place}: {target} may be included by .cpp files only"
        elif target in TEST_HEADERS and not where.endswith("_test.cpp"):
            yield f"{place}: {target} is for *_test.cpp files only"
        elif kind == '"':
            other = module_of(target, modules)
            if other is None:
                yield f'{place}: "{target}" is not rooted at src/ in a known module'
            elif other not in allowed:
                yield f"{place}: {own or 'main.cpp'} may not include {other} (\"{target}\")"


def main():
    modules = read_modules((ROOT / "CMakeLists.txt").read_text(encoding="utf-8"))
    if not modules:
        print("check_arrows: found no aeterna_module line in CMakeLists.txt", file=sys.stderr)
        return 2
    problems = [f"CMakeLists.txt: {name} depends on itself" for name in circles(modules)]
    for name, deps in modules.items():
        problems += [f"CMakeLists.txt: {name} depends on {dep}, which is no module"
                     for dep in sorted(deps - modules.keys())]
    modules |= {name: deps for name, deps in TEST_SUITES.items() if (SRC / name).is_dir()}
    files = sorted(f for f in SRC.rglob("*") if f.suffix in (".hpp", ".cpp"))
    for file in files:
        problems += check_file(file, modules)
    for problem in problems:
        print(problem)
    print(f"check_arrows: {len(files)} files of {len(modules)} modules, {len(problems)} offences")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
