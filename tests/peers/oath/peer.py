"""python-oath computes again what our OCRA did: lines of JSON from our example, each with what goes in and our code. Prints one
line a kind of suite and at the end `N passed, M failed`.

    peer.py PROGRAM [SEED]

Left out is what python-oath cannot do: hexadecimal questions of an odd number of digits (bytes.fromhex), hashes of PINs that were made
elsewhere (it asks hashlib's function for a digest_size that only its objects have), and 0 digits (it truncates all the same)."""

import json
import subprocess
import sys
from collections import Counter

from oath import str2ocrasuite

CASES = 1000
KINDS = ["ours", "the RFC's", "of two", "any"]
OURS = "OCRA-1:HOTP-SHA256-7:QN08-T1M"


def answer(case):
    # Not None: it would call int() on a missing T_precomputed. On "" it goes on to T, and makes the time step itself.
    inputs = {"C": case.get("counter"), "P": case.get("pin"), "T": case.get("unix_s"), "T_precomputed": ""}
    if "session" in case:
        inputs["S"] = bytes.fromhex(case["session"])
    if "theirs" in case:
        inputs["Qsc"] = case["theirs"] + case["question"]
    else:
        inputs["Q"] = case["question"]
    return str2ocrasuite(case["suite"])(bytes.fromhex(case["key"]), **inputs)


def main(program, *seed):
    lines = subprocess.run([program, *seed], stdout=subprocess.PIPE, check=True, text=True).stdout.splitlines()
    tried, wrong = Counter(), Counter()
    for case in map(json.loads, lines):
        tried[case["kind"]] += 1
        try:
            theirs = answer(case)
        except Exception as error:
            theirs = repr(error)
        if theirs != case["code"]:
            wrong[case["kind"]] += 1
            print("python-oath says", theirs, "for", case)
        assert case["kind"] != "ours" or case["suite"] == OURS, case
    # Fewer than there should be is a failure of each kind, as is a kind that we do not know.
    enough = sum(tried.values()) >= CASES and set(tried) == set(KINDS)
    passed = 0
    for kind in KINDS:
        good = enough and tried[kind] >= CASES // 5 and not wrong[kind]
        passed += good
        print("ok    " if good else "FAILED", f"suites: {kind}, {tried[kind]} cases, {wrong[kind]} of them different")
    print(f"{passed} passed, {len(KINDS) - passed} failed")
    sys.exit(passed < len(KINDS))


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    main(*sys.argv[1:])
