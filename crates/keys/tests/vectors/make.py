"""Writes the vectors beside it, by other means than this crate: psec for PIN blocks, Python's hmac and hashlib for tags,
pyca/cryptography for AES-GCM, Argon2id, TDEA and P-256. Run `pip install psec cryptography` first; the output never changes."""

import hashlib
import hmac
import pathlib
import struct
import types

import psec
from cryptography.hazmat.primitives import hpke
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id
from psec import aes, des, pinblock

HERE = pathlib.Path(__file__).parent
PSEC = "PyPI psec 1.3.0"
PYTHON = "Python hmac and hashlib"
PYCA = "PyPI cryptography"

BODIES = ["610433700000001", "5022291012345678", "62198610456789012", "589463112233445566"]
TDEA2 = "0123456789abcdeffedcba9876543210"
TDEA3 = "0123456789abcdeffedcba987654321089abcdef01234567"
AES = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
TO = "1032547698badcfe67452301efcdab89"
# The five keys of a ring, as `generate` draws them: index, data, pin, journal, receive.
RING = [bytes(range(n, n + 32)) for n in (0x00, 0x20, 0x40, 0x60, 0x80)]
INDEX, DATA, PIN, JOURNAL, RECEIVE = RING


def digest(seed, length):
    return hashlib.shake_128(seed.encode()).digest(length)


def digits(seed, length):
    return "".join(str(byte % 10) for byte in digest(seed, length))


def luhn(body):
    total = 0
    for i, digit in enumerate(reversed(body + "0")):
        d = int(digit) * (1 + i % 2)
        total += d - 9 if d > 9 else d
    return body + str(-total % 10)


def value(v):
    return str(v) if isinstance(v, int) else '"' + v + '"' if isinstance(v, str) else "[" + ", ".join(map(value, v)) + "]"


def write(name, expect, source, head, cases):
    lines = [f'expect = "{expect}"', f'source = "{source}"']
    lines += [f"{k} = {value(v)}" for k, v in head.items()]
    for case in cases:
        lines += ["", "[[case]]"] + [f"{k} = {value(v)}" for k, v in case.items()]
    (HERE / f"{name}.toml").write_text("\n".join(lines) + "\n")


# PIN blocks. Reading one is seen in what it is translated to: format 0 under TO.

def iso0(key, pin, pan):
    return des.encrypt_tdes_ecb(bytes.fromhex(key), pinblock.encode_pinblock_iso_0(pin, pan)).hex()


def iso3(key, pin, pan, tail):
    letters, rest = [], int.from_bytes(tail, "big")
    for _ in range(10):
        letters.append("ABCDEF"[rest % 6])
        rest //= 6
    pinblock._secrets = types.SimpleNamespace(choice=lambda _: letters.pop(0))  # as in iso4
    return des.encrypt_tdes_ecb(bytes.fromhex(key), pinblock.encode_pinblock_iso_3(pin, pan)).hex()


def iso4(key, pin, pan, tail):
    pinblock._urandom = lambda n: tail  # psec's own randomness, for once foreseeable
    return pinblock.encipher_pinblock_iso_4(bytes.fromhex(key), pin, pan).hex()


PAIRS = [(digits(f"pin {n} {body}", n), luhn(body)) for n in range(4, 13) for body in BODIES]
PAIRS[0] = ("0000", PAIRS[0][1])

for name, key in [("iso0-two-key", TDEA2), ("iso0-three-key", TDEA3)]:
    cases = [dict(pin=p, pan=a, block=iso0(key, p, a), translated=iso0(TO, p, a)) for p, a in PAIRS]
    write(name, "accepted", PSEC, dict(format=0, key=key, to_key=TO), cases)

for name, key in [("iso3-two-key", TDEA2), ("iso3-three-key", TDEA3)]:
    cases = []
    for p, a in PAIRS:
        tail = digest("fill " + p + a, 8)
        cases.append(dict(pin=p, pan=a, tail=tail.hex(), block=iso3(key, p, a, tail), translated=iso0(TO, p, a)))
    write(name, "accepted", PSEC, dict(format=3, key=key, to_key=TO), cases)

for bits in (128, 192, 256):
    key, cases = AES[: bits // 4], []
    for p, a in PAIRS:
        tail = digest(p + a, 8)
        cases.append(dict(pin=p, pan=a, tail=tail.hex(), block=iso4(key, p, a, tail), translated=iso0(TO, p, a)))
    write(f"iso4-aes-{bits}", "accepted", PSEC, dict(format=4, key=key, to_key=TO), cases)


def clear0(field, pan):
    return bytes(a ^ b for a, b in zip(bytes.fromhex(field), bytes(2) + bytes.fromhex(pan[-13:-1])))


def sealed4(key, field, pan):
    a = aes.encrypt_aes_ecb(bytes.fromhex(key), bytes.fromhex(field))
    return aes.encrypt_aes_ecb(bytes.fromhex(key), bytes(x ^ y for x, y in zip(a, pinblock.encode_pan_field_iso_4(pan))))


def refused(decode):
    try:
        decode()
    except ValueError:
        return True
    return False


PAN, OTHER_PAN = luhn(BODIES[0]), luhn("610433700000072")
FIELDS = [("control nibble 1", "1", "4", "1234"), ("control nibble 3", "3", "4", "1234"),
          ("control nibble of the other format", "x", "4", "1234"), ("length 0", "c", "0", ""),
          ("length 3", "c", "3", "123"), ("length 13", "c", "d", "1234567890123"),
          ("length 15", "c", "f", "12345678901234"), ("a digit A", "c", "4", "12a4"),
          ("a digit F", "c", "5", "1234f"), ("fill after the PIN is a digit", "c", "4", "12345"),
          ("fill of the other format", "c", "4", "1234o"), ("fill ends in a digit", "c", "4", "1234~0")]


def field(control, fill, other, c, length, body):
    body = body.replace("o", other)
    head = {"c": control, "x": "4" if control == "0" else "0"}.get(c, c) + length
    if "~" in body:
        body, end = body.split("~")
        return head + body + fill * (14 - len(body) - len(end)) + end
    return head + (body + fill * 14)[:14]


cases = []
for why, *spec in FIELDS:
    block = des.encrypt_tdes_ecb(bytes.fromhex(TDEA2), clear0(field("0", "f", "a", *spec), PAN))
    clear = des.decrypt_tdes_ecb(bytes.fromhex(TDEA2), block)
    assert refused(lambda: pinblock.decode_pinblock_iso_0(clear, PAN)), why
    cases.append(dict(why=why, pan=PAN, block=block.hex()))
good = iso0(TDEA2, "0472013", PAN)
wrong_key = des.decrypt_tdes_ecb(bytes.fromhex(TDEA2), bytes.fromhex(iso0(TO, "0472013", PAN)))
assert refused(lambda: pinblock.decode_pinblock_iso_0(wrong_key, PAN))
cases.append(dict(why="another key", pan=PAN, block=iso0(TO, "0472013", PAN)))
far = luhn(BODIES[1])
assert refused(lambda: pinblock.decode_pinblock_iso_0(pinblock.encode_pinblock_iso_0("0472013", PAN), far))
cases.append(dict(why="another PAN", pan=far, block=good))
for why, block in [("no bytes", ""), ("a byte short", good[:-2]), ("a byte long", good + "00"), ("twice as long", good * 2)]:
    cases.append(dict(why=why, pan=PAN, block=block))
write("iso0-refused", "refused", PSEC + " refuses the same", dict(format=0, key=TDEA2, to_key=TO), cases)

cases = []
for why, *spec in FIELDS:
    why = {"control nibble 3": "control nibble 2", "fill of the other format": "fill after the PIN is the digit 9"}.get(why, why)
    if why == "control nibble 2":
        spec[0] = "2"
    block = des.encrypt_tdes_ecb(bytes.fromhex(TDEA2), clear0(field("3", "e", "9", *spec), PAN))
    clear = des.decrypt_tdes_ecb(bytes.fromhex(TDEA2), block)
    assert refused(lambda: pinblock.decode_pinblock_iso_3(clear, PAN)), why
    cases.append(dict(why=why, pan=PAN, block=block.hex()))
good = iso3(TDEA2, "0472013", PAN, bytes(8))
wrong_key = des.decrypt_tdes_ecb(bytes.fromhex(TDEA2), bytes.fromhex(iso3(TO, "0472013", PAN, bytes(8))))
assert refused(lambda: pinblock.decode_pinblock_iso_3(wrong_key, PAN))
cases.append(dict(why="another key", pan=PAN, block=iso3(TO, "0472013", PAN, bytes(8))))
cases.append(dict(why="format 0", pan=PAN, block=iso0(TDEA2, "0472013", PAN)))
far_block = des.decrypt_tdes_ecb(bytes.fromhex(TDEA2), bytes.fromhex(good))
assert refused(lambda: pinblock.decode_pinblock_iso_3(far_block, far))
cases.append(dict(why="another PAN", pan=far, block=good))
for why, block in [("no bytes", ""), ("a byte short", good[:-2]), ("a byte long", good + "00"), ("twice as long", good * 2)]:
    cases.append(dict(why=why, pan=PAN, block=block))
write("iso3-refused", "refused", PSEC + " refuses the same", dict(format=3, key=TDEA2, to_key=TO), cases)

key, cases = AES[:32], []
for why, *spec in FIELDS:
    block = sealed4(key, field("4", "a", "f", *spec) + "0011223344556677", PAN)
    assert refused(lambda: pinblock.decipher_pinblock_iso_4(bytes.fromhex(key), block, PAN)), why
    cases.append(dict(why=why, pan=PAN, block=block.hex()))
good = iso4(key, "0472013", PAN, bytes(8))
for why, block, pan in [("another key", iso4(TO, "0472013", PAN, bytes(8)), PAN), ("another PAN", good, OTHER_PAN)]:
    assert refused(lambda: pinblock.decipher_pinblock_iso_4(bytes.fromhex(key), bytes.fromhex(block), pan)), why
    cases.append(dict(why=why, pan=pan, block=block))
for why, block in [("no bytes", ""), ("a byte short", good[:-2]), ("a byte long", good + "00"), ("half", good[:16])]:
    cases.append(dict(why=why, pan=PAN, block=block))
write("iso4-refused", "refused", PSEC + " refuses the same", dict(format=4, key=key, to_key=TO), cases)

# Format 0 cannot tell every wrong PAN: digits that differ where the PIN's digits are may give another PIN.
cases = []
for n in range(4000):
    wrong = luhn(f"610433{n:04d}00001")
    try:
        pin = pinblock.decode_pinblock_iso_0(pinblock.encode_pinblock_iso_0("047201399999", PAN), wrong)
    except ValueError:
        continue
    if pin != "047201399999" and len(cases) < 8:
        cases.append(dict(pin=pin, pan=wrong, block=iso0(TDEA2, "047201399999", PAN), translated=iso0(TO, pin, wrong)))
assert len(cases) == 8
write("iso0-other-pan-other-pin", "accepted", PSEC, dict(format=0, key=TDEA2, to_key=TO), cases)

# Nor can format 3, and less so: a wrong fill may be a right one too.
cases = []
for n in range(4000):
    wrong, tail = luhn(f"610433{n:04d}00001"), digest(f"other {n}", 8)
    block = iso3(TDEA2, "047201399999", PAN, tail)
    try:
        pin = pinblock.decode_pinblock_iso_3(des.decrypt_tdes_ecb(bytes.fromhex(TDEA2), bytes.fromhex(block)), wrong)
    except ValueError:
        continue
    if pin != "047201399999" and len(cases) < 8:
        cases.append(dict(pin=pin, pan=wrong, block=block, translated=iso0(TO, pin, wrong)))
assert len(cases) == 8
write("iso3-other-pan-other-pin", "accepted", PSEC, dict(format=3, key=TDEA2, to_key=TO), cases)

cases = [dict(cipher="tdea", key=k, check_value=des.generate_kcv(bytes.fromhex(k), 3).hex()) for k in (TDEA2, TDEA3, TO)]
cases += [dict(cipher="aes", key=AES[:n], check_value=aes.encrypt_aes_ecb(bytes.fromhex(AES[:n]), bytes(16))[:3].hex())
          for n in (32, 48, 64)]
write("check-value", "accepted", PSEC, {}, cases)


# Tags.

def joined(parts):
    return b"".join(struct.pack(">Q", len(part)) + part for part in parts)


def tag(key, *parts):
    return hmac.new(key, joined(parts), hashlib.sha256).digest()


ring = dict(ring=[key.hex() for key in RING])
WORDS = ["pan", "phone", "expiry", "payee-pan", "admission", "bill", "api-key", "payer", "text", "activation",
         "seed"]
PARTS = [[b"6104337000000016"], [b"61043370", b"00000016"], [b""], [], [bytes(300), b"\xff"]]
cases = [dict(purpose=w, parts=[p.hex() for p in parts], tag=tag(INDEX, b"ramz-index-1", w.encode(), *parts).hex())
         for w in WORDS for parts in PARTS]
write("index", "accepted", PYTHON, ring, cases)

cases = []
for n in range(5, 9):
    for i in range(12):
        card, challenge, payment = digest(f"card {i}", 16), digest(f"challenge {n} {i}", 16), digest(f"payment {i}", 32)
        mac = tag(PIN, b"ramz-pin-1", bytes([n]), card, challenge, payment)
        pin = str(int.from_bytes(mac[:16], "big") % 10**n).rjust(n, "0")
        cases.append(dict(digits=n, card=card.hex(), challenge=challenge.hex(), payment=payment.hex(), pin=pin))
assert any(case["pin"].startswith("0") for case in cases)
write("pin", "accepted", PYTHON, ring, cases)

cases, previous = [], bytes(32)
for seq, entry in [(1, b"activated"), (2, b""), (3, bytes(500)), (2**64 - 1, b"last")]:
    mac = tag(JOURNAL, b"ramz-journal-1", bytes([0xCA] * 16), struct.pack(">Q", seq), previous, entry)
    # TOML's integers end at 2^63 - 1.
    cases.append(dict(card="ca" * 16, seq=str(seq), previous=previous.hex(), entry=entry.hex(), mac=mac.hex()))
    previous = mac
write("chain", "accepted", PYTHON, ring, cases)

# Sealed columns and key files.

cases = []
for row, column, clear in [("01" * 16, "card.pan", b"6104337000000016"), ("02" * 16, "card.phone", b""), ("ff" * 16, "c", bytes(200))]:
    nonce, version = digest(column, 12), struct.pack(">I", 1)
    row_key = tag(DATA, b"ramz-row-1", bytes.fromhex(row))
    associated = joined([b"ramz-seal-1", bytes.fromhex(row), column.encode(), version])
    sealed = b"\x01" + version + nonce + AESGCM(row_key).encrypt(nonce, clear, associated)
    cases.append(dict(row=row, column=column, nonce=nonce.hex(), clear=clear.hex(), sealed=sealed.hex()))
write("sealed", "accepted", PYCA, ring, cases)


def byte_string(b):
    return (bytes([0x40 + len(b)]) if len(b) < 24 else bytes([0x58, len(b)])) + b


cases = []
# With four keys: a file of before the receive key.
for keys, memory, passes, lanes, passphrase in [(4, 64, 1, 1, "open sesame"), (4, 128, 3, 4, "سه واژه"), (5, 64, 1, 1, "open wheat")]:
    cbor = b"\x82" + bytes([0xA0 + keys])  # [{purpose: {version: [key]}}, {zone: [cipher, key]}]
    for n, key in enumerate(RING[:keys]):
        cbor += bytes([n]) + b"\xa1\x01\x81" + byte_string(key)
    cbor += b"\xa1\x66switch" + b"\x82\x00" + byte_string(bytes.fromhex(TDEA2))
    salt, nonce = digest(passphrase, 16), digest(passphrase + "nonce", 12)
    header = b"\x02" + struct.pack(">III", memory, passes, lanes) + salt + nonce + struct.pack(">I", len(cbor) + 16)
    stretched = Argon2id(salt=salt, length=32, iterations=passes, lanes=lanes, memory_cost=memory).derive(passphrase.encode())
    cases.append(dict(receive_keys=keys - 4, passphrase=passphrase, file=(header + AESGCM(stretched).encrypt(nonce, cbor, header)).hex()))
write("key-file", "accepted", PYCA, dict(**ring, zone="switch", check_value=des.generate_kcv(bytes.fromhex(TDEA2), 3).hex()), cases)

# Seeds that a phone sealed: RFC 9180 in Python; pyca's HPKE opens the one without associated data.

def labelled_extract(suite, salt, label, ikm):
    return hmac.new(salt or bytes(32), b"HPKE-v1" + suite + label + ikm, hashlib.sha256).digest()


def labelled_expand(suite, prk, label, info, length):
    info = struct.pack(">H", length) + b"HPKE-v1" + suite + label + info
    return hmac.new(prk, info + b"\x01", hashlib.sha256).digest()[:length]


def uncompressed(public):
    numbers = public.public_numbers()
    return b"\x04" + numbers.x.to_bytes(32, "big") + numbers.y.to_bytes(32, "big")


def hpke_seal(to, once, info, associated, clear):
    enc, bank = uncompressed(once.public_key()), uncompressed(to)
    kem, suite = b"KEM\x00\x10", b"HPKE\x00\x10\x00\x01\x00\x02"  # P-256, HKDF-SHA256, AES-256-GCM
    shared = labelled_extract(kem, b"", b"eae_prk", once.exchange(ec.ECDH(), to))
    shared = labelled_expand(kem, shared, b"shared_secret", enc + bank, 32)
    context = b"\x00" + labelled_extract(suite, b"", b"psk_id_hash", b"") + labelled_extract(suite, b"", b"info_hash", info)
    secret = labelled_extract(suite, shared, b"secret", b"")
    key, nonce = labelled_expand(suite, secret, b"key", context, 32), labelled_expand(suite, secret, b"base_nonce", context, 12)
    return enc, AESGCM(key).encrypt(nonce, clear, associated)


def scalar(b):
    return ec.derive_private_key(int.from_bytes(b, "big"), ec.SECP256R1())


bank, info = scalar(RECEIVE), b"ramz-seed-1"
cases = []
for n, associated in enumerate([b"", b"6f1c", bytes(300)]):
    seed = digest(f"seed {n}", 32)
    enc, ciphertext = hpke_seal(bank.public_key(), scalar(digest(f"once {n}", 32)), info, associated, seed)
    if not associated:
        foreign = hpke.Suite(hpke.KEM.P256, hpke.KDF.HKDF_SHA256, hpke.AEAD.AES_256_GCM)
        assert foreign.decrypt(enc + ciphertext, bank, info=info) == seed
    owner = digest(f"owner {n}", 16)
    cases.append(dict(associated=associated.hex(), enc=enc.hex(), ciphertext=ciphertext.hex(), owner=owner.hex(),
                      seed=seed.hex(), mark=tag(INDEX, b"ramz-index-1", b"seed", owner, seed)[:16].hex()))
write("received", "accepted", PYCA + ", RFC 9180 in Python", dict(**ring, public=uncompressed(bank.public_key()).hex()), cases)
