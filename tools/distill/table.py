"""The file that src/embedding/table.S compiles in. Everything little-endian; layout in README.md."""

import hashlib
import struct

import numpy as np

MAGIC = b"AETTABLE"
VERSION = 1
HEADER = struct.Struct("<8s6I6Q16x32s")
SLOTS = 1 << 16
EMPTY = 0xFFFF


def stepwise_hash(data):
    """FNV-1a of 64 bits, folded; table_view.hpp has the other half."""
    h = 0xCBF29CE484222325
    for byte in data:
        h = ((h ^ byte) * 0x100000001B3) & 0xFFFFFFFFFFFFFFFF
    return (h ^ (h >> 32)) & 0xFFFFFFFF


def is_special(token):
    return len(token) > 2 and token[0] == "[" and token[-1] == "]"


def quantise(vectors):
    """Rows of int8 and the float32 that each is multiplied by."""
    scales = (np.abs(vectors).max(1) / 127).astype(np.float32)
    divisors = np.where(scales > 0, scales, np.float32(1))
    return np.rint(vectors / divisors[:, None]).astype(np.int8), scales


def slots_of(tokens):
    slots = np.full(SLOTS, EMPTY, np.uint16)
    for row, token in enumerate(tokens):
        if is_special(token):
            continue
        at = stepwise_hash(token.encode()) % SLOTS
        while slots[at] != EMPTY:
            at = (at + 1) % SLOTS
        slots[at] = row
    return slots


def to_bytes(tokens, vectors):
    """tokens: str[rows]; vectors: float32[rows, dimensions], weights included."""
    rows, dimensions = vectors.shape
    assert rows == len(tokens) < EMPTY
    quantised, scales = quantise(vectors)
    encoded = [token.encode() for token in tokens]
    ends = np.cumsum([0] + [len(token) for token in encoded]).astype("<u4")
    longest = max(len(t.removeprefix("##").encode()) for t in tokens if not is_special(t))
    parts = [scales.astype("<f4").tobytes(), quantised.tobytes(), ends.tobytes(),
             b"".join(encoded), slots_of(tokens).astype("<u2").tobytes()]
    offsets = []
    body = b""
    for part in parts:
        body += b"\0" * (-(HEADER.size + len(body)) % 64)
        offsets.append(HEADER.size + len(body))
        body += part
    total = HEADER.size + len(body)

    def header(digest):
        return HEADER.pack(MAGIC, VERSION, dimensions, rows, SLOTS, tokens.index("[UNK]"),
                           longest, *offsets, total, digest)

    digest = hashlib.sha256(header(bytes(32)) + body).digest()
    return header(digest) + body, digest.hex()


def vectors_of(data):
    """float32[rows, dimensions] as the program sees them."""
    _, _, dimensions, rows, _, _, _, scales, vectors, *_ = HEADER.unpack_from(data)
    scale = np.frombuffer(data, "<f4", rows, scales)
    quantised = np.frombuffer(data, np.int8, rows * dimensions, vectors)
    return quantised.reshape(rows, dimensions).astype(np.float32) * scale[:, None]


def digest_of(data):
    return HEADER.unpack_from(data)[-1].hex()
