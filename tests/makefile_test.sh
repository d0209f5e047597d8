#!/usr/bin/env bash
# Each word of the Makefile, and each that the documents tell a person to type, has one rule.
set -euo pipefail
cd "$(dirname "$0")/.."
unset MAKEFLAGS MAKELEVEL

words=$({ sed -n 's/^\.PHONY: //p' Makefile | tr ' ' '\n'
          find . -name '*.md' -not -path './build/*' -exec grep -ohE '`make [a-z-]+' {} + | sed 's/.* //'
        } | sort -u)
[ -n "$words" ] || { echo "Makefile: no .PHONY line found" >&2; exit 1; }

failed=0
for word in $words; do
  # A word twice is a warning of make's; one of .PHONY that has no rule has "Nothing to be done".
  said=$(make -n "$word" 2>&1 >/dev/null || true)
  done=$(make -n "$word" 2>/dev/null || true)
  if [ -n "$said" ] || [ -z "${done##*Nothing to be done*}" ]; then
    echo "make $word: ${said:-no rule}" >&2
    failed=1
  fi
  if make -n "$word" PACKAGES=no OLD=x 2>/dev/null | grep install_packages; then
    echo "make $word PACKAGES=no: installs packages" >&2
    failed=1
  fi
done
exit $failed
