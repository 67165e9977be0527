#!/usr/bin/env bash
# Gathers the long form of the engine's evidence: simulated losses of power, kill -9 of real processes, forged and damaged
# files, failing disks, one history under many settings. Prints what was run, with seeds and counts; fails on any finding.
# docs/storage-engine.md, "Evidence", says what each part shows.
#   eng/evidence.sh                    everything, about an hour on two cores
#   eng/evidence.sh CrashPoint         the tests whose name has this
# Environment: AIDB_TEST_SEED (a new one each time), AIDB_EVIDENCE_SCALE (1; multiplies the counts), CONFIGURATION (Release).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

configuration="${CONFIGURATION:-Release}"
export AIDB_EVIDENCE=long
export AIDB_TEST_SEED="${AIDB_TEST_SEED:-$((RANDOM * 32768 + RANDOM))}"
export AIDB_EVIDENCE_REPORT="$PWD/artifacts/evidence/report.txt"
export DOTNET_NOLOGO=1 DOTNET_CLI_TELEMETRY_OPTOUT=1
mkdir -p "$(dirname "$AIDB_EVIDENCE_REPORT")"
printf 'evidence of %s, seed %s, scale %s\n' \
  "$(git rev-parse --short HEAD 2>/dev/null || echo unknown)" "$AIDB_TEST_SEED" "${AIDB_EVIDENCE_SCALE:-1}" \
  >"$AIDB_EVIDENCE_REPORT"

dotnet build AiDb.Tests -c "$configuration" -v quiet
code=0
dotnet test AiDb.Tests --no-build -c "$configuration" --filter "Category=Evidence${1:+&FullyQualifiedName~$1}" || code=$?

echo
cat "$AIDB_EVIDENCE_REPORT"
if [ "$code" -ne 0 ]; then
  echo "There are findings. Repeat one with: AIDB_TEST_SEED=$AIDB_TEST_SEED eng/evidence.sh <part of the test's name>"
fi
exit "$code"
