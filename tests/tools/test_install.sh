#!/bin/bash
# Install into a temporary prefix and use the library in the four ways users have: pkg-config,
# find_package, add_subdirectory, and the shared library; a program's own salut_fault must win
# over the library's, and the shared library must export nothing but salut_*.
set -eu
cd "$(dirname "$0")/../.."
root=$PWD
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
say() { echo "--- $*"; }

say "build and install"
cmake -S . -B "$work/build" -DSALUT_TESTS=OFF -DSALUT_PROGRAM=OFF -DSALUT_EXTRAS=OFF \
    -DCMAKE_INSTALL_PREFIX="$work/prefix" >"$work/log" 2>&1 || { cat "$work/log"; exit 1; }
cmake --build "$work/build" -j2 >"$work/log" 2>&1 || { cat "$work/log"; exit 1; }
cmake --install "$work/build" >/dev/null
mv "$work/prefix" "$work/moved" # an installed tree may be moved
prefix=$work/moved
libdir=$(dirname "$(find "$prefix" -name libsalut.a)")

# The program calls something that lies in the same library and lets it fail.
version=$(sed -n 's/.*SALUT_VERSION_STRING "\(.*\)"/\1/p' include/salut/version.h)
mkdir "$work/user"
cat >"$work/user/main.c" <<'CODE'
#include <salut/version.h>
#include <stdio.h>
#include <stdlib.h>
_Noreturn void salut_fault(const char *file, int line, const char *what);
#ifdef OWN_FAULT
_Noreturn void salut_fault(const char *file, int line, const char *what)
{
    printf("%s fault %s:%d %s\n", SALUT_VERSION_STRING, file, line, what);
    exit(42);
}
#endif
int main(void)
{
    fflush(stdout);
    salut_fault("here", 7, "tried");
}
CODE
want="$version fault here:7 tried"

# PROGRAM must end by its own fault hook; PROGRAM-plain by the library's, which traps.
try() {
    local out status=0
    out=$("$1") || status=$?
    [ "$status" = 42 ] && [ "$out" = "$want" ] || { echo "$1: $status, $out"; exit 1; }
}
try_plain() {
    local status=0
    { bash -c "ulimit -c 0; exec $1" >/dev/null || status=$?; } 2>/dev/null
    [ "$status" -ge 128 ] || { echo "$1: the library's fault hook ended with $status"; exit 1; }
}

say "pkg-config, static and shared"
export PKG_CONFIG_PATH=$libdir/pkgconfig
[ "$(pkg-config --modversion salut)" = "$version" ]
flags=$(pkg-config --cflags --libs salut)
gcc -DOWN_FAULT "$work/user/main.c" -o "$work/shared" $flags
LD_LIBRARY_PATH=$libdir try "$work/shared"
gcc -DOWN_FAULT "$work/user/main.c" -o "$work/static" -I"$prefix/include" "$libdir/libsalut.a"
try "$work/static"
gcc "$work/user/main.c" -o "$work/plain" -I"$prefix/include" "$libdir/libsalut.a"
try_plain "$work/plain"

say "find_package"
cat >"$work/user/CMakeLists.txt" <<'CODE'
cmake_minimum_required(VERSION 3.21)
project(user C)
if(SALUT_FROM)
  add_subdirectory(${SALUT_FROM} salut)
else()
  find_package(salut 0.1 REQUIRED)
endif()
add_executable(user main.c)
target_compile_definitions(user PRIVATE OWN_FAULT)
target_link_libraries(user PRIVATE salut::salut)
CODE
for way in "-DCMAKE_PREFIX_PATH=$prefix" "-DSALUT_FROM=$root"; do
    rm -rf "$work/user/build"
    cmake -S "$work/user" -B "$work/user/build" "$way" >"$work/log" 2>&1 &&
        cmake --build "$work/user/build" -j2 >"$work/log" 2>&1 || { cat "$work/log"; exit 1; }
    try "$work/user/build/user"
    say "${way%%=*} works"
done

say "exports"
strange=$(nm -D --defined-only "$libdir/libsalut.so" | awk '{ print $3 }' | grep -v '^salut_' || true)
[ -z "$strange" ] || { echo "exported but not public: $strange"; exit 1; }
for name in $(grep -ohE '\bsalut_[a-z0-9_]+\(' include/salut/*.h | tr -d '(' | sort -u); do
    if ! grep -qE "static inline .*$name\(|typedef .*$name\(|define $name\(" include/salut/*.h &&
        ! nm -D --defined-only "$libdir/libsalut.so" | grep -qE " $name\$"; then
        echo "declared in a public header, not exported: $name"
        exit 1
    fi
done
echo "all ways of use work"
