#!/bin/sh
# The committed table and figures of a folder of experiments follow from its CSV files byte for byte.
# Usage: committed_table_test.sh PROGRAM FOLDER TABLE:H...
# The folder's README shows the rows of these tables for these H.
set -eu
program=$1
name=$2
shift 2
committed=$(cd "$(dirname "$0")/../../experiments/$name" && pwd)
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"$committed/make_table.sh" "$program" "$folder" >/dev/null
drawn_by=$(grep -h -o 'GNUPLOT [0-9.]* patchlevel [0-9a-z]*' "$committed"/figures/*.svg | sort -u)
here=$(gnuplot --version | tr '[:lower:]' '[:upper:]')
if [ "$(echo "$drawn_by" | tr '[:lower:]' '[:upper:]')" != "$here" ]; then
  echo "pictures are not compared: drawn by $drawn_by, here is $here"
  find "$folder" -name '*.svg' -exec rm {} +
fi
cd "$folder"
find . -type f | sort | while read -r file; do cmp "$file" "$committed/$file" || exit 1; done
for file in table.md table.tex table.csv figures/local_batch_size_against_samples.csv; do test -s "$file"; done
# What the README of these runs shows of a table is the table's.
for shown; do
  awk -v heading="H = ${shown#*:}" '/^H = /{shown = $0 == heading} shown && /^\|/' "${shown%:*}" >rows
  test -s rows
  while read -r line; do
    grep -q -F -x "$line" "$committed/README.md" || { echo "experiments/$name/README.md lacks: $line"; exit 1; }
  done <rows
done
