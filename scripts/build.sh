# shellcheck shell=sh
# Builds the programs of this checkout. Sourced by bin/factory.
# Start reading at `build_factory`.

# Cargo decides what is built; the look at file times only decides how much of it is shown. The whole workspace, because
# another selection of packages is another selection of features, and would build the dependencies a second time.
build_factory() {
    build_repository=$1
    build_choose_target
    if build_is_first; then
        echo "factory: building, for the first time: some minutes on a laptop, then seconds" >&2
        build_cargo || build_failed
    elif build_is_stale; then
        echo "factory: sources have changed, building" >&2
        build_cargo || build_failed
    else
        build_cargo --quiet || build_failed
    fi
}

build_choose_target() {
    case ${CARGO_TARGET_DIR:-target} in
        /*) build_target=$CARGO_TARGET_DIR ;;
        *) build_target=$build_repository/${CARGO_TARGET_DIR:-target} ;;
    esac
}

build_is_first() {
    [ ! -x "$build_target/debug/factory" ]
}

build_is_stale() {
    [ -n "$(find "$build_repository" \( -path "$build_target" -o -name .git \) -prune -o \
        \( -name '*.rs' -o -name 'Cargo.*' \) -newer "$build_target/debug/factory" -print -quit)" ]
}

# Cargo reads its configuration from the folder that it is started in.
build_cargo() (
    cd "$build_repository" &&
        cargo build --workspace --target-dir "$build_target" "$@"
)

build_failed() {
    echo "factory: error: the build failed; cargo's message is above" >&2
    echo "hint: it needs Rust $(sed -n 's/^rust-version = "\(.*\)"/\1/p' "$build_repository/Cargo.toml") or newer (cargo --version), and on its first run the crate registry" >&2
    exit "$SETUP_EXIT"
}
