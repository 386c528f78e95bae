"""The command line against a running server, as a person or a script uses it."""

import json
import os
import pty
import socket
import tempfile
import threading
import time
import unittest
import uuid

from harness import BINARY, Server, ServerCase, cli

ESCAPE = "\x1b"


class Commands(ServerCase):
    def run_cli(self, *args, code=0, **options):
        env = {"AETERNA_URL": self.server.url, "AETERNA_USER": f"user-{type(self).__name__}", **options.pop("env", {})}
        done = cli(*args, env=env, **options)
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        return done.stdout if code == 0 else done.stderr

    def json_of(self, *args, **options):
        return json.loads(self.run_cli(*args, "--json", **options))

    def test_the_first_five_minutes(self):
        user = {"AETERNA_USER": "newcomer"}
        self.assertIn("nothing here yet", self.run_cli("memory", "list", env=user))
        self.assertIn("remembered", self.run_cli("memory", "add", "Anna is allergic to peanuts", env=user))
        self.assertIn("reinforced", self.run_cli("memory", "add", "Anna is allergic to peanuts", env=user))
        self.run_cli("memory", "add", "We deploy on Tuesdays", env=user)
        found = self.run_cli("memory", "search", "which food makes her ill?", "--limit", "1", env=user)
        self.assertIn("allergic to peanuts", found)
        self.assertNotIn("Tuesdays", found)
        self.assertIn("version", self.run_cli("status"))

    def test_a_memory_from_birth_to_grave(self):
        added = self.json_of("memory", "add", "-", "--tag", "a", stdin="from standard input\n")
        memory_id = added["memoryId"]
        self.assertEqual(added["memory"]["content"], "from standard input")
        self.assertEqual(added["memory"]["metadata"]["tags"], ["a"])
        changed = self.json_of("memory", "update", memory_id, "changed", "--importance", "0.75", "--if-version", "1")
        self.assertEqual(changed.get("memory", changed)["importance"], 0.75)
        self.assertIn("version 2", self.run_cli("memory", "update", memory_id, "x", "--if-version", "1", code=1))
        self.assertIn("changed", self.run_cli("memory", "get", memory_id))
        self.assertIn("from standard input", self.run_cli("memory", "history", memory_id))
        self.assertIn("importance 0.88", self.run_cli("memory", "feedback", memory_id, "helpful"))
        self.assertIn("team layer", self.run_cli("memory", "promote", memory_id, "--to", "team", "--team", "t"))
        self.run_cli("memory", "delete", memory_id)
        self.run_cli("memory", "delete", memory_id)
        self.assertIn("no memory", self.run_cli("memory", "get", memory_id, code=1))

    def test_layers_follow_the_identifiers(self):
        project = f"p-{uuid.uuid4()}"
        self.run_cli("memory", "add", "the build needs clang 19", "--project", project)
        items = self.json_of("memory", "list", "--project", project)["items"]
        self.assertEqual([item["layer"] for item in items], ["project"])
        found = self.json_of("memory", "search", "compiler", "--project", project)["items"]
        self.assertEqual(found[0]["memory"]["identifiers"]["projectId"], project)

    def test_all_pages_of_a_list(self):
        user = f"many-{uuid.uuid4()}"
        lines = [{"op": "add", "content": f"fact {i}", "layer": "user", "identifiers": {"userId": user}}
                 for i in range(620)]
        self.expect(self.server.call("POST", "/api/v1/memory/batch", {"operations": lines}), 200)
        page = self.json_of("memory", "list", "--user", user)
        self.assertEqual(len(page["items"]), 50)
        self.assertIn("--cursor", self.run_cli("memory", "list", "--user", user))
        everything = self.json_of("memory", "list", "--user", user, "--all")
        self.assertEqual(len({item["id"] for item in everything["items"]}), 620)

    def test_people_see_at_most_80_columns_and_no_colour_in_pipes(self):
        user = f"wide-{uuid.uuid4()}"
        self.run_cli("memory", "add", "word " * 200 + "記憶" * 100, "--user", user, "--tag", "t" * 50)
        for args in (("memory", "list", "--user", user), ("memory", "search", "word", "--user", user, "--explain"),
                     ("status",), ("key", "list"), ("config", "show")):
            text = self.run_cli(*args)
            self.assertNotIn(ESCAPE, text)
            self.assertTrue(all(len(line) <= 80 for line in text.splitlines()), text)

    def test_a_memory_cannot_steer_the_terminal(self):
        user = f"evil-{uuid.uuid4()}"
        self.expect(self.server.add("\x1b[2J\x1b]0;owned\x07 title", user), 201)
        for args in (("memory", "list", "--user", user), ("memory", "search", "title", "--user", user)):
            self.assertNotIn(ESCAPE, self.run_cli(*args))

    def on_terminal(self, *args, env=None):
        """Standard output and error of the command on a pseudo-terminal."""
        environment = {k: v for k, v in os.environ.items() if not k.startswith("AETERNA_") and k != "NO_COLOR"}
        environment.update({"AETERNA_URL": self.server.url, "TERM": "xterm", **(env or {})})
        try:
            pid, terminal = pty.fork()
        except OSError as error:
            self.skipTest(f"no pseudo-terminal: {error}")
        if pid == 0:
            os.execve(BINARY, [BINARY, *args], environment)
        out = b""
        try:
            while piece := os.read(terminal, 65536):
                out += piece
        except OSError:
            pass
        os.waitpid(pid, 0)
        os.close(terminal)
        return out.decode()

    def test_colour_only_on_a_terminal_without_no_color(self):
        self.assertIn(ESCAPE, self.on_terminal("status"))
        self.assertNotIn(ESCAPE, self.on_terminal("status", env={"NO_COLOR": "1"}))

    def test_index_and_keys(self):
        self.assertIn("equal", self.run_cli("index", "verify"))
        self.assertIn("ready", self.run_cli("index", "rebuild"))
        made = self.json_of("key", "create", "--subject", "ci", "--role", "Viewer", "--expires", "30d")
        with_key = {"AETERNA_TOKEN": made["token"]}
        self.assertIn("ci of tenant local", self.run_cli("status", env=with_key))
        self.assertIn("Viewer", self.run_cli("key", "list"))
        self.run_cli("memory", "add", "x", "--user", "ci", env=with_key, code=4)
        self.run_cli("key", "revoke", made["id"])
        self.assertIn("error:", self.run_cli("status", env=with_key, code=4))

    def test_export_and_import_through_files_and_pipes(self):
        user = f"move-{uuid.uuid4()}"
        for i in range(30):
            self.expect(self.server.add(f"portable fact {i}", user), 201)
        with tempfile.TemporaryDirectory() as folder, Server() as other:
            file = os.path.join(folder, "memories.jsonl")
            self.run_cli("export", file)
            self.assertEqual(os.listdir(folder), ["memories.jsonl"])
            there = {"AETERNA_URL": other.url}
            first = self.json_of("import", file, env=there)
            self.assertGreaterEqual(first["imported"], 30)
            self.assertEqual(first["failed"], 0)
            again = self.json_of("import", file, env=there)
            self.assertEqual((again["imported"], again["skipped"]), (0, first["imported"]))
            # Every line comes out as it went in, whatever the order.
            self.assertEqual(sorted(self.run_cli("export").splitlines()),
                             sorted(self.run_cli("export", "-", env=there).splitlines()))
            broken = "junk\n" + open(file, encoding="utf-8").readline()
            report = cli("import", "-", "--json", env=there, stdin=broken)
            self.assertEqual(report.returncode, 1)
            self.assertEqual([e["line"] for e in json.loads(report.stdout)["errors"]], [1])

    def test_an_export_that_fails_leaves_no_file(self):
        with tempfile.TemporaryDirectory() as folder:
            file = os.path.join(folder, "memories.jsonl")
            self.run_cli("export", file, env={"AETERNA_TOKEN": "aet_wrong"}, code=4)
            self.assertEqual(os.listdir(folder), [])
            self.run_cli("export", os.path.join(folder, "no", "such", "folder"), code=1)


class WithoutServer(unittest.TestCase):
    def free_url(self):
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            return f"http://127.0.0.1:{taken.getsockname()[1]}"

    def test_nobody_there_is_said_soon(self):
        begun = time.monotonic()
        done = cli("memory", "add", "x", env={"AETERNA_URL": self.free_url()})
        self.assertEqual(done.returncode, 3)
        self.assertIn("start one with `aeterna serve`", done.stderr)
        self.assertLess(time.monotonic() - begun, 5)

    def test_usage_errors_are_2(self):
        for args in (("memory", "add"), ("memroy",), ("memory", "add", "x", "--layer", "y"), ("status", "--timeout", "5"),
                     ("serve", "--listen", "nowhere"), ("memory", "get", "x")):
            done = cli(*args, env={"AETERNA_URL": self.free_url()})
            self.assertEqual(done.returncode, 2, args)
            self.assertIn("error:", done.stderr)

    def test_settings_are_checked_with_file_and_line(self):
        with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
            file.write("server:\n  lisen: 127.0.0.1:1\nembedding:\n  api_key: hunter2\n")
            file.flush()
            done = cli("config", "check", "--config", file.name)
            self.assertEqual(done.returncode, 1)
            self.assertIn(f"{file.name}:2", done.stderr)
            self.assertIn("did you mean server.listen?", done.stderr)
            file.seek(0)
            file.truncate()
            file.write("embedding:\n  api_key: hunter2\n")
            file.flush()
            shown = cli("config", "show", "--config", file.name).stdout
            self.assertIn("(set)", shown)
            self.assertNotIn("hunter2", shown)

    def test_keys_on_the_data_folder(self):
        with Server() as server:
            busy = cli("key", "create", "--subject", "a", "--data-dir", server.data_dir)
            self.assertEqual(busy.returncode, 1)
            self.assertIn("in use", busy.stderr)
            server.stop()
            made = json.loads(cli("key", "create", "--subject", "ops", "--role", "TenantAdmin", "--json",
                                  "--data-dir", server.data_dir).stdout)
            self.assertIn("ops", cli("key", "list", "--data-dir", server.data_dir).stdout)
            server.args = ["--auth", "always"]
            server.start()
            env = {"AETERNA_URL": server.url}
            self.assertEqual(cli("status", env=env).returncode, 4)
            self.assertIn("ops of tenant local", cli("status", env={**env, "AETERNA_TOKEN": made["token"]}).stdout)

    def test_completion_scripts_are_valid_bash(self):
        import subprocess
        script = cli("completion", "bash").stdout
        asked = script + "\nCOMP_WORDS=(aeterna memory s); COMP_CWORD=2; _aeterna; echo \"${COMPREPLY[*]}\"\n"
        done = subprocess.run(["bash", "--norc"], input=asked, capture_output=True, text=True, check=True)
        self.assertEqual(done.stdout.strip(), "search")


class Unreliable:
    """Passes bytes on to a server, but cuts the first `cuts` connections after the request went through."""

    def __init__(self, server, cuts):
        self.server, self.cuts, self.requests = server, cuts, []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(client,), daemon=True).start()

    @staticmethod
    def whole_message(source):
        """A head and the body its Content-Length promises; empty at the end."""
        data = b""
        while b"\r\n\r\n" not in data:
            piece = source.recv(65536)
            if not piece:
                return b""
            data += piece
        head, _, body = data.partition(b"\r\n\r\n")
        length = [int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")]
        while len(body) < sum(length):
            piece = source.recv(65536)
            if not piece:
                return b""
            data, body = data + piece, body + piece
        return data

    def serve(self, client):
        with client, socket.create_connection((self.server.host, self.server.port)) as upstream:
            while request := self.whole_message(client):
                self.requests.append(request)
                upstream.sendall(request)
                answer = self.whole_message(upstream)
                if self.cuts > 0:
                    self.cuts -= 1
                    return
                client.sendall(answer)

    def close(self):
        self.listener.close()


class BrokenConnections(ServerCase):
    def test_a_write_is_repeated_with_its_key_and_happens_once(self):
        gate = Unreliable(self.server, cuts=2)
        self.addCleanup(gate.close)
        content = f"said once {uuid.uuid4()}"
        done = cli("memory", "add", content, "--user", "ada", "--json", env={"AETERNA_URL": gate.url})
        self.assertEqual(done.returncode, 0, done.stderr)
        keys = {line for request in gate.requests for line in request.decode().split("\r\n")
                if line.lower().startswith("idempotency-key:")}
        self.assertEqual(len(keys), 1)
        self.assertGreaterEqual(len(gate.requests), 3)
        answer = json.loads(done.stdout)
        self.assertNotIn("reinforced", answer)
        self.assertEqual(answer["version"], 1)

    def test_a_server_that_restarts_is_waited_for(self):
        answers = []
        server = Server().start()
        self.addCleanup(server.close)
        listener = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(listener.close)

        def busy_then_cut():
            for answer in (b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 0\r\nContent-Length: 0\r\n\r\n",
                           b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"):
                connection, _ = listener.accept()
                with connection:
                    answers.append(connection.recv(65536))
                    connection.sendall(answer)

        threading.Thread(target=busy_then_cut, daemon=True).start()
        done = cli("status", "--json", env={"AETERNA_URL": f"http://127.0.0.1:{listener.getsockname()[1]}"})
        self.assertEqual((done.returncode, done.stdout.strip()), (0, "{}"))
        self.assertEqual(len(answers), 2)

    def test_a_key_is_not_made_twice(self):
        gate = Unreliable(self.server, cuts=1)
        self.addCleanup(gate.close)
        subject = f"once-{uuid.uuid4()}"
        done = cli("key", "create", "--subject", subject, env={"AETERNA_URL": gate.url})
        self.assertEqual(done.returncode, 3)
        self.assertIn("not known whether", done.stderr)
        listed = self.server.call("GET", "/api/v1/keys").json["items"]
        self.assertEqual(len([key for key in listed if key["subject"] == subject]), 1)


if __name__ == "__main__":
    unittest.main()
