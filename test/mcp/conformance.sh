#!/usr/bin/env bash
# The official MCP conformance suite: what each revision requires against the fixture, what applies against the product.
#   usage: conformance.sh FIXTURE [AETERNA]
# Exit 0 when everything required passed, but for the checks in baseline-product-*.yml, which need tools that only the fixture has;
# 77 when npm or its packages are not to be had.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/setup.sh"
(($# >= 1)) || { sed -n '2,5s/^# *//p' "${BASH_SOURCE[0]}" >&2; exit 2; }
fixture=$(readlink -f "$1") aeterna=${2:+$(readlink -f "$2")}
mcp_setup

work=$(mktemp -d)
trap 'mcp_stop; rm -rf "$work"' EXIT
cd "$work"
newest=$MCP_NPM/node_modules/@modelcontextprotocol/conformance/dist/index.js
released=$MCP_NPM/node_modules/conformance-released/dist/index.js
failed=0

# run NAME RUNNER ARGUMENT... : one call of the suite against $MCP_URL; prints a line, keeps the output when it failed.
run() {
    local name=$1 runner=$2 out status=0
    shift 2
    out=$work/out.txt
    NO_COLOR=1 "$MCP_NODE" "$runner" server --url "$MCP_URL/mcp" "$@" >"$out" 2>&1 || status=$?
    local counts
    counts=$(sed -e 's/\x1b\[[0-9;]*m//g' "$out" | awk '
        /^=== SUMMARY/ { summary = 1 }
        /^Not scored/ { unscored = 1 }
        /^(✓|✗) / && summary && !unscored { sub(":", "", $2); state[$2] = $1 }
        /^  (✓|✗) / && unscored { delete state[$2] }
        /^Passed: / { sub(",", "", $2); checks = $2 " checks" }
        END {
            for (name in state) { all++; if (state[name] == "✓") good++ }
            if (all) checks = good "/" all " required scenarios"
            print checks
        }')
    if ((status == 0)); then
        printf 'ok      %-44s %s\n' "$name" "$counts"
    else
        printf 'FAILED  %-44s %s\n' "$name" "$counts"
        sed -e 's/\x1b\[[0-9;]*m//g' "$out" | tail -n 60
        failed=$((failed + 1))
    fi
}

mcp_start fixture.log "$fixture" 127.0.0.1:0
run "fixture, all that 2025-11-25 requires" "$newest" --requirements 2025-11-25
run "fixture, all that 2026-07-28 requires" "$newest" --requirements 2026-07-28
run "fixture, active suite of the released runner" "$released"
mcp_stop

if [[ -n $aeterna ]]; then
    mcp_start aeterna.log "$aeterna" serve --data-dir "$work/data" --listen 127.0.0.1:0 --ops-listen 127.0.0.1:0
    for scenario in server-initialize ping tools-list dns-rebinding-protection; do
        run "aeterna, $scenario (2025-11-25)" "$newest" --spec-version 2025-11-25 --scenario "$scenario"
    done
    for scenario in server-stateless tools-list dns-rebinding-protection server-sse-multiple-streams http-header-validation; do
        run "aeterna, $scenario (2026-07-28)" "$newest" --spec-version 2026-07-28 --scenario "$scenario" \
            --expected-failures "$MCP_TESTS/baseline-product-2026-07-28.yml"
    done
    mcp_stop
fi
if ((failed > 0)); then
    echo "$failed runs failed"
    exit 1
fi
echo "everything required passed"
