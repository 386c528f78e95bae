#!/usr/bin/env python3
"""count_tests.py FILE: prints "passed failed skipped" of a JUnit file as ctest and others write it."""
import sys
import xml.etree.ElementTree as xml


def count(path):
    passed = failed = skipped = 0
    for case in xml.parse(path).getroot().iter("testcase"):
        if case.find("failure") is not None or case.find("error") is not None:
            failed += 1
        elif case.find("skipped") is not None or case.get("status") in ("notrun", "disabled"):
            skipped += 1
        elif case.get("status", "run") == "fail":
            failed += 1
        else:
            passed += 1
    if passed + failed + skipped == 0:
        raise ValueError("no test in it")
    return passed, failed, skipped


if __name__ == "__main__":
    try:
        print(*count(sys.argv[1]))
    except (OSError, ValueError, xml.ParseError) as error:
        print(f"count_tests: {sys.argv[1]}: {error}", file=sys.stderr)
        sys.exit(1)
