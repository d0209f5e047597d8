#!/bin/sh
# The committed table and figures of experiments/scaled follow from its CSV files byte for byte.
# Usage: scaled_table_test.sh PROGRAM
set -eu
program=$1
scaled=$(cd "$(dirname "$0")/../../experiments/scaled" && pwd)
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"$scaled/make_table.sh" "$program" "$folder" >/dev/null
drawn_by=$(grep -h -o 'GNUPLOT [0-9.]* patchlevel [0-9a-z]*' "$scaled"/figures/*.svg | sort -u)
here=$(gnuplot --version | tr '[:lower:]' '[:upper:]')
if [ "$(echo "$drawn_by" | tr '[:lower:]' '[:upper:]')" != "$here" ]; then
  echo "pictures are not compared: drawn by $drawn_by, here is $here"
  rm "$folder"/figures/*.svg
fi
cd "$folder"
find . -type f | sort | while read -r file; do cmp "$file" "$scaled/$file" || exit 1; done
for file in table.md table.tex table.csv figures/local_batch_size_against_samples.csv; do test -s "$file"; done
# What the README of these runs shows of the table is the table's.
sed -n '/^H = 8$/,/^H = 32$/p' table.md | grep '^|' | while read -r line; do
  grep -q -F -x "$line" "$scaled/README.md" || { echo "experiments/scaled/README.md lacks: $line"; exit 1; }
done
