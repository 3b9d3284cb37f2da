"""Inference of supervised fastText models over (data, offsets): a line of text to its features, their mean, and labels.

What is computed, and in which order of float32 sums, is what the library computes (Joulin et al. 2016, arXiv
1607.01759, 1612.03651): a line is cut into words at ASCII white space and NUL, and ends in the word ``</s>``; a word
gives its own row, if the model knows it, and the rows of its character n-grams in ``<word>``; n-grams of words follow.
Equal to the library to the last bit but where its `exp` and `log` round otherwise. `tests/slow/fasttext.py` is the
slow twin.

Legend: D texts, K labels asked for, L labels, H the size of vectors. ``shape_S``: the numbers of a model (the names
below are the places in it). raw: the bytes of the model file; rows of its input matrix are read where they stand.
weights_HL: the output matrix, transposed; weights_LH as it is, for hierarchical softmax; scales_L: its norms, 1 where
it has none. tree_N3: of each node of the Huffman tree left, right (-1: a label), and the node above.
"""

# Kernel bodies are typed by Numba.
# mypy: disable-error-code="assignment"

from __future__ import annotations

import math

import numpy as np

from stages.kernels.fasttext.tables import SEED, find_word, mixed
from stages.kernels.jit import lean_inline_kernel, lean_kernel
from stages.kernels.simd import add_rows_4, add_rows_16, copy_block, high_product, load_float, ones

DIM, BUCKET, MIN_N, MAX_N, WORD_NGRAMS, LOSS, NUM_WORDS, NUM_LABELS = range(8)
GRAMS, INPUT_AT, QUANTISED, SUBS, SUB, LAST, NORMS_AT, STEP = range(8, 16)
"""GRAMS: what became of buckets of n-grams (`ALL` are there, or `SOME`); INPUT_AT: first byte of the input matrix, or
of its codes; NORMS_AT: of the codes of its norms, -1 where it has none; SUBS, SUB, LAST: quantisers a row, floats of
each, floats of the last one; STEP: rows that are added up column by column, `NEAR` floats in all."""
ALL, SOME = 0, 1
HIERARCHICAL, NEGATIVE, SOFTMAX, ONE_VS_ALL = 1, 2, 3, 4
ROOM = 1 << 12
"""Rows gathered before they are added up: so the memory is asked for many of them at once."""
NEAR = 1 << 14
MEMO, MEMO_ROWS = 1 << 14, 1 << 18
"""Words whose rows are remembered within a batch, and how many rows in all."""

_CODES = 256
_SHORT = 64
_AT_ONCE = 16
_NGRAM_FACTOR = np.uint64(116049371)
_LEAST = np.float64(1e-5)
_OPEN, _CLOSE = np.uint8(60), np.uint8(62)


@lean_inline_kernel
def _is_space(byte):  # type: ignore[no-untyped-def]
    return byte == 32 or byte == 0 or 9 <= byte <= 13


@lean_inline_kernel
def _add_rows(rows, first, end, source, hidden, total):  # type: ignore[no-untyped-def]
    """Add rows[first:end] of the input matrix to ``hidden``, one after another."""
    raw, floats, shape, centroids, norms = source
    total[0] += end - first
    if shape[QUANTISED]:
        _add_codes(rows, first, end, raw, shape, centroids, norms, hidden)
        return
    dim, at = shape[DIM], shape[INPUT_AT]
    sixteens, fours = dim & -16, dim & -4
    step = shape[STEP]
    for start in range(first, end, step):
        stop = min(end, start + step)
        for j in range(0, sixteens, 16):
            add_rows_16(hidden, j, floats, at + 4 * j, 4 * dim, rows, start, stop)
        for j in range(sixteens, fours, 4):
            add_rows_4(hidden, j, floats, at + 4 * j, 4 * dim, rows, start, stop)
        for r in range(start, stop if fours < dim else start):
            for j in range(fours, dim):
                hidden[j] += load_float(floats, at + 4 * (dim * np.int64(rows[r]) + j))


@lean_inline_kernel
def _add_codes(rows, first, end, raw, shape, centroids, norms, hidden):  # type: ignore[no-untyped-def]
    """The same of rows that stand in the file as codes."""
    subs, sub, last = shape[SUBS], shape[SUB], shape[LAST]
    for r in range(first, end):
        row = np.int64(rows[r])
        at = shape[INPUT_AT] + subs * row
        norm = norms[raw[shape[NORMS_AT] + row]] if shape[NORMS_AT] >= 0 else np.float32(1)
        for m in range(subs):
            size = last if m == subs - 1 else sub
            c = m * _CODES * sub + np.int64(raw[at + m]) * size
            for n in range(size):
                hidden[m * sub + n] += norm * centroids[c + n]


@lean_inline_kernel
def _gather(row, fill, rows, source, hidden, total):  # type: ignore[no-untyped-def]
    """Put a row behind those gathered, which are added up first where there is no room; how many there are then."""
    if fill == len(rows):
        _add_rows(rows, 0, fill, source, hidden, total)
        fill = np.int64(0)
    rows[fill] = row
    return fill + 1


@lean_inline_kernel
def _gram_row(key, shape, grams):  # type: ignore[no-untyped-def]
    """The row of a bucket of n-grams; -1 where the model has dropped it."""
    bits, before, kept = grams
    if shape[GRAMS] == ALL:
        return shape[NUM_WORDS] + key
    if key >> 6 >= len(bits):
        return np.int64(-1)
    word, bit = bits[key >> 6], np.uint64(key & 63)
    if word >> bit & np.uint64(1) == 0:
        return np.int64(-1)
    place = before[key >> 6] + ones(word & ((np.uint64(1) << bit) - np.uint64(1)))
    return shape[NUM_WORDS] + np.int64(kept[place])


@lean_inline_kernel
def _byte(data, begin, end, i):  # type: ignore[no-untyped-def]
    """Byte i of ``<word>``; the word is data[begin:end]."""
    if i < begin:
        return _OPEN
    return data[i] if i < end else _CLOSE


@lean_inline_kernel
def _subwords(data, begin, end, fill, rows, source, grams, hidden, total):  # type: ignore[no-untyped-def]
    """Gather the rows of the character n-grams of a word."""
    shape = source[2]
    bucket = np.uint64(shape[BUCKET])
    inverse = np.uint64(0xFFFFFFFFFFFFFFFF) // bucket + np.uint64(1)
    for i in range(begin - 1, end + 1):
        if begin <= i < end and data[i] & 0xC0 == 0x80:
            continue
        state, j, n = SEED, i, 1
        while j <= end and n <= shape[MAX_N]:
            state = mixed(state, _byte(data, begin, end, j))
            j += 1
            while j < end and data[j] & 0xC0 == 0x80:
                state = mixed(state, data[j])
                j += 1
            if n >= shape[MIN_N] and not (n == 1 and (i < begin or j > end)):
                row = _gram_row(np.int64(high_product(inverse * np.uint64(state), bucket)), shape, grams)
                if row >= 0:
                    fill = _gather(row, fill, rows, source, hidden, total)
            n += 1
    return fill


@lean_inline_kernel
def _is_label(data, begin, end, prefix):  # type: ignore[no-untyped-def]
    """Whether a word that the model does not know is a label by its first bytes."""
    k = 0
    while k < len(prefix) and begin + k < end and data[begin + k] == prefix[k]:
        k += 1
    return k == len(prefix)


@lean_inline_kernel
def _recalled(data, begin, end, state, memo_M4):  # type: ignore[no-untyped-def]
    """The place of a word in the memo; -1 - place where another word, or none, is there."""
    place = np.int64(state) & (len(memo_M4) - 1)
    first = memo_M4[place, 0]
    if memo_M4[place, 1] != end - begin:
        return -1 - place
    k = 0
    while k < end - begin and data[first + k] == data[begin + k]:
        k += 1
    return place if k == end - begin else -1 - place


@lean_inline_kernel
def _word_rows(data, begin, end, state, fill, rows, source, words, grams, prefix, hidden, total):  # type: ignore[no-untyped-def]
    """Gather the rows of a word behind ``fill``; -1 of one that is a label, which has none."""
    starts, ends, hashes, kinds, slots = words
    wid = find_word(data, begin, end, state, source[0], starts, ends, hashes, slots)
    if kinds[wid] != 0 if wid >= 0 else _is_label(data, begin, end, prefix):
        return np.int64(-1)
    if wid >= 0:
        fill = _gather(wid, fill, rows, source, hidden, total)
    if source[2][MAX_N] > 0:
        fill = _subwords(data, begin, end, fill, rows, source, grams, hidden, total)
    return fill


@lean_inline_kernel
def _remembered(  # type: ignore[no-untyped-def]
    data, begin, end, state, fill, rows, source, words, grams, prefix, memo, hidden, total
):
    """`_word_rows` of a short word, from the memo where it stands there: most words of a batch come often."""
    memo_M4, arena, used = memo
    place = _recalled(data, begin, end, state, memo_M4)
    if place >= 0:
        first, count = memo_M4[place, 2], memo_M4[place, 3]
        for k in range(0, count, _AT_ONCE):
            copy_block(arena, first + k, rows, fill + k)
        return fill + count if count >= 0 else np.int64(-1)
    now = _word_rows(data, begin, end, state, fill, rows, source, words, grams, prefix, hidden, total)
    count = now - fill if now >= 0 else np.int64(-1)
    if used[0] + count + _AT_ONCE > len(arena):
        for m in range(len(memo_M4)):
            memo_M4[m, 1] = 0
        used[0] = 0
    place = -1 - place
    memo_M4[place, 0], memo_M4[place, 1] = begin, end - begin
    memo_M4[place, 2], memo_M4[place, 3] = used[0], count
    for k in range(count):
        arena[used[0] + k] = rows[fill + k]
    used[0] += max(count, 0)
    return now


@lean_inline_kernel
def _mean(data, first, stop, source, words, grams, marks, memo, seen, rows, hidden, total):  # type: ignore[no-untyped-def]
    """Set ``hidden`` to the mean of the rows of the text data[first:stop]; their number is in ``total``."""
    shape = source[2]
    prefix, closing = marks
    for j in range(len(hidden)):
        hidden[j] = np.float32(0)
    total[0] = 0
    fill = num_seen = np.int64(0)
    i = first
    while True:
        while i < stop and _is_space(data[i]):
            i += 1
        begin, state = i, SEED
        while i < stop and not _is_space(data[i]):
            state = mixed(state, data[i])
            i += 1
        if begin == i or (i - begin == len(closing) and _is_label(data, begin, i, closing)):
            break
        most = (i - begin + 2) * shape[MAX_N] + 1 + _AT_ONCE
        short = i - begin <= _SHORT and most <= ROOM
        if short and fill + most > ROOM:
            _add_rows(rows, 0, fill, source, hidden, total)
            fill = np.int64(0)
        if short:
            now = _remembered(data, begin, i, state, fill, rows, source, words, grams, prefix, memo, hidden, total)
        else:
            now = _word_rows(data, begin, i, state, fill, rows, source, words, grams, prefix, hidden, total)
        if now < 0:
            continue
        fill = now
        if shape[WORD_NGRAMS] > 1:
            seen[num_seen] = state
            num_seen += 1
    state = SEED
    for byte in closing:
        state = mixed(state, byte)
    wid = find_word(closing, 0, len(closing), state, source[0], words[0], words[1], words[2], words[4])
    if wid >= 0:
        fill = _gather(wid, fill, rows, source, hidden, total)
    if shape[WORD_NGRAMS] > 1:
        seen[num_seen] = state
        fill = _word_ngrams(seen, num_seen + 1, fill, rows, source, grams, hidden, total)
    _add_rows(rows, 0, fill, source, hidden, total)
    if total[0]:
        scale = np.float32(1.0 / total[0])
        for j in range(len(hidden)):
            hidden[j] *= scale


@lean_inline_kernel
def _word_ngrams(seen, count, fill, rows, source, grams, hidden, total):  # type: ignore[no-untyped-def]
    """Gather the rows of n-grams of words, of the hashes of these."""
    shape = source[2]
    bucket = np.uint64(shape[BUCKET])
    for k in range(count):
        value = np.uint64(np.int64(np.int32(seen[k])))
        for other in range(k + 1, min(count, k + shape[WORD_NGRAMS])):
            value = value * _NGRAM_FACTOR + np.uint64(np.int64(np.int32(seen[other])))
            row = _gram_row(np.int64(value % bucket), shape, grams)
            if row >= 0:
                fill = _gather(row, fill, rows, source, hidden, total)
    return fill


@lean_inline_kernel
def _least_log(value):  # type: ignore[no-untyped-def]
    """The logarithm by which the library ranks: never below that of 0.00001."""
    return np.float32(math.log(np.float64(value) + _LEAST))


@lean_inline_kernel
def _outputs(hidden, weights_HL, scales_L, loss, sigmoids, outputs):  # type: ignore[no-untyped-def]
    """The probability of every label, for losses that know them all."""
    for label in range(len(outputs)):
        outputs[label] = np.float32(0)
    for j in range(len(hidden)):
        h = hidden[j]
        for label in range(len(outputs)):
            outputs[label] += h * weights_HL[j, label]
    largest = np.float32(-np.inf)
    for label in range(len(outputs)):
        outputs[label] *= scales_L[label]
        largest = max(largest, outputs[label])
    if loss != SOFTMAX:
        for label in range(len(outputs)):
            outputs[label] = _sigmoid(outputs[label], sigmoids)
        return
    total = np.float32(0)
    for label in range(len(outputs)):
        outputs[label] = np.float32(math.exp(np.float64(outputs[label] - largest)))
        total += outputs[label]
    for label in range(len(outputs)):
        outputs[label] /= total


@lean_inline_kernel
def _sigmoid(x, sigmoids):  # type: ignore[no-untyped-def]
    """By the library's table of 513 values from -8 to 8."""
    if not x >= np.float32(-8):  # not of a number is 0 too
        return np.float32(0)
    if x > np.float32(8):
        return np.float32(1)
    return sigmoids[np.int64((x + np.float32(8)) * np.float32(512) / np.float32(8) / np.float32(2))]


@lean_inline_kernel
def _right(node, hidden, weights_LH, scales_L):  # type: ignore[no-untyped-def]
    """The probability of the right branch of a node of the Huffman tree."""
    label = node - len(scales_L)
    total = np.float32(0)
    for j in range(len(hidden)):
        total += hidden[j] * weights_LH[label, j]
    total *= scales_L[label]
    return np.float32(1.0 / np.float64(np.float32(1) + np.float32(math.exp(np.float64(-total)))))


@lean_inline_kernel
def _put(label, score, found, best, scores):  # type: ignore[no-untyped-def]
    """Put a label among the best so far, which are in falling order; how many there are then."""
    k = min(found, len(best) - 1)
    while k > 0 and scores[k - 1] < score:
        best[k], scores[k] = best[k - 1], scores[k - 1]
        k -= 1
    best[k], scores[k] = label, score
    return min(found + 1, len(best))


@lean_inline_kernel
def _walk(hidden, weights_LH, scales_L, tree_N3, nodes, node_scores, best, scores):  # type: ignore[no-untyped-def]
    """The best labels by hierarchical softmax, from the root of the tree down; how many there are."""
    found, depth = 0, 1
    nodes[0], node_scores[0] = len(tree_N3) - 1, np.float32(0)
    while depth:
        depth -= 1
        node, score = nodes[depth], node_scores[depth]
        if score < _least_log(np.float32(0)) or (found == len(best) and score < scores[found - 1]):
            continue
        if tree_N3[node, 0] < 0:
            found = _put(node, score, found, best, scores)
            continue
        right = _right(node, hidden, weights_LH, scales_L)
        nodes[depth], node_scores[depth] = tree_N3[node, 1], score + _least_log(right)
        left = np.float32(1.0 - np.float64(right))
        nodes[depth + 1], node_scores[depth + 1] = tree_N3[node, 0], score + _least_log(left)
        depth += 2
    return found


@lean_kernel
def predict(data, offsets, source, words, grams, marks, output, room, best_DK, scores_DK):  # type: ignore[no-untyped-def]
    """The best labels of every text, best first, and their probabilities; -1 and 0 where there are fewer.

    room: a memo of words (`MEMO`, zeros), the rows they have, and how many these are (0); hashes of a text's words (one
    for two bytes of text, and two), where n-grams of words are features; rows (`ROOM`), hidden, a number of rows,
    outputs of labels, and nodes and scores of the walk down the tree (2 L each).
    """
    memo_M4, arena, used, seen, rows, hidden, total, outputs, nodes, node_scores = room
    memo = (memo_M4, arena, used)
    weights_HL, weights_LH, scales_L, tree_N3, sigmoids = output
    loss = source[2][LOSS]
    for d in range(len(offsets) - 1):
        best, scores = best_DK[d], scores_DK[d]
        found = 0
        _mean(data, offsets[d], offsets[d + 1], source, words, grams, marks, memo, seen, rows, hidden, total)
        if total[0] and loss == HIERARCHICAL:
            found = _walk(hidden, weights_LH, scales_L, tree_N3, nodes, node_scores, best, scores)
        elif total[0]:
            _outputs(hidden, weights_HL, scales_L, loss, sigmoids, outputs)
            for label in range(len(outputs)):
                score = _least_log(outputs[label])
                if found < len(best) or score >= scores[found - 1]:
                    found = _put(label, score, found, best, scores)
        for k in range(len(best)):
            scores[k] = np.float32(math.exp(np.float64(scores[k]))) if k < found else np.float32(0)
            best[k] = best[k] if k < found else -1


@lean_kernel
def probabilities(data, offsets, label, source, words, grams, marks, output, room, scores_D):  # type: ignore[no-untyped-def]
    """The probability of one label for every text; 0 where it is so unlikely that the library leaves it out."""
    memo_M4, arena, used, seen, rows, hidden, total, outputs, nodes, _ = room
    memo = (memo_M4, arena, used)
    weights_HL, weights_LH, scales_L, tree_N3, sigmoids = output
    loss = source[2][LOSS]
    for d in range(len(offsets) - 1):
        _mean(data, offsets[d], offsets[d + 1], source, words, grams, marks, memo, seen, rows, hidden, total)
        if not total[0]:
            scores_D[d] = np.float32(0)
        elif loss == HIERARCHICAL:
            scores_D[d] = _leaf(hidden, label, weights_LH, scales_L, tree_N3, nodes)
        else:
            _outputs(hidden, weights_HL, scales_L, loss, sigmoids, outputs)
            scores_D[d] = np.float32(math.exp(np.float64(_least_log(outputs[label]))))


@lean_inline_kernel
def _leaf(hidden, label, weights_LH, scales_L, tree_N3, nodes):  # type: ignore[no-untyped-def]
    """The probability of one label by hierarchical softmax."""
    depth, node = 0, np.int64(label)
    while node >= 0:
        nodes[depth] = node
        node = np.int64(tree_N3[node, 2])
        depth += 1
    score = np.float32(0)
    for k in range(depth - 1, 0, -1):
        right = _right(nodes[k], hidden, weights_LH, scales_L)
        share = right if tree_N3[nodes[k], 1] == nodes[k - 1] else np.float32(1.0 - np.float64(right))
        score += _least_log(share)
        if score < _least_log(np.float32(0)):
            return np.float32(0)
    return np.float32(math.exp(np.float64(score)))
