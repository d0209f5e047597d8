#!/bin/sh
# A table of a run compiles with pdflatex. Usage: latex_test.sh PROGRAM; exit status 77: skipped.
set -eu
program=$1
command -v pdflatex >/dev/null 2>&1 || { echo "skipped: pdflatex is not installed"; exit 77; }
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
cat >tiny.yaml <<'YAML'
experiment: tiny_50%
workers: 2
max_samples: 64
dataset: {name: synthetic, train_samples: 40, test_samples: 20}
model: {name: softmax_regression}
learning_rate: {peak: 0.01}
batch_size: {initial: 4, max: 8}
sweep:
  rows:
    "[a] & b_c #1 {x} ~ ^ 50 % <y> \\z": {batch_size.initial: 4}
    plain: {batch_size.initial: 2}
  sync_interval.H: [1, 2]
YAML
"$program" run tiny.yaml --cell 1 >/dev/null
echo 'schedule,H,column,mean,source
plain,2,rounds,3,"they & we, 50 %"' >reference.csv
"$program" table tiny.yaml --reference reference.csv --write out
cat >paper.tex <<'TEX'
\documentclass{article}
\usepackage[landscape,margin=1cm]{geometry}
\begin{document}
\tiny
\input{out/table.tex}
\end{document}
TEX
pdflatex -interaction=nonstopmode -halt-on-error paper.tex >log 2>&1 || { cat log; exit 1; }
test -s paper.pdf
if grep -q 'Missing character\|Undefined' log; then cat log; exit 1; fi
