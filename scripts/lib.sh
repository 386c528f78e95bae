# Shared by ./quickstart and ./run-tests; sourced, needs bash 5. Sets AETERNA_ROOT.
AETERNA_ROOT="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
LOG_DIR="$AETERNA_ROOT/build/logs"
STARTED_AT=$SECONDS

BUILD_PACKAGES=(clang-19 lld-19 cmake ninja-build ccache libboost1.81-dev libboost-json1.81-dev
    libssl-dev libfmt-dev libspdlog-dev libexpected-dev libyaml-cpp-dev prometheus-cpp-dev
    libcli11-dev libsqlite3-dev libutf8proc-dev libstemmer-dev)
TEST_PACKAGES=(libclang-rt-19-dev clang-format-19 libgtest-dev libgmock-dev python3 git)
TIDY_PACKAGES=(clang-tidy-19)

if [[ -t 1 && -z "${NO_COLOR:-}" ]]; then
    BOLD=$'\e[1m' DIM=$'\e[2m' RED=$'\e[31m' GREEN=$'\e[32m' PLAIN=$'\e[0m'
else
    BOLD='' DIM='' RED='' GREEN='' PLAIN=''
fi

say() { printf '%s\n' "$*"; }
die() {
    printf '%serror:%s %s\n' "$RED" "$PLAIN" "$*" >&2
    exit 1
}
# clock 192 → 3:12
clock() { printf '%d:%02d' $(($1 / 60)) $(($1 % 60)); }

# How many compilers at once: one per core, but at least 700 MB of memory for each.
jobs_here() {
    local cores memory
    cores=$(nproc)
    memory=$(awk '/^MemAvailable/ {print int($2 / 716800)}' /proc/meminfo)
    ((memory < 1)) && memory=1
    echo $((cores < memory ? cores : memory))
}

# install_missing yes|no package... : installs those that are not there, or with "no" only names
# them and gives up.
install_missing() {
    local allowed=$1 package missing=() sudo=()
    shift
    if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
        command -v clang++-19 >/dev/null && command -v cmake >/dev/null && command -v ninja >/dev/null ||
            die "this sets itself up on Debian 12 only. Elsewhere install clang 19, CMake, Ninja and the
       libraries of cmake/dependencies.cmake yourself, then run it again."
        return 0
    fi
    for package in "$@"; do
        [[ "$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null)" == installed ]] ||
            missing+=("$package")
    done
    ((${#missing[@]} == 0)) && return 0
    if [[ $allowed == no ]]; then
        die "--no-install was given, and these Debian packages are missing:
       ${missing[*]}
       Install them yourself:
       sudo apt-get install --no-install-recommends ${missing[*]}"
    fi
    if ((EUID != 0)); then
        command -v sudo >/dev/null ||
            die "these Debian packages are missing, and there is neither root nor sudo here:
       ${missing[*]}"
        sudo=(sudo)
    fi
    say "Installing ${#missing[@]} Debian packages (nothing else is changed; --no-install refuses):"
    say "  ${missing[*]}" | fold -s -w 78 | sed '2,$s/^/  /'
    # sudo may ask for a password; that must not happen behind a log file.
    ((${#sudo[@]})) && sudo -v
    # A broken list of some third party is no reason to stop; what is missing shows at the install.
    step packages-list "package lists" "${sudo[@]}" apt-get update -q ||
        say "  (apt-get update had errors; going on with the lists there are)"
    step packages "packages" "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -q \
        --no-install-recommends -o DPkg::Lock::Timeout=120 "${missing[@]}" ||
        die "the packages could not be installed (see above). Are these Debian 12 sources? Is there a network?"
}

# Background jobs of a script ignore Ctrl-C; the running step is ended by hand.
step_pid=''
end_step() {
    [[ -n "$step_pid" ]] && kill -TERM "$step_pid" 2>/dev/null
    echo
    exit 130
}
trap end_step INT TERM

# step NAME TEXT command... : runs it with its output in build/logs/NAME.log, shows progress and
# time; on failure prints the end of the log and returns 1. A command that exits 77 was skipped: 77.
step() {
    local name=$1 text=$2 log status=0 begun=$SECONDS pid last shown=0
    shift 2
    mkdir -p "$LOG_DIR"
    log="$LOG_DIR/$name.log"
    "$@" >"$log" 2>&1 </dev/null &
    pid=$!
    step_pid=$pid
    while kill -0 "$pid" 2>/dev/null; do
        sleep 0.2
        # ninja's "[12/80] ..." and the like
        last=$(tail -n 1 "$log" 2>/dev/null | tr -d '\r' | cut -c1-48) || last=''
        if [[ -t 1 ]]; then
            printf '\r\e[K  %-24s %6s  %s%s%s' "$text" "$(clock $((SECONDS - begun)))" "$DIM" "$last" "$PLAIN"
        elif ((SECONDS - begun >= shown + 15)); then
            shown=$((SECONDS - begun))
            printf '  %-24s %6s  %s\n' "$text" "$(clock "$shown")" "$last"
        fi
    done
    wait "$pid" || status=$?
    step_pid=''
    [[ -t 1 ]] && printf '\r\e[K'
    if ((status == 0)); then
        printf '  %-24s %6s  %sdone%s\n' "$text" "$(clock $((SECONDS - begun)))" "$GREEN" "$PLAIN"
        return 0
    fi
    if ((status == 77)); then
        printf '  %-24s %6s  skipped: %s\n' "$text" "$(clock $((SECONDS - begun)))" "$(tail -n 1 "$log")"
        return 77
    fi
    printf '  %-24s %6s  %sfailed%s\n' "$text" "$(clock $((SECONDS - begun)))" "$RED" "$PLAIN"
    tail -n 40 "$log" | sed 's/^/    | /'
    say "    the whole log: ${log#"$AETERNA_ROOT"/}"
    return 1
}

# configure PRESET [cmake argument...]
configure() {
    local preset=$1
    shift
    # A folder copied or moved from elsewhere holds paths that no longer exist.
    if [[ -f "$AETERNA_ROOT/build/$preset/CMakeCache.txt" ]] &&
        ! grep -qx "CMAKE_HOME_DIRECTORY:INTERNAL=$AETERNA_ROOT" "$AETERNA_ROOT/build/$preset/CMakeCache.txt"; then
        rm -rf "$AETERNA_ROOT/build/$preset"
    fi
    step "configure-$preset" "configure $preset" cmake -S "$AETERNA_ROOT" --preset "$preset" "$@"
}

# build PRESET target...
build() {
    local preset=$1
    shift
    step "build-$preset" "build $preset" ninja -C "$AETERNA_ROOT/build/$preset" -j "$(jobs_here)" "$@"
}
