#!/usr/bin/env bash
# Look up known weaknesses of the packages in .venv, with pip-audit in an environment of its own.
# Ends with 0: none is known; 1: some are; 2: could not be looked up.
set -euo pipefail
cd "$(dirname "$0")/.."
venv=.venv-audit
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

unknown() { printf '%s\n' "Not audited: $1 Nothing is known of the packages." >&2; exit 2; }

look_up() { # file of packages, file of what is found
    # It ends with 1 for weaknesses and for a database out of reach: the report tells.
    "$venv/bin/pip-audit" --no-deps --disable-pip --progress-spinner off --timeout 20 \
        --format json --output "$2" -r "$1" >"$work/log" 2>&1 || true
}

if [ ! -x "$venv/bin/pip-audit" ]; then
    "${PYTHON:-python3}" -m venv "$venv" || unknown "Python's venv module is missing."
    "$venv/bin/pip" install --quiet --disable-pip-version-check pip-audit 2>/dev/null ||
        unknown "pip-audit can't be installed."
fi

# Mirrors of the index list no weaknesses: one that has long been known must be found.
echo "pyyaml==5.3" > "$work/known"
look_up "$work/known" "$work/known.json"
grep -qs '"id"' "$work/known.json" || unknown "the database of weaknesses can't be reached."

# Builds for a kind of machine, such as torch's +cpu, are known by the version alone.
"${VENV:-.venv}/bin/python" -m pip freeze --exclude-editable | grep == | sed 's/+.*//' > "$work/packages"
look_up "$work/packages" "$work/found.json"
[ -s "$work/found.json" ] || unknown "the look-up failed: $(tail -1 "$work/log")"
"$venv/bin/python" - "$work/found.json" <<'PYTHON'
import json, sys

with open(sys.argv[1]) as file:
    packages = json.load(file)["dependencies"]
weak = [(p["name"], p["version"], v["id"]) for p in packages for v in p.get("vulns", ())]
for name, version, weakness in weak:
    print(f"{name} {version}: {weakness}")
skipped = [p["name"] for p in packages if "skip_reason" in p]
if skipped:
    print("Not looked up:", ", ".join(skipped))
print(f"{len(packages) - len(skipped)} packages looked up, {len(weak)} weaknesses known.")
sys.exit(bool(weak))
PYTHON
