"""Contract §2 and §4 against the real binary."""

import json
import socket
import unittest
import uuid

from harness import ServerCase, call


class Memories(ServerCase):
    def test_add_get_search_by_meaning(self):
        user = "meaning"
        added = self.expect(self.server.add("Our staging database restarts every night at two", user), 201)
        self.server.add("The cafeteria serves soup on Fridays", user)
        self.server.add("Invoices are sent on the first of the month", user)
        memory = added.json["memory"]
        self.assertEqual(added.json["memoryId"], memory["id"])
        self.assertEqual(memory["version"], 1)
        self.assertEqual(added.headers["ETag"], '"1"')
        self.assertEqual(added.headers["X-Aeterna-Durability"], "local")
        self.assertIn("X-Aeterna-Position", added.headers)
        got = self.expect(self.server.call("GET", f"/api/v1/memory/{memory['id']}"), 200)
        self.assertEqual(got.json, memory)
        found = self.expect(self.server.search("when does the DB reboot", user, explain=True), 200)
        best = found.json["items"][0]
        self.assertEqual(best["memory"]["id"], memory["id"])
        self.assertGreater(best["score"], 0)
        self.assertLessEqual(best["score"], 1)
        self.assertIn("why", best["explain"])

    def test_identical_content_reinforces(self):
        first = self.expect(self.server.add("Tea, no milk", "twin"), 201)
        second = self.expect(self.server.add("  Tea, no milk \n", "twin"), 200)
        self.assertTrue(second.json["reinforced"])
        self.assertEqual(second.json["memoryId"], first.json["memoryId"])
        self.assertGreater(second.json["memory"]["importance"], 0.5)

    def test_update_versions_history_as_of(self):
        memory = self.server.add("The deploy window is Tuesday", "history").json["memory"]
        path = f"/api/v1/memory/{memory['id']}"
        updated = self.expect(self.server.call("PUT", path, {"content": "The deploy window is Thursday"},
                                               {"If-Match": '"1"'}), 200)
        self.assertEqual(updated.json["version"], 2)
        stale = self.expect(self.server.call("PUT", path, {"importance": 1}, {"If-Match": '"1"'}), 409)
        self.assertEqual((stale.json["expectedVersion"], stale.json["currentVersion"]), (1, 2))
        history = self.expect(self.server.call("GET", path + "/history"), 200).json["items"]
        self.assertEqual([item["version"] for item in history], [1, 2])
        self.assertEqual(history[0]["validTo"], history[1]["validFrom"])
        at = memory["updatedAt"]
        self.assertEqual(self.server.call("GET", f"{path}?asOf={at}").json["content"], memory["content"])
        past = self.server.search("deploy window", "history", asOf=at).json["items"]
        self.assertEqual(past[0]["memory"]["content"], memory["content"])
        now = self.server.search("deploy window", "history").json["items"]
        self.assertEqual(now[0]["memory"]["content"], "The deploy window is Thursday")

    def test_delete_is_idempotent_and_unfindable(self):
        memory = self.server.add("A secret plan about penguins", "gone").json["memory"]
        path = f"/api/v1/memories/{memory['id']}"
        self.expect(self.server.call("DELETE", path), 204)
        self.expect(self.server.call("DELETE", path), 204)
        self.expect(self.server.call("GET", path), 404)
        self.expect(self.server.call("PUT", path, {"importance": 1}), 404)
        self.assertEqual(self.server.search("penguins", "gone").json["items"], [])
        self.expect(self.server.call("DELETE", f"/api/v1/memory/{uuid.uuid4()}"), 204)

    def test_idempotency(self):
        key = str(uuid.uuid4())
        first = self.expect(self.server.add("Once only", "idem", key), 201)
        again = self.expect(self.server.add("Once only", "idem", key), 201)
        self.assertEqual(first.body, again.body)
        self.expect(self.server.add("Something else", "idem", key), 422)
        body = {"identifiers": {"userId": "idem"}, "layer": "user", "content": "Once only"}
        shuffled = self.server.call("POST", "/api/v1/memory/add", body, {"Idempotency-Key": key})
        self.assertEqual(shuffled.body, first.body, "member order must not matter")

    def test_batch_keeps_its_order_and_reports_each(self):
        existing = self.server.add("To be deleted in a batch", "batch").json["memoryId"]
        answer = self.expect(self.server.call("POST", "/api/v1/memory/batch", {"operations": [
            {"op": "add", "content": "Batch one", "layer": "user", "identifiers": {"userId": "batch"}},
            {"op": "add", "content": "", "layer": "user", "identifiers": {"userId": "batch"}},
            {"op": "delete", "id": existing},
            {"op": "update", "id": existing, "importance": 1},
        ]}), 200)
        self.assertEqual([item["status"] for item in answer.json["items"]], [201, 422, 204, 404])

    def test_list_pages_newest_first(self):
        ids = [self.server.add(f"Page item number {i}", "pages").json["memoryId"] for i in range(7)]
        seen, cursor = [], None
        while True:
            body = {"layer": "user", "identifiers": {"userId": "pages"}, "limit": 3}
            if cursor:
                body["cursor"] = cursor
            page = self.expect(self.server.call("POST", "/api/v1/memory/list", body), 200).json
            seen += [item["id"] for item in page["items"]]
            cursor = page["nextCursor"]
            if not cursor:
                break
        self.assertEqual(seen, list(reversed(ids)))

    def test_filters_apply_before_ranking(self):
        for i in range(5):
            self.server.add(f"Green note {i}", "filters", metadata={"tags": ["green"], "team": "a"})
        self.server.add("Red note", "filters", metadata={"tags": ["red"], "source": {"type": "manual"}})
        red = self.server.search("note", "filters", filters={"tags": ["red"]}).json["items"]
        self.assertEqual([item["memory"]["content"] for item in red], ["Red note"])
        manual = self.server.search("note", "filters", filters={"sourceType": "manual"}).json["items"]
        self.assertEqual(len(manual), 1)
        team = self.server.search("note", "filters", limit=100, filters={"metadata": {"team": "a"}}).json["items"]
        self.assertTrue(all(item["memory"]["metadata"]["team"] == "a" for item in team))
        self.assertGreaterEqual(len(team), 1)

    def test_the_more_specific_layer_wins_a_tie(self):
        content = "Indentation is four spaces"
        who = {"userId": "tie", "projectId": "tie-p", "companyId": "tie-c"}
        for layer in ("company", "project", "user"):
            self.expect(self.server.call("POST", "/api/v1/memory/add",
                                         {"content": content, "layer": layer, "identifiers": who}), 201)
        items = self.server.call("POST", "/api/v1/memory/search",
                                 {"query": "indentation", "identifiers": who, "explain": True}).json["items"]
        self.assertEqual(items[0]["memory"]["layer"], "user")
        self.assertEqual(len(items[0]["explain"]["folded"]), 2, "near-duplicates fold under the best")

    def test_feedback_promote_session(self):
        memory = self.server.add("Prefers short answers", "flow").json["memory"]
        fed = self.expect(self.server.call("POST", f"/api/v1/memory/{memory['id']}/feedback",
                                           {"rewardType": "helpful", "score": 1}), 200)
        self.assertEqual(fed.json["importance"], 0.75)
        promoted = self.expect(self.server.call("POST", f"/api/v1/memory/{memory['id']}/promote",
                                                {"targetLayer": "team", "identifiers": {"teamId": "red"}}), 201)
        self.assertEqual(promoted.json["memory"]["metadata"]["source"],
                         {"type": "promotion", "reference": memory["id"]})
        self.expect(self.server.call("POST", f"/api/v1/memory/{memory['id']}/promote",
                                     {"targetLayer": "agent", "identifiers": {"agentId": "x"}}), 422)
        session = self.expect(self.server.call("POST", "/api/v1/sessions", {"identifiers": {"userId": "flow"}}), 201)
        who = {"userId": "flow", "sessionId": session.json["id"]}
        self.expect(self.server.call("POST", "/api/v1/memory/add",
                                     {"content": "Decided on blue", "layer": "session", "identifiers": who,
                                      "importance": 0.9}), 201)
        ended = self.expect(self.server.call("POST", f"/api/v1/sessions/{session.json['id']}/end",
                                             {"promote": {"targetLayer": "project", "minImportance": 0.8,
                                                          "identifiers": {"projectId": "p"}}}), 200)
        self.assertEqual(len(ended.json["promoted"]), 1)
        self.assertEqual(ended.json["promoted"][0]["layer"], "project")

    def test_expired_is_gone(self):
        self.expect(self.server.add("Never valid", "expiry", expiresAt="2020-01-01T00:00:00Z"), 422)

    def test_export_import_is_lossless(self):
        from harness import Server
        memory = self.server.add("Exported fact", "export", metadata={"tags": ["x"], "n": 1.5}).json["memory"]
        self.server.call("PUT", f"/api/v1/memory/{memory['id']}", {"content": "Exported fact, corrected"})
        lines = self.expect(self.server.call("GET", "/api/v1/export"), 200).body
        other = Server().start()
        try:
            report = other.call("POST", "/api/v1/import", lines, {"Content-Type": "application/x-ndjson"})
            self.assertEqual(report.status, 200, report)
            self.assertEqual(report.json["failed"], 0, report)
            self.assertEqual(other.call("GET", "/api/v1/export").body, lines)
            again = other.call("POST", "/api/v1/import", lines, {"Content-Type": "application/x-ndjson"}).json
            self.assertEqual((again["imported"], again["failed"]), (0, 0))
            found = other.search("exported fact", "export").json["items"]
            self.assertEqual(found[0]["memory"]["version"], 2)
        finally:
            other.close()


class Rules(ServerCase):
    def refuse(self, answer, status, code):
        self.assertEqual(answer.status, status, answer)
        self.assertEqual(answer.json["error"], code, answer)
        for member in ("message", "retryable", "requestId"):
            self.assertIn(member, answer.json)

    def post(self, body, headers=None):
        return self.server.call("POST", "/api/v1/memory/add", body, headers)

    def test_bad_bodies(self):
        good = {"content": "x", "layer": "user", "identifiers": {"userId": "bad"}}
        self.refuse(self.post(b"{"), 400, "malformed_json")
        self.refuse(self.post(b""), 400, "malformed_json")
        self.refuse(self.post(b'{"content":"\xff"}'), 400, "bad_utf8")
        self.refuse(self.post(b'{"content":"a\\u0000b"}'), 422, "nul_character")
        self.refuse(self.post(b"[" * 1000 + b"]" * 1000), 422, "too_deep")
        self.refuse(self.post(b'{"a":1,"a":2}'), 400, "duplicate_member")
        self.refuse(self.post({**good, "colour": 1}), 400, "unknown_field")
        self.refuse(self.post({**good, "content": 5}), 400, "wrong_type")
        self.refuse(self.post({**good, "content": "x" * 65537}), 413, "too_large")
        self.refuse(self.post({**good, "metadata": {"x": "y" * 17000}}), 413, "too_large")
        self.refuse(self.post({**good, "layer": "galaxy"}), 422, "invalid_layer")
        self.refuse(self.post({**good, "identifiers": {}}), 422, "missing_identifier")
        self.refuse(self.post({**good, "identifiers": {"userId": "x" * 101}}), 422, "bad_identifier")
        self.refuse(self.post(json.dumps(good), {"Content-Type": "text/plain"}), 415, "content_type")
        self.refuse(self.server.search("x" * 9000, "bad"), 413, "too_large")
        self.refuse(self.post(b"x" * (1024 * 1024 + 1)), 413, "too_large")
        listed = self.server.call("POST", "/api/v1/memory/list", {"layer": "user", "identifiers": {"userId": "bad"}})
        self.assertEqual(listed.json["items"], [], "nothing of it may be stored")

    def test_routes(self):
        self.refuse(self.server.call("GET", "/api/v1/nowhere"), 404, "no_such_route")
        self.refuse(self.server.call("PATCH", f"/api/v1/memory/{uuid.uuid4()}", {}), 405, "method_not_allowed")
        self.refuse(self.server.call("GET", "/api/v1/memory/not-a-uuid"), 400, "bad_id")
        self.refuse(self.server.call("GET", f"/api/v1/memory/{uuid.uuid4()}"), 404, "memory_not_found")
        for path in ("/api/v1/knowledge/query", "/api/v1/governance/authorize", "/api/v1/sync/status"):
            self.refuse(self.server.call("GET", path), 501, "not_built")

    def test_headers(self):
        echoed = self.server.call("GET", "/api/v1/status", headers={"X-Request-Id": "my-id-1"})
        self.assertEqual(echoed.headers["X-Request-Id"], "my-id-1")
        made = self.server.call("GET", "/api/v1/status", headers={"X-Request-Id": "bad id\t"})
        self.assertNotEqual(made.headers["X-Request-Id"], "bad id\t")
        self.refuse(self.server.call("GET", "/api/v1/status", headers={"X-Request-Timeout": "soon"}), 400, "bad_timeout")

    def test_loopback_rule(self):
        self.refuse(self.server.call("GET", "/api/v1/status", headers={"Host": "evil.example"}), 403, "unknown_host")
        self.refuse(self.server.call("GET", "/api/v1/status", headers={"Origin": "https://evil.example"}), 403,
                    "origin_not_allowed")
        allowed = self.server.call("GET", "/api/v1/status", headers={"Origin": "http://localhost:3000"})
        self.assertEqual(allowed.status, 200)
        form = {"Content-Type": "application/x-www-form-urlencoded"}
        self.refuse(self.server.call("POST", "/api/v1/index/rebuild", b"", form), 415, "content_type")

    def test_garbage_on_the_socket_does_no_harm(self):
        for data in (b"\x00" * 100, b"GET / HTTP/9.9\r\n\r\n", b"POST /api/v1/memory/add HTTP/1.1\r\nHost: localhost\r\n"
                     b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", b"G" * 70000):
            with socket.create_connection((self.server.host, self.server.port), timeout=10) as sock:
                try:
                    sock.sendall(data)
                    sock.shutdown(socket.SHUT_WR)
                    answer = sock.recv(65536)
                except ConnectionError:
                    answer = b""
            self.assertTrue(answer == b"" or b" 4" in answer.split(b"\r\n")[0] or b" 5" in answer.split(b"\r\n")[0], answer)
        self.assertEqual(self.server.call("GET", "/api/v1/status").status, 200)

    def test_keep_alive_serves_many(self):
        connection = self.server.connection()
        for _ in range(50):
            self.assertEqual(call(connection, "GET", "/api/v1/status").status, 200)
        connection.close()


class Keys(ServerCase):
    def test_a_key_binds_subject_and_tenant(self):
        made = self.expect(self.server.call("POST", "/api/v1/keys", {"subject": "grace"}), 201).json
        token = {"Authorization": f"Bearer {made['token']}"}
        mine = {"content": "Grace's own", "layer": "user", "identifiers": {"userId": "grace"}}
        self.expect(self.server.call("POST", "/api/v1/memory/add", mine, token), 201)
        theirs = {**mine, "identifiers": {"userId": "ada"}}
        self.expect(self.server.call("POST", "/api/v1/memory/add", theirs, token), 403)
        self.expect(self.server.call("POST", "/api/v1/keys", {"subject": "x", "roles": ["TenantAdmin"]}, token), 403)
        self.assertNotIn("token", self.server.call("GET", "/api/v1/keys").json["items"][0])
        self.expect(self.server.call("POST", f"/api/v1/keys/{made['id']}/revoke"), 204)
        self.expect(self.server.call("GET", "/api/v1/status", headers=token), 401)
        self.expect(self.server.call("GET", "/api/v1/status", headers={"Authorization": "Bearer nonsense"}), 401)


class Operations(ServerCase):
    def ops(self, path):
        import http.client
        import re
        port = int(re.search(r"operations\D+127\.0\.0\.1:(\d+)", self.server.log()).group(1))
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        try:
            return call(connection, "GET", path)
        finally:
            connection.close()

    def test_health_ready_metrics(self):
        health = self.expect(self.ops("/health"), 200).json
        self.assertEqual((health["status"], health["service"]), ("ok", "memory"))
        self.expect(self.ops("/live"), 200)
        self.assertIn(self.expect(self.ops("/ready"), 200).json["status"], ("ready", "degraded"))
        self.server.add("Counted", "metrics")
        text = self.expect(self.ops("/metrics"), 200).body.decode()
        self.assertIn('aeterna_api_requests_total{method="POST",route="/api/v1/memory/add",status="201"}', text)

    def test_metric_names_are_the_golden_list(self):
        import os
        from harness import ROOT
        self.server.add("Counted again", "metrics")
        text = self.expect(self.ops("/metrics"), 200).body.decode()
        found = sorted(line[len("# TYPE "):] for line in text.splitlines() if line.startswith("# TYPE "))
        with open(os.path.join(ROOT, "src", "observe", "metrics.golden"), encoding="utf-8") as file:
            self.assertEqual(found, file.read().split("\n")[:-1])


if __name__ == "__main__":
    unittest.main()
