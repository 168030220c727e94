#!/bin/bash
# Everything on the GPU machine, from the repository's root:
#   bash training/run_gpu.sh SECONDS OUTDIR [options of train.py]    one training run; ends by itself about 70 s after SECONDS
#   bash training/run_gpu.sh --smoke OUTDIR [options of smoke.py]    how fast every part is, and TRY seconds of the whole
# OUTDIR gets log.txt, ema.pth, resume.pth (every 75 s and at the end), crops.png, held-out.png, generator.log. The ring of records
# lies in POOL (default: shared memory where 40 GiB of it are free, else /tmp).
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
python=${PYTHON:-python3}
workers=${WORKERS:-$(( $(nproc) > 1 ? $(nproc) - 1 : 1 ))}
slots=${SLOTS:-120000}
if [ -z "${POOL:-}" ]; then
  free=$(df --output=avail -B1G /dev/shm 2>/dev/null | tail -1 || echo 0)
  if [ "${free:-0}" -ge 40 ]; then POOL=/dev/shm/inpose-pool; else POOL=/tmp/inpose-pool; fi
fi
export OMP_NUM_THREADS=${OMP_NUM_THREADS:-2}
mode=$1; out=$2; shift 2
mkdir -p "$out" "$POOL"
trap 'rm -rf "$POOL"' EXIT
# compiles the renderer and bakes the bodies once, before the workers start
"$python" "$here/generator/generate.py" --assets "$here/assets" --pool "$POOL/first" --slots 4 --seed 1 --count 2 > "$out/generator.log" 2>&1 \
  || { cat "$out/generator.log"; exit 1; }
if [ "$mode" = --smoke ]; then
  "$python" -u "$here/smoke.py" --pool "$POOL/smoke" --workers "$workers" --slots 20000 "$@" 2>&1 | tee "$out/smoke.txt"
  cp "$POOL/smoke/generator.log" "$out/generator-smoke.log" || true
  rm -rf "$POOL/smoke"
  "$python" -u "$here/train.py" --out "$out" --pool "$POOL/run" --seconds "${TRY:-10}" --workers "$workers" --slots 20000 --start 1000 \
    --backgrounds 480 --val 256 --checkpoint-every 8 2>&1 | tail -40
else
  "$python" -u "$here/train.py" --out "$out" --pool "$POOL/run" --seconds "$mode" --workers "$workers" --slots "$slots" "$@"
fi
