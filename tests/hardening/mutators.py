"""Ways to damage a file: bits, lengths, lines, columns, keys, numbers, depth, characters that no terminal should get,
and what is no file at all."""

import os
import re

NUMBERS = (
    "nan", "-nan", "inf", "-inf", "1e308", "-1e308", "1e-320", "18446744073709551616", "9223372036854775807",
    "-9223372036854775808", "4294967296", "2147483648", "-1", "0", "0.5", "", "1e400", "0x7f", "1_000", "+1", "1" * 400,
    "9007199254740993")
# Escape sequences, C0 and C1 control characters, overrides of direction, bytes that are not UTF-8, words of formulas.
TEXTS = (
    "\x1b[2J", "\x1b]0;title\x07", "\x00", "\x08", "\r", "\x7f", "\u009b31m", "\u202e", "\u2066", "\u2028", "\ufeff",
    "%s%n", "=1+1", "@sum", "../../..", "a" * 5000, "'", '"', "`", "$(id)", "{}", "{0}", "\\", "<script>", "|", "#",
    "null", "true", "~", "&a", "*a", "<<", "!!binary x", "\u00e9")
RAW = (b"\xff", b"\xc3", b"\xed\xa0\x80", b"\xf5\x80\x80\x80", b"\xe9t\xe9")
DEEP = (b"[", b"{\"a\":", b"- ", b"{a: ", b"(", b"\"", b"? ")
DEPTHS = (20, 2000, 200_000)


def flip_bits(random, data):
    data = bytearray(data)
    for _ in range(random.choice((1, 1, 2, 8))):
        data[random.randrange(len(data))] ^= 1 << random.randrange(8)
    return bytes(data)


def set_bytes(random, data):
    at = random.randrange(len(data))
    return data[:at] + bytes([random.choice((0, 255, 10, 32, random.randrange(256)))]) * random.choice((1, 4, 8)) + \
        data[at + 1:]


def cut(random, data):
    at = random.choice((0, 1, len(data) - 1, random.randrange(len(data))))
    return data[:at]


def cut_out(random, data):
    begin = random.randrange(len(data))
    return data[:begin] + data[begin + random.choice((1, 8, 64)):]


def longer(random, data):
    return data + random.choice((b"\0", b"\n", b"\n\n,", data, b"x", b"\0" * 4096, b"}"))


def change_lines(random, data):
    lines = data.split(b"\n")
    a, b = random.randrange(len(lines)), random.randrange(len(lines))
    kind = random.randrange(4)
    if kind == 0:
        lines.insert(a, lines[b])
    elif kind == 1:
        del lines[a]
    elif kind == 2:
        lines[a], lines[b] = lines[b], lines[a]
    else:
        lines[a:a] = [lines[b]] * random.choice((10, 1000))
    return b"\n".join(lines)


def change_columns(random, data):
    """Of a CSV file: twice, away, elsewhere, or in one line only."""
    rows = [line.split(b",") for line in data.split(b"\n")]
    a, b = random.randrange(len(rows[0])), random.randrange(len(rows[0]))
    kind = random.randrange(4)
    for row in rows[:1] if random.random() < 0.3 else rows:
        if max(a, b) >= len(row):
            continue
        if kind == 0:
            row.insert(a, row[b])
        elif kind == 1:
            del row[a]
        elif kind == 2:
            row[a] = row[b]
        else:
            row[a], row[b] = row[b], row[a]
    return b"\n".join(b",".join(row) for row in rows)


def change_token(random, data, pattern, new):
    found = list(re.finditer(pattern, data))
    if not found:
        return flip_bits(random, data)
    spot = random.choice(found)
    return data[:spot.start()] + new + data[spot.end():]


def change_number(random, data):
    return change_token(random, data, rb"-?\d[\d.e+-]*", random.choice(NUMBERS).encode())


def change_word(random, data):
    words = re.findall(rb"\w+", data) or [b"x"]
    return change_token(random, data, rb"\w+", random.choice(words))


def insert_text(random, data):
    text = random.choice(RAW) if random.random() < 0.3 else random.choice(TEXTS).encode()
    spots = [match.start() for match in re.finditer(rb"\b", data)] or [0]
    at = random.choice(spots)
    return data[:at] + text + data[at:]


def put_key_twice(random, data):
    """In JSON and YAML: a line with a key once more, with another value."""
    lines = data.split(b"\n")
    keys = [i for i, line in enumerate(lines) if b":" in line]
    if not keys:
        return change_lines(random, data)
    line = lines[random.choice(keys)]
    value = random.choice((b" 1,", b" \"x\",", b" null,", b" [1],", b" {},", b" -1"))
    lines.insert(random.choice(keys), line.split(b":")[0] + b":" + value)
    return b"\n".join(lines)


def change_value(random, data):
    """What stands behind a colon becomes of another kind."""
    value = random.choice(
        (b"[]", b"{}", b"null", b"\"\"", b"[[]]", b"{\"a\": 1}", b"true", b"-0", b"[1, 2]", b"x", b""))
    return change_token(random, data, rb"(?<=: )[^,}\n]+", value)


def nest(random, data):
    opening, depth = random.choice(DEEP), random.choice(DEPTHS)
    at = random.choice((0, *(match.end() for match in re.finditer(rb"[:,] ?", data))))
    return data[:at] + opening * depth + data[at:]


OF_BYTES = (flip_bits, set_bytes, cut, cut_out, longer)
OF_TEXT = (flip_bits, cut, change_lines, change_number, change_number, change_word, insert_text, insert_text)
MUTATORS = {".csv": (*OF_TEXT, change_columns, change_columns),
            ".json": (*OF_TEXT, put_key_twice, change_value, change_value, nest),
            ".yaml": (*OF_TEXT, put_key_twice, change_value, change_value, nest),
            ".txt": (*OF_TEXT, nest)}


def put_no_file(random, path):
    """Something else in the place of a file."""
    kind = random.choice(("nothing", "folder", "FIFO", "link to nothing", "link to itself", "link to a device"))
    path.unlink()
    if kind == "folder":
        path.mkdir()
    elif kind == "FIFO":
        os.mkfifo(path)
    elif kind.startswith("link"):
        path.symlink_to({"nothing": "not-there", "itself": path.name, "device": "/dev/zero"}[kind.split()[-1]])
    return kind


def damage(random, path, whole):
    """Replaces a file by a damaged copy of `whole`, with one damage, now and then with three; what was done."""
    if random.random() < 0.03:
        return put_no_file(random, path)
    data, done = mutated(random, path.name, whole.read_bytes())
    path.write_bytes(data)
    return done


def mutated(random, name, data):
    suffix = name[name.rfind("."):]
    done = []
    for _ in range(random.choice((1, 1, 1, 1, 3))):
        mutate = random.choice(MUTATORS.get(suffix, OF_BYTES))
        if data:
            data = mutate(random, data)
        done.append(mutate.__name__)
    return data, ", ".join(done)
