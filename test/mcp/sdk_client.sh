#!/usr/bin/env bash
# The official MCP SDK's client against the product, over Streamable HTTP and over stdio.
#   usage: sdk_client.sh AETERNA
# Exit 77 when npm or its packages are not to be had.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/setup.sh"
(($# == 1)) || { sed -n '2,4s/^# *//p' "${BASH_SOURCE[0]}" >&2; exit 2; }
aeterna=$(readlink -f "$1")
mcp_setup

work=$(mktemp -d)
trap 'mcp_stop; rm -rf "$work"' EXIT
failed=0

mcp_start "$work/serve.log" "$aeterna" serve --data-dir "$work/http" --listen 127.0.0.1:0 --ops-listen 127.0.0.1:0
"$MCP_NODE" "$MCP_TESTS/sdk_client.mjs" "$MCP_NPM" http "$MCP_URL/mcp" || failed=1
# A second host on the folder of a server that runs talks to that server.
"$MCP_NODE" "$MCP_TESTS/sdk_client.mjs" "$MCP_NPM" stdio "$aeterna" mcp --data-dir "$work/http" || failed=1
mcp_stop
# Without a server, the host serves the folder itself.
"$MCP_NODE" "$MCP_TESTS/sdk_client.mjs" "$MCP_NPM" stdio "$aeterna" mcp --data-dir "$work/alone" || failed=1
exit $failed
