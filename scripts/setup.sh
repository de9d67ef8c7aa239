# shellcheck shell=sh
# What the factory needs from the machine, and how it gets there. Sourced by bin/factory and bin/test.
#
# Owns: finding the tools, saying aloud what will be installed and why, installing it, and the environment file that
# puts the result on PATH. Packages come from the distribution: as root or with a password-less sudo as system packages,
# otherwise into a private folder (private-tools.sh).
# Never: removes a package, starts a service, creates or touches a database cluster, asks a question.
# Start reading at `setup_machine`; the list of tools is `setup_needs` and the three functions after it.

SETUP_EXIT=5                   # infrastructure, as the programs say it
SETUP_POSTGRES_VERSION_MIN=15
SETUP_LOCK_WAIT_SECONDS=1800   # a first set-up on a slow line, test tools included
SETUP_APT_LOCK_WAIT_SECONDS=300 # another package manager's run, unattended upgrades for one
SETUP_LOG_TAIL_LINES=15

# Makes the machine fit for a purpose, `run` or `test`, and enters the environment. Silent when there is nothing to do.
setup_machine() {
    setup_purpose=$1
    setup_scripts=$2
    setup_root=${SETUP_ROOT_FOR_TESTS-}
    setup_choose_tools_dir
    setup_enter_environment
    setup_require_cargo
    setup_missing=$(setup_list_missing)
    [ -n "$setup_missing" ] || return 0

    setup_method=$(setup_choose_method)
    if [ "${FACTORY_NO_INSTALL:-0}" = 1 ]; then
        setup_list_lacks >&2
        setup_fail "nothing was installed, because FACTORY_NO_INSTALL=1 is set" \
            "as root: apt-get install --no-install-recommends $(setup_packages); or unset FACTORY_NO_INSTALL"
    fi
    setup_announce >&2
    setup_install_once
    setup_enter_environment
    setup_verify
    setup_say "ready" >&2
}

# --- what is needed ---------------------------------------------------------------------------------------------------

setup_needs() {
    echo compiler certificates git python
    # An address of a server makes a local one unnecessary; the tests start their own all the same.
    [ "$setup_purpose" = run ] && [ -n "${DATABASE_URL-}" ] || echo postgres
    [ "$setup_purpose" = run ] || setup_test_needs
}

setup_test_needs() {
    echo chromium pip shellcheck bubblewrap curl
    # The tests start an engine of their own, which only root can. What zsh and fish load lies where their packages put it.
    [ "$(id -u)" != 0 ] || echo docker busybox zsh fish
}

setup_describe() {
    case $1 in
        compiler) echo "C compiler            some crates contain C code" ;;
        certificates) echo "CA certificates       cargo fetches crates over TLS" ;;
        git) echo "git                   a run ends in a branch of your repository" ;;
        python) echo "Python 3 with sqlite  the shipped example is built in it, inside the sandbox" ;;
        postgres) echo "PostgreSQL >= $SETUP_POSTGRES_VERSION_MIN      keeps the audit trail; the factory runs a private server on a socket" ;;
        chromium) echo "Chromium              tests look at the dashboards in it" ;;
        pip) echo "pip                   tests drive the twins with the official SDKs from PyPI and npm" ;;
        shellcheck) echo "shellcheck            tests check the scripts with it" ;;
        bubblewrap) echo "bubblewrap            tests run subjects in its sandboxes" ;;
        curl) echo "curl                  tests send it through the twins' proxy" ;;
        zsh) echo "zsh                   tests load the completions in it" ;;
        fish) echo "fish                  tests load the completions in it" ;;
        docker) echo "Docker engine         tests run subjects in containers, on an engine that they start and end" ;;
        busybox) echo "busybox               the image of those containers is made of it" ;;
    esac
}

setup_debian_packages() {
    case $1 in
        compiler) echo gcc libc6-dev ;;
        certificates) echo ca-certificates ;;
        pip) echo python3-pip ;;
        python) echo python3 ;;
        postgres) echo postgresql ;;
        docker)
            echo docker.io
            # Newer releases keep the client in a package of its own.
            apt-cache show docker-cli >/dev/null 2>&1 && echo docker-cli
            ;;
        busybox) echo busybox-static ;;
        *) echo "$1" ;;
    esac
}

setup_has() {
    case $1 in
        compiler) command -v cc ;;
        certificates) setup_find_certificates ;;
        git) git --version ;;
        pip) setup_pip --version ;;
        python) setup_find_python ;;
        postgres) setup_find_postgres ;;
        bubblewrap) command -v bwrap ;;
        docker) command -v docker && { command -v dockerd || [ -x "$setup_root/usr/sbin/dockerd" ]; } ;;
        *) command -v "$1" ;;
    esac >/dev/null 2>&1
}

setup_list_missing() {
    for setup_need in $(setup_needs); do
        setup_has "$setup_need" || echo "$setup_need"
    done
}

# --- finding ----------------------------------------------------------------------------------------------------------

setup_find_certificates() {
    for setup_file in "${SSL_CERT_FILE-}" "$setup_root/etc/ssl/certs/ca-certificates.crt" \
        "$setup_root/etc/pki/tls/certs/ca-bundle.crt" "$setup_root/etc/ssl/cert.pem" "$setup_tools_dir/certificates.crt"; do
        [ -s "$setup_file" ] && echo "$setup_file" && return 0
    done
    return 1
}

# A sandbox sees /usr and the tools folder and nothing else, so an interpreter in a home folder does not count.
# `_sqlite3` is what the smallest Python packages leave out.
setup_find_python() {
    for setup_file in "$setup_tools_dir/bin/python3" "$setup_root/usr/bin/python3" "$setup_root/usr/local/bin/python3"; do
        "$setup_file" -ISc 'import _sqlite3, http, sys; sys.exit(sys.version_info < (3, 9))' 2>/dev/null || continue
        echo "$setup_file"
        return 0
    done
    return 1
}

# The interpreter may be the system's and pip in the private folder.
setup_pip() {
    PYTHONPATH="$setup_tools_dir/usr/lib/python3/dist-packages" "$(setup_find_python)" -m pip \
        --disable-pip-version-check --no-input --cert "$(setup_find_certificates)" "$@"
}

# Prints the folder with initdb, postgres and pg_ctl of the first version that is new enough.
setup_find_postgres() {
    setup_initdb=$(command -v initdb) || setup_initdb=
    for setup_dir in "${setup_initdb%/initdb}" "$setup_tools_dir"/usr/lib/postgresql/*/bin \
        "$setup_root"/usr/lib/postgresql/*/bin "$setup_root"/usr/pgsql-*/bin; do
        if [ -x "$setup_dir/postgres" ] && [ -x "$setup_dir/pg_ctl" ] &&
            setup_postgres_is_new_enough "$("$setup_dir/initdb" --version 2>/dev/null)"; then
            echo "$setup_dir"
            return 0
        fi
    done
    return 1
}

# $1 is what `initdb --version` prints: `initdb (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)`, `initdb (PostgreSQL) 18beta1`.
setup_postgres_is_new_enough() {
    setup_version=${1#*"(PostgreSQL) "}
    setup_version=${setup_version%%[!0-9]*}
    [ -n "$setup_version" ] && [ "$setup_version" -ge "$SETUP_POSTGRES_VERSION_MIN" ]
}

# No package provides a new enough Rust on every supported system, so this one is asked for and not installed.
setup_require_cargo() {
    command -v cargo >/dev/null && return 0
    setup_fail "cargo was not found on PATH or in ${CARGO_HOME:-$HOME/.cargo}/bin" \
        "install the Rust toolchain named in Cargo.toml (rust-version), for example with rustup, and run this again"
}

# --- the environment file ---------------------------------------------------------------------------------------------

setup_choose_tools_dir() {
    : "${HOME:=$(setup_home_from_passwd)}"
    export HOME
    setup_tools_dir=${FACTORY_TOOLS_DIR:-${XDG_DATA_HOME:-$HOME/.local/share}/factory/tools}
    case $setup_tools_dir in
        *[\':]* | [!/]*)
            setup_fail "the tools folder must be an absolute path without a colon or a quote: $setup_tools_dir" \
                "set FACTORY_TOOLS_DIR to another folder"
            ;;
    esac
    mkdir -p "$setup_tools_dir" 2>/dev/null || :
    [ -w "$setup_tools_dir" ] || setup_fail "cannot write to $setup_tools_dir" \
        "set FACTORY_TOOLS_DIR to a folder of your own"
}

setup_home_from_passwd() {
    getent passwd "$(id -u)" | cut -d: -f6
}

# The file is written when what it should say has changed, never in place: another shell may be reading it.
setup_enter_environment() {
    setup_file=$setup_tools_dir/env
    setup_wanted=$(setup_environment)
    if [ "$setup_wanted" != "$(cat "$setup_file" 2>/dev/null)" ]; then
        setup_new=$(mktemp "$setup_file.XXXXXX")
        printf '%s\n' "$setup_wanted" >"$setup_new"
        mv -f "$setup_new" "$setup_file"
    fi
    # shellcheck source=/dev/null
    . "$setup_file"
}

setup_environment() {
    echo "# Written by the factory's set-up: the tools it found or installed. Safe to source, safe to delete."
    # Named only when it holds tools: what is named, a sandbox shows, and one under /root it could not.
    if [ -d "$setup_tools_dir/usr" ]; then
        echo "export FACTORY_TOOLS_DIR='$setup_tools_dir'"
        setup_environment_path "$setup_tools_dir/bin" first
    fi
    setup_environment_path "${CARGO_HOME:-$HOME/.cargo}/bin" last
    if setup_dir=$(setup_find_postgres); then
        setup_environment_path "$setup_dir" last
    fi
    if [ "$(setup_find_certificates)" = "$setup_tools_dir/certificates.crt" ]; then
        for setup_name in SSL_CERT_FILE CARGO_HTTP_CAINFO GIT_SSL_CAINFO; do
            echo "export $setup_name='$setup_tools_dir/certificates.crt'"
        done
    fi
    echo "export PATH"
    # Made by sdks.sh.
    [ ! -d "$setup_tools_dir/sdks/current" ] || echo "export TWINS_SDKS='$setup_tools_dir/sdks/current'"
}

setup_environment_path() {
    case $2 in
        first) setup_path="'$1':\$PATH" ;;
        last) setup_path="\$PATH:'$1'" ;;
    esac
    echo "case :\$PATH: in *:'$1':*) ;; *) PATH=$setup_path ;; esac"
}

# --- installing -------------------------------------------------------------------------------------------------------

setup_choose_method() {
    if ! command -v apt-get >/dev/null; then
        echo none
    elif [ "$(id -u)" = 0 ]; then
        echo root
    elif sudo -n true 2>/dev/null; then
        echo sudo
    else
        echo private
    fi
}

setup_list_lacks() {
    setup_say "this machine lacks:"
    for setup_need in $setup_missing; do
        echo "  - $(setup_describe "$setup_need")"
    done
}

setup_announce() {
    setup_list_lacks
    case $setup_method in
        root | sudo)
            setup_say "installing system packages: apt-get install --no-install-recommends $(setup_packages)"
            echo "  No service is started and no database cluster is created."
            ;;
        private)
            setup_say "no root rights: unpacking Debian packages into $setup_tools_dir: $(setup_packages)"
            echo "  Nothing outside that folder changes; delete it to undo."
            ;;
    esac
}

setup_packages() {
    for setup_need in $setup_missing; do
        setup_debian_packages "$setup_need"
    done | tr '\n' ' ' | sed 's/ $//'
}

# One set-up at a time: the second waits, looks again, and usually finds nothing left to do.
setup_install_once() {
    exec 9>"$setup_tools_dir/lock"
    if command -v flock >/dev/null && ! flock -n 9; then
        setup_say "another set-up is running; waiting for it" >&2
        flock -w "$SETUP_LOCK_WAIT_SECONDS" 9 ||
            setup_fail "another set-up still holds $setup_tools_dir/lock" "see whether it hangs, end it, and run this again"
        setup_enter_environment
        setup_missing=$(setup_list_missing)
    fi
    # Whatever a package starts must not inherit the lock.
    [ -z "$setup_missing" ] || setup_install 9>&-
    exec 9>&-
}

setup_install() {
    setup_log=$setup_tools_dir/setup.log
    setup_rights=
    [ "$setup_method" != sudo ] || setup_rights="sudo -n"
    : >"$setup_log"
    case $setup_method in
        root | sudo) setup_install_system >>"$setup_log" 2>&1 ;;
        private)
            # shellcheck disable=SC2046 # a list of package names
            sh "$setup_scripts/private-tools.sh" "$setup_tools_dir" $(setup_packages) >>"$setup_log" 2>&1
            ;;
        none)
            setup_fail "no apt-get here: this set-up knows Debian and its relatives only" \
                "install what is listed above with your package manager and run this again"
            ;;
    esac || setup_install_failed
}

setup_install_system() (
    guard=$setup_root/etc/postgresql-common/createcluster.d/factory-set-up.conf
    unfinished=$setup_tools_dir/unfinished
    policy=$setup_root/usr/sbin/policy-rc.d
    # One that the machine's owner has written stays as it is.
    [ ! -e "$policy" ] || policy=
    trap '$setup_rights rm -f "$guard" $policy; $setup_rights rmdir "${guard%/*}" 2>/dev/null' EXIT
    trap 'exit 130' INT TERM HUP
    # Debian asks this program before it starts a service of a package; 101 is no.
    if [ -n "$policy" ]; then
        printf '#!/bin/sh\nexit 101\n' | $setup_rights tee "$policy" && $setup_rights chmod 755 "$policy" || exit 1
    fi
    # Debian's package makes and starts a cluster on its first installation unless this file says otherwise.
    $setup_rights mkdir -p "${guard%/*}" && echo "create_main_cluster = off" | $setup_rights tee "$guard" || exit 1
    # An incomplete update is not the end: the lists at hand may do, and the installation says what it misses.
    setup_apt update || :
    # What an earlier set-up left half done when it was killed, dpkg wants finished before anything else.
    if [ -e "$unfinished" ]; then
        $setup_rights env DEBIAN_FRONTEND=noninteractive dpkg --force-confold --configure --pending || :
        setup_apt install --fix-broken
    fi
    : >"$unfinished"
    # shellcheck disable=SC2046 # a list of package names
    setup_apt install $(setup_packages) && rm -f "$unfinished"
)

setup_apt() {
    $setup_rights env DEBIAN_FRONTEND=noninteractive apt-get --yes --no-remove --no-install-recommends \
        -o DPkg::Lock::Timeout="$SETUP_APT_LOCK_WAIT_SECONDS" -o Dpkg::Options::=--force-confold "$@"
}

setup_install_failed() {
    tail -n "$SETUP_LOG_TAIL_LINES" "$setup_log" | sed 's/^/  | /' >&2
    setup_fail "the installation failed; all of its output is in $setup_log" \
        "mend what the lines above name, most often the network, and run this again; or install by hand: $(setup_packages)"
}

# What was installed is believed only when it runs.
setup_verify() {
    setup_missing=$(setup_list_missing)
    case " $(setup_needs | tr '\n' ' ') " in
        *" chromium "*) setup_chromium_starts || setup_missing="$setup_missing chromium" ;;
    esac
    [ -n "$setup_missing" ] || return 0
    setup_list_lacks >&2
    setup_fail "installed, and still not usable: the tools listed above" \
        "see ${setup_log:-the lines above}; the distribution's version may be too old (then set DATABASE_URL to a PostgreSQL >= $SETUP_POSTGRES_VERSION_MIN, or add a newer package source)"
}

setup_chromium_starts() (
    profile=$(mktemp -d) || exit 1
    trap 'rm -rf "$profile"' EXIT
    timeout 60 chromium --headless --no-sandbox --disable-gpu --no-first-run --disable-background-networking \
        --disable-component-update --disable-sync --user-data-dir="$profile" --dump-dom 'data:text/html,<p>started</p>' \
        2>"$profile/stderr" | grep -q started && exit 0
    tail -n "$SETUP_LOG_TAIL_LINES" "$profile/stderr" >&2
    exit 1
)

# --- talking ----------------------------------------------------------------------------------------------------------

setup_say() {
    echo "factory set-up: $1"
}

# $1: what happened, $2: what to do about it.
setup_fail() {
    setup_say "error: $1" >&2
    echo "hint: $2" >&2
    exit "$SETUP_EXIT"
}
