#!/usr/bin/env bash
# Plants known bugs one by one into a copy of the sources, and insists that the simulator catches each.
#
# usage: tests/planted.sh [NAME ...]     default: every patch in tests/planted, whose first lines say what it breaks
set -euo pipefail
cd "$(dirname "$0")/.."

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# What is there, whether or not it is committed.
git ls-files -z --cached --others --exclude-standard --deduplicate |
    while IFS= read -r -d '' file; do [ ! -e "$file" ] || printf '%s\0' "$file"; done |
    xargs -0 cp --parents -t "$work"
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$PWD/target}/planted SIM_SEEDS=${SIM_SEEDS:-2000}
# The first seed that fails is enough.
export SIM_SHRINK=0 SIM_FAILURES=1

names=("$@")
[ ${#names[@]} -gt 0 ] || for patch in tests/planted/*.patch; do names+=("$(basename "$patch" .patch)"); done

run() {
    (cd "$work" && cargo test -q -p kafka-testing --test simulation what_is_written_is >"$work/log" 2>&1)
}

echo "without a planted bug: $SIM_SEEDS seeds"
run || { tail -n 40 "$work/log"; echo 'the simulation fails without a planted bug'; exit 1; }

missed=0
for name in "${names[@]}"; do
    patch -s -d "$work" -p1 <"tests/planted/$name.patch"
    if run; then
        echo "$name: MISSED by $SIM_SEEDS seeds"
        missed=1
    elif grep -q '^seed [0-9]* fails' "$work/log"; then
        echo "$name: caught, $(grep -m1 -o '^seed [0-9]*' "$work/log")"
    else
        tail -n 40 "$work/log"
        echo "$name: does not build or does not run"
        missed=1
    fi
    patch -s -R -d "$work" -p1 <"tests/planted/$name.patch"
done
exit $missed
