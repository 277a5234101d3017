"""pyiso8583 as the switch of a whole lab that runs: PINs asked for over HTTP with mutual TLS, read at the handset, put into PIN
blocks by psec, and paid with over ISO 8583."""

import itertools
import json
import re
import socket
import ssl
import subprocess
import tempfile
import time
import urllib.request
import uuid
import warnings

from layouts import Wire, expect, network

warnings.filterwarnings("ignore")  # of psec's ciphers, which cryptography calls old; TDEA is what the zone has
from psec import des, pinblock  # noqa: E402

PATIENCE = 30  # seconds


def free_ports():
    """The first of forty ports that are free now."""
    for first in range(21000, 32000, 40):
        try:
            for port in range(first, first + 40):
                socket.create_server(("127.0.0.1", port)).close()
            return first
        except OSError:
            continue
    raise AssertionError("no forty free ports")


class Lab:
    """A lab in one layout."""

    def __init__(self, program, layout):
        self.layout, self.folder, port = layout, tempfile.TemporaryDirectory(), free_ports()
        arguments = ["lab", "--no-open", "--port", str(port), "--layout", layout.name, "--data", self.folder.name]
        self.process = subprocess.Popen([program, *arguments], stdout=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        assert line.startswith("lab ready"), line
        self.portal = f"http://localhost:{port}"
        self.json = self.get("/lab.json")
        self.bank = self.json["banks"][0]
        assert self.bank["iso8583"]["layout"] == layout.name
        self.tls = ssl.create_default_context(cafile=self.json["tls"]["ca"])
        self.tls.load_cert_chain(self.json["tls"]["cert"], self.json["tls"]["key"])
        self.traces = itertools.count(1)
        cards = (card for card in self.json["cards"] if card["bank"] == self.bank["id"])
        self.cards = [card for card in cards if card["state"] == "active" and card["phone"]]

    def stop(self):
        self.process.terminate()
        self.process.wait(PATIENCE)
        self.folder.cleanup()

    def get(self, path):
        return json.load(urllib.request.urlopen(self.portal + path, timeout=PATIENCE))

    def connect(self):
        host, port = self.bank["iso8583"]["address"].split(":")
        wire = Wire(socket.create_connection((host, int(port)), PATIENCE), self.layout, PATIENCE)
        expect(wire.ask(network("001")), t="0810", f39="00")
        return wire

    def pin(self, card, amount):
        """Asks for the PIN of a payment, and reads it at the phone."""
        asker = self.json["asker"]
        payee = {key: asker[key] for key in ("acquirer", "merchant", "terminal")}
        payee["name"] = asker["merchant_name"]
        payment = {"kind": "purchase", "amount": amount, "payee": payee, "origin": asker["origin"]}
        request = urllib.request.Request(
            self.json["router"]["url"] + "/v1/pin-requests",
            json.dumps({"pan": card["pan"], "payment": payment}).encode(),
            {"content-type": "application/json", "idempotency-key": str(uuid.uuid4())},
        )
        assert urllib.request.urlopen(request, timeout=PATIENCE, context=self.tls).status == 202
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until:
            for message in reversed(self.get(f"/handsets/{card['phone']}/messages")):
                if f"{amount:,}" in message["text"]:
                    return re.search(r"(?:رمز|PIN):\W*(\d{5,8})", message["text"])[1]
            time.sleep(0.02)
        raise AssertionError("no SMS came")

    def payment(self, card, amount, pin):
        asker, trace = self.json["asker"], next(self.traces)
        clear = pinblock.encode_pinblock_iso_0(pin, card["pan"])
        return {
            "t": "0200",
            "2": card["pan"],
            "3": "000000",
            "4": f"{amount:012}",
            "7": "1124015509",
            "11": f"{trace:06}",
            "12": "052509",
            "13": "1124",
            "14": card["expiry"],
            "18": "5411",
            "22": "812",
            "25": "59",
            "32": asker["acquirer"],
            "37": f"{trace:012}",
            "41": asker["terminal"],
            "42": f"{asker['merchant']:<15}",
            "48": "01003" + card["cvv2"],
            "49": "364",
            "52": des.encrypt_tdes_ecb(bytes.fromhex(self.bank["zone"]["key"]), clear).hex().upper(),
        }

    def balance(self, card):
        now = self.get("/lab/cards")["cards"]
        return next(one["balance"] for one in now if one["pan"] == card["pan"])


def with_check_digit(body):
    total = sum(sum(divmod(int(digit) * (2 - i % 2), 10)) for i, digit in enumerate(reversed(body)))
    return body + str(-total % 10)


def reversal(of, trace):
    original = "0200" + of["11"] + of["7"] + of["32"].zfill(11) + "0" * 11
    kept = {field: of[field] for field in ("2", "3", "4", "12", "13", "32", "37", "41", "42", "49")}
    return {"t": "0420", **kept, "7": "1124015609", "11": trace, "90": original}


def a_payment_its_repeat_and_its_reversal(lab):
    card, amount = lab.cards[0], 1_250_001
    before = lab.balance(card)
    payment = lab.payment(card, amount, lab.pin(card, amount))
    with lab.connect() as wire, lab.connect() as second:
        paid = wire.ask(payment)
        expect(paid, t="0210", f11=payment["11"], f37=payment["37"], f39="00", f41=payment["41"])
        assert "52" not in paid and "02" not in paid.get("48", ""), "neither PIN nor the issuer's word comes back"
        assert before - lab.balance(card) == amount
        # The same again, on another connection too: the answer given before, and nothing is spent.
        for other in (wire, second):
            again = other.ask({**payment, "t": "0201"})
            expect(again, t="0210", f11=payment["11"], f37=paid["37"], f38=paid["38"], f39="00")
        assert before - lab.balance(card) == amount
        expect(wire.ask({**payment, "t": "0201", "4": "000000000007"}), f39="94")
        # A new transaction with the same PIN.
        reused = {**payment, "11": "900001", "37": "000000900001"}
        expect(wire.ask(reused), f11="900001", f39="55")
        expect(wire.ask(reversal(payment, "900002")), t="0430", f11="900002", f39="00")
        assert lab.balance(card) == before
        expect(wire.ask({**payment, "11": "900003", "37": "000000900003"}), f39="55")


def requests_in_one_write_are_each_answered(lab):
    first, second = lab.cards[1], lab.cards[2]
    pins = lab.pin(first, 310_000), lab.pin(second, 420_000)
    before = lab.balance(first), lab.balance(second)
    payments = lab.payment(first, 310_000, pins[0]), lab.payment(second, 420_000, pins[1])
    wrong = lab.payment(second, 999_000, "0000" + pins[1])
    unknown = lab.payment({**first, "pan": with_check_digit(first["pan"][:6] + "799999999")}, 310_000, pins[0])
    without_pin = lab.payment(first, 55_000, pins[0])
    del without_pin["52"]
    with lab.connect() as wire:
        wire.send(network("301", "700001"), *payments, unknown, without_pin, network("301", "700002"))
        answers = {reply["11"]: reply for reply in (wire.receive() for _ in range(6))}
        for payment in payments:
            expect(answers[payment["11"]], t="0210", f4=payment["4"], f37=payment["37"], f39="00")
        expect(answers[unknown["11"]], t="0210", f39="14")
        expect(answers[without_pin["11"]], t="0210", f39="57")
        for echo in ("700001", "700002"):
            expect(answers[echo], t="0810", f39="00", f70="301")
        expect(wire.ask(wrong), t="0210", f39="55")
    assert (before[0] - lab.balance(first), before[1] - lab.balance(second)) == (310_000, 420_000)


def a_repeat_beside_its_original_is_paid_once(lab):
    card, amount = lab.cards[0], 77_000
    before = lab.balance(card)
    payment = lab.payment(card, amount, lab.pin(card, amount))
    with lab.connect() as wire, lab.connect() as second:
        wire.send(payment)
        second.send({**payment, "t": "0201"})
        codes = [wire.receive()["39"], second.receive()["39"]]
        assert codes == ["00", "00"], codes
    assert before - lab.balance(card) == amount


LAB = [
    a_payment_its_repeat_and_its_reversal,
    requests_in_one_write_are_each_answered,
    a_repeat_beside_its_original_is_paid_once,
]
