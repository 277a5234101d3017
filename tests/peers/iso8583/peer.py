"""A peer that knows ISO 8583 from elsewhere (pyiso8583): as a switch that asks a listener, and as a host that is asked.

Every message is encoded and decoded by pyiso8583's default_ascii; what comes must also encode back to the same bytes.
Prints one line a test and at the end `N passed, M failed`.
"""

import socket
import subprocess
import sys
import traceback

import iso8583
from iso8583.specs import default_ascii

PATIENCE = 20  # seconds


class Wire:
    """A connection with two bytes of length before every message."""

    def __init__(self, sock):
        sock.settimeout(PATIENCE)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock = sock

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.sock.close()

    def send_bytes(self, content):
        self.sock.sendall(len(content).to_bytes(2, "big") + content)

    def send(self, message):
        self.send_bytes(encode(message))

    def receive(self):
        length = int.from_bytes(self.exactly(2), "big")
        content = self.exactly(length)
        message, _ = iso8583.decode(content, default_ascii)
        again = bytes(iso8583.encode(dict(message), default_ascii)[0])
        assert again == content, "encodes back to other bytes"
        return message

    def exactly(self, count):
        content = b""
        while len(content) < count:
            more = self.sock.recv(count - len(content))
            assert more, f"the connection ended after {len(content)} of {count} bytes"
            content += more
        return content

    def ended(self):
        try:
            return self.sock.recv(1) == b""
        except ConnectionResetError:
            return True


def encode(message):
    return bytes(iso8583.encode(dict(message), default_ascii)[0])


def network(kind, trace="000001"):
    return {"t": "0800", "7": "1124015509", "11": trace, "70": kind}


def purchase(trace="000123"):
    return {
        "t": "0200",
        "2": "6104337000000016",
        "3": "000000",
        "4": "000001250000",
        "7": "1124015509",
        "11": trace,
        "12": "052509",
        "13": "1124",
        "14": "9912",
        "22": "812",
        "32": "581672061",
        "37": "000000" + trace,
        "41": "14033212",
        "42": "000000140332124",
        "48": "01003777",
        "49": "364",
        "52": "A5A5A5A5A5A5A5A5",
    }


def expect(message, **fields):
    for field, value in fields.items():
        field = field.lstrip("f")
        assert message.get(field) == value, f"field {field}: {message.get(field)!r}, expected {value!r}"


# The switch: asks a listener at `connect`.


def sign_on_echo_and_sign_off_are_answered(connect):
    with connect() as wire:
        for kind in ("001", "301", "002"):
            wire.send(network(kind))
            expect(wire.receive(), t="0810", f7="1124015509", f11="000001", f39="00", f70=kind)


def a_purchase_is_answered_to_whoever_asked(connect):
    with connect() as wire:
        wire.send(purchase())
        answer = wire.receive()
        expect(answer, t="0210", f3="000000", f4="000001250000", f11="000123", f37="000000000123", f41="14033212")
        assert len(answer["39"]) == 2 and "52" not in answer


def requests_may_be_pipelined(connect):
    with connect() as wire:
        traces = [f"{trace:06}" for trace in range(200, 250)]
        wire.sock.sendall(b"".join(len(m).to_bytes(2, "big") + m for m in map(encode, map(purchase, traces))))
        assert sorted(wire.receive()["11"] for _ in traces) == traces


def a_keep_alive_and_a_frame_in_single_bytes_are_taken(connect):
    with connect() as wire:
        echo = encode(network("301"))
        for byte in b"\0\0" + len(echo).to_bytes(2, "big") + echo:
            wire.sock.sendall(bytes([byte]))
        expect(wire.receive(), t="0810", f39="00")


def a_garbled_field_is_named(connect):
    with connect() as wire:
        wire.send_bytes(encode(purchase()).replace(b"000001250000", b"00000125000x", 1))
        expect(wire.receive(), t="0210", f11="000123", f39="30", f48="15014format_error:4")
        wire.send_bytes(encode(purchase()) + b"more")
        expect(wire.receive(), t="0210", f11="000123", f39="30", f48="15012format_error")


def garbage_is_survived(connect):
    with connect() as wire:
        for garbage in (b"x", b"0200", b"\xff" * 8192, b"0200" + b"F" * 16, encode(purchase())[:40]):
            wire.send_bytes(garbage)
        wire.send(network("301"))
        expect(wire.receive(), t="0810", f39="00")


def too_long_a_frame_is_hung_up_on(connect):
    with connect() as wire:
        wire.sock.sendall((8193).to_bytes(2, "big"))
        assert wire.ended()


SWITCH = [
    sign_on_echo_and_sign_off_are_answered,
    a_purchase_is_answered_to_whoever_asked,
    requests_may_be_pipelined,
    a_keep_alive_and_a_frame_in_single_bytes_are_taken,
    a_garbled_field_is_named,
    garbage_is_survived,
    too_long_a_frame_is_hung_up_on,
]


# The host: `ours` has connected to it and asks what it is told.


class Ours:
    """Our program, its link connected to us."""

    def __init__(self, path):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.listener.settimeout(PATIENCE)
        address = "127.0.0.1:%d" % self.listener.getsockname()[1]
        self.process = subprocess.Popen(
            [path, address], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        first = self.process.stdout.readline().split()
        assert first[:1] == ["listening"], first
        self.address = first[1]

    def ask(self, *traces):
        self.process.stdin.write("".join(f"{trace}\n" for trace in traces))
        self.process.stdin.flush()

    def told(self):
        return self.process.stdout.readline().strip()

    def signed_on(self):
        wire = Wire(self.listener.accept()[0])
        request = wire.receive()
        expect(request, t="0800", f7="1124015509", f70="001")
        wire.send({**request, "t": "0810", "39": "00"})
        return wire


def next_purchase(wire):
    """The next purchase; echoes before it are answered."""
    while True:
        request = wire.receive()
        if request["t"] == "0200":
            return request
        expect(request, t="0800", f70="301")
        wire.send({**request, "t": "0810", "39": "00"})


def a_link_signs_on_echoes_asks_and_comes_back(ours):
    with ours.signed_on() as wire:
        echo = wire.receive()
        expect(echo, t="0800", f70="301")
        wire.send({**echo, "t": "0810", "39": "00"})
        ours.ask("000007")
        request = next_purchase(wire)
        expect(request, f2="6104337000000016", f4="000001250000", f11="000007", f52="A5A5A5A5A5A5A5A5")
        wire.send({"t": "0210", "11": "000008", "39": "00", "41": "14033212"})
        wire.send({"t": "0210", "11": "000007", "39": "55", "41": "14033212"})
        assert ours.told() == "55", "the answer of another trace number was taken"
        wire.send(network("301", "000099"))
        while (answer := wire.receive())["t"] != "0810":
            wire.send({**answer, "t": "0810", "39": "00"})
        expect(answer, f11="000099", f39="00", f70="301")
        ours.ask("000009")
        next_purchase(wire)
    assert ours.told().startswith("sent, but the connection ended")
    with ours.signed_on() as wire:
        ours.ask("000010")
        wire.send({"t": "0210", "11": next_purchase(wire)["11"], "39": "00", "41": "14033212"})
        assert ours.told() == "00"
        ours.process.stdin.close()
        while (request := wire.receive())["70"] != "002":
            wire.send({**request, "t": "0810", "39": "00"})
        wire.send({**request, "t": "0810", "39": "00"})
        assert ours.process.wait(PATIENCE) == 0


def run(tests, subject):
    failed = 0
    for test in tests:
        try:
            test(subject)
            print("ok    ", test.__name__, flush=True)
        except Exception:
            failed += 1
            print("FAILED", test.__name__, flush=True)
            traceback.print_exc()
    return len(tests) - failed, failed


def connector(address):
    host, port = address.rsplit(":", 1)
    return lambda: Wire(socket.create_connection((host.strip("[]"), int(port)), PATIENCE))


def main(arguments):
    if len(arguments) == 2 and arguments[0] == "--ours":
        ours = Ours(arguments[1])
        try:
            results = [run(SWITCH, connector(ours.address)), run([a_link_signs_on_echoes_asks_and_comes_back], ours)]
        finally:
            ours.process.kill()
    elif len(arguments) == 1 and not arguments[0].startswith("-"):
        results = [run(SWITCH, connector(arguments[0]))]
    else:
        sys.exit("usage: peer.py HOST:PORT | --ours PROGRAM")
    passed, failed = (sum(column) for column in zip(*results))
    print(f"{passed} passed, {failed} failed")
    sys.exit(failed > 0)


if __name__ == "__main__":
    main(sys.argv[1:])
