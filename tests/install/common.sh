# What the tests of installs begin with: BUILD and VERSION are their arguments, and $folder goes away at the end.
build=$(cd "$1" && pwd) version=$2
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
source=$(cd "$here/../.." && pwd)
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
chmod a+rx "$folder"
fail() {
  echo "$1" >&2
  exit 1
}
