#!/bin/sh
# A browser shows the page of a run. Usage: page_test.sh PROGRAM; exit status 77: skipped.
set -eu
program=$1
for tool in chromium gnuplot; do
  command -v $tool >/dev/null 2>&1 || { echo "skipped: $tool is not installed"; exit 77; }
done
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
cat >tiny.yaml <<'YAML'
experiment: tiny
workers: 2
max_samples: 64
dataset: {name: synthetic, train_samples: 40, test_samples: 20}
model: {name: softmax_regression}
learning_rate: {peak: 0.01}
batch_size: {initial: 4, max: 8}
sweep: {sync_interval.H: [1, 2]}
YAML
"$program" run tiny.yaml --cell 1 >/dev/null
"$program" report tiny.yaml --write page.html
browser="chromium --headless --no-sandbox --disable-gpu --disable-dev-shm-usage --user-data-dir=$folder/profile"
$browser --dump-dom "file://$folder/page.html" >dom 2>errors || { cat errors; exit 1; }
for text in '<th>constant 4</th>' '<td>missing</td>' '<td>finished</td>' 'test accuracy (%)' '</svg>'; do
  grep -qF "$text" dom || { echo "the page does not hold $text"; exit 1; }
done
if grep -qE 'src=|<link|@import' page.html; then echo "the page needs other files"; exit 1; fi
$browser --window-size=1000,1400 --screenshot="$folder/page.png" "file://$folder/page.html" >/dev/null 2>errors ||
  { cat errors; exit 1; }
test "$(wc -c <page.png)" -gt 10000
