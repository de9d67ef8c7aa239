# shellcheck shell=sh
# Builds the programs of this checkout. Sourced by bin/factory.
# Start reading at `build_factory`.

# Cargo needs 0.4 s to find that nothing has changed, a look at the file times 0.01 s. Always the whole workspace: another
# selection of packages is another selection of features, and would build the dependencies a second time.
build_factory() {
    build_repository=$1
    build_choose_target
    build_is_fresh && return 0
    if [ -x "$build_target/debug/factory" ]; then
        echo "factory: building what has changed" >&2
    else
        echo "factory: building for the first time; this takes some minutes" >&2
    fi
    build_run || build_failed
}

build_choose_target() {
    case ${CARGO_TARGET_DIR:-target} in
        /*) build_target=$CARGO_TARGET_DIR ;;
        *) build_target=$build_repository/${CARGO_TARGET_DIR:-target} ;;
    esac
    build_stamp=$build_target/debug/.built-by-bin-factory
}

# The stamp names the checkout, because several may share one target folder. Folders count, so that a deleted file does.
build_is_fresh() {
    [ -x "$build_target/debug/factory" ] && [ "$(cat "$build_stamp" 2>/dev/null)" = "$build_repository" ] &&
        [ -z "$(find "$build_repository" -mindepth 1 \( -path "$build_target" -o -name '.?*' \) -prune -o \
            -newer "$build_stamp" -print -quit)" ]
}

# Stamped with the time before the build: what is edited meanwhile is newer. Cargo reads its configuration from the
# folder that it is started in.
build_run() (
    cd "$build_repository" && mkdir -p "$build_target/debug" && echo "$build_repository" >"$build_stamp.$$" &&
        cargo build --workspace --target-dir "$build_target" && mv -f "$build_stamp.$$" "$build_stamp"
)

build_failed() {
    rm -f "$build_stamp.$$"
    echo "factory: error: the build failed; cargo's message is above" >&2
    echo "hint: it needs Rust $(sed -n 's/^rust-version = "\(.*\)"/\1/p' "$build_repository/Cargo.toml") or newer (cargo --version), and on its first run the crate registry" >&2
    exit "$SETUP_EXIT"
}
