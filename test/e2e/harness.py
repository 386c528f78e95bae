"""Starts the real binary on free ports and talks to it as any client would. Standard library only."""

import http.client
import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
import unittest
import urllib.parse
import uuid

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BINARY = os.environ.get("AETERNA_BINARY", os.path.join(ROOT, "build", "release", "aeterna"))


class Answer:
    def __init__(self, status, headers, body):
        self.status = status
        self.headers = headers
        self.body = body

    @property
    def json(self):
        return json.loads(self.body)

    def __repr__(self):
        return f"{self.status} {self.body[:300]!r}"


class Server:
    """One `aeterna serve` on a data folder; `url` is known once it is ready."""

    def __init__(self, data_dir=None, args=(), env=None):
        self.own_dir = data_dir is None
        self.data_dir = data_dir or tempfile.mkdtemp(prefix="aeterna-e2e-")
        self.args = list(args)
        self.env = env or {}
        self.process = None
        self.log_path = None

    def start(self, ready_timeout=20.0):
        handle, self.log_path = tempfile.mkstemp(prefix="aeterna-e2e-log-")
        lock = os.path.join(self.data_dir, "aeterna.lock")
        environment = {k: v for k, v in os.environ.items() if not k.startswith("AETERNA_")}
        environment.update(self.env)
        self.process = subprocess.Popen(
            [BINARY, "serve", "--data-dir", self.data_dir, "--listen", "127.0.0.1:0",
             "--ops-listen", "127.0.0.1:0", *self.args],
            stdin=subprocess.DEVNULL, stdout=handle, stderr=handle, env=environment)
        os.close(handle)
        deadline = time.monotonic() + ready_timeout
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise RuntimeError(f"server ended with {self.process.returncode}: {self.log()}")
            url = self._announced(lock)
            if url:
                parts = urllib.parse.urlsplit(url)
                self.host, self.port = parts.hostname, parts.port
                try:
                    if self.call("GET", "/api/v1/status").status in (200, 401):
                        return self
                except OSError:
                    pass
            time.sleep(0.005)
        raise RuntimeError(f"server not ready in {ready_timeout} s: {self.log()}")

    def _announced(self, lock):
        try:
            with open(lock, encoding="utf-8") as file:
                owner = json.load(file)
        except (OSError, ValueError):
            return None
        return owner.get("url") if owner.get("pid") == self.process.pid else None

    @property
    def url(self):
        return f"http://{self.host}:{self.port}"

    def log(self):
        with open(self.log_path, encoding="utf-8", errors="replace") as file:
            return file.read()

    def kill(self):
        self.process.kill()
        self.process.wait()

    def stop(self, timeout=40):
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            return self.process.wait(timeout)
        return self.process.returncode if self.process else None

    def close(self):
        if self.process and self.process.poll() is None:
            self.kill()
        if self.log_path:
            os.unlink(self.log_path)
            self.log_path = None
        if self.own_dir:
            shutil.rmtree(self.data_dir, ignore_errors=True)

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.close()

    def connection(self, timeout=30):
        return http.client.HTTPConnection(self.host, self.port, timeout=timeout)

    def call(self, method, path, body=None, headers=None, connection=None):
        if connection is not None:
            return call(connection, method, path, body, headers)
        connection = self.connection()
        try:
            return call(connection, method, path, body, headers)
        finally:
            connection.close()

    def add(self, content, user="ada", key=None, connection=None, **more):
        body = {"content": content, "layer": "user", "identifiers": {"userId": user}, **more}
        return self.call("POST", "/api/v1/memory/add", body,
                         {"Idempotency-Key": key or str(uuid.uuid4())}, connection)

    def search(self, query, user="ada", **more):
        return self.call("POST", "/api/v1/memory/search",
                         {"query": query, "identifiers": {"userId": user}, **more})


def call(connection, method, path, body=None, headers=None):
    sent = {"Content-Type": "application/json"} if body is not None or method == "POST" else {}
    sent.update(headers or {})
    data = body if isinstance(body, (bytes, str)) or body is None else json.dumps(body)
    connection.request(method, path, data, sent)
    response = connection.getresponse()
    return Answer(response.status, dict(response.getheaders()), response.read())


class ServerCase(unittest.TestCase):
    """A fresh server per class."""

    args = ()
    env = {}

    @classmethod
    def setUpClass(cls):
        cls.server = Server(args=cls.args, env=cls.env).start()

    @classmethod
    def tearDownClass(cls):
        cls.server.close()

    def expect(self, answer, status):
        self.assertEqual(answer.status, status, answer)
        return answer


def cli(*args, env=None, stdin=None, timeout=60):
    environment = {k: v for k, v in os.environ.items() if not k.startswith("AETERNA_")}
    environment.update(env or {})
    return subprocess.run([BINARY, *args], input=stdin, capture_output=True, text=True, timeout=timeout,
                          env=environment, check=False)
