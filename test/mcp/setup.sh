# Sourced by the scripts beside it: puts the pinned npm packages into a cache outside the tree and sets
#   MCP_NPM   the folder that has node_modules
#   MCP_NODE  a Node of version 22 or later
# Exit 77 (skipped) when there is no npm, or with AETERNA_NO_INSTALL=1 when they are not there yet.
MCP_TESTS=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
MCP_NPM=${AETERNA_TEST_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/aeterna-tests}/mcp

mcp_setup() {
    if ! cmp -s "$MCP_TESTS/package.json" "$MCP_NPM/package.json" || [[ ! -f $MCP_NPM/.complete ]]; then
        if [[ ${AETERNA_NO_INSTALL:-0} == 1 ]]; then
            echo "skipped: the MCP test packages are not in $MCP_NPM, and nothing may be installed" >&2
            exit 77
        fi
        command -v npm >/dev/null || { echo "skipped: npm is not installed" >&2; exit 77; }
        echo "fetching the MCP conformance suite and SDK into $MCP_NPM (once, 150 MB)" >&2
        mkdir -p "$MCP_NPM"
        rm -f "$MCP_NPM/.complete"
        cp "$MCP_TESTS/package.json" "$MCP_NPM/package.json"
        npm install --prefix "$MCP_NPM" --no-audit --no-fund --loglevel=error >&2 || {
            echo "skipped: npm could not fetch the MCP test packages" >&2
            exit 77
        }
        touch "$MCP_NPM/.complete"
    fi
    MCP_NODE=$(command -v node || true)
    if [[ -z $MCP_NODE ]] || (($("$MCP_NODE" -p 'process.versions.node.split(".")[0]') < 22)); then
        MCP_NODE=$MCP_NPM/node_modules/.bin/node
    fi
}

# mcp_start LOG COMMAND... : starts a server and waits until a line of LOG has its URL; sets MCP_PID and MCP_URL (base, no path).
mcp_start() {
    local log=$1
    shift
    "$@" >"$log" 2>&1 &
    MCP_PID=$!
    for _ in $(seq 300); do
        MCP_URL=$(grep -o 'http://127\.0\.0\.1:[0-9]*' "$log" | head -n 1 || true)
        [[ -n $MCP_URL ]] && return 0
        kill -0 "$MCP_PID" 2>/dev/null || break
        sleep 0.1
    done
    echo "the server did not start:" >&2
    cat "$log" >&2
    return 1
}

mcp_stop() {
    [[ -n ${MCP_PID:-} ]] || return 0
    kill "$MCP_PID" 2>/dev/null || true
    wait "$MCP_PID" 2>/dev/null || true
    MCP_PID=
}
