#!/usr/bin/env bash
# All benches of cloned voices on one GPU, in under ten minutes, with nothing fetched from anywhere.
#
#   bench/gpu.sh              on the GPU; results in $OUT, or else in bench/results
#   bench/gpu.sh --dry        the same steps on the CPU, quick: proves that they run
#
# PYTHON names the interpreter (python3), THREADS the CPU threads of the models (2).  It needs torch,
# numpy and psutil for the models alone, and what `parley-voice[gpt-sovits]` needs for the service.
# Each step leaves a JSON file with the device's name; a step that cannot run, or fails, is said and
# the others go on.  The exit status is the number of steps that failed.
set -u
cd "$(dirname "$0")/.."
PYTHON=${PYTHON:-python3}
threads=${THREADS:-2}
device=cuda
results=${OUT:-bench/results}
quick=()
patience=1
versions=(v2 v2Pro v2ProPlus)
if [ "${1:-}" = --dry ]; then
  device=cpu
  results=${OUT:-$(mktemp -d)}
  quick=(--quick)
  patience=4
  versions=(v2)
fi
mkdir -p "$results"
failed=0
began=$SECONDS

has() {
  "$PYTHON" - "$@" <<'CHECK'
import importlib.util, sys
missing = [name for name in sys.argv[1:] if importlib.util.find_spec(name) is None]
if missing:
    print("missing:", ", ".join(missing))
    sys.exit(1)
CHECK
}

# Run one bench and keep its last line as a file: bench name, label, options.
step() {
  local name=$1 label=$2 limit_s=$3 file
  shift 3
  file=$results/$name-$label-$slug-$(date -u +%Y-%m-%d).json
  echo "== $name $* ($((SECONDS - began)) s)"
  if timeout $((limit_s * patience)) "$PYTHON" -m bench "$name" "$@" | tee "$results/.last"; then :; fi
  if tail -n 1 "$results/.last" | grep -q '^{"bench"'; then
    tail -n 1 "$results/.last" >"$file"
    echo "-> $file"
  else
    echo "FAILED: $name"
    failed=$((failed + 1))
  fi
  rm -f "$results/.last"
}

has torch numpy psutil || exit 1
slug=$("$PYTHON" - "$device" <<'NAME'
import re, sys, torch
name = torch.cuda.get_device_name() if sys.argv[1] == "cuda" else "cpu"
print(re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-"))
NAME
) || { echo "no GPU: torch sees none; --dry runs on the CPU"; exit 1; }

if has pytest hypothesis loguru; then
  echo "== tests of graphs and of the models' steps on this device"
  timeout $((200 * patience)) "$PYTHON" -m pytest -q -p no:cacheprovider \
    tests/tts/engine/test_graphed.py tests/tts/engine/test_t2s_runtime.py ||
    { echo "FAILED: tests"; failed=$((failed + 1)); }
else
  echo "tests left out"
fi
step gpu_check "eager" 150 --device "$device" --versions "${versions[@]}" ${quick[@]+"${quick[@]}"}
if [ "$device" = cuda ]; then
  rows=(1 4 16 64)
  callers=(1 4 16 32 48 64 96)
else
  rows=(1 2)
  callers=(1 2)
fi
step decode "models" 180 --device "$device" --versions "${versions[@]}" --rows "${rows[@]}" \
  --threads "$threads" ${quick[@]+"${quick[@]}"}

if has pydantic loguru soxr safetensors wordsegment; then
  has grpc grpc_health || echo "no gRPC: the service is measured in this process, without the wire"
  many='{"limits": {"max_streams": 64, "max_queued": 64, "first_packet_ms": 1000}}'
  if [ "$device" = cpu ]; then many='{}'; fi
  if has transformers jieba pypinyin; then languages=(en zh); else languages=(en); fi
  for version in "${versions[@]}"; do
    step first_packet "$version" 120 --device "$device" --threads "$threads" --versions "$version" \
      --languages "${languages[@]}" --settings "$many" ${quick[@]+"${quick[@]}"}
  done
  step capacity v2 200 --device "$device" --threads "$threads" --settings "$many" \
    --callers "${callers[@]}" --step-s 10 ${quick[@]+"${quick[@]}"}
else
  echo "first_packet and capacity left out"
fi
step precision "rounding" 100 --quick
echo "$failed steps failed, $((SECONDS - began)) s; results in $results"
exit "$failed"
