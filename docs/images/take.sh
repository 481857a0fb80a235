#!/usr/bin/env bash
# Takes the README's picture of the report: docs/images/take.sh [REPORT]. Needs Chromium, and a report of examples/cdnow.yaml.
set -euo pipefail
cd "$(dirname "$0")/../.."
report="${1:-runs/cdnow/report.html}"
profile="$(mktemp -d)"
trap 'rm -rf "$profile"' EXIT
"${SEGMENTA_CHROMIUM:-chromium}" --headless --no-sandbox --disable-gpu --hide-scrollbars --user-data-dir="$profile" \
    --force-device-scale-factor=1 --window-size=1200,1150 --virtual-time-budget=5000 \
    --screenshot="$PWD/docs/images/report.png" "file://$(realpath "$report")"
test "$(stat -c %s docs/images/report.png)" -le 300000 || { echo "the picture has more than 300 kB" >&2; exit 1; }
