#!/bin/sh
# Installs Debian packages without root rights: private-tools.sh TOOLS-FOLDER PACKAGE... Run by setup.sh when it has to.
#
# apt-get resolves and fetches (so signatures and hashes are checked as always) with its state in a folder of ours,
# dpkg-deb unpacks, and each program gets an RPATH to the unpacked libraries: it then runs from any caller, inside a
# sandbox that shows the same folder too, with no LD_LIBRARY_PATH that would leak into what it starts.
# Never: runs a maintainer script, replaces the C library, writes outside the tools folder.
# Start reading at `main`.
set -eu

tools=$1              # its `usr` holds the unpacked packages, laid out as in /usr; `bin` what goes on PATH
shift
work=$tools/work      # only while this runs
staging=$work/staging # unpacked, not yet usable

main() {
    refuse_compiler "$@"
    # A folder from an interrupted run still holds good downloads; half an unpacked tree is worth nothing.
    rm -rf "$staging"
    mkdir -p "$work/lists/partial" "$work/no-archives/partial" "$work/archives" "$tools/bin"
    # An incomplete update is not the end: the download says what it misses.
    private_apt update || :
    download "$@" patchelf
    unpack
    set_library_paths
    cp -a --remove-destination "$staging/usr" "$tools/"
    link_programs
    write_certificates
    rm -rf "$work"
}

refuse_compiler() {
    case " $* " in
        *" gcc "*) ;;
        *) return 0 ;;
    esac
    echo "a C compiler cannot be unpacked into a private folder"
    echo "ask an administrator for: apt-get install gcc libc6-dev"
    exit 1
}

# Its own archive folder stays empty, because it leaves out of a closure what it has there.
private_apt() {
    apt-get -o Dir::State::lists="$work/lists" -o Dir::Cache="$work" -o Dir::Cache::archives="$work/no-archives" \
        -o Debug::NoLocking=true -o APT::Sandbox::User= "$@"
}

# The closure of the packages, less what the machine has and what would only serve maintainer scripts.
download() {
    private_apt install -qq --print-uris --no-install-recommends "$@" >"$work/closure"
    # shellcheck disable=SC2046 # a list of package names
    (cd "$work/archives" && private_apt download $(names <"$work/closure"))
}

# Lines are `'address' name_version_architecture.deb size hash`.
names() {
    while read -r _ file _; do
        name=${file%%_*}
        case $name in
            libc6 | libc-bin) ;;                                 # must be the loader's own
            libllvm* | libz3-*) ;;                               # the database's JIT compiler, 150 MB; see `unpack`
            postgresql-common* | postgresql-client-common | ssl-cert) ;; # wrappers for clusters of the machine
            perl | perl-* | libperl* | lib*-perl) ;;
            *-man | adduser | debconf | ucf | logrotate | sensible-utils) ;;
            *) echo "$name" ;;
        esac
    done
}

unpack() {
    mkdir -p "$staging/usr/bin" "$staging/usr/sbin" "$staging/usr/lib" "$staging/usr/lib64"
    for directory in bin sbin lib lib64; do
        ln -s "usr/$directory" "$staging/$directory"
    done
    for archive in "$work"/archives/*.deb; do
        dpkg-deb --fsys-tarfile "$archive" | tar -x --no-same-owner --keep-directory-symlink -C "$staging"
    done
    rm -rf "$staging"/usr/share/doc "$staging"/usr/share/man "$staging"/usr/share/locale # 40 MB
    # Postgres turns JIT off by itself when this is absent, and fails when its library is.
    rm -rf "$staging"/usr/lib/postgresql/*/lib/llvmjit*
}

# Prints them as a search path; one that ended in a colon would also search the current folder.
library_dirs() {
    for directory in "$1"/usr/lib/*-linux-gnu* "$1"/usr/lib/*-linux-gnu*/pulseaudio "$1"/usr/lib; do
        [ ! -d "$directory" ] || echo "$directory"
    done | paste -s -d : -
}

# DT_RPATH and not DT_RUNPATH: it also counts for the libraries of the libraries.
set_library_paths() {
    path=$(library_dirs "$staging" | sed "s|$staging|$tools|g")
    for file in "$staging"/usr/bin/* "$staging"/usr/lib/git-core/* "$staging"/usr/lib/postgresql/*/bin/*; do
        is_program "$file" || continue
        run_patchelf --force-rpath --set-rpath "$path" "$file"
    done
}

is_program() {
    [ -f "$1" ] && [ ! -L "$1" ] && [ "$(head -c 4 "$1" | tr -d '\177')" = ELF ]
}

run_patchelf() {
    if command -v patchelf >/dev/null; then
        patchelf "$@"
    else
        # A copy, because a program cannot patch itself.
        [ -x "$work/patchelf" ] || cp "$staging/usr/bin/patchelf" "$work/patchelf"
        LD_LIBRARY_PATH=$(library_dirs "$staging") "$work/patchelf" "$@"
    fi
}

link_programs() {
    for name in python3 shellcheck bwrap; do
        [ ! -x "$tools/usr/bin/$name" ] || ln -sf "../usr/bin/$name" "$tools/bin/$name"
    done
    [ ! -x "$tools/usr/bin/git" ] || write_program git "export GIT_EXEC_PATH='$tools/usr/lib/git-core'
export GIT_TEMPLATE_DIR='$tools/usr/share/git-core/templates'
exec '$tools/usr/bin/git' \"\$@\""
    [ ! -x "$tools/usr/lib/chromium/chromium" ] || link_chromium
}

# Chromium loads libraries and fonts by name at run time, which an RPATH does not reach.
link_chromium() {
    cat >"$tools/fonts.conf" <<XML
<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig>
  <dir>$tools/usr/share/fonts</dir>
  <dir>/usr/share/fonts</dir>
  <cachedir>$tools/fonts-cache</cachedir>
</fontconfig>
XML
    write_program chromium "export LD_LIBRARY_PATH='$(library_dirs "$tools")'
export FONTCONFIG_FILE='$tools/fonts.conf'
exec '$tools/usr/lib/chromium/chromium' \"\$@\""
}

write_program() {
    printf '#!/bin/sh\n%s\n' "$2" >"$tools/bin/$1.new"
    chmod 755 "$tools/bin/$1.new"
    mv -f "$tools/bin/$1.new" "$tools/bin/$1"
}

# What the package's maintainer script would do: the shipped authorities and the administrator's own, in one file.
# (awk ends each with a line break; not all do.)
write_certificates() {
    [ -d "$tools/usr/share/ca-certificates" ] || return 0
    find "$tools/usr/share/ca-certificates" /usr/local/share/ca-certificates -name '*.crt' -exec awk 1 {} + \
        >"$tools/certificates.new" 2>/dev/null || :
    mv -f "$tools/certificates.new" "$tools/certificates.crt"
}

main "$@"
