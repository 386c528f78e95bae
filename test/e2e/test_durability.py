"""kill -9 under eight writers: nothing acknowledged is lost or doubled, and the index equals the store.

AETERNA_KILL_ROUNDS sets the rounds (20)."""

import os
import random
import signal
import subprocess
import threading
import time
import unittest
import uuid

from harness import BINARY, Server, call

ROUNDS = int(os.environ.get("AETERNA_KILL_ROUNDS", "20"))
WRITERS = 8


class Ledger:
    """What was acknowledged, and what was sent without an answer (which may or may not be there)."""

    def __init__(self):
        self.lock = threading.Lock()
        self.acknowledged = {}  # content -> memory id
        self.open = {}  # content -> idempotency key


def write_until_broken(server, ledger, writer, stop):
    connection = server.connection(timeout=10)
    try:
        write_on(connection, server, ledger, writer, stop)
    finally:
        connection.close()


def write_on(connection, server, ledger, writer, stop):
    count = 0
    while not stop.is_set():
        content = f"writer {writer} fact {count} of {uuid.uuid4()}"
        key = str(uuid.uuid4())
        with ledger.lock:
            ledger.open[content] = key
        try:
            answer = server.add(content, f"w{writer}", key, connection)
        except OSError:
            return
        except Exception:  # http.client raises its own kinds when the answer breaks off
            return
        if answer.status == 201:
            with ledger.lock:
                ledger.acknowledged[content] = answer.json["memoryId"]
                del ledger.open[content]
        count += 1


class KillNine(unittest.TestCase):
    def test_nothing_acknowledged_is_lost_or_doubled(self):
        server = Server()
        ledger = Ledger()
        seed = int(os.environ.get("AETERNA_SEED", random.randrange(1 << 30)))
        rng = random.Random(seed)
        print(f"kill -9: {ROUNDS} rounds, {WRITERS} writers, AETERNA_SEED={seed}")
        try:
            for _ in range(ROUNDS):
                server.start()
                # Repeating an unanswered write with its key settles it: it must end up there exactly once.
                for content, key in list(ledger.open.items()):
                    writer = content.split()[1]
                    answer = server.add(content, f"w{writer}", key)
                    self.assertEqual(answer.status, 201, answer)
                    ledger.acknowledged[content] = answer.json["memoryId"]
                    del ledger.open[content]
                stop = threading.Event()
                threads = [threading.Thread(target=write_until_broken, args=(server, ledger, w, stop))
                           for w in range(WRITERS)]
                before = len(ledger.acknowledged)
                for thread in threads:
                    thread.start()
                target = before + rng.randrange(50, 400)
                deadline = time.monotonic() + 10
                while len(ledger.acknowledged) < target and time.monotonic() < deadline:
                    time.sleep(0.001)
                server.kill()
                stop.set()
                for thread in threads:
                    thread.join()
            server.start()
            self.check(server, ledger)
        finally:
            server.close()

    def check(self, server, ledger):
        stored = {}
        connection = server.connection()
        for writer in range(WRITERS):
            cursor = None
            while True:
                body = {"layer": "user", "identifiers": {"userId": f"w{writer}"}, "limit": 500}
                if cursor:
                    body["cursor"] = cursor
                page = call(connection, "POST", "/api/v1/memory/list", body).json
                for item in page["items"]:
                    stored.setdefault(item["content"], []).append(item["id"])
                cursor = page["nextCursor"]
                if not cursor:
                    break
        lost = [c for c, i in ledger.acknowledged.items() if i not in stored.get(c, [])]
        doubled = [c for c, ids in stored.items() if len(ids) > 1]
        unknown = [c for c in stored if c not in ledger.acknowledged and c not in ledger.open]
        print(f"kill -9: {len(ledger.acknowledged)} acknowledged, {len(lost)} lost, {len(doubled)} doubled")
        self.assertEqual((lost, doubled, unknown), ([], [], []))
        self.assertGreater(len(ledger.acknowledged), ROUNDS * 20)
        deadline = time.monotonic() + 60
        while call(connection, "GET", "/api/v1/status").json["index"]["state"] != "ready":
            self.assertLess(time.monotonic(), deadline, "the index was not refilled within a minute")
            time.sleep(0.02)
        equal = call(connection, "GET", "/api/v1/index/verify").json
        self.assertTrue(equal["equal"], equal)
        self.assertEqual(equal["compared"], sum(len(ids) for ids in stored.values()))
        connection.close()


class DerivedIndex(unittest.TestCase):
    def ready_index(self, server):
        deadline = time.monotonic() + 30
        while True:
            index = server.call("GET", "/api/v1/status").json["index"]
            if index["state"] == "ready":
                return index
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.01)

    def test_a_damaged_or_missing_snapshot_is_rebuilt(self):
        server = Server()
        snapshot = os.path.join(server.data_dir, "index.snapshot")
        try:
            server.start()
            for i in range(50):
                server.add(f"The colour of house {i} is {'red' if i % 2 else 'blue'}")
            before = server.search("blue house", limit=20).json
            server.stop()
            damages = {"none": lambda data: data, "flipped": lambda data: data[:200] + bytes([data[200] ^ 1]) + data[201:],
                       "cut": lambda data: data[:len(data) // 2], "empty": lambda data: b"", "missing": None}
            for name, damage in damages.items():
                with self.subTest(name):
                    with open(snapshot, "rb") as file:
                        data = file.read()
                    os.unlink(snapshot)
                    if damage:
                        with open(snapshot, "wb") as file:
                            file.write(damage(data))
                    server.start()
                    self.assertEqual(self.ready_index(server)["memories"], 50)
                    self.assertTrue(server.call("GET", "/api/v1/index/verify").json["equal"])
                    after = server.search("blue house", limit=20).json
                    self.assertEqual([i["memory"]["id"] for i in after["items"]],
                                     [i["memory"]["id"] for i in before["items"]])
                    server.stop()
        finally:
            server.close()

    def test_rebuild_online(self):
        server = Server().start()
        try:
            for i in range(20):
                server.add(f"Number {i} of the rebuild")
            rebuilt = server.call("POST", "/api/v1/index/rebuild")
            self.assertEqual(rebuilt.status, 200, rebuilt)
            self.assertEqual(rebuilt.json["memories"], 20)
            self.assertEqual(server.call("GET", "/api/v1/index/verify").json["compared"], 20)
        finally:
            server.close()


class Starts(unittest.TestCase):
    def test_a_second_server_on_the_folder_is_refused_by_name(self):
        first = Server().start()
        try:
            second = subprocess.run([BINARY, "serve", "--data-dir", first.data_dir, "--listen", "127.0.0.1:0",
                                     "--ops-listen", "127.0.0.1:0"], capture_output=True, text=True, timeout=20,
                                    check=False)
            self.assertNotEqual(second.returncode, 0)
            text = second.stdout + second.stderr
            self.assertIn(str(first.process.pid), text)
            self.assertIn(first.url, text)
            self.assertEqual(first.call("GET", "/api/v1/status").status, 200)
        finally:
            first.close()

    def test_off_loopback_needs_a_key(self):
        import tempfile
        with tempfile.TemporaryDirectory() as folder:
            done = subprocess.run([BINARY, "serve", "--data-dir", folder, "--listen", "0.0.0.0:0", "--ops-listen",
                                   "127.0.0.1:0"], capture_output=True, text=True, timeout=20, check=False)
            self.assertNotEqual(done.returncode, 0)
            self.assertIn("aeterna key create", done.stdout + done.stderr)

    def test_sigterm_lets_requests_finish_and_exits_0(self):
        server = Server().start()
        try:
            server.add("Before the end")
            server.process.send_signal(signal.SIGTERM)
            self.assertEqual(server.process.wait(40), 0, server.log())
            server.start()
            self.assertEqual(len(server.search("before the end").json["items"]), 1)
        finally:
            server.close()


if __name__ == "__main__":
    unittest.main()
