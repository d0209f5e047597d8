#!/bin/sh
# data/fetch.sh with a network of our own: a curl that serves the files of a folder, or nothing, and a copy of the script
# that expects the checksums of these files.
set -eu
fetch=$(cd "$(dirname "$0")/../../data" && pwd)/fetch.sh
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
unset LOCALBATCH_DATA

fail() {
  echo "fetch_test: $*" >&2
  sed 's/^/  | /' said >&2
  exit 1
}

# The programs that the script may use, without those that reach a network.
mkdir bin served data
for program in sh cat cut dirname head md5sum mkdir mktemp mv rm tail tar gzip awk find sed sort; do
  ln -s "$(command -v $program)" bin/$program
done
cat >bin/curl <<'CURL'
#!/bin/sh
while [ $# -gt 1 ]; do
  if [ "$1" = --output ]; then shift; output=$1; fi
  shift
done
echo "$1" >>"$FOLDER/asked"
if [ -e "$FOLDER/offline" ]; then echo "curl: (6) Could not resolve host" >&2; exit 6; fi
case $1 in *$(cat "$FOLDER/dead" 2>/dev/null || echo nothing)*) echo cut >"$output"; exit 22 ;; esac
cat "$FOLDER/served/${1##*/}" >"$output"
CURL
chmod +x bin/curl

run() {
  status=0
  : >asked
  env -i PATH="$folder/bin" FOLDER="$folder" ${variable:+"$variable"} sh data/fetch.sh "$@" >said 2>&1 || status=$?
}

expect() {  # STATUS TEXT: how the latest run ended and what it said
  [ "$status" -eq "$1" ] || fail "status $status, expected $1"
  grep -q -F -e "$2" said || fail "expected: $2"
  [ -z "$(find . -name '.fetch.*')" ] || fail "a temporary folder was left behind"
}

# What is served: archives and idx files of a few bytes.
for archive in cifar-10-batches-bin:cifar-10-binary cifar-100-binary:cifar-100-binary; do
  name=${archive%:*}
  mkdir "$name"
  for file in data_batch_1.bin data_batch_2.bin data_batch_3.bin data_batch_4.bin data_batch_5.bin test_batch.bin; do
    echo "$file of $name" >"$name/$file"
  done
  tar -czf "served/${archive#*:}.tar.gz" "$name"
done
for part in train t10k; do
  for kind in images-idx3 labels-idx1; do echo "$part $kind" | gzip >served/$part-$kind-ubyte.gz; done
done

# A text of the published size, and the two parts that the script is to make of it.
mkdir split
seq 200000 | head -c 1115394 >served/input.txt
head -c 1003854 served/input.txt >split/train.txt
tail -c 111540 served/input.txt >split/val.txt

# A collection of books with headers, and what is to be made of it: by year, without header, returns and outer blanks.
mkdir -p books/classic-books-markdown-1/'Mark Twain' books/classic-books-markdown-1/'Ayn Rand' novels
book() {  # PATH YEAR TEXT
  printf '# Title: T\n\n## Author: A\n\n## Year: %s\n\n-------\n\n%b' "$2" "$3" >"books/classic-books-markdown-1/$1.md"
}
book 'Mark Twain/Roughing It' 1872 ' One\r\n\n  two \r\n \n\n'
book 'Mark Twain/A Tale' 1869 'First.\n----\nSecond.'
book 'Mark Twain/Late' 1905 'Not this one.'
book 'Mark Twain/The Adventures of Tom Sawyer' 1876 'A test.\n'
book 'Ayn Rand/Anthem' 1889 'Another author.\n'
tar -czf served/944882722e9a96fa6cf2739dc2ea757e101f412f.tar.gz -C books classic-books-markdown-1
printf 'First.\n----\nSecond.\n\n\nOne\n\n  two\n\n\n' >novels/train.txt
printf 'A test.\n\n\n' >novels/val.txt

# The script with the checksums of these.
cp "$fetch" data/fetch.sh
for file in served/* cifar-10-batches-bin/* split/*; do
  sum=$(md5sum <"$file" | cut -d' ' -f1)
  sed -i "s/[0-9a-f]\{32\} ${file##*/}/$sum ${file##*/}/" data/fetch.sh
done
for file in novels/*; do
  sum=$(md5sum <"$file" | cut -d' ' -f1)
  sed -i "/folder=english-novels/,/authors=/s/[0-9a-f]\{32\} ${file##*/}/$sum ${file##*/}/" data/fetch.sh
done
rm -r cifar-10-batches-bin cifar-100-binary

run imagenet
expect 2 "found 'imagenet', expected cifar10 | cifar100 | mnist | fashion_mnist | tinyshakespeare | english_novels"
run
expect 2 "found ''"
run mnist cifar10
expect 2 "expected one data set, found 2 words"

# Without a network: what to do, and nothing in the folder.
touch offline
run cifar10
expect 1 "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz"
expect 1 "put that into $folder/data and start this again"
run mnist
expect 1 "put that into $folder/data/mnist and start this again"
run tinyshakespeare
expect 1 "put that into $folder/data/tinyshakespeare and start this again"
[ "$(ls data)" = fetch.sh ] || fail "left behind: $(ls data)"

# As it says: the archive by hand, still without a network.
cp served/cifar-10-binary.tar.gz data
run cifar10
expect 0 "cifar-10-batches-bin: complete"
rm -r data/cifar-10-binary.tar.gz data/cifar-10-batches-bin offline

# With a network; then again, and again after damage.
run cifar10
expect 0 "cifar-10-batches-bin: complete"
[ "$(cat data/cifar-10-batches-bin/test_batch.bin)" = "test_batch.bin of cifar-10-batches-bin" ] || fail "other bytes"
run cifar10
expect 0 "already there, with the right checksums"
[ ! -s asked ] || fail "the network was asked for what is there"
echo damage >>data/cifar-10-batches-bin/test_batch.bin
echo mine >data/cifar-10-batches-bin/notes.txt
run cifar10
expect 0 "cifar-10-batches-bin: complete"
[ "$(cat data/cifar-10-batches-bin/test_batch.bin)" = "test_batch.bin of cifar-10-batches-bin" ] || fail "not repaired"
[ -e data/cifar-10-batches-bin/notes.txt ] || fail "a file that is not of the data set is gone"

# Checksums that are known from unpacking alone.
run cifar100
expect 0 "cifar-100-binary: complete"
run cifar100
expect 0 "already there, with the right checksums"
echo damage >>data/cifar-100-binary/test_batch.bin
run cifar100
expect 0 "cifar-100-binary: complete"

# Four files: only what is missing is downloaded, from the second address where the first is dead.
echo yann >dead
run mnist
expect 0 "mnist: complete"
grep -q ossci-datasets asked || fail "the second address was not asked"
rm dead data/mnist/t10k-labels-idx1-ubyte.gz
run mnist
expect 0 "mnist: complete"
[ "$(wc -l <asked)" -eq 1 ] || fail "more was downloaded than was missing"
variable=LOCALBATCH_DATA=$folder/elsewhere
run fashion_mnist
expect 0 "$folder/elsewhere/fashion-mnist: complete"
variable=

# A text in one piece: both parts of it, again after damage without the network, and by hand.
run tinyshakespeare
expect 0 "tinyshakespeare: complete"
cmp data/tinyshakespeare/train.txt split/train.txt && cmp data/tinyshakespeare/val.txt split/val.txt ||
  fail "other parts of the text"
run tinyshakespeare
expect 0 "already there, with the right checksums"
touch offline
echo damage >>data/tinyshakespeare/val.txt
run tinyshakespeare
expect 0 "tinyshakespeare: complete"
cmp data/tinyshakespeare/val.txt split/val.txt || fail "not repaired"
rm -r data/tinyshakespeare offline

# Novels, from an archive whose own checksum nobody knows: by hand, with a network, and from another collection.
touch offline
run english_novels
expect 1 "/archive/944882722e9a96fa6cf2739dc2ea757e101f412f.tar.gz"
expect 1 "put that into $folder/data and start this again"
cp served/944882722e9a96fa6cf2739dc2ea757e101f412f.tar.gz data
run english_novels
expect 0 "english-novels: complete"
rm -r data/english-novels data/*.tar.gz offline
run english_novels
expect 0 "english-novels: complete"
cmp data/english-novels/train.txt novels/train.txt && cmp data/english-novels/val.txt novels/val.txt || fail "other novels"
run english_novels
expect 0 "already there, with the right checksums"
rm -r data/english-novels
book 'Mark Twain/A Tale' 1869 'Revised.'
tar -czf served/944882722e9a96fa6cf2739dc2ea757e101f412f.tar.gz -C books classic-books-markdown-1
run english_novels
expect 1 "does not hold the novels that were expected"
[ ! -e data/english-novels ] || fail "something was kept"

# Other bytes than those that were published.
rm -r data/mnist
echo other | gzip >served/train-labels-idx1-ubyte.gz
run mnist
expect 1 "expected $(sed -n 's/^\([0-9a-f]*\) train-labels.*/\1/p' data/fetch.sh | head -n 1); not kept"
[ ! -e data/mnist ] || fail "something was kept"

echo "fetch.sh: unknown names, no network, by hand, success, again, damage, a dead address, a text and its parts, novels, other bytes"
