#!/usr/bin/env bash
# A few samples of the demo, from a folder of its own, by an ordinary user who does not see the source tree.
#   run_demo.sh PREFIX SOURCE BUILD
# Root becomes nobody. Where the kernel lets us, empty folders hide SOURCE and BUILD, as if they had been deleted.
set -euo pipefail
prefix=$1 source=$2 build=$3
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cat >"$work/run.sh" <<SCRIPT
cd "$work"
export HOME="$work" TMPDIR="$work" PATH="$prefix/bin:\$PATH"
[ "\$(command -v localbatch)" = "$prefix/bin/localbatch" ]
localbatch --version
localbatch run "$prefix/share/localbatch/experiments/demo.yaml" --set max_samples=256 --set batch_size.initial=8 \\
  --set dataset.test_samples=100 --set dataset.train_samples=400
ls results/demo/*/summary.json
SCRIPT
chmod -R a+rX "$work"

as_user=(bash)
if [ "$(id -u)" -eq 0 ] && command -v setpriv >/dev/null; then
  chown 65534:65534 "$work"
  as_user=(setpriv --reuid=65534 --regid=65534 --clear-groups bash)
fi
hide="mount -t tmpfs none '$build' && mount -t tmpfs none '$source'"
if unshare -rm true 2>/dev/null && [ "$(id -u)" -ne 0 ]; then
  unshare -rm bash -c "$hide && bash '$work/run.sh'"
elif [ "$(id -u)" -eq 0 ] && unshare -m bash -c "$hide" 2>/dev/null; then
  unshare -m bash -c "$hide && ${as_user[*]} '$work/run.sh'"
else
  echo "no mounts allowed here: the source tree stays in sight"
  "${as_user[@]}" "$work/run.sh"
fi
