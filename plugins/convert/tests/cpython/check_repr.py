# In: pairs of lines, a JSON document and what the plugin made of it. Out: every difference.
import ast, json, sys, unicodedata

exact = unicodedata.unidata_version == sys.argv[1]
lines = sys.stdin.buffer.read().decode("utf-8").split("\n")
wrong = checked = 0
for source, made in zip(lines[::2], lines[1::2]):
    value = json.loads(source)
    try:
        same = repr(ast.literal_eval(made)) == repr(value)
    except Exception as error:
        same = False
        made += f"   # {error}"
    if not same or (exact and made != repr(value)):
        wrong += 1
        print(f"{source[:300]}\n  made:     {made[:300]}\n  expected: {repr(value)[:300]}")
    checked += 1
print(f"checked {checked}")
sys.exit(1 if wrong else 0)
