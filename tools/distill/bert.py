"""The forward pass of a BERT encoder in numpy: token ids in, mean-pooled sentence vectors out."""

import numpy as np
from safetensors.numpy import load_file

LAYERS = 6
HEADS = 12
WIDTH = 384
EPSILON = np.float32(1e-12)


def erf(x):
    """Abramowitz and Stegun 7.1.26: off by at most 1.5e-7, which float32 does not see."""
    t = 1 / (1 + np.float32(0.3275911) * np.abs(x))
    p = t * np.float32(1.061405429) - np.float32(1.453152027)
    p = p * t + np.float32(1.421413741)
    p = p * t - np.float32(0.284496736)
    p = p * t + np.float32(0.254829592)
    return np.sign(x) * (1 - p * t * np.exp(-x * x))


def gelu(x):
    return x * np.float32(0.5) * (1 + erf(x * np.float32(0.70710678)))


class Encoder:
    def __init__(self, path):
        self.weights = {k: v.astype(np.float32) for k, v in load_file(path).items()
                        if not k.endswith("position_ids")}

    def _linear(self, x, name):
        w = self.weights
        shape = x.shape[:-1]
        y = x.reshape(-1, x.shape[-1]) @ w[name + ".weight"].T
        y += w[name + ".bias"]
        return y.reshape(*shape, -1)

    def _norm(self, x, name):
        x = x - x.mean(-1, keepdims=True)
        x /= np.sqrt((x * x).mean(-1, keepdims=True) + EPSILON)
        x *= self.weights[name + ".weight"]
        x += self.weights[name + ".bias"]
        return x

    def _embed(self, ids):
        w = self.weights
        x = w["embeddings.word_embeddings.weight"][ids]
        x = x + w["embeddings.position_embeddings.weight"][: ids.shape[1]]
        x = x + w["embeddings.token_type_embeddings.weight"][0]
        return self._norm(x, "embeddings.LayerNorm")

    def _attend(self, x, hidden, prefix):
        batch, length, _ = x.shape

        def heads(name):
            y = self._linear(x, f"{prefix}.attention.self.{name}")
            return y.reshape(batch, length, HEADS, -1).transpose(0, 2, 1, 3)

        q, k, v = heads("query"), heads("key"), heads("value")
        scores = q @ k.transpose(0, 1, 3, 2) * np.float32((WIDTH // HEADS) ** -0.5)
        scores += hidden
        scores -= scores.max(-1, keepdims=True)
        np.exp(scores, out=scores)
        scores /= scores.sum(-1, keepdims=True)
        y = (scores @ v).transpose(0, 2, 1, 3).reshape(batch, length, WIDTH)
        y = self._linear(y, f"{prefix}.attention.output.dense")
        return self._norm(y + x, f"{prefix}.attention.output.LayerNorm")

    def states(self, ids, mask):
        """ids: int[batch, length]; mask: bool[batch, length], False where a text has ended."""
        hidden = np.where(mask, np.float32(0), np.float32(-1e9))[:, None, None, :]
        x = self._embed(ids)
        for layer in range(LAYERS):
            prefix = f"encoder.layer.{layer}"
            x = self._attend(x, hidden, prefix)
            y = gelu(self._linear(x, f"{prefix}.intermediate.dense"))
            x = self._norm(self._linear(y, f"{prefix}.output.dense") + x,
                           f"{prefix}.output.LayerNorm")
        return x

    def encode(self, texts, batch_tokens=2048):
        """texts: lists of token ids with [CLS] and [SEP]. Rows come in the order given."""
        order = sorted(range(len(texts)), key=lambda i: (len(texts[i]), i))
        out = np.empty((len(texts), WIDTH), np.float32)
        start = 0
        while start < len(order):
            length = len(texts[order[start]])
            count = max(1, batch_tokens // (length + 2))
            rows = order[start:start + count]
            length = len(texts[rows[-1]])
            ids = np.zeros((len(rows), length), np.int64)
            mask = np.zeros((len(rows), length), bool)
            for i, row in enumerate(rows):
                ids[i, : len(texts[row])] = texts[row]
                mask[i, : len(texts[row])] = True
            states = self.states(ids, mask)
            weights = mask.astype(np.float32)
            out[rows] = (states * weights[:, :, None]).sum(1) / weights.sum(1, keepdims=True)
            start += count
        return out
