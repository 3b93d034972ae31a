# In: pairs of lines, a literal (as a JSON string) and the JSON that the plugin made of it. Whatever the plugin
# accepts, Python must accept and read as the same value.
import ast, json, sys, warnings

warnings.simplefilter("ignore")


def plain(value):
    if isinstance(value, (list, tuple)):
        return [plain(inner) for inner in value]
    if isinstance(value, dict):
        return {key: plain(inner) for key, inner in value.items()}
    return value


wrong = checked = 0
lines = sys.stdin.buffer.read().decode("utf-8").split("\n")
for literal, made in zip(lines[::2], lines[1::2]):
    literal = json.loads(literal)
    try:
        expected = repr(plain(ast.literal_eval(literal)))
    except Exception as error:
        expected = f"{type(error).__name__}: {error}"
    if expected != repr(json.loads(made)):
        wrong += 1
        print(f"{literal!r:.300}\n  made:     {made:.300}\n  expected: {expected:.300}")
    checked += 1
print(f"checked {checked}")
sys.exit(1 if wrong else 0)
