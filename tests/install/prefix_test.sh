#!/usr/bin/env bash
# cmake --install puts all that a person needs into a prefix, and the program runs from there.
#   prefix_test.sh BUILD VERSION
set -euo pipefail
. "$(dirname "$0")/common.sh"
prefix=$folder/prefix

(umask 077 && cmake --install "$build" --prefix "$prefix" >"$folder/log") || fail "$(cat "$folder/log")"
chmod -R a+rX "$prefix"
for file in bin/localbatch share/man/man1/localbatch.1 share/bash-completion/completions/localbatch \
            share/zsh/site-functions/_localbatch share/modulefiles/localbatch/"$version" \
            share/doc/localbatch/LICENSE share/localbatch/experiments/demo.yaml \
            share/localbatch/experiments/README.md share/localbatch/experiments/slurm/array.sbatch; do
  [ -s "$prefix/$file" ] || fail "$file is not installed"
done
results=$(find "$prefix" -name '*.csv' -o -name '*.svg' -o -name experiment.yaml -o -name manifest.json)
[ -z "$results" ] || fail "results are installed: $results"

# What the program prints went into the files whole, and is what shells and man understand.
program=$prefix/bin/localbatch
said=$("$program" --version)
case $said in
  "localbatch $version (unknown)") [ ! -e "$source/.git" ] || fail "the program does not know its commit" ;;
  "localbatch $version ("*) ;;
  *) fail "the program calls itself $said" ;;
esac
"$program" --man | cmp - "$prefix/share/man/man1/localbatch.1"
"$program" --completion bash | cmp - "$prefix/share/bash-completion/completions/localbatch"
"$program" --completion zsh | cmp - "$prefix/share/zsh/site-functions/_localbatch"
bash -n "$prefix/share/bash-completion/completions/localbatch"
if command -v zsh >/dev/null; then
  zsh -n "$prefix/share/zsh/site-functions/_localbatch"
else
  echo "no zsh here: its completion is not read"
fi

# The module file finds its prefix, wherever that is, in a Tcl that knows the words of modules.
if command -v tclsh >/dev/null; then
  path=$(tclsh <<TCL
proc module-whatis {text} {}
proc conflict {name} {}
proc prepend-path {name value} { puts "\$name=\$value" }
set ModulesCurrentModulefile $prefix/share/modulefiles/localbatch/$version
source \$ModulesCurrentModulefile
TCL
  )
  [ "$path" = "PATH=$prefix/bin
MANPATH=$prefix/share/man" ] || fail "the module file says $path"
else
  echo "no tclsh here: the module file is not read"
fi

"$here/run_demo.sh" "$prefix" "$source" "$build"
