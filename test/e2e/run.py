#!/usr/bin/env python3
"""Runs the end-to-end tests of this folder against the binary named by AETERNA_BINARY.

usage: run.py [--junit FILE] [NAME...]    NAME: test_api, test_api.Memories, ...
Prints a line per test; exit 1 when one failed."""

import os
import sys
import time
import unittest
import xml.etree.ElementTree as xml

HERE = os.path.dirname(os.path.abspath(__file__))


class Recorder(unittest.TextTestResult):
    """Keeps what a JUnit file wants to know: one entry per test, with its time."""

    def __init__(self, *args):
        super().__init__(*args)
        self.cases = []
        self.begun = time.monotonic()

    def startTest(self, test):
        super().startTest(test)
        self.begun = time.monotonic()

    def record(self, test, kind=None, text=""):
        self.cases.append((test.id(), time.monotonic() - self.begun, kind, text))

    def addSuccess(self, test):
        super().addSuccess(test)
        self.record(test)

    def addFailure(self, test, err):
        super().addFailure(test, err)
        self.record(test, "failure", self._exc_info_to_string(err, test))

    def addError(self, test, err):
        super().addError(test, err)
        self.record(test, "error", self._exc_info_to_string(err, test))

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        self.record(test, "skipped", reason)

    def addSubTest(self, test, subtest, err):
        super().addSubTest(test, subtest, err)
        if err is not None:
            self.record(subtest, "failure", self._exc_info_to_string(err, test))

    def write(self, path):
        root = xml.Element("testsuite", name="e2e", tests=str(len(self.cases)))
        for name, seconds, kind, text in self.cases:
            suite, _, method = name.rpartition(".")
            case = xml.SubElement(root, "testcase", classname=suite, name=method, time=f"{seconds:.3f}")
            if kind:
                xml.SubElement(case, kind).text = "".join(c if c.isprintable() or c in "\n\t" else "?"
                                                          for c in text)
        xml.ElementTree(root).write(path, encoding="utf-8", xml_declaration=True)


def main(words):
    junit = None
    if words[:1] == ["--junit"]:
        junit, words = words[1], words[2:]
    sys.path.insert(0, HERE)
    loader = unittest.defaultTestLoader
    tests = loader.loadTestsFromNames(words) if words else loader.discover(HERE, "test_*.py")
    result = unittest.TextTestRunner(resultclass=Recorder, verbosity=2).run(tests)
    if junit:
        result.write(junit)
    return 0 if result.wasSuccessful() and result.cases else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
