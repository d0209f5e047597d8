#!/bin/sh
# Downloads a data set from its official address, compares it with the published checksum, and unpacks it into this
# folder, or into the one that LOCALBATCH_DATA names.
#   data/fetch.sh cifar10 | cifar100 | mnist | fashion_mnist | tinyshakespeare | english_novels
# What is there already and right stays. A download that breaks, or is not what it should be, leaves nothing behind.
set -eu

# Of a data set: its folder, where its files are downloaded (the first address that answers), their MD5 as published, and
# the MD5 of what lies in the folder in the end. The latter is not known for CIFAR-100: it is written down when unpacking.
# Of a text that is published in one piece, the bytes that train; the rest is for tests. Of novels their authors; such an
# archive is made when it is asked for, with a checksum of its own ("-"), and only what is made of it is compared.
train_bytes=
authors=
case ${1-} in
  cifar10)
    folder=cifar-10-batches-bin
    addresses=https://www.cs.toronto.edu/~kriz
    downloads='c32a1d4ab5d03f1284b67883e8d87530 cifar-10-binary.tar.gz'
    contents='5dd7e06a14cb22eb9f671a540d1b7c25 data_batch_1.bin
5ea93a67294ea407fff1d09f752e9692 data_batch_2.bin
942cd6a4bcdd0dd3c604fbe906cb4421 data_batch_3.bin
ae636b3ba5c66a11e91e8cb52e771fcb data_batch_4.bin
53f37980c15c3d472c316c40844f3f0d data_batch_5.bin
803d5f7f4d78ea53de84dbe85f74fb6d test_batch.bin' ;;
  cifar100)
    folder=cifar-100-binary
    addresses=https://www.cs.toronto.edu/~kriz
    downloads='03b5dce01913d631647c71ecec9e9cb8 cifar-100-binary.tar.gz'
    contents= ;;
  mnist)
    folder=mnist
    addresses='http://yann.lecun.com/exdb/mnist https://ossci-datasets.s3.amazonaws.com/mnist'
    downloads='f68b3c2dcbeaaa9fbdd348bbdeb94873 train-images-idx3-ubyte.gz
d53e105ee54ea40749a09fcbcd1e9432 train-labels-idx1-ubyte.gz
9fb629c4189551a2d022fa330f9573f3 t10k-images-idx3-ubyte.gz
ec29112dd5afa0611ce80d1b7f02629c t10k-labels-idx1-ubyte.gz'
    contents=$downloads ;;
  fashion_mnist)
    folder=fashion-mnist
    addresses=https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion
    downloads='8d4fb7e6c68d591d4c3dfef9ec88bf0d train-images-idx3-ubyte.gz
25c81989df183df01b3e8a0aad5dffbe train-labels-idx1-ubyte.gz
bef4ecab320f06d8554ea6380940ec79 t10k-images-idx3-ubyte.gz
bb300cfdad3c16e7a12a480ee83cd310 t10k-labels-idx1-ubyte.gz'
    contents=$downloads ;;
  tinyshakespeare)
    folder=tinyshakespeare
    addresses=https://raw.githubusercontent.com/karpathy/char-rnn/master/data/tinyshakespeare
    train_bytes=1003854
    downloads='6fb458f1232090904fb40fe944165e91 input.txt'
    contents="$downloads
0ca30bf21085e76988caaa58bb2ea370 train.txt
73f368e239117e41ba249395cae978cc val.txt" ;;
  english_novels)
    folder=english-novels
    addresses=https://github.com/mlschmitt/classic-books-markdown/archive
    downloads='- 944882722e9a96fa6cf2739dc2ea757e101f412f.tar.gz'
    contents='1eb774a9b20792d172078e84c27cf929 train.txt
3d684298afc7d27b6dc65409256a5a2d val.txt'
    authors='Anne Bronte
Arthur Conan Doyle
Bram Stoker
Charles Dickens
Charlotte Bronte
Edgar Allan Poe
Elizabeth Gaskell
Emily Bronte
George Eliot
H.G. Wells
Herman Melville
Jane Austen
Mark Twain
Mary Wollstonecraft Shelley
Nathaniel Hawthorne
Robert Louis Stevenson
Thomas Hardy
Wilkie Collins
William Makepeace Thackeray' ;;
  *)
    echo "fetch.sh: found '${1-}', expected cifar10 | cifar100 | mnist | fashion_mnist | tinyshakespeare |" \
      "english_novels" >&2
    exit 2 ;;
esac
[ $# -eq 1 ] || { echo "fetch.sh: expected one data set, found $# words" >&2; exit 2; }

data=${LOCALBATCH_DATA:-$(cd "$(dirname "$0")" && pwd)}
written=$data/$folder/md5sums.txt  # beside files whose checksums are known from unpacking alone

md5() {
  if command -v md5sum >/dev/null; then md5sum <"$1" | cut -d' ' -f1; else command md5 -q "$1"; fi
}

is_right() {
  [ -f "$1" ] && { [ "$2" = - ] || [ "$(md5 "$1")" = "$2" ]; }
}

# Reads lines "MD5 FILE"; whether the folder has all of these files.
has_all() {
  while read -r sum file; do is_right "$data/$folder/$file" "$sum" || return 1; done
}

# One address of a file to one place, by whichever program is there.
download() {
  if command -v curl >/dev/null; then
    if [ -t 2 ]; then progress=--progress-bar; else progress=--silent; fi
    curl --fail --location --show-error --connect-timeout 20 "$progress" --output "$2" "$1"
  elif command -v wget >/dev/null; then
    wget --quiet --tries=2 --timeout=20 -O "$2" "$1"
  else
    echo "fetch.sh: neither curl nor wget is installed" >&2
    return 1
  fi
}

say_what_to_do() {
  case $downloads in *.tar.gz) place=$data ;; *) place=$data/$folder ;; esac
  {
    echo "fetch.sh: $1 could not be downloaded. By hand, on a machine with a network, download"
    echo "$downloads" | while read -r sum file; do
      [ "$sum" = - ] && sum= || sum="  (MD5 $sum)"
      echo "  ${addresses%% *}/$file$sum"
    done
    echo "put that into $place and start this again."
  } >&2
}

# Downloads a file from the first address that answers with the right bytes, into the temporary folder.
get() {
  for address in $addresses; do
    echo "$address/$2"
    download "$address/$2" "$temporary/$2" || continue
    is_right "$temporary/$2" "$1" && return
    echo "fetch.sh: $address/$2 has the MD5 $(md5 "$temporary/$2"), expected $1; not kept" >&2
  done
  say_what_to_do "$2"
  return 1
}

# What follows the header of a book, without blanks around it.
text_of() {
  LC_ALL=C awk '
    { sub(/\r$/, "") }
    !begun { begun = /^---+ *$/; next }
    /^[ \t]*$/ { if (last != "") blank = blank "\n" $0; next }
    { if (last == "") sub(/^[ \t]+/, ""); else printf "%s\n", last blank; last = $0; blank = "" }
    END { sub(/[ \t]+$/, "", last); printf "%s\n\n\n", last }' "$1"
}

# Makes train.txt and val.txt here from the folders of the authors: what was published before 1900, in the order of the
# bytes of its path. Three whole works are for tests.
make_novels() {
  echo "$authors" | while read -r author; do find "./$author" -name '*.md'; done | LC_ALL=C sort >books
  while read -r book; do
    year=$(sed -n '1,9s/^## Year: *\([0-9]*\).*/\1/p' "$book" | head -n 1)
    [ "${year:-0}" -ge 1719 ] && [ "$year" -le 1899 ] || continue
    case $book in
      */'The Time Machine.md' | */Persuasion.md | */'The Adventures of Tom Sawyer.md') text_of "$book" >>val.txt ;;
      *) text_of "$book" >>train.txt ;;
    esac
  done <books
}

[ -n "$contents" ] || [ ! -f "$written" ] || contents=$(cat "$written")
if [ -n "$contents" ] && echo "$contents" | has_all; then
  echo "$data/$folder: already there, with the right checksums"
  exit 0
fi

mkdir -p "$data"
temporary=$(mktemp -d "$data/.fetch.XXXXXX")
trap 'rm -rf "$temporary"' EXIT
trap 'exit 1' HUP INT TERM
mkdir "$temporary/$folder"
echo "$downloads" >"$temporary/downloads"
while read -r sum file; do
  case $file in
    *.tar.gz)
      archive=$data/$file  # one that was put there by hand
      is_right "$archive" "$sum" || { get "$sum" "$file" && archive=$temporary/$file; } || exit 1
      tar -xzof "$archive" -C "$temporary" ;;
    *)
      is_right "$data/$folder/$file" "$sum" && continue
      get "$sum" "$file" || exit 1
      mv "$temporary/$file" "$temporary/$folder" ;;
  esac
done <"$temporary/downloads"

if [ -n "$train_bytes" ]; then
  whole=$temporary/$folder/input.txt
  [ -f "$whole" ] || whole=$data/$folder/input.txt
  head -c "$train_bytes" "$whole" >"$temporary/$folder/train.txt"
  tail -c "+$((train_bytes + 1))" "$whole" >"$temporary/$folder/val.txt"
fi
if [ -n "$authors" ]; then
  (cd "$temporary"/classic-books-markdown-* && make_novels && mv train.txt val.txt "$temporary/$folder")
  echo "$contents" | (data=$temporary && has_all) || {
    echo "fetch.sh: the archive does not hold the novels that were expected; nothing was kept" >&2
    exit 1
  }
fi
if [ -z "$contents" ]; then
  for file in "$temporary/$folder"/*; do echo "$(md5 "$file") ${file##*/}"; done >"$temporary/md5sums.txt"
  mv "$temporary/md5sums.txt" "$temporary/$folder"
fi
mkdir -p "$data/$folder"
mv -f "$temporary/$folder"/* "$data/$folder/"  # renamed, so a file is never there in part
echo "$data/$folder: complete"
