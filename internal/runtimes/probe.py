# Run by an interpreter to tell what it is; the argument is the directory of the
# runtime client, which it compiles for itself.
import json, os, py_compile, sys
for name in ("ssl", "ctypes", "sqlite3", "lzma", "bz2"):  # what they link to shows in the maps
    try:
        __import__(name)
    except ImportError:
        pass
if sys.version_info >= (3, 8):
    for directory, _, names in os.walk(sys.argv[1]):
        for name in names:
            if name.endswith(".py"):
                compiled = py_compile.compile(os.path.join(directory, name), doraise=True, invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH)
                os.chmod(os.path.dirname(compiled), 0o755)
                os.chmod(compiled, 0o644)
with open("/proc/self/maps") as maps:
    mapped = {line.split(None, 5)[5].strip() for line in maps if line.count(" /")}
print(json.dumps({
    "version": "%d.%d.%d" % sys.version_info[:3],
    "path": os.path.realpath(sys.executable),
    "prefix": sys.base_prefix,
    "libraries": sorted(p for p in mapped if ".so" in p),
}))
