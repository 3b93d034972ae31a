# `objects.py write SEED COUNT` prints repr() of random objects, one a line.
# `objects.py check SEED COUNT` reads the JSON that was made of them and prints every difference.
import json, math, random, struct, sys


def text(r):
    alphabets = ["ab'\"\\/", "\t\n\r\0\x1b\x7f\x80\xa0\xad", "äß√€\u2028\u200b\ue000\ufeff\uffff", "😀\U000e0001\U0010ffff"]
    return "".join(r.choice(r.choice(alphabets)) for _ in range(r.randrange(8)))


def number(r):
    kind = r.randrange(6)
    if kind == 0:
        return r.randrange(-1000, 1000)
    if kind == 1:
        return r.getrandbits(r.randrange(1, 3000)) * r.choice([1, -1])
    if kind == 2:
        return r.choice([0.0, -0.0, 1e16, 1e-5, 1e22, 5e-324, 1.7976931348623157e308, 123456789012345680.0])
    while True:
        value = struct.unpack("d", struct.pack("Q", r.getrandbits(64)))[0] if kind == 3 else r.uniform(-1e6, 1e6)
        if math.isfinite(value):
            return value


def thing(r, depth):
    kind = r.randrange(9 if depth else 6)
    if kind < 2:
        return text(r)
    if kind < 5:
        return number(r)
    if kind == 5:
        return r.choice([None, True, False])
    if kind == 6:
        return [thing(r, depth - 1) for _ in range(r.randrange(5))]
    if kind == 7:
        return tuple(thing(r, depth - 1) for _ in range(r.randrange(4)))
    return {text(r): thing(r, depth - 1) for _ in range(r.randrange(5))}


def plain(value):
    if isinstance(value, (list, tuple)):
        return [plain(inner) for inner in value]
    if isinstance(value, dict):
        return {key: plain(inner) for key, inner in value.items()}
    return value


mode, seed, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
r = random.Random(seed)
objects = [thing(r, 5) for _ in range(count)]
if mode == "write":
    sys.stdout.buffer.write("\n".join(map(repr, objects)).encode("utf-8"))
    sys.exit()
wrong = 0
lines = sys.stdin.buffer.read().decode("utf-8").split("\n")
for value, made in zip(objects, lines):
    # repr tells 1 from 1.0 and from True, and 0.0 from -0.0.
    if repr(plain(value)) != repr(json.loads(made)):
        wrong += 1
        print(f"{value!r:.300}\n  made: {made:.300}")
print(f"checked {min(len(objects), len(lines))}")
sys.exit(1 if wrong else 0)
