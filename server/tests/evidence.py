"""Checks an evidence bundle, format 1, with the Python standard library alone. Shares no code with Countersign: written from
the format's description, RFC 9162 (proofs), RFC 8032 (Ed25519) and the C2SP texts on signed notes and checkpoints.

    python3 evidence.py BUNDLE [VERIFIER-KEY]      exit code 0: it holds
    python3 evidence.py --draw BUNDLE ROOT NONCE N BELOW    draws N of its events below a number (the tree's size) again
"""
import base64, hashlib, json, re, sys, zipfile

P, L = 2**255 - 19, 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P


def add(a, b):
    x1, y1, z1, t1 = a
    x2, y2, z2, t2 = b
    e, f = (y1 - x1) * (y2 - x2) % P, (y1 + x1) * (y2 + x2) % P
    g, h = 2 * t1 * t2 * D % P, 2 * z1 * z2 % P
    e, f, g, h = f - e, h - g, h + g, f + e
    return e * f % P, g * h % P, f * g % P, e * h % P


def times(n, point):
    total = (0, 1, 1, 0)
    while n:
        if n & 1:
            total = add(total, point)
        point, n = add(point, point), n >> 1
    return total


def point(data):
    y = int.from_bytes(data, "little")
    sign, y = y >> 255, y & (2**255 - 1)
    x2 = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(x2, (P + 3) // 8, P)
    if (x * x - x2) % P:
        x = x * pow(2, (P - 1) // 4, P) % P
    assert y < P and (x * x - x2) % P == 0, "no point of the curve"
    if x & 1 != sign:
        x = P - x
    return x, y, 1, x * y % P


BASE = point((4 * pow(5, P - 2, P) % P).to_bytes(32, "little"))


def signed(key, message, signature):
    r, s = point(signature[:32]), int.from_bytes(signature[32:], "little")
    h = int.from_bytes(hashlib.sha512(signature[:32] + key + message).digest(), "little") % L
    left, right = times(s, BASE), add(r, times(h, point(key)))
    same = (left[0] * right[2] - right[0] * left[2]) % P == 0 and (left[1] * right[2] - right[1] * left[2]) % P == 0
    assert s < L and same, "the signature does not hold"


def b64(text):
    return base64.b64decode(text, validate=True)


def note(text, name, key):
    body, lines = text.split("\n\n")
    body, lines = body + "\n", lines.splitlines()
    assert len(lines) == 1 and lines[0].startswith("\u2014 " + name + " "), "another signature"
    data = b64(lines[0].rsplit(" ", 1)[1])
    identity = hashlib.sha256(name.encode() + b"\n\x01" + key).digest()[:4]
    assert data[:4] == identity, "another key"
    signed(key, body.encode(), data[4:])
    return body


def checkpoint(text, name, key):
    origin, size, root = note(text, name, key).splitlines()
    assert origin == name, "another log"
    return int(size), b64(root)


def leaf_hash(leaf):
    return hashlib.sha256(b"\0" + leaf).digest()


def node_hash(left, right):
    return hashlib.sha256(b"\1" + left + right).digest()


def included(leaf, index, size, proof):
    """The root that a proof leads to: from the top down, not up as the server's rule goes."""
    if size == 1:
        assert index == 0 and not proof, "a proof of another length"
        return leaf
    middle = 1 << ((size - 1).bit_length() - 1)
    *rest, sibling = proof
    if index < middle:
        return node_hash(included(leaf, index, middle, rest), sibling)
    return node_hash(sibling, included(leaf, index - middle, size - middle, rest))


def consistent(old, new, proof, old_root, whole=True):
    """Both roots that a consistency proof leads to (RFC 9162 2.1.4.1, read backwards)."""
    if old == new:
        return (old_root, old_root) if whole else (proof[-1], proof[-1])
    middle = 1 << ((new - 1).bit_length() - 1)
    *rest, other = proof
    if old <= middle:
        before, after = consistent(old, middle, rest, old_root, whole)
        return before, node_hash(after, other)
    before, after = consistent(old - middle, new - middle, rest, old_root, False)
    return node_hash(other, before), node_hash(other, after)


def check(path, given=None):
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
        assert len(names) == len(set(names)), "two files of one name"
        files = {name: archive.read(name) for name in names}
    name, _, encoded = files["key.txt"].decode().strip().split("+", 2)
    assert given in (None, files["key.txt"].decode().strip()), "another key than the one given"
    key = b64(encoded)
    assert key[0] == 1 and len(key) == 33, "not an Ed25519 key"
    key = key[1:]
    digest = base64.b64encode(hashlib.sha256(files["manifest.json"]).digest()).decode()
    body = note(files["manifest.sig"].decode(), name, key)
    assert body == f"countersign/evidence/v1\n{digest}\n", "the manifest was changed"
    manifest = json.loads(files["manifest.json"])
    others = {name: data for name, data in files.items() if name not in ("manifest.json", "manifest.sig")}
    assert set(manifest["files"]) == set(others), "other files than the manifest names"
    for known, data in others.items():
        assert b64(manifest["files"][known]) == hashlib.sha256(data).digest(), f"{known} was changed"
    size, root = checkpoint(files["checkpoint.txt"].decode(), name, key)
    assert (manifest["size"], b64(manifest["root"])) == (size, root), "another tree"
    if "checkpoint-older.txt" in files:
        old, old_root = checkpoint(files["checkpoint-older.txt"].decode(), name, key)
        told = json.loads(files["consistency.json"])
        assert (told["from"], told["to"]) == (old, size), "a proof between other trees"
        roots = consistent(old, size, [b64(item) for item in told["proof"]], old_root)
        assert roots == (old_root, root), "the log was rewritten"
    before, disclosed = -1, 0
    for line in files["events.jsonl"].decode().splitlines():
        event = json.loads(line)
        leaf = b64(event["leaf"])
        told = json.loads(leaf[1:])
        assert leaf[0] == 1 and told["seq"] == event["seq"] > before, "not in order"
        before = event["seq"]
        proof = [b64(item) for item in event["proof"]]
        assert included(leaf_hash(leaf), before, size, proof) == root, f"event {before} is not in the tree"
        for field, value in event["disclosed"].items():
            data = b64(value["salt"]) + field.encode() + b"\0" + value["value"].encode()
            wanted = told["committed"][field]["c"]
            assert base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode() == wanted, f"{field} of event {before}"
            disclosed += 1
    seqs = [json.loads(line)["seq"] for line in files["events.jsonl"].decode().splitlines()]
    asked = re.fullmatch(r"event:(\d{1,15})(?:\.\.(\d{1,15}))?", manifest["query"])
    if asked and not manifest["scope"]:
        first, last = int(asked[1]), int(asked[2] or asked[1])
        wanted = list(range(first, min(last, manifest["events_below"] - 1) + 1))
        assert first > last or seqs == wanted, "the range is not complete"
    count = len(seqs)
    assert count == manifest["events"] and not (manifest["redacted"] and disclosed), "the manifest counts otherwise"
    return count, disclosed, size


def draw(bundle, root, nonce, count, below):
    lines = zipfile.ZipFile(bundle).read("events.jsonl").decode().splitlines()
    numbers = [seq for seq in (json.loads(line)["seq"] for line in lines) if seq < int(below)]
    head = bytes.fromhex(root) + nonce.encode()
    return sorted(numbers, key=lambda seq: hashlib.sha256(head + seq.to_bytes(8, "big")).digest())[: int(count)]


if __name__ == "__main__":
    if sys.argv[1] == "--draw":
        print(*draw(*sys.argv[2:7]), sep="\n")
        sys.exit(0)
    try:
        count, disclosed, size = check(*sys.argv[1:3])
    except Exception as wrong:
        print(f"does not hold: {wrong!r}")
        sys.exit(2)
    print(f"holds: {count} events, {disclosed} fields, tree of {size}")
