"""Moves token vectors until the sum over a text points where the encoder points."""

import numpy as np

BATCH = 512
EPOCHS = 3
RATE = 1e-2
WARM_UP = 50
MOMENTUM, SPREAD = np.float32(0.9), np.float32(0.99)


def gradient(table, ids, targets):
    """Of the mean negative cosine: the rows that occur, their gradients, and the mean cosine."""
    flat = np.concatenate(ids)
    lengths = np.array([len(x) for x in ids])
    starts = np.concatenate([[0], np.cumsum(lengths)[:-1]])
    sums = np.add.reduceat(table[flat], starts, axis=0)
    norms = np.linalg.norm(sums, axis=1, keepdims=True) + np.float32(1e-6)
    units = sums / norms
    cosines = (units * targets).sum(1, keepdims=True)
    per_text = (cosines * units - targets) / norms
    order = np.argsort(flat, kind="stable")
    rows, first = np.unique(flat[order], return_index=True)
    return rows, np.add.reduceat(np.repeat(per_text, lengths, axis=0)[order], first, axis=0), \
        float(cosines.mean())


def fit(table, ids, targets, log=print):
    """table: float32[rows, d], changed in place; ids: arrays of token ids; targets: unit vectors.
    Adam with one second moment per row, on the rows that a batch touches."""
    moment = np.zeros_like(table)
    spread = np.zeros(len(table), np.float32)
    seen = np.zeros(len(table), np.int64)
    random = np.random.default_rng(0)
    steps = EPOCHS * (len(ids) // BATCH)
    step = 0
    for epoch in range(EPOCHS):
        order = random.permutation(len(ids))
        total = 0.0
        for start in range(0, len(ids) - BATCH + 1, BATCH):
            batch = order[start:start + BATCH]
            rows, gradients, cosine = gradient(table, [ids[i] for i in batch], targets[batch])
            total += cosine
            step += 1
            seen[rows] += 1
            moment[rows] = MOMENTUM * moment[rows] + (1 - MOMENTUM) * gradients
            spread[rows] = SPREAD * spread[rows] + (1 - SPREAD) * (gradients ** 2).mean(1)
            mean = moment[rows] / (1 - MOMENTUM ** seen[rows])[:, None]
            width = np.sqrt(spread[rows] / (1 - SPREAD ** seen[rows]))[:, None]
            rate = RATE * min(1, step / WARM_UP) * (1 - step / steps)
            table[rows] -= (rate * mean / (width + 1e-8)).astype(np.float32)
        log(f"epoch {epoch + 1}: mean cosine to the encoder {total / (len(ids) // BATCH):.4f}")
