"""Makes proofs.json: DPoP proofs by joserfc (https://jose.authlib.org), good ones and bad ones, for tests/proofs.rs. And holds ours to it:
the proofs under `ours` are those of ramz_api::app::Signer, and joserfc must take them.

Usage: make.py                   writes proofs.json anew, with a fresh key; `ours` is kept
       make.py --verify [FILE]   only looks whether joserfc takes `ours` and the good ones; of proofs.json, or of another file like it
"""

import base64
import hashlib
import json
import pathlib
import sys

import joserfc
from joserfc import jws
from joserfc.jwk import ECKey

FILE = pathlib.Path(__file__).with_name("proofs.json")
DEVICE = "d5c1a0e29b7f4c3e8a6b5d4f3e2c1b0a"
URL = "https://app.bank.example/app/cards"
BODY = '{"name":"گوشی من"}'
NOW_S = 1_795_485_164


def hashed(data):
    return base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()


def claims(method="POST", body=BODY, **changed):
    made = {
        "jti": "e1j3V_bKic8-LAEB", "htm": method, "htu": URL, "iat": NOW_S,
        "ath": hashed(DEVICE.encode()), "bh": hashed(body.encode()), "ctr": 7,
    }
    return {name: value for name, value in {**made, **changed}.items() if value is not None}


def proof(key, shown, made, **header):
    head = {"typ": "dpop+jwt", "alg": "ES256", "jwk": shown.as_dict(private=False), **header}
    payload = json.dumps(made, ensure_ascii=False).encode()
    registry = jws.JWSRegistry(algorithms=[head["alg"]], strict_check_header=False)
    return jws.serialize_compact(head, payload, key, registry=registry)


def make():
    key, other = ECKey.generate_key("P-256", private=True), ECKey.generate_key("P-256", private=True)
    p384 = ECKey.generate_key("P-384", private=True)
    public = {name: key.as_dict(private=False)[name] for name in ("kty", "crv", "x", "y")}
    case = lambda name, expect, text, method="POST", body=BODY: {  # noqa: E731
        "name": name, "expect": expect, "method": method, "body": body, "proof": text}
    cases = [
        case("a write", "ok 7", proof(key, key, claims())),
        case("a read", "ok", proof(key, key, claims("GET", "", ctr=None)), "GET", ""),
        case("a write without a body", "ok 8", proof(key, key, claims("DELETE", "", ctr=8)), "DELETE", ""),
        case("another header order and members", "ok 7", proof(key, key, claims(nonce="x"), kid="k")),
        case("another key's signature", "Signature", proof(other, key, claims())),
        case("another key", "Key", proof(other, other, claims())),
        case("another curve", "Header(\"alg\")", proof(p384, p384, claims(), alg="ES384")),
        case("a plain JWT", "Header(\"typ\")", proof(key, key, claims(), typ="JWT")),
        case("another body", "Claim(\"bh\")", proof(key, key, claims(body="{}"))),
        case("no body's hash", "Claim(\"bh\")", proof(key, key, claims(bh=None))),
        case("another device", "Claim(\"ath\")", proof(key, key, claims(ath=hashed(b"other")))),
        case("another method", "Claim(\"htm\")", proof(key, key, claims(htm="PUT"))),
        case("another path", "Claim(\"htu\")", proof(key, key, claims(htu=URL + "/x"))),
        case("of yesterday", "Clock", proof(key, key, claims(iat=NOW_S - 86_400))),
        case("a counter in words", "Claim(\"ctr\")", proof(key, key, claims(ctr="7"))),
    ]
    old = json.loads(FILE.read_text()) if FILE.exists() else {}
    made = {
        "source": f"make.py with joserfc {joserfc.__version__}; `ours` by ramz_api::app::Signer, its secret 32 bytes of 7, its randomness bytes of 3",
        "device": DEVICE, "url": URL, "now_s": NOW_S, "key": public, "cases": cases, "ours": old.get("ours", []),
    }
    FILE.write_text(json.dumps(made, indent=2, ensure_ascii=False) + "\n")


def verify(file):
    vectors, taken = json.loads(file.read_text()), 0
    good = [one for one in vectors["cases"] if one["expect"].startswith("ok")]
    for one in good + vectors["ours"]:
        registry = jws.JWSRegistry(algorithms=["ES256"], strict_check_header=False)
        head = jws.extract_compact(one["proof"].encode(), registry=registry).headers()
        assert head["typ"] == "dpop+jwt" and head["alg"] == "ES256" and "d" not in head["jwk"], head
        key = ECKey.import_key(head["jwk"])
        told = json.loads(jws.deserialize_compact(one["proof"], key, algorithms=["ES256"], registry=registry).payload)
        assert told["htm"] == one["method"] and told["htu"] == vectors["url"], one
        assert told["ath"] == hashed(vectors["device"].encode()) and told["bh"] == hashed(one["body"].encode()), one
        if "counter" in one:
            assert told.get("ctr") == one["counter"], one
        taken += 1
        print(f"ok    {one['name']}")
    assert vectors["ours"]
    print(f"{taken} passed, 0 failed")


if __name__ == "__main__":
    verify(pathlib.Path(*sys.argv[2:3] or [FILE])) if sys.argv[1:2] == ["--verify"] else make()
