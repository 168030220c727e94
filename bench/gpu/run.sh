#!/usr/bin/env bash
# Runs a packed benchmark: bash run.sh OUT_DIR [options of bench:node]
# Unpacks Node and Dawn beside this file, writes OUT_DIR/bench.json and OUT_DIR/bench.txt.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
out=$(mkdir -p "$1" && cd "$1" && pwd)
shift

unpack() { # FROM TO
  [ -s "$2" ] && return
  if command -v xz >/dev/null; then xz -dc "$1" >"$2"; else
    python3 -c 'import lzma, shutil, sys; shutil.copyfileobj(lzma.open(sys.argv[1]), open(sys.argv[2], "wb"), 1 << 20)' "$1" "$2"
  fi
}
unpack "$here/node.xz" "$here/node"
chmod +x "$here/node"
unpack "$here/dawn.node.xz" "$here/app/node_modules/webgpu/dist/linux-x64/dawn.node"
unpack "$here/ort-wasm-simd-threaded.asyncify.wasm.xz" "$here/app/ort/ort-wasm-simd-threaded.asyncify.wasm"

# Vulkan's loader, where the driver came without one: into the system as root, else beside this file.
if [[ $(ldconfig -p) != *libvulkan.so.1* ]] && [ -d "$here/loaders" ]; then
  [ "$(id -u)" = 0 ] && root=/ || root="$here/root"
  for package in "$here"/loaders/*.deb; do dpkg -x "$package" "$root"; done
  if [ "$root" = / ]; then ldconfig; else export LD_LIBRARY_PATH="$root/usr/lib/x86_64-linux-gnu:${LD_LIBRARY_PATH:-}"; fi
fi
# Drivers that are mounted rather than installed keep their manifest beside themselves.
manifest=/usr/local/nvidia/share/vulkan/icd.d/nvidia_icd.json
if [ -z "${VK_ICD_FILENAMES:-}${VK_DRIVER_FILES:-}" ] && [ -f "$manifest" ]; then export VK_DRIVER_FILES="$manifest"; fi

"$here/node" "$here/app/bench.js" --fixtures "$here/app/fixtures" --ort "$here/app/ort" --json "$out/bench.json" "$@" 2>&1 | tee "$out/bench.txt"
