"""The counter-based random numbers of lib/core/random.h, on arrays: the same bits as there."""

import numpy

PURPOSE_TEST = 1000


def philox(counter, key):
    """Philox4x32-10 on arrays of counters; as in lib/core/random.cpp."""
    low = numpy.uint64(0xFFFFFFFF)
    counter = [numpy.asarray(word, dtype=numpy.uint64) for word in counter]
    key = list(key)
    for _ in range(10):
        product0 = counter[0] * numpy.uint64(0xD2511F53)
        product1 = counter[2] * numpy.uint64(0xCD9E8D57)
        counter = [
            (product1 >> numpy.uint64(32)) ^ counter[1] ^ numpy.uint64(key[0]),
            product1 & low,
            (product0 >> numpy.uint64(32)) ^ counter[3] ^ numpy.uint64(key[1]),
            product0 & low,
        ]
        key = [(key[0] + 0x9E3779B9) % 2**32, (key[1] + 0xBB67AE85) % 2**32]
    return counter


def random_words(seed, owner, count):
    """The first `count` words of RandomStream(seed, Purpose::kTest, owner)."""
    key = [int(word) for word in philox([PURPOSE_TEST, 0, 0, 0], [seed % 2**32, seed >> 32])[:2]]
    words = []
    chunk = 1 << 16  # stays in the cache
    for first in range(0, (count + 3) // 4, chunk):
        position = numpy.arange(first, min(first + chunk, (count + 3) // 4), dtype=numpy.uint64)
        block = philox([position, 0 * position, 0 * position + numpy.uint64(owner), 0 * position], key)
        words.append(numpy.stack(block, axis=1).reshape(-1))
    return numpy.concatenate(words)[:count]


def uniform(seed, owner, count, center, half_width):
    """center + half_width (2u - 1) in f32. No product is rounded before a sum, so a compiler that
    fuses the two gets the same bits."""
    u = (random_words(seed, owner, count) >> numpy.uint64(8)).astype(numpy.float64) * 2.0**-24
    return (center + half_width * (2 * u - 1)).astype(numpy.float32)


def below(seed, owner, count, bound):
    """Uniform in 0 .. bound - 1. RandomStream::below would reject words whose product has a low
    half below 2^32 mod bound: for small bounds once in tens of millions, and not with our seeds."""
    products = random_words(seed, owner, count) * numpy.uint64(bound)
    assert (products % numpy.uint64(2**32) >= 2**32 % bound).all(), "choose another seed"
    return (products >> numpy.uint64(32)).astype(numpy.int64)
