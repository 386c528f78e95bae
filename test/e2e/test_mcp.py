"""MCP of the real binary: stdio hosts that share a folder and take over from each other, and /mcp."""

import json
import os
import queue
import shutil
import subprocess
import tempfile
import threading
import time
import unittest
import uuid

from harness import BINARY, Server, ServerCase, cli

HANDSHAKE = {"protocolVersion": "2025-11-25", "capabilities": {},
             "clientInfo": {"name": "e2e", "version": "1"}}


class Host:
    """One `aeterna mcp` process, as an agent's program would start it."""

    def __init__(self, data_dir, args=()):
        environment = {k: v for k, v in os.environ.items() if not k.startswith("AETERNA_")}
        self.process = subprocess.Popen(
            [BINARY, "mcp", "--data-dir", data_dir, *args], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL, env=environment)
        self.waiting = {}
        self.stray = []  # lines that are no answer to us
        self.ids = 0
        self.lock = threading.Lock()
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()
        self.request("initialize", HANDSHAKE)
        self.send({"jsonrpc": "2.0", "method": "notifications/initialized"})

    def _read(self):
        for line in self.process.stdout:
            try:
                message = json.loads(line)
                self.waiting[message["id"]].put(message)
            except (ValueError, KeyError, TypeError):
                self.stray.append(line)

    def send(self, message):
        with self.lock:
            self.process.stdin.write(json.dumps(message).encode() + b"\n")
            self.process.stdin.flush()

    def request(self, method, params=None, timeout=60):
        with self.lock:
            self.ids += 1
            number = self.ids
        self.waiting[number] = queue.Queue()
        self.send({"jsonrpc": "2.0", "id": number, "method": method, "params": params or {}})
        return self.waiting[number].get(timeout=timeout)

    def tool(self, name, **arguments):
        answer = self.request("tools/call", {"name": name, "arguments": arguments})
        if "error" in answer:
            raise RuntimeError(answer["error"])
        return answer["result"]["structuredContent"]

    def end(self):
        self.process.stdin.close()
        status = self.process.wait(30)
        self.reader.join(10)
        self.process.stdout.close()
        return status

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.reader.join(10)
        self.process.stdin.close()
        self.process.stdout.close()


class StdioHosts(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="aeterna-e2e-mcp-")
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)

    def test_one_host_alone_remembers_and_says_nothing_else(self):
        host = Host(self.folder)
        made = host.tool("memory_add", content="The harbour freezes in January")
        found = host.tool("memory_search", query="When is there ice in the port?")
        self.assertEqual(found["items"][0]["memory"]["id"], made["memoryId"])
        self.assertEqual(host.end(), 0)
        self.assertEqual(host.stray, [])

        again = Host(self.folder)
        self.assertEqual(again.tool("memory_get", memoryId=made["memoryId"])["version"], 1)
        self.assertEqual(again.end(), 0)

    def test_answers_that_are_under_way_come_before_the_end(self):
        host = Host(self.folder)
        boxes = []
        for number in range(1000, 1100):
            host.waiting[number] = queue.Queue()
            boxes.append(host.waiting[number])
            host.send({"jsonrpc": "2.0", "id": number, "method": "tools/call",
                       "params": {"name": "memory_add", "arguments": {"content": f"note {number}"}}})
        self.assertEqual(host.end(), 0)
        self.assertTrue(all(not box.empty() for box in boxes))

    def test_a_second_host_sees_the_first_ones_memories_and_takes_over_when_it_dies(self):
        first = Host(self.folder)
        shared = first.tool("memory_add", content="Shared between two hosts")["memoryId"]
        second = Host(self.folder)
        self.assertEqual(second.tool("memory_get", memoryId=shared)["content"], "Shared between two hosts")

        acknowledged, failures = {}, []

        def write(writer):
            for number in range(40):
                content = f"writer {writer} note {number} {uuid.uuid4()}"
                try:
                    acknowledged[second.tool("memory_add", content=content)["memoryId"]] = content
                except Exception as error:  # pylint: disable=broad-except
                    failures.append(error)

        writers = [threading.Thread(target=write, args=(writer,)) for writer in range(4)]
        for writer in writers:
            writer.start()
        while len(acknowledged) < 30:
            time.sleep(0.005)
        first.kill()
        killed_at = len(acknowledged)
        for writer in writers:
            writer.join(60)
        self.assertEqual(failures, [])
        self.assertEqual(len(acknowledged), 160)
        self.assertLess(killed_at, 160, "the first host died too late to matter")
        for memory_id, content in acknowledged.items():
            memory = second.tool("memory_get", memoryId=memory_id)
            self.assertEqual(memory["content"], content)
            self.assertEqual(memory["version"], 1, "a write had its effect twice")
        self.assertEqual(second.end(), 0)
        self.assertEqual(second.stray, [])


class McpOverHttp(ServerCase):
    def post(self, message, headers=None):
        return self.server.call("POST", "/mcp", message,
                                {"Accept": "application/json, text/event-stream", **(headers or {})})

    def tool(self, name, **arguments):
        answer = self.expect(self.post({"jsonrpc": "2.0", "id": 1, "method": "tools/call",
                                        "params": {"name": name, "arguments": arguments}}), 200)
        return answer.json["result"]

    def test_what_is_written_here_is_read_over_rest(self):
        made = self.tool("memory_add", content="Bees dance to show the way")["structuredContent"]
        read = self.expect(self.server.call("GET", f"/api/v1/memory/{made['memoryId']}"), 200).json
        self.assertEqual(read, made["memory"])

    def test_one_key_is_one_effect(self):
        key = str(uuid.uuid4())
        first = self.tool("memory_add", content="Once only", idempotencyKey=key)
        second = self.tool("memory_add", content="Once only", idempotencyKey=key)
        self.assertEqual(first["structuredContent"], second["structuredContent"])
        other = self.tool("memory_add", content="Something else", idempotencyKey=key)
        self.assertEqual(other["structuredContent"]["error"], "idempotency_key_reused")

    def test_what_the_transport_refuses(self):
        ping = {"jsonrpc": "2.0", "id": 1, "method": "ping"}
        for method in ("GET", "DELETE"):
            answer = self.expect(self.server.call(method, "/mcp"), 405)
            self.assertEqual(answer.headers["Allow"], "POST")
        self.expect(self.post(ping, {"Origin": "https://evil.example"}), 403)
        self.expect(self.post(ping, {"Host": "evil.example"}), 403)
        self.expect(self.post(ping, {"Content-Type": "text/plain"}), 415)
        self.expect(self.post(ping, {"Accept": "image/png"}), 406)
        self.expect(self.post(ping, {"MCP-Protocol-Version": "1066-10-14"}), 400)
        self.expect(self.post("{"), 400)
        self.expect(self.post("[" * 5000), 400)
        self.expect(self.post(b'{"jsonrpc":"2.0","id":"\xff","method":"ping"}'), 400)
        self.expect(self.post(ping), 200)

    def test_the_stateless_revision(self):
        meta = {"io.modelcontextprotocol/protocolVersion": "2026-07-28",
                "io.modelcontextprotocol/clientCapabilities": {}}
        headers = {"MCP-Protocol-Version": "2026-07-28", "Mcp-Method": "server/discover"}
        found = self.expect(self.post({"jsonrpc": "2.0", "id": 1, "method": "server/discover",
                                       "params": {"_meta": meta}}, headers), 200).json["result"]
        self.assertIn("2026-07-28", found["supportedVersions"])
        self.assertEqual(found["resultType"], "complete")
        self.expect(self.post({"jsonrpc": "2.0", "id": 1, "method": "server/discover",
                               "params": {"_meta": meta}}, {**headers, "Mcp-Method": "ping"}), 400)


class McpWithTokens(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp(prefix="aeterna-e2e-mcp-")
        made = cli("key", "create", "--subject", "ann", "--data-dir", cls.folder, "--json")
        cls.token = json.loads(made.stdout)["token"]
        cls.server = Server(cls.folder, args=("--auth", "always")).start()

    @classmethod
    def tearDownClass(cls):
        cls.server.close()
        shutil.rmtree(cls.folder, ignore_errors=True)

    def test_nobody_comes_in_without_one(self):
        answer = self.server.call("POST", "/mcp", {"jsonrpc": "2.0", "id": 1, "method": "tools/list"})
        self.assertEqual(answer.status, 401, answer)
        self.assertIn("Bearer", answer.headers["WWW-Authenticate"])

    def test_the_actor_is_the_tokens_subject(self):
        answer = self.server.call(
            "POST", "/mcp", {"jsonrpc": "2.0", "id": 1, "method": "tools/call",
                             "params": {"name": "memory_add", "arguments": {"content": "Hers"}}},
            {"Authorization": f"Bearer {self.token}"})
        self.assertEqual(answer.status, 200, answer)
        memory = answer.json["result"]["structuredContent"]["memory"]
        self.assertEqual(memory["identifiers"], {"userId": "ann"})

    def test_a_host_without_a_token_is_told_so(self):
        host = Host(self.folder)
        answer = host.request("tools/list")
        self.assertIn("token", answer["error"]["message"])
        self.assertEqual(host.end(), 0)


if __name__ == "__main__":
    unittest.main()
